import type { SimBudgetUse } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import { HeadEndError } from "../errors.ts";
import type { Meter, MeterId } from "../inventory/meter.ts";
import { networkOf } from "./follow-route.ts";
import { NETWORK_TYPES, type NetworkType } from "./networks.ts";

/** Octets that the SIM of one meter may carry in a calendar month (UTC), by network; a network that is not there has no budget (MC-23). */
export type SimBudgets = ReadonlyMap<NetworkType, number>;

/** What travelled with one meter at a moment (milliseconds since 1970 UTC on our clock). */
export interface Traffic {
  readonly meter: Pick<Meter, "id" | "route">;
  readonly octets: number;
  readonly at: number;
}

const MEGABYTE = 1_000_000;
/** Headers that an operator bills with each APDU: IPv4 and TCP 40, wrapper 8. */
const HEADER_OCTETS = 48;
/** Segments without an APDU that a TCP connection begins and ends with, 40 octets each. */
const CONNECTION_OCTETS = 7 * 40;

/**
 * Reads budgets as `cellular=20,nb-iot=0.5`: megabytes (10^6 octets) per SIM and month.
 *
 * @throws HeadEndError `sim-budget-invalid`
 */
export function parseSimBudgets(text: string): SimBudgets {
  const budgets = new Map<NetworkType, number>();
  for (const part of text.split(",")) {
    const [, name, megabytes] = /^\s*([a-z-]+)\s*=\s*(\d{1,6}(?:\.\d{1,6})?)\s*$/.exec(part) ?? [];
    const network = NETWORK_TYPES.find((type) => type === name);
    const octets = Math.round(Number(megabytes) * MEGABYTE);
    if (network === undefined || !(octets > 0) || budgets.has(network))
      throw new HeadEndError(
        "sim-budget-invalid",
        `${JSON.stringify(part.trim().slice(0, 60))} is no budget: networks (${NETWORK_TYPES.join(", ")}), once each, with megabytes per SIM and month, as cellular=20,nb-iot=0.5`,
      );
    budgets.set(network, octets);
  }
  return budgets;
}

/** What the octets of a session's APDUs come to on the air. */
export function sessionTraffic(apduOctets: number, apdus: number): number {
  return CONNECTION_OCTETS + apduOctets + apdus * HEADER_OCTETS;
}

/** The same of a push, which may come as a datagram or over a connection of its own: counted as the dearer of both. */
export function pushTraffic(apduOctets: number): number {
  return sessionTraffic(apduOctets, 1);
}

/** Lets exactly these budgets count from now on. */
export async function keepSimBudgets(sql: Sql, scope: Scope, budgets: SimBudgets): Promise<void> {
  await sql.query(KEEP_BUDGETS, [...scope.place, [...budgets.keys()], [...budgets.values()]]);
}

/** Adds what travelled to what the SIMs have used, where their networks have budgets: inside the transaction that stores what it brought. */
export async function countTraffic(sql: Sql, scope: Scope, traffic: readonly Traffic[]): Promise<void> {
  const byMeter = new Map<MeterId, { readonly network: NetworkType; octets: number; readonly at: number }>();
  for (const { meter, octets, at } of traffic) {
    const network = simNetwork(meter);
    if (network === undefined) continue;
    const before = byMeter.get(meter.id);
    if (before === undefined) byMeter.set(meter.id, { network, octets, at });
    else before.octets += octets;
  }
  if (byMeter.size === 0) return;
  // In one order, whoever writes: two transactions that count the same meters would wait for each other.
  const counted = [...byMeter].toSorted(([one], [other]) => one - other);
  await sql.query(COUNT, [
    ...scope.place,
    counted.map(([id]) => id),
    counted.map(([, { network }]) => network),
    counted.map(([, { octets }]) => octets),
    counted.map(([, { at }]) => monthOf(at)),
  ]);
}

