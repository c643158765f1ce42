import { METER_KINDS, type MeterKind } from "@meterkeep/api";
import { METER_PROFILES } from "../profile/meter-profile.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { desiredWindow, type Stretch } from "./coverage.ts";

/** After the end of an interval a meter may take this long to store it, seconds at the source. */
export const SETTLE_SECONDS = 30;

/** What should be held of every meter of a kind and profile. */
export interface WantedWindow {
  readonly kind: MeterKind;
  readonly profile: string;
  readonly periodSeconds: number;
  /** At the source. */
  readonly window: Stretch;
}

/** What should be held by a moment of the wall clock. */
export type WantedAt = (now: number) => readonly WantedWindow[];

/** How far back intervals should be held, and how often they are collected. */
export interface Collecting {
  readonly days: number;
  /** Seconds at the source; what is shorter than a meter's own period means each of its intervals. */
  readonly everySeconds: number;
}

/** A meter is read when so many seconds at the source have passed: its period, or the longer time it is collected at. */
export function stepSeconds({ everySeconds }: Pick<Collecting, "everySeconds">, periodSeconds: number): number {
  return Math.ceil(Math.max(everySeconds, periodSeconds) / periodSeconds) * periodSeconds;
}

/** Wants the last days of every meter that this head-end knows how to read. */
export function wantedIntervals(clockOf: (kind: MeterKind) => SourceClock, collecting: Collecting): WantedAt {
  const horizon = { days: collecting.days, settleSeconds: SETTLE_SECONDS };
  return (now) =>
    wantedOf((kind, periodSeconds) =>
      desiredWindow(clockOf(kind).atSource(now), horizon, stepSeconds(collecting, periodSeconds)),
    );
}

/** Wants a window of every kind and profile; those for which there is none are wanted nothing of. */
export function wantedOf(
  windowOf: (kind: MeterKind, periodSeconds: number) => Stretch | undefined,
): readonly WantedWindow[] {
  return METER_KINDS.flatMap((kind) =>
    Object.values(METER_PROFILES).flatMap(({ id, loadProfile: { periodSeconds } }) => {
      const window = windowOf(kind, periodSeconds);
      return window === undefined ? [] : [{ kind, profile: id, periodSeconds, window }];
    }),
  );
}

/** How many parameters {@link wantedTable} takes. */
export const WANTED_PARAMETERS = 5;

/** The table `wanted w` of a statement, of the parameters from `$first` on that {@link wantedValues} gives. */
export function wantedTable(first: number): string {
  const [kind, profile, period, from, to] = Array.from({ length: WANTED_PARAMETERS }, (_, n) => `$${first + n}`);
  return `wanted(kind, profile, period_seconds, window_at_source) as (
    select kind, profile, period_seconds, tstzrange(from_at, to_at, '(]')
    from unnest(${kind}::text[], ${profile}::text[], ${period}::integer[], ${from}::timestamptz[], ${to}::timestamptz[])
      as u(kind, profile, period_seconds, from_at, to_at))`;
}

export function wantedValues(wanted: readonly WantedWindow[]): unknown[] {
  return [
    wanted.map(({ kind }) => kind),
    wanted.map(({ profile }) => profile),
    wanted.map(({ periodSeconds }) => periodSeconds),
    wanted.map(({ window }) => new Date(window.from)),
    wanted.map(({ window }) => new Date(window.to)),
  ];
}

/** What is wanted of a meter `m` (`wanted w`) and not covered (`interval_coverage c`). An interval stands for `(from, to]`. */
export const GAPS = "(tstzmultirange(w.window_at_source) - c.covered)";

/** What of it a session asks for: gaps, and what is to be asked for once more. */
export const ASKED = `(${GAPS} + c.recheck)`;

/** How many intervals have ended by a moment, since 1970. */
export function endedBy(moment: string): string {
  return `floor(extract(epoch from ${moment}) / w.period_seconds)`;
}

/** How many intervals end in a multirange. */
export function intervalsIn(multirange: string): string {
  return `(select coalesce(sum(${endedBy("upper(r)")} - ${endedBy("lower(r)")}), 0)::bigint from unnest(${multirange}) r)`;
}

/** A multirange as JSON, for {@link stretchesOf}. */
export function stretchesJson(multirange: string): string {
  return `(select jsonb_agg(jsonb_build_array(extract(epoch from lower(r)) * 1000, extract(epoch from upper(r)) * 1000)
    order by r) from unnest(${multirange}) r)`;
}

export type StretchesJson = readonly (readonly [from: number, to: number])[] | null;

export function stretchesOf(json: StretchesJson): readonly Stretch[] {
  return (json ?? []).map(([from, to]) => ({ from, to }));
}
