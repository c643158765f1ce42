import type { MeterKind } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { RELAY_CODES } from "../profile/event-codes.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { cohortsOf } from "./cohort.ts";
import type { PlausibilityFinding } from "./finding.ts";
import { VOLTAGE } from "./quantity.ts";
import { writeFindings } from "./write-findings.ts";

const MINUTE = 60_000;
/** Events are looked at again for as long: a transaction that was long under way shows older ones late. Known findings are left out. */
const AGAIN_MILLISECONDS = 10 * MINUTE;
/** How far back the first look goes. */
const FIRST_MILLISECONDS = DAY_MILLISECONDS;
/** Commands that may explain what a log says are looked for so far back. */
const COMMANDS_MILLISECONDS = 60 * DAY_MILLISECONDS;
/** A command explains what a log says so much before or after it, at the source, and what the exchange takes on our clock. */
const EXPLAINS = { relay: 10 * MINUTE, clock: 25 * MINUTE, wall: 2 * MINUTE } as const;
const COHORT = { most: 3, within: 10 * MINUTE } as const;
const GASP = { within: 2 * MINUTE, normalVolts: 180, leastSiblings: 3, share: 0.8 } as const;
const REMOTELY: readonly number[] = RELAY_CODES.opened.remotely;

export interface WatchPorts {
  readonly sql: Sql;
  readonly scope: Scope;
  clockOf(kind: MeterKind): Pick<SourceClock, "atSource" | "atWall" | "factor">;
  /** Milliseconds since 1970 UTC on our clock. */
  now(): number;
  onFindings(findings: readonly PlausibilityFinding[]): void;
}

/**
 * Looks every minute at what cannot wait for the day's end: relays that open and clocks that are moved without a command of ours
 * (P-9, P-8), and last gasps of meters that have power (P-10). It reads what came since, and nothing else.
 */
export class PlausibilityWatch {
  readonly #ports: WatchPorts;
  #lookedTo: number | undefined;

  constructor(ports: WatchPorts) {
    this.#ports = ports;
  }

