import type { BlastRadius, Reach } from "@meterkeep/api";
import type { AuthoritiesResponse } from "@meterkeep/api/custodian";
import { capOf, commandRulesOf, loadCapW, type Thresholds } from "@meterkeep/guard";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import { UNKNOWN_LOAD_W } from "./expansion.ts";

/** A home, as far as reach is computed from it. */
export interface Home {
  readonly title: string;
  readonly feeder: string;
  readonly transformer: string;
  readonly load_w: number;
}

/** Who certifies meters, and how many are below each that stands. */
export interface Certifying {
  readonly authorities: AuthoritiesResponse["authorities"];
  /** By the id of the authority. */
  readonly certified: ReadonlyMap<string, number>;
}

type Part = BlastRadius["parts"][number];

/** Of very many parts, so many are listed, those that can lose most of their load first. */
const MOST_PARTS = 200;
/** Six times ten minutes. */
const TIMES_AN_HOUR = 6;

/** What each feeder and each transformer can lose in an hour under the caps, in meters and in watts, whoever asks. */
export function partsOf(homes: readonly Home[], thresholds: Thresholds, day: number): readonly Part[] {
  const rules = commandRulesOf(thresholds);
  const islandW = sumOf(homes);
  const look = (kind: Part["kind"], share: typeof rules.feederPerHour): Part[] =>
    [...Map.groupBy(homes, (home) => home[kind])]
      .filter(([id]) => id !== "")
      .map(([id, group]) => {
        const loadW = sumOf(group);
        const mostMeters = Math.min(day, capOf(share, group.length));
        const heaviest = sumOf(group.toSorted((one, other) => other.load_w - one.load_w).slice(0, mostMeters));
        // One meter alone is always possible, whatever it draws.
        const mostLoadW = mostMeters > 1 ? Math.min(heaviest, loadCapW(islandW, rules) * TIMES_AN_HOUR) : heaviest;
        return {
          kind,
          id,
          meters: group.length,
          loadW,
          mostMeters,
          mostLoadW,
          share: loadW === 0 ? 0 : Math.min(1, mostLoadW / loadW),
        };
      });
  return [...look("feeder", rules.feederPerHour), ...look("transformer", rules.transformerPerHour)]
    .toSorted((one, other) => other.share - one.share)
    .slice(0, MOST_PARTS);
}

/** What hangs on others than those who ask and sign: who made the meters, what runs on them, and who certifies them. No cap holds it. */
export async function suppliersOf(
  sql: Sql,
  scope: Scope,
  { authorities, certified }: Certifying,
  heaviest: readonly Home[],
): Promise<readonly Reach[]> {
  const fleet = heaviest.length;
  const found = await rows<MadeRow>(sql, MADE, [...scope.place, UNKNOWN_LOAD_W]);
  const row = (
    kind: Reach["kind"],
    name: string,
    sentence: string,
    { meters, loadW }: Pick<Reach, "meters" | "loadW">,
  ): Reach => {
    const undrilled = "Nobody here makes it, or can: it is every meter of that kind, by definition.";
    const share = fleet === 0 ? 0 : meters / fleet;
    return {
      kind,
      name,
      sentence,
      meters,
      metersInTenMinutes: meters,
      loadW,
      minutes: meters === 0 ? 0 : 1,
      share,
      bounds: [],
      undrilled,
    };
  };
  const made = (of: readonly MadeRow[]): Pick<Reach, "meters" | "loadW"> => ({
    meters: of.reduce((sum, each) => sum + Number(each.meters), 0),
    loadW: of.reduce((sum, each) => sum + Math.round(Number(each.load_w)), 0),
  });
  const below = (authority: string): Pick<Reach, "meters" | "loadW"> => {
    const meters = Math.min(fleet, certified.get(authority) ?? 0);
    return { meters, loadW: sumOf(heaviest.slice(0, meters)) };
  };
  return [
    ...[...Map.groupBy(found, ({ firmware }) => firmware ?? "not said")].map(([name, of]) =>
      row(
        "firmware",
        name,
        "Whoever wrote it has every meter that runs it; waves of activation are what bounds it.",
        made(of),
      ),
    ),
    ...[...Map.groupBy(found, ({ manufacturer }) => manufacturer)].map(([name, of]) =>
      row("manufacturer", name, "Whoever signs its firmware has every meter of it, by no cap.", made(of)),
    ),
    ...authorities
      .filter(({ state }) => state === "standing")
      .map(({ authority, name, profile }) =>
        row(
          "authority",
          `${name} (${profile})`,
          "Whoever has its key can certify others in the place of meters with certificates; keys of the others do not hang on it.",
          below(authority),
        ),
      ),
  ];
}

/** The load of homes together, in whole watts. */
export function sumOf(homes: readonly Pick<Home, "load_w">[]): number {
  return Math.round(homes.reduce((total, { load_w }) => total + load_w, 0));
}

interface MadeRow {
  readonly firmware: string | null;
  readonly manufacturer: string;
  readonly meters: string;
  readonly load_w: string;
}

const MADE = `
  select m.firmware, m.manufacturer, count(*) as meters,
    sum(greatest(coalesce(l.power_w, $3::integer), 0)) as load_w
  from meters m left join meter_latest l using (utility_id, island_id, meter_id)
  where m.utility_id = $1 and m.island_id = $2 and m.role = 'home'
  group by 1, 2 order by 3 desc`;
