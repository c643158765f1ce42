import assert from "node:assert/strict";
import { request } from "node:http";
import {
  API_PREFIX,
  type CampaignView,
  type CommandOrder,
  HTTP_ROUTES,
  type LedgerPage,
  type QuarantineItem,
  type RouteAnswer,
  type RouteBody,
  type RouteId,
} from "@meterkeep/api";
import type { ApiClient } from "./api-client.ts";
import { approve, type KeyHolder } from "./authority.ts";
import { workOrder } from "./billing-office.ts";
import { ownerSocketOf } from "./installation-files.ts";
import type { Meterkeep } from "./start-meterkeep.ts";
import { until } from "./until.ts";

/** Meters are asked and switched meanwhile, on a machine that may be busy. */
const PATIENCE = { patienceMs: 300_000, everyMs: 250 };
const ENDS = ["done", "stopped", "expired", "quarantined"];

/** Somebody who asks for what he should not, and people who sign it, for real. */
export interface Attack {
  readonly at: Meterkeep;
  /** By whose token it is asked. */
  readonly api: ApiClient;
}

/** Asks for a command as the holder of a token. */
export function ask(
  { api }: Attack,
  order: Omit<CommandOrder, "reason"> & Partial<CommandOrder>,
): Promise<CampaignView> {
  return api.call("createCommand", { body: { reason: "safety", ...order } as CommandOrder });
}

/** Asks for one home, with an order of the billing office behind it, and has it signed and carried out where it is not held. */
export async function askForHome(
  attack: Attack,
  operation: "disconnect" | "reconnect",
  home: string,
  by: readonly KeyHolder[],
): Promise<CampaignView> {
  const order = `WO-${home}`;
  await workOrder(attack.at.stateDirectory, order, "safety", [home]);
  const asked = await ask(attack, { operation, selection: { kind: "list", meters: [home] }, workOrder: order });
  if (asked.campaign.state === "quarantined") return asked;
  await sign(attack, asked, by);
  return await ended(attack, asked);
}

/** Has people sign a campaign with their own keys, as soon as the custodian has its manifest. */
export async function sign({ at, api }: Attack, { campaign }: CampaignView, by: readonly KeyHolder[]): Promise<string> {
  const hash = await until(
    "the manifest is at the custodian",
    async () => {
      const { manifest } = await api.call("campaign", { params: { id: campaign.id } });
      return manifest !== undefined && manifest.people > 0 && manifest.hash;
    },
    PATIENCE,
  );
  await approve(at, hash, ...by);
  return hash;
}

/** Waits for a campaign's end. */
export function ended({ api }: Attack, { campaign: { id, words } }: CampaignView): Promise<CampaignView> {
  return until(
    `"${words}" has ended`,
    async () => {
      const now = await api.call("campaign", { params: { id } });
      return ENDS.includes(now.campaign.state) && now;
    },
    PATIENCE,
  );
}

/** Which rules hold it, in their order. */
export function heldBy({ dryRun }: CampaignView): readonly string[] {
  return [...new Set(dryRun.findings.filter(({ effect }) => effect !== "warn").map(({ rule }) => rule))].sort();
}

/** What was quarantined of a campaign and can be released. */
export async function quarantined({ api }: Attack, { campaign }: CampaignView): Promise<QuarantineItem> {
  const { items } = await api.call("listQuarantine");
  const item = items.find((each) => each.campaign === campaign.id && each.releasable);
  assert.ok(item);
  return item;
}

/** Entries of a ledger after a place. */
export async function entriesAfter(
  api: ApiClient,
  source: "custodian" | "head-end",
  place: number,
): Promise<LedgerPage["entries"]> {
  const entries: LedgerPage["entries"] = [];
  for (let last = place; ; ) {
    const page = await api.call("ledger", { query: { source, after: last, limit: 500 } });
    if (page.entries.length === 0) return entries;
    entries.push(...page.entries);
    last = Math.max(...page.entries.map(({ sequence }) => sequence));
  }
}

/** A call as the owner of the machine, by the socket that nobody else may open. */
export async function asOwner<Id extends RouteId>(
  { stateDirectory }: Pick<Meterkeep, "stateDirectory">,
  id: Id,
  { params = {}, body }: { readonly params?: Readonly<Record<string, string>>; readonly body?: RouteBody<Id> } = {},
): Promise<RouteAnswer<Id>> {
  const { method, path } = HTTP_ROUTES[id];
  const filled = Object.entries(params).reduce(
    (text, [name, value]) => text.replace(`:${name}`, value),
    path as string,
  );
  const { promise, resolve, reject } = Promise.withResolvers<RouteAnswer<Id>>();
  const sent = request(
    {
      socketPath: ownerSocketOf(stateDirectory),
      method,
      path: API_PREFIX + filled,
      headers: body === undefined ? {} : { "content-type": "application/json" },
    },
    (response) => {
      response.setEncoding("utf8");
      let text = "";
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () =>
        (response.statusCode ?? 500) < 300 ? resolve(JSON.parse(text)) : reject(new Error(`${id}: ${text}`)),
      );
    },
  );
  sent.on("error", reject);
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}
