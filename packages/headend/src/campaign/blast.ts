import { type BlastRadius, type Reach, ROLE_NAMES, ROLES } from "@meterkeep/api";
import type { AuthorityState, FieldReport } from "@meterkeep/api/custodian";
import { capOf, type Thresholds } from "@meterkeep/guard";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import { type Certifying, type Home, partsOf, sumOf, suppliersOf } from "./blast-parts.ts";
import { timesOf } from "./blast-times.ts";
import { UNKNOWN_LOAD_W } from "./expansion.ts";

/** What reach is computed from. */
export interface BlastSources extends Certifying {
  readonly sql: Sql;
  readonly scope: Scope;
  readonly now: number;
  readonly thresholds: Thresholds;
  readonly authority: Pick<AuthorityState, "approvers" | "policyServices" | "counts" | "breakGlass">;
  /** The custodian's report on handhelds: JSON. */
  readonly field: { readonly report: string };
}

const TEN_MINUTES = 10;
/** Why a drill does not do what people have to sign. */
const SIGNATURES =
  "People would have to sign for real, and homes would go dark; the caps are proven by tests of the custodian.";
/** Every pair reaches the same: of very many, so many are listed. */
const MOST_PAIRS = 100;
/** Roles and scopes of tokens that ask for commands. */
const ASKING_ROLES = ROLE_NAMES.filter((name) => (ROLES[name].scopes as readonly string[]).includes("request"));
const ASKING_TOKENS = ["request", "admin"];

/** How far each person, pair, process, handheld, key and the island reach under the caps that hold now. */
export async function reachOf(sources: BlastSources): Promise<BlastRadius> {
  const { sql, scope, now, thresholds, authority } = sources;
  const homes = await rows<Home>(sql, HOMES, [...scope.place, UNKNOWN_LOAD_W]);
  const heaviest = homes.toSorted((one, other) => other.load_w - one.load_w);
  const loadW = sumOf(homes);
  // While people have lifted the caps there are none.
  const isLifted = authority.breakGlass !== undefined;
  const day = isLifted ? homes.length : capOf(thresholds.offPerDay, homes.length);
  const tenMinutes = isLifted ? homes.length : capOf(thresholds.offPerTenMinutes, homes.length);
  const waiting = await firstRow<{ count: string; load: string }>(sql, APPROVED, [...scope.place]);
  const drill = await firstRow<{ drill_id: string; ended_at: Date; sentence: string }>(sql, DRILL, [...scope.place]);
  const proof = drill && { id: drill.drill_id, at: drill.ended_at.toISOString(), sentence: drill.sentence };
  const capped = (meters: number): Pick<Reach, "meters" | "metersInTenMinutes" | "loadW" | "minutes" | "share"> => ({
    meters,
    metersInTenMinutes: Math.min(meters, tenMinutes),
    loadW: sumOf(heaviest.slice(0, meters)),
    minutes: meters === 0 ? 0 : Math.max(1, (Math.ceil(meters / Math.max(1, tenMinutes)) - 1) * TEN_MINUTES),
    share: homes.length === 0 ? 0 : meters / homes.length,
  });
  const proven = proof === undefined ? {} : { drill: proof };
  const { approvals } = thresholds;
  const open = Math.min(Number(waiting?.count ?? 0), day);
  const asking = (
    await rows<{ name: string }>(sql, ASKING, [...scope.place, ASKING_ROLES, ASKING_TOKENS, new Date(now)])
  ).map(({ name }) => name);
  const approving = authority.approvers.filter(({ suspended }) => suspended === undefined).map(({ name }) => name);
  const held = await rows<{ owner: string }>(sql, WORKERS, [...scope.place]);
  const workers = ["a process of the head-end", ...held.map(({ owner }) => `worker ${owner.slice(0, 8)}`)];
  const reach: Reach[] = [
    ...[...new Set([...asking, ...approving])].map(
      (name): Reach => ({
        kind: "person",
        name,
        sentence: approving.includes(name)
          ? "Approves what others ask for, and nothing of their own: alone nothing is switched off."
          : "Asks, and approves nothing: alone nothing is switched off.",
        ...capped(0),
        bounds: ["MC-07"],
        undrilled: "A drill has nobody's passkey. What a head-end reaches without one, the break-in proves.",
      }),
    ),
    ...pairs(asking, approving).map(
      ([one, other]): Reach => ({
        kind: "pair",
        name: `${one} and ${other}`,
        sentence:
          approvals.off < 2
            ? `One asks, the other approves ${approvals.offFew} meters at a time, until the caps of a day hold them.`
            : "One asks and the other approves: a third is missing.",
        ...capped(approvals.off < 2 ? day : 0),
        bounds: ["MC-01", "MC-02", "MC-03", "MC-04", "MC-16"],
        undrilled: SIGNATURES,
      }),
    ),
    ...approving.map(
      (name): Reach => ({
        kind: "pair",
        name: `${name} and a head-end that was taken over`,
        sentence:
          approvals.off < 2
            ? `The head-end names somebody else as the one who asks; ${approvals.offFew} meters at a time, under the custodian's own caps alone.`
            : "The head-end names somebody else as the one who asks, and one approves: a second is missing.",
        ...capped(approvals.off < 2 ? day : 0),
        bounds: ["MC-01", "MC-02", "MC-07", "MC-20"],
        undrilled: SIGNATURES,
      }),
    ),
    ...workers.map(
      (name): Reach => ({
        kind: "worker",
        name,
        sentence: "Carries out what people have approved and is not done yet; the custodian seals nothing else.",
        ...capped(open),
        bounds: ["MC-20", "MC-01", "MC-02"],
        ...proven,
      }),
    ),
    ...authority.policyServices.map(
      ({ name }): Reach => ({
        kind: "policy-service",
        name,
        sentence: "Its signature alone switches nothing: approvals are looked for behind it.",
        ...capped(open),
        bounds: ["MC-20", "MC-07"],
        ...proven,
      }),
    ),
    {
      kind: "key",
      name: "the keys of any one meter",
      sentence: "Who reads them out of a meter has that meter, by no cap; each has its own.",
      ...capped(Math.min(1, homes.length)),
      metersInTenMinutes: Math.min(1, homes.length),
      bounds: [],
      undrilled: "It takes a meter apart. That no key is to be had elsewhere the break-in proves: it asks for one.",
    },
    ...handhelds(sources.field.report).map(
      ({ name, meters }): Reach => ({
        kind: "handheld",
        name,
        sentence: "Holds the keys of the meters that are lent to it until the lease ends, by no cap.",
        ...capped(meters),
        metersInTenMinutes: meters,
        minutes: meters === 0 ? 0 : 1,
        bounds: [],
        undrilled: "Its keys are sealed to the device itself: whoever drills would have to hold it.",
      }),
    ),
    {
      kind: "island",
      name: scope.island,
      sentence: "Whoever has all its servers, the custodian with its root key among them, has every meter of it.",
      ...capped(homes.length),
      metersInTenMinutes: homes.length,
      minutes: homes.length === 0 ? 0 : 1,
      bounds: [],
      undrilled: "There is nothing to be proven: it is every meter, by definition.",
    },
  ];
  const parts = partsOf(homes, thresholds, day);
  return {
    asOf: new Date(now).toISOString(),
    meters: homes.length,
    loadW,
    used: authority.counts,
    largestFeederShare: Math.max(0, ...parts.filter(({ kind }) => kind === "feeder").map(({ share }) => share)),
    reach: [...reach, ...(await suppliersOf(sql, scope, sources, heaviest))],
    parts: [...parts],
    times: await timesOf(sql, scope),
  };
}

