import { METER_KINDS, type MeterKind } from "@meterkeep/api";
import { METER_PROFILES, type MeterProfile } from "../profile/meter-profile.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { desiredWindow, type Stretch } from "./coverage.ts";

/** After the end of an interval a meter may take this long to store it, seconds at the source. */
export const SETTLE_SECONDS = 30;

/** After the end of a day meters are asked for its power quality, seconds at the source. */
const QUALITY_STEP_SECONDS = 86_400;

/** A stretch of a profile that should be held, at the source. */
interface WantedStretch {
  readonly periodSeconds: number;
  readonly window: Stretch;
}

/** What should be held of every meter of a kind and profile: of its load profile, and of its power quality where it has any. */
export interface WantedWindow extends WantedStretch {
  readonly kind: MeterKind;
  readonly profile: string;
  readonly quality?: WantedStretch;
}

/** What should be held by a moment of the wall clock. */
export type WantedAt = (now: number) => readonly WantedWindow[];

/** How far back intervals should be held, and how often they are collected. */
export interface Collecting {
  readonly days: number;
  /** Seconds at the source; what is shorter than a meter's own period means each of its intervals. */
  readonly everySeconds: number;
  /** Whether power quality should be held as well; it is collected when a UTC day at the source has ended. */
  readonly powerQuality: boolean;
}

/** A meter is read when so many seconds at the source have passed: its period, or the longer time it is collected at. */
export function stepSeconds({ everySeconds }: Pick<Collecting, "everySeconds">, periodSeconds: number): number {
  return Math.ceil(Math.max(everySeconds, periodSeconds) / periodSeconds) * periodSeconds;
}

/** Wants the last days of every meter that this head-end knows how to read. */
export function wantedIntervals(clockOf: (kind: MeterKind) => SourceClock, collecting: Collecting): WantedAt {
  const horizon = { days: collecting.days, settleSeconds: SETTLE_SECONDS };
  return (now) =>
    wantedOf(
      (kind, periodSeconds) =>
        desiredWindow(clockOf(kind).atSource(now), horizon, stepSeconds(collecting, periodSeconds)),
      (kind) =>
        collecting.powerQuality ? desiredWindow(clockOf(kind).atSource(now), horizon, QUALITY_STEP_SECONDS) : undefined,
    );
}

/** Up to when power quality is wanted at a moment of the source: to the end of the last UTC day that has settled. */
export function qualityWantedTo(nowAtSource: number): number {
  return desiredWindow(nowAtSource, { days: 0, settleSeconds: SETTLE_SECONDS }, QUALITY_STEP_SECONDS).to;
}

type WindowOf = (kind: MeterKind, periodSeconds: number) => Stretch | undefined;

/** Wants a window of every kind and profile; those for which there is none are wanted nothing of. */
export function wantedOf(windowOf: WindowOf, qualityOf: WindowOf = () => undefined): readonly WantedWindow[] {
  return METER_KINDS.flatMap((kind) =>
    Object.values<MeterProfile>(METER_PROFILES).flatMap(({ id, loadProfile: { periodSeconds }, powerQuality }) => {
      const window = windowOf(kind, periodSeconds);
      if (window === undefined) return [];
      const quality = powerQuality && qualityOf(kind, powerQuality.periodSeconds);
      return [
        {
          ...{ kind, profile: id, periodSeconds, window },
          ...(powerQuality && quality && { quality: { periodSeconds: powerQuality.periodSeconds, window: quality } }),
        },
      ];
    }),
  );
}

/** How many parameters {@link wantedTable} takes. */
export const WANTED_PARAMETERS = 8;

/** The table `wanted w` of a statement, of the parameters from `$first` on that {@link wantedValues} gives. */
export function wantedTable(first: number): string {
  const [kind, profile, period, from, to, qualityPeriod, qualityFrom, qualityTo] = Array.from(
    { length: WANTED_PARAMETERS },
    (_, n) => `$${first + n}`,
  );
  return `wanted(kind, profile, period_seconds, window_at_source, quality_period_seconds, quality_window_at_source) as (
    select kind, profile, period_seconds, tstzrange(from_at, to_at, '(]'), quality_seconds,
      case when quality_seconds is not null then tstzrange(quality_from, quality_to, '(]') end
    from unnest(${kind}::text[], ${profile}::text[], ${period}::integer[], ${from}::timestamptz[], ${to}::timestamptz[],
      ${qualityPeriod}::integer[], ${qualityFrom}::timestamptz[], ${qualityTo}::timestamptz[])
      as u(kind, profile, period_seconds, from_at, to_at, quality_seconds, quality_from, quality_to))`;
}

export function wantedValues(wanted: readonly WantedWindow[]): unknown[] {
  return [
    wanted.map(({ kind }) => kind),
    wanted.map(({ profile }) => profile),
    wanted.map(({ periodSeconds }) => periodSeconds),
    wanted.map(({ window }) => new Date(window.from)),
    wanted.map(({ window }) => new Date(window.to)),
    wanted.map(({ quality }) => quality?.periodSeconds ?? null),
    wanted.map(({ quality }) => (quality === undefined ? null : new Date(quality.window.from))),
    wanted.map(({ quality }) => (quality === undefined ? null : new Date(quality.window.to))),
  ];
}

/** The profiles that are wanted interval by interval, as their columns begin in `wanted w` and in `interval_coverage c`. */
export const KEPT_PROFILES = { load: "", quality: "quality_" } as const;
export type KeptProfile = keyof typeof KEPT_PROFILES;

/**
 * What is wanted of a profile of a meter `m` (`wanted w`) and not covered (`interval_coverage c`). An interval stands for
 * `(from, to]`. Null where nothing is wanted of it.
 */
export function gapsOf(profile: KeptProfile): string {
  const of = KEPT_PROFILES[profile];
  return `(tstzmultirange(w.${of}window_at_source) - c.${of}covered)`;
}

/** What a session asks for: gaps of the load profile, and what of it is to be asked for once more. */
export const ASKED = `(${gapsOf("load")} + c.recheck)`;

/** How many intervals of a profile have ended by a moment, since 1970. */
export function endedBy(moment: string, profile: KeptProfile): string {
  return `floor(extract(epoch from ${moment}) / w.${KEPT_PROFILES[profile]}period_seconds)`;
}

/** How many intervals of a profile end in a multirange. */
export function intervalsIn(multirange: string, profile: KeptProfile): string {
  return `(select coalesce(sum(${endedBy("upper(r)", profile)} - ${endedBy("lower(r)", profile)}), 0)::bigint from unnest(${multirange}) r)`;
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
