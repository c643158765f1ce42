import type { MeterDetail, MeterSummary } from "@meterkeep/api";
import { CustodianCallError, type EnrolmentState } from "@meterkeep/api/custodian";
import { fromHex, manufacturerOf, systemTitle } from "@meterkeep/dlms";
import {
  HeadEndError,
  type Meter,
  meterDetail,
  meterPage,
  meterSummaries,
  missingIntervals,
  parseGatewayAddress,
  sessionDetail,
  sessionsOf,
} from "@meterkeep/headend";
import { loginOf } from "../http/login.ts";
import type { Call, Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";
import { record } from "./record.ts";

/** Lines of a page, unless it is said how many. */
const DEFAULT_LIMIT = 1_000;
/** No meter has a higher number: the column takes none. */
const HIGHEST_NUMBER = 2 ** 31 - 1;

/** Meters, attaching a real one, and sessions. */
export function meterHandlers(
  context: Context,
): Pick<Handlers, "listMeters" | "attachMeter" | "meter" | "meterSessions" | "session"> {
  const { pool, scope, inventory } = context;
  return {
    listMeters: async ({ query }) => {
      const now = context.now();
      const page = await meterPage(pool, scope, context.clockOf, now, {
        ...query,
        after: Math.min(Number(query.after ?? 0), HIGHEST_NUMBER),
        limit: query.limit ?? DEFAULT_LIMIT,
      });
      return { asOf: new Date(now).toISOString(), ...page, meters: [...page.meters] };
    },
    attachMeter: (call) => attach(context, call),
    meter: async ({ params }) => detail(context, await inventory.get(params.systemTitle)),
    meterSessions: async ({ params, query }) => {
      const meter = await inventory.get(params.systemTitle);
      return { sessions: [...(await sessionsOf(pool, scope, meter.id, query.limit ?? 50))] };
    },
    session: async ({ params }) => {
      const found = await sessionDetail(pool, scope, params.id);
      if (found === undefined) throw new ProblemError("session-unknown", `there is no session ${params.id}`);
      return found;
    },
  };
}

async function detail(context: Context, meter: Meter): Promise<MeterDetail> {
  const { pool, scope } = context;
  const [keys, enrolment] = await Promise.all([describeKeys(context, meter), enrolmentOf(context, meter)]);
  const missing = await missingIntervals(pool, scope, meter, context.wanted(context.now()));
  return meterDetail(pool, scope, meter, await summary(context, meter.title), keys, missing, enrolment);
}

async function enrolmentOf({ custodianWatch, custodian }: Context, meter: Meter): Promise<EnrolmentState | undefined> {
  if (!custodianWatch.summary.reachable) return undefined;
  return (await custodian.enrolmentStates({ meters: [meter.systemTitle], after: undefined })).states[0];
}

/** A custodian that does not answer leaves the page without keys, not without the meter. */
async function describeKeys(context: Context, meter: Meter): Promise<Parameters<typeof meterDetail>[4]> {
  if (!context.custodianWatch.summary.reachable) return [];
  return (await context.custodian.describeKeys({ meter: meter.systemTitle })).keys;
}

async function summary(context: Context, title: string): Promise<MeterSummary> {
  const [found] = await meterSummaries(context.pool, context.scope, context.clockOf, context.now(), { title });
  if (found === undefined) throw new HeadEndError("meter-unknown", `there is no meter ${title} on this island`);
  return found;
}

/** The custodian takes the sealed keys first: a meter that it refuses never gets into the inventory. */
async function attach(context: Context, { body, request, reply }: Call<"attachMeter">): Promise<MeterSummary> {
  const { inventory, scope, custodian } = context;
  if (body.source !== undefined) await permitGateway(context, body.source);
  const title = systemTitle(fromHex(body.systemTitle));
  if (await isKnown(context, body.systemTitle))
    throw new HeadEndError("meter-exists", `meter ${body.systemTitle} is in the inventory already`);
  await record(
    context,
    "meter-attached",
    loginOf(request).name,
    { label: body.label, source: body.source },
    body.systemTitle,
  );
  const outcome = await custodian
    .addMeter({
      utility: scope.utility,
      island: scope.island,
      systemTitle: title,
      sealed: JSON.stringify(body.sealed),
      kind: "real",
    })
    .catch((cause: unknown) => {
      if (!(cause instanceof CustodianCallError && cause.code === "approval-required")) throw cause;
      throw new HeadEndError("sealed-keys-refused", cause.message, { cause });
    });
  // In custody from an attempt that broke off before the inventory had it: go on where it was.
  if (outcome.kind === "refused" && outcome.code !== "meter-already-in-custody")
    throw new HeadEndError("sealed-keys-refused", `${outcome.code}: ${outcome.message}`);
  await inventory.add(
    [
      {
        systemTitle: body.systemTitle,
        kind: "real",
        label: body.label,
        profile: body.profile ?? "push-only",
        securitySuite: 0,
        manufacturer: manufacturerOf(title) ?? "unknown",
        holders: ["whoever had the keys before"],
        ...(body.source === undefined ? {} : { pushSource: body.source }),
        ...(body.layout === undefined ? {} : { pushLayout: body.layout }),
        ...(outcome.kind === "added" ? { keyFindings: outcome.warnings.map(({ message }) => message) } : {}),
      },
    ],
    new Date(context.now()),
  );
  await context.attached({ systemTitle: body.systemTitle, source: body.source });
  const added = await summary(context, body.systemTitle);
  context.hub.publish("meter", added);
  reply.header("location", `/api/v1/meters/${body.systemTitle}`);
  return added;
}

/** A name that nobody knows now may be known later; it is looked at again whenever its gateway is connected to. */
async function permitGateway(context: Context, source: string): Promise<void> {
  try {
    await context.gateways.permit(parseGatewayAddress(source));
  } catch (error) {
    if (error instanceof HeadEndError) throw error;
  }
}

async function isKnown(context: Context, title: string): Promise<boolean> {
  try {
    await context.inventory.get(title);
    return true;
  } catch (error) {
    if (error instanceof HeadEndError && error.code === "meter-unknown") return false;
    throw error;
  }
}