  /** @returns what is new. */
  async look(): Promise<readonly PlausibilityFinding[]> {
    const { sql, scope, now, onFindings } = this.#ports;
    const at = now();
    const since = this.#lookedTo === undefined ? at - FIRST_MILLISECONDS : this.#lookedTo - AGAIN_MILLISECONDS;
    const events = await rows<EventRow>(sql, SELECT_EVENTS, [
      ...scope.place,
      new Date(since),
      [...REMOTELY, ...RELAY_CODES.opened.byItself],
    ]);
    const gasps = await rows<GaspRow>(sql, SELECT_GASPS, [...scope.place, new Date(since)]);
    const found = [...(await this.#unexplained(events)), ...(await this.#contradictedGasps(gasps))];
    const added = await writeFindings(sql, scope, found, at);
    this.#lookedTo = at;
    if (added.length > 0) onFindings(added);
    return added;
  }

  /** What no command of ours explains: P-8 and P-9, and of P-9 the cohorts. */
  async #unexplained(events: readonly EventRow[]): Promise<readonly PlausibilityFinding[]> {
    if (events.length === 0) return [];
    const { sql, scope, clockOf, now } = this.#ports;
    const commands = Map.groupBy(
      await rows<CommandRow>(sql, SELECT_COMMANDS, [
        ...scope.place,
        [...new Set(events.map(({ meter_id }) => meter_id))],
        new Date(now() - COMMANDS_MILLISECONDS),
      ]),
      ({ meter_id }) => meter_id,
    );
    const left = events.filter((event) => {
      const { factor, atWall } = clockOf(event.kind);
      const isClock = event.category === "clock";
      const slack = (isClock ? EXPLAINS.clock : EXPLAINS.relay) / factor + EXPLAINS.wall;
      return !(commands.get(event.meter_id) ?? []).some(
        ({ attempted_at, is_clock }) =>
          is_clock === isClock && Math.abs(attempted_at.getTime() - atWall(event.at)) <= slack,
      );
    });
    const single = left
      .filter(({ category, code }) => category === "clock" || REMOTELY.includes(code))
      .map(
        (event): PlausibilityFinding => ({
          rule: event.category === "clock" ? "P-8" : "P-9",
          subject: { kind: "meter", meter: event.meter_id as MeterId },
          stretch: { from: event.at - MINUTE, to: event.at },
          confidence: event.protection === "authenticated" ? 1 : 0.3,
          sentence:
            event.category === "clock"
              ? `${event.label} says that its clock was moved, and nobody here did that.`
              : `${event.label} says that it was disconnected remotely, and nobody here did that.`,
          data: { log: event.log, code: event.code },
        }),
      );
    return [...single, ...openedTogether(left.filter(({ category }) => category !== "clock"))];
  }

  /** P-10: a last gasp of a meter that answers, or whose neighbours have voltage. */
  async #contradictedGasps(gasps: readonly GaspRow[]): Promise<readonly PlausibilityFinding[]> {
    if (gasps.length === 0) return [];
    const { sql, scope, clockOf } = this.#ports;
    const facts = await rows<GaspFactsRow>(sql, SELECT_GASP_FACTS, [
      ...scope.place,
      gasps.map(({ meter_id }) => meter_id),
      gasps.map(({ at }) => new Date(at)),
      gasps.map(({ at, kind }) => new Date(clockOf(kind).atWall(at))),
      gasps.map(({ at, kind }) => new Date(clockOf(kind).atWall(at + GASP.within))),
      GASP.within / 1_000,
      GASP.normalVolts,
    ]);
    return facts.flatMap(({ meter_id, at, label, answered, heard, normal }): PlausibilityFinding[] => {
      const [known, live] = [Number(heard), Number(normal)];
      const isAmongLive = known >= GASP.leastSiblings && live >= GASP.share * known;
      if (!answered && !isAmongLive) return [];
      const why = answered
        ? "it answered under its keys just after"
        : `${live} of ${known} meters at its transformer have voltage`;
      return [
        {
          rule: "P-10",
          subject: { kind: "meter", meter: meter_id as MeterId },
          stretch: { from: at - MINUTE, to: at },
          confidence: 1,
          sentence: `A last gasp came in the name of ${label}, and ${why}.`,
          data: { answered: String(answered), siblings: known, siblingsWithVoltage: live },
        },
      ];
    });
  }
}

/** P-9 of cohorts: more relays of one firmware or concentrator opened by themselves in ten minutes than happen to. */
function openedTogether(events: readonly EventRow[]): readonly PlausibilityFinding[] {
  const byCohort = Map.groupBy(
    events.flatMap((event) => cohortsOf(event).map((cohort) => ({ cohort, event }))),
    ({ cohort }) => cohort,
  );
  return [...byCohort].flatMap(([cohort, all]): PlausibilityFinding[] => {
    const sorted = all.map(({ event }) => event).sort((one, other) => one.at - other.at);
    for (let first = 0; first < sorted.length; first += 1) {
      const from = (sorted[first] as EventRow).at;
      const within = sorted.slice(first).filter(({ at }) => at - from < COHORT.within);
      const meters = new Set(within.map(({ meter_id }) => meter_id)).size;
      if (meters <= COHORT.most) continue;
      return [
        {
          rule: "P-9",
          subject: { kind: "cohort", cohort },
          stretch: { from, to: from + COHORT.within },
          confidence: 1,
          sentence: `${meters} meters of ${cohort} opened their relays by themselves within ten minutes.`,
          data: { meters },
        },
      ];
    }
    return [];
  });
}

