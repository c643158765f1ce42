import type { Scope } from "../database/scope.ts";
import { firstRow, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import type { PlausibilityFinding } from "../plausibility/finding.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import type { ChannelTable } from "./channels.ts";
import type { MeterRead } from "./meter-read.ts";
import { type ClockOff, type ClockSet, stretchesOf } from "./misdated.ts";
import { newOf } from "./new-instants.ts";
import { evidenceOf } from "./result.ts";

/** P-8 of what is about to be written, and when it was received, milliseconds since 1970 UTC on our clock. */
export interface Misdated {
  readonly findings: readonly PlausibilityFinding[];
  readonly foundAt: number;
}

/**
 * P-8: what came by a clock that is off is kept, and disputed: it is not known to be of when it says. Since when the clock has been
 * off nobody knows, so that is all that is new with the session; what is held came before, and the same again says nothing against
 * it. Where the clock was set, that is all of the time before that comes later. To be asked before anything of it is written.
 */
export async function misdatedBy(
  sql: Sql,
  scope: Scope,
  channels: ChannelTable,
  reads: readonly MeterRead[],
): Promise<Misdated> {
  const findings: PlausibilityFinding[] = [];
  let foundAt = 0;
  for (const { meter, read, contactAt = 0 } of reads) {
    if (read === undefined || (read.clockOff ?? read.misdated ?? read.clockSet) === undefined) continue;
    if (read.clockSet !== undefined) {
      findings.push(...(await stillToCome(sql, scope, meter, read.clockSet)));
      foundAt = Math.max(foundAt, contactAt);
    }
    for (const stretch of read.misdated ?? []) findings.push(findingOf(meter, stretch, { stretch }));
    if (read.clockOff !== undefined)
      for (const [concerns, instants, periodSeconds] of await newOf(sql, scope, channels, meter, read)) {
        const stretches = stretchesOf(instants, periodSeconds);
        const [first, last] = [stretches[0], stretches.at(-1)];
        if (first === undefined || last === undefined) continue;
        const stretch = { from: first.from, to: last.to };
        const parts = stretches.length > 1 ? { stretches } : {};
        findings.push(findingOf(meter, read.clockOff, { concerns, stretch, ...parts, seenAt: read.clockOff.seenAt }));
      }
    for (const { receivedAt } of evidenceOf(read)) foundAt = Math.max(foundAt, receivedAt);
  }
  return { findings, foundAt };
}

/** Of what the meter has not given yet, from the first that is missing up to what its clock showed when it was set. */
async function stillToCome(
  sql: Sql,
  scope: Scope,
  meter: MeterId,
  set: ClockSet,
): Promise<readonly PlausibilityFinding[]> {
  const { shown, seenAt } = set;
  const row = await firstRow<{ from_at: number | null; newest: number }>(sql, SELECT_MISSING, [
    ...scope.place,
    meter,
    new Date(shown - KEPT_DAYS * DAY_MILLISECONDS),
    new Date(shown),
  ]);
  if (typeof row?.from_at !== "number") return [];
  const about = { stretch: { from: row.from_at, to: shown }, newerThan: row.newest, seenAt };
  return [findingOf(meter, set, about, "until it was set: values of the time before that come since are")];
}

/** So far back values are looked for that are missing. */
const KEPT_DAYS = 60;

const SELECT_MISSING = `
  select extract(epoch from lower(tstzmultirange(tstzrange($4, $5, '(]')) - c.covered))::float8 * 1000 as from_at,
    (select coalesce(max(evidence_id), 0) from evidence where utility_id = $1 and island_id = $2)::float8 as newest
  from interval_coverage c where c.utility_id = $1 and c.island_id = $2 and c.meter_id = $3`;

function findingOf(
  meter: MeterId,
  { offsetSeconds, isIncident }: Pick<ClockOff, "offsetSeconds" | "isIncident">,
  about: Pick<PlausibilityFinding, "concerns" | "stretch" | "stretches" | "seenAt" | "newerThan">,
  words = "when it gave these values: they are",
): PlausibilityFinding {
  const off = `${Math.abs(offsetSeconds).toFixed(0)} s ${offsetSeconds < 0 ? "slow" : "fast"}`;
  return {
    rule: "P-8",
    subject: { kind: "meter", meter },
    ...about,
    confidence: isIncident ? 1 : CONFIDENCE_OF_A_SLIP,
    sentence: `Its clock was ${off} ${words} not known to be of the times that they bear.`,
    data: { offsetSeconds },
  };
}

/** A clock that is off by minutes drifted; one that is off by more was moved. */
const CONFIDENCE_OF_A_SLIP = 0.3;