/** Who asks with who approves; where nobody is known to ask, those who approve, of whom each could be told to. */
function pairs(asking: readonly string[], approving: readonly string[]): readonly (readonly [string, string])[] {
  const first = asking.length > 0 ? asking : approving;
  const all = first.flatMap((one) => approving.filter((other) => other !== one).map((other) => [one, other] as const));
  return all.slice(0, MOST_PAIRS);
}

/** Handhelds that hold keys now, and of how many meters. */
function handhelds(report: string): readonly { readonly name: string; readonly meters: number }[] {
  const { leases } = JSON.parse(report) as FieldReport;
  const held = leases.flatMap(({ handheld, meters }) =>
    // What was lent opens a meter until it has shown new keys, whatever became of the lease.
    meters.filter(({ rotatedAt }) => rotatedAt === undefined).map(({ meter }) => ({ handheld, meter })),
  );
  return [...Map.groupBy(held, ({ handheld }) => handheld)].map(([name, all]) => ({
    name,
    meters: new Set(all.map(({ meter }) => meter)).size,
  }));
}

const HOMES = `
  select upper(encode(m.system_title, 'hex')) as title, coalesce(m.feeder_id, '') as feeder,
    coalesce(m.transformer_id, '') as transformer,
    greatest(coalesce(l.power_w, $3::integer), 0) as load_w
  from meters m left join meter_latest l using (utility_id, island_id, meter_id)
  where m.utility_id = $1 and m.island_id = $2 and m.role = 'home'`;

const ASKING = `
  select name from people
  where utility_id = $1 and island_id = $2 and disabled_at is null and roles && $3::text[]
  union all
  select 'token ' || name || ' (' || left(token_id::text, 8) || ')' from machine_tokens
  where utility_id = $1 and island_id = $2 and withdrawn_at is null and (expires_at is null or expires_at > $5)
    and scope = any($4::text[])
  order by 1`;

const WORKERS = "select owner::text from workers where utility_id = $1 and island_id = $2 order by 1";

const APPROVED = `
  select count(*), coalesce(sum(ct.load_w), 0) as load
  from campaign_targets ct join campaigns c using (utility_id, island_id, campaign_id)
  where ct.utility_id = $1 and ct.island_id = $2 and c.direction in ('off', 'feed-off') and ct.state in ('waiting', 'dispatched')
    and c.state in ('running', 'paused')`;

const DRILL = `
  select drill_id, ended_at, report->>'sentence' as sentence from drills
  where utility_id = $1 and island_id = $2 and state = 'done' and ended_at is not null order by ended_at desc limit 1`;
