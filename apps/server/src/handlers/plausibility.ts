import { type DisputeSettlement, MOST_SETTLED_METER_DAYS } from "@meterkeep/api";
import { DAY_MILLISECONDS, plausibilityView, type RecordSettled, settleDisputes } from "@meterkeep/headend";
import { loginOf } from "../http/login.ts";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";

const DEFAULT_LIMIT = 200;

/** What is not plausible in what meters say. */
export function plausibilityHandlers(context: Context): Pick<Handlers, "plausibility" | "settleDisputes"> {
  const { pool, scope, inventory, clockOf, now } = context;
  return {
    plausibility: async ({ query: { meter, limit = DEFAULT_LIMIT, ...more } }) =>
      plausibilityView(
        pool,
        scope,
        { meter: meter === undefined ? undefined : (await inventory.get(meter)).id, rule: undefined, ...more, limit },
        (kind) => clockOf(kind).atSource(now()),
      ),
    settleDisputes: async ({ body, request }) => {
      const { meters: titles, verdict, reason, rule, dryRun = false, digest } = body;
      const [from, to] = spanOf(body);
      if (!dryRun && digest === undefined)
        throw new ProblemError(
          "body-invalid",
          "body/digest: settled is what somebody has looked at; name the digest of the dry run",
        );
      const meters = [];
      for (const title of titles) meters.push(await inventory.get(title));
      const by = loginOf(request).name;
      const settlement = { verdict, from, to, reason, by, ...(rule === undefined ? {} : { rule }) };
      const record: RecordSettled = (changed, seen) => recordSettled(context, settlement, changed, seen);
      const act = dryRun || digest === undefined ? {} : { act: { digest, record } };
      const settled = await settleDisputes(pool, scope, meters, settlement, { now, ...act });
      return {
        verdict,
        dryRun,
        digest: settled.digest,
        meters: settled.meters.map(({ meter: { title, label }, ...counts }) => ({ meter: title, label, ...counts })),
      };
    },
  };
}

type Recorded = Omit<Parameters<typeof settleDisputes>[3], "from" | "to"> & {
  readonly from: number;
  readonly to: number;
};

/** An entry a meter, in one append: all of them, or none. Who watches is told once. */
async function recordSettled(
  { ledger, scope, hub, now }: Context,
  { verdict, from, to, rule, reason, by }: Recorded,
  settled: Parameters<RecordSettled>[0],
  digest: string,
): Promise<readonly number[]> {
  const [first] = settled;
  if (first === undefined) return [];
  const { meter } = first;
  const stretch = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const entries = await ledger.append(
    ...settled.map(({ meter: { title }, findings, seenTo, intervals, registers, powerQuality }) => ({
      at: now(),
      kind: "dispute-settled",
      principal: by,
      utility: scope.utility,
      island: scope.island,
      meter: title,
      body: {
        ...{ verdict, ...stretch, rule: rule ?? "", reason, digest, seenTo },
        ...{ findings, intervals, registers, powerQuality },
      },
    })),
  );
  const whose = settled.length === 1 ? meter.label : `${settled.length} meters`;
  const said = `${by} ${verdict} what ${whose} said from ${stretch.from} to ${stretch.to} and was in dispute: ${reason}`;
  const [last] = entries.slice(-1);
  if (last !== undefined)
    hub.publish(
      "ledger",
      {
        source: "head-end",
        sequence: last.sequence,
        at: new Date(last.at).toISOString(),
        kind: "dispute-settled",
        ...(settled.length === 1 ? { meter: meter.title } : {}),
        sentence: said,
      },
      { sentence: said, severity: "notice", ...(settled.length === 1 ? { meter: meter.title } : {}) },
    );
  return entries.map(({ sequence }) => sequence);
}

/** A span that ends behind its start, and of no more days of meters than are counted in one go. */
function spanOf({ from, to, meters }: DisputeSettlement): readonly [from: number, to: number] {
  const [begin, end] = [new Date(from).getTime(), new Date(to).getTime()];
  if (!(begin < end)) throw new ProblemError("body-invalid", "body/to: it is not after from");
  if (Math.ceil((end - begin) / DAY_MILLISECONDS) * meters.length > MOST_SETTLED_METER_DAYS)
    throw new ProblemError(
      "body-invalid",
      `body/to: that is more than ${MOST_SETTLED_METER_DAYS} days of meters; settle a shorter time, or fewer meters at once`,
    );
  return [begin, end];
}