/** How the budgets of this month stand. */
export async function simBudgetUse(sql: Sql, scope: Scope, now: number): Promise<SimBudgetUse[]> {
  const found = await rows<UseRow>(sql, SELECT_USE, [...scope.place, monthOf(now)]);
  return found.map((row) => ({
    network: row.network,
    month: monthOf(now).slice(0, 7),
    budgetOctets: Number(row.budget),
    sims: Number(row.sims),
    usedUp: Number(row.used_up),
    octets: Number(row.octets),
    mostOctets: Number(row.most),
  }));
}

/** When a meter whose budget is used up is looked at again: when the next month begins, and before that in case its budget grew. */
export function sparedUntil(now: number, random: number): number {
  const date = new Date(now);
  const nextMonth = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
  return Math.min(nextMonth, now + LOOK_AGAIN_MS) + random * SPREAD_MS;
}

const LOOK_AGAIN_MS = 6 * 3_600_000;
/** Nobody wants a fleet's SIMs to speak in the first minute of a month. */
const SPREAD_MS = 3_600_000;

/** A meter behind a gateway or a concentrator has no SIM of its own. */
function simNetwork({ route }: Pick<Meter, "route">): NetworkType | undefined {
  if (route === undefined) return undefined;
  const isBehind = route.kind === "concentrator" || (route.kind !== "dial-in" && route.gateway !== undefined);
  return isBehind ? undefined : networkOf(route);
}

function monthOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 7)}-01`;
}

/** Whether the budget of a meter `m` is used up in the month of `$moment`: a column of a statement. */
export const isOverBudget = (moment: string): string => hasCarried(moment, "b.octets");

/**
 * Whether a meter `m` has carried so much by `$moment` that it is read on demand no more: half of the budget, and of the
 * other half what the month has had of it. So scheduled reading that needs no more than half a budget never waits for what people asked.
 */
export const isOverDemandShare = (moment: string): string =>
  hasCarried(
    moment,
    `b.octets * (1 + extract(epoch from (${moment}::timestamptz at time zone 'UTC') - s.month)
      / extract(epoch from (s.month + interval '1 month') - s.month)) / 2`,
  );

const hasCarried = (moment: string, octets: string): string => `exists (
    select from sim_traffic s join sim_budgets b on (b.utility_id, b.island_id, b.network) = (s.utility_id, s.island_id, s.network)
    where s.utility_id = m.utility_id and s.island_id = m.island_id and s.meter_id = m.meter_id
      and s.month = date_trunc('month', ${moment}::timestamptz at time zone 'UTC')::date and s.octets >= ${octets})`;

interface UseRow {
  readonly network: NetworkType;
  readonly budget: string;
  readonly sims: string;
  readonly used_up: string;
  readonly octets: string;
  readonly most: string;
}

const KEEP_BUDGETS = `
  with wanted as (select * from unnest($3::text[], $4::bigint[]) as n(network, octets)),
  gone as (
    delete from sim_budgets b where b.utility_id = $1 and b.island_id = $2 and b.network not in (select network from wanted)
  )
  insert into sim_budgets (utility_id, island_id, network, octets) select $1, $2, network, octets from wanted
  on conflict (utility_id, island_id, network) do update set octets = excluded.octets`;

const COUNT = `
  insert into sim_traffic (utility_id, island_id, meter_id, month, network, octets)
  select $1, $2, n.meter_id, n.month, n.network, n.octets
  from unnest($3::integer[], $4::text[], $5::bigint[], $6::date[]) as n(meter_id, network, octets, month)
  join sim_budgets b on b.utility_id = $1 and b.island_id = $2 and b.network = n.network
  order by n.meter_id
  on conflict (utility_id, island_id, meter_id, month)
    do update set octets = sim_traffic.octets + excluded.octets, network = excluded.network`;

const SELECT_USE = `
  select b.network, b.octets as budget, count(s.meter_id) as sims, count(*) filter (where s.octets >= b.octets) as used_up,
    coalesce(sum(s.octets), 0) as octets, coalesce(max(s.octets), 0) as most
  from sim_budgets b
  left join sim_traffic s on (s.utility_id, s.island_id, s.network) = (b.utility_id, b.island_id, b.network)
    and s.month = $3::date
  where b.utility_id = $1 and b.island_id = $2 group by b.network, b.octets order by b.network`;
