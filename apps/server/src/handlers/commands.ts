import { PROTECTED_KINDS, type ProtectedSite } from "@meterkeep/api";
import { POLICY_SERVICE_NAME, type Requester } from "@meterkeep/headend";
import type { FastifyRequest } from "fastify";
import { askingNetwork } from "../http/asking-network.ts";
import { loginOf } from "../http/login.ts";
import type { Handlers } from "../http/mount.ts";
import type { Context } from "./context.ts";
import { throwKillSwitch } from "./kill-switch.ts";
import { record } from "./record.ts";

const CAMPAIGNS = 50;
const TARGETS = 200;
const ITEMS = 100;

type Served =
  | "operations"
  | "campaignTarget"
  | "dryRunCommand"
  | "createCommand"
  | "listCampaigns"
  | "campaign"
  | "campaignTargets"
  | "pauseCampaign"
  | "resumeCampaign"
  | "stopCampaign"
  | "listQuarantine"
  | "releaseQuarantine"
  | "discardQuarantine"
  | "killSwitch"
  | "rules"
  | "policyService"
  | "listProtectedSites"
  | "protectSite"
  | "listGroups"
  | "setGroup"
  | "removeGroup"
  | "blastRadius";

/** Commands, campaigns, what the guard has refused, and how far anybody reaches. */
export function commandHandlers(context: Context): Pick<Handlers, Served> {
  const { campaigns, groups, guard } = context;
  const decide = (what: "pause" | "resume" | "stop") => (call: Decided) =>
    campaigns.decide(call.params.id, what, whoAsks(call.request), call.body.reason);
  return {
    operations: async () => ({ operations: [...campaigns.operations()] }),
    campaignTarget: ({ params }) => campaigns.target(params.id, params.systemTitle),
    dryRunCommand: ({ body, request }) => campaigns.dryRun(body, whoAsks(request)),
    createCommand: async ({ body, request, reply }) => {
      const view = await campaigns.create(body, whoAsks(request));
      reply.header("location", `/api/v1/campaigns/${view.campaign.id}`);
      return view;
    },
    listCampaigns: ({ query }) => campaigns.list(query.state, query.limit ?? CAMPAIGNS),
    campaign: ({ params }) => campaigns.view(params.id),
    campaignTargets: async ({ params, query }) => ({
      targets: [...(await campaigns.targets(params.id, { limit: TARGETS, ...query }))],
    }),
    pauseCampaign: decide("pause"),
    resumeCampaign: decide("resume"),
    stopCampaign: decide("stop"),
    listQuarantine: async ({ query }) => ({
      items: [...(await campaigns.quarantine(query.state, query.limit ?? ITEMS))],
    }),
    releaseQuarantine: ({ params, body, request }) => campaigns.release(params.id, whoAsks(request), body.reason),
    discardQuarantine: ({ params, body, request }) => campaigns.discard(params.id, whoAsks(request), body.reason),
    killSwitch: async ({ body, request }) => {
      await throwKillSwitch(context, loginOf(request).name, body.reason);
      return guard.rules();
    },
    rules: () => guard.rules(),
    policyService: async () => ({
      name: POLICY_SERVICE_NAME,
      publicKey: guard.publicKey,
      enrolled: await guard.isEnrolled(),
    }),
    listProtectedSites: async () => ({ sites: (await guard.protectedSites()).map(siteView) }),
    protectSite: async ({ body, request }) => {
      const { name } = loginOf(request);
      await record(context, "site-protected", name, { kind: body.kind, note: body.note ?? "" }, body.meter);
      return siteView(await guard.protect({ ...body, note: body.note ?? "", by: name }));
    },
    listGroups: async () => {
      const [all, kinds] = await Promise.all([groups.list(), groups.kinds()]);
      return { groups: [...all], kinds };
    },
    setGroup: async ({ params, body, request }) => {
      const { name: by } = loginOf(request);
      const { meters, note = "", more = false } = body;
      await record(context, "group-set", by, { group: params.name, meters: meters.length, more, note });
      return groups.put({ name: params.name, meters, note, more, by });
    },
    removeGroup: async ({ params, request }) => {
      await record(context, "group-removed", loginOf(request).name, { group: params.name });
      await groups.remove(params.name);
    },
    blastRadius: () => guard.blastRadius(),
  };
}

interface Decided {
  readonly params: { readonly id: string };
  readonly body: { readonly reason: string };
  readonly request: FastifyRequest;
}

function whoAsks(request: FastifyRequest): Requester {
  const { id, name } = loginOf(request);
  return { id, name, network: askingNetwork(request.ip) };
}

function siteView({ kind, ...site }: Awaited<ReturnType<Context["guard"]["protectedSites"]>>[number]): ProtectedSite {
  return { ...site, kind: PROTECTED_KINDS.find((each) => each === kind) ?? "other" };
}