interface EventRow {
  readonly meter_id: number;
  readonly kind: MeterKind;
  readonly label: string;
  readonly log: string;
  readonly at: number;
  readonly code: number;
  readonly category: string;
  readonly protection: string;
  readonly model: string | null;
  readonly firmware: string | null;
  readonly route: string | null;
}
interface CommandRow {
  readonly meter_id: number;
  readonly attempted_at: Date;
  readonly is_clock: boolean;
}
interface GaspRow {
  readonly meter_id: number;
  readonly kind: MeterKind;
  readonly at: number;
}
interface GaspFactsRow {
  readonly meter_id: number;
  readonly at: number;
  readonly label: string;
  readonly answered: boolean;
  readonly heard: string;
  readonly normal: string;
}

/** Numbers of evidence rise with time: what came since is found by the first of them. */
const SINCE = `(select coalesce(min(evidence_id), 9223372036854775807) from evidence
  where utility_id = $1 and island_id = $2 and received_at >= $3)`;

// What a log says of before the meter was ours is nobody's command here.
const SELECT_EVENTS = `
  select e.meter_id, m.kind, m.label, e.log, extract(epoch from e.at)::float8 * 1000 as at, e.code::float8 as code, e.category, e.protection,
    m.model, m.firmware, m.route
  from meter_events e
  join meters m on (m.utility_id, m.island_id, m.meter_id) = (e.utility_id, e.island_id, e.meter_id)
  where e.utility_id = $1 and e.island_id = $2 and e.evidence_id >= ${SINCE}
    and ((e.category = 'clock' and e.severity = 1) or (e.category = 'supply-control' and e.code = any($4::bigint[])))
    and e.at > (select min(h.effective) from trust_history h
      where (h.utility_id, h.island_id, h.meter_id) = (e.utility_id, e.island_id, e.meter_id))`;

const SELECT_COMMANDS = `
  select t.meter_id, t.attempted_at, c.operation = 'clock' as is_clock
  from campaign_targets t join campaigns c on (c.utility_id, c.island_id, c.campaign_id) = (t.utility_id, t.island_id, t.campaign_id)
  where t.utility_id = $1 and t.island_id = $2 and t.meter_id = any($3::integer[]) and t.attempted_at > $4
    and (c.operation = 'clock' or c.direction = 'off')`;

// Of IDIS the second alarm register has a bit for it; others log it.
const SELECT_GASPS = `
  select r.meter_id, m.kind, extract(epoch from r.at)::float8 * 1000 as at
  from register_readings r
  join meters m on (m.utility_id, m.island_id, m.meter_id) = (r.utility_id, r.island_id, r.meter_id)
  where r.utility_id = $1 and r.island_id = $2 and r.evidence_id >= ${SINCE} and r.source = 'push'
    and r.obis = '0-0:97.98.1' and r.number_value::bigint & 1 = 1 and m.profile like 'idis-%'`;

const SELECT_GASP_FACTS = `
  select g.meter_id, extract(epoch from g.at)::float8 * 1000 as at, m.label,
    exists (select from sessions s where s.utility_id = $1 and s.island_id = $2 and s.meter_id = g.meter_id
      and s.started_at > g.wall_from and s.ended_at <= g.wall_to and s.outcome = 'done') as answered,
    v.heard, v.normal
  from unnest($3::integer[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[]) as g(meter_id, at, wall_from, wall_to)
  join meters m on m.utility_id = $1 and m.island_id = $2 and m.meter_id = g.meter_id
  cross join lateral (
    select count(distinct r.meter_id) as heard, count(distinct r.meter_id) filter (where r.number_value > $8) as normal
    from meters o
    join register_readings r on (r.utility_id, r.island_id, r.meter_id) = (o.utility_id, o.island_id, o.meter_id)
      and r.obis = '${VOLTAGE}' and r.at between g.at - make_interval(secs => $7) and g.at + make_interval(secs => $7)
      and r.protection = 'authenticated'
    where o.utility_id = $1 and o.island_id = $2 and o.transformer_id = m.transformer_id and o.meter_id <> g.meter_id
  ) v`;
