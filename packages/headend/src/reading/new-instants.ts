import type { ProtectionGrade } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { Rows } from "../dispute/standing.ts";
import type { MeterId } from "../inventory/meter.ts";
import type { ChannelTable } from "./channels.ts";
import { heldIntervals } from "./held-intervals.ts";
import type { ReadResult } from "./result.ts";

/** Instants at the source of which something of these rows is new, and their period where they have one. */
export type NewOf = readonly [of: Rows, instants: readonly number[], periodSeconds: number | undefined];

/** The instants of a read of which something is not held yet: to be asked before it is written. */
export async function newOf(
  sql: Sql,
  scope: Scope,
  channels: ChannelTable,
  meter: MeterId,
  { intervals, registers, quality = [], periodSeconds, qualityAnswered }: ReadResult,
): Promise<readonly NewOf[]> {
  const values = intervals.map(({ obis, unit, at }) => ({ at, key: `${channels.number(obis, unit)} ${at}` }));
  const known = await knownIn(values, async (from, to) => {
    const held = (await heldIntervals(sql, scope, [meter], from, to)).get(meter) ?? [];
    return held.map(({ channel, at }) => `${channel} ${Math.round(at)}`);
  });
  // What a meter says otherwise of a moment of a register is kept beside what is held, and so is the same with another proof: it is
  // new. Else whoever said it before, without one, would keep it from being disputed.
  const counts = registers.map(({ obis, at, value, evidence }) => ({
    at,
    key: `${obis} ${at} ${evidence.protection} ${value}`,
  }));
  const knownCounts = await knownIn(counts, async (from, to) =>
    (await rows<RegisterRow>(sql, SELECT_REGISTERS, [...scope.place, meter, new Date(from), new Date(to)])).map(
      ({ obis, at, protection, number_value, text_value }) =>
        `${obis} ${Math.round(at)} ${protection} ${number_value ?? text_value}`,
    ),
  );
  const states = quality.map(({ at }) => ({ at, key: String(at) }));
  const knownStates = await knownIn(states, async (from, to) =>
    (await rows<{ at: number }>(sql, SELECT_QUALITY, [...scope.place, meter, new Date(from), new Date(to)])).map(
      ({ at }) => String(Math.round(at)),
    ),
  );
  const fresh = (all: readonly Keyed[], held: ReadonlySet<string>): readonly number[] =>
    all.flatMap(({ at, key }) => (held.has(key) ? [] : [at]));
  return [
    ["intervals", fresh(values, known), periodSeconds],
    ["registers", fresh(counts, knownCounts), undefined],
    ["quality", fresh(states, knownStates), qualityAnswered?.periodSeconds],
  ];
}

interface Keyed {
  readonly at: number;
  readonly key: string;
}

async function knownIn(
  all: readonly Keyed[],
  look: (from: number, to: number) => Promise<readonly string[]>,
): Promise<ReadonlySet<string>> {
  if (all.length === 0) return new Set();
  const from = all.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY);
  const to = all.reduce((most, { at }) => Math.max(most, at), Number.NEGATIVE_INFINITY);
  return new Set(await look(from, to));
}

interface RegisterRow {
  readonly obis: string;
  readonly at: number;
  readonly protection: ProtectionGrade;
  readonly number_value: number | null;
  readonly text_value: string | null;
}

const AT_MS = "extract(epoch from at)::float8 * 1000 as at";
const WINDOW = "utility_id = $1 and island_id = $2 and meter_id = $3 and at >= $4 and at <= $5";

const SELECT_REGISTERS = `select obis, ${AT_MS}, protection, number_value, text_value from register_readings where ${WINDOW}`;

const SELECT_QUALITY = `select ${AT_MS} from quality_readings where ${WINDOW}`;
