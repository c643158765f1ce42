import type { Refusal } from "@meterkeep/api";
import type { RuleId } from "@meterkeep/guard";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";

/** What is older is in the ledger, and no longer on the page of rules. */
const REMEMBERED_DAYS = 90;

/**
 * Refusals that leave no row with us: what the custodian refused to seal, and storms that were folded. The newest of each
 * rule since the process began; the ledgers have all of them.
 */
export class HeardRefusals {
  readonly #last = new Map<RuleId, Refusal>();

  get last(): ReadonlyMap<RuleId, Refusal> {
    return this.#last;
  }

  note(rule: RuleId, refusal: Refusal): void {
    this.#last.set(rule, refusal);
  }

  /** Takes what the custodian wrote about a request that it did not seal. `body` is JSON. */
  noteSeal({ at, principal, body }: { readonly at: number; readonly principal: string; readonly body: string }): void {
    const { code = "", message = "", detail = "" } = JSON.parse(body) as Readonly<Record<string, string>>;
    const sentence = detail === "" ? message : `${message}: ${detail}`;
    for (const rule of rulesOfSeal(code, sentence))
      this.note(rule, { at: new Date(at).toISOString(), sentence, by: principal, meters: 1 });
  }
}

/** Which rules a refusal of the custodian speaks for. */
function rulesOfSeal(code: string, sentence: string): readonly RuleId[] {
  const named = [...sentence.matchAll(/MC-\d\d/g)].map(([id]) => id as RuleId);
  if (named.length > 0) return named;
  if (code === "frozen") return ["MC-19"];
  if (code === "clock-jumped" || code === "clock-behind" || code === "clock-doubted") return ["MC-08"];
  if (code === "command-not-due") return ["MC-12"];
  if (/have approved|same roles/.test(sentence)) return ["MC-07"];
  if (/not good now|window is over/.test(sentence)) return ["MC-17"];
  return ["MC-20"];
}

/** The newest refusal of each rule that a row tells of: quarantine, targets, and wake-ups that were used up. */
export async function lastRefusals(
  sql: Sql,
  scope: Scope,
  now: number,
  wakeUpsPerDay: number,
): Promise<ReadonlyMap<string, Refusal>> {
  const since = new Date(now - REMEMBERED_DAYS * DAY_MILLISECONDS);
  const found = await rows<Row>(sql, LAST, [...scope.place, since]);
  const last = new Map<string, Refusal>(
    found.map(({ rule, at, sentence, requester, meters, campaign_id }) => [
      rule,
      { at: at.toISOString(), sentence, by: requester, meters: Number(meters), campaign: campaign_id },
    ]),
  );
  const [spent] = await rows<{ at: Date; meters: string }>(sql, SPENT, [...scope.place, since, wakeUpsPerDay]);
  if (spent !== undefined)
    last.set("MC-23", {
      at: spent.at.toISOString(),
      sentence: "the wake-ups of a day were used up",
      by: "head-end",
      meters: Number(spent.meters),
    });
  return last;
}

interface Row {
  readonly rule: string;
  readonly at: Date;
  readonly sentence: string;
  readonly requester: string;
  readonly meters: string;
  readonly campaign_id: string;
}

const LAST = `
  select distinct on (rule) rule, at, sentence, requester, meters, campaign_id from (
    select unnest(q.rules) as rule, q.at, q.sentence, c.requester, cardinality(q.meters)::bigint as meters, q.campaign_id
    from command_quarantine q join campaigns c using (utility_id, island_id, campaign_id)
    where q.utility_id = $1 and q.island_id = $2 and c.created_at > $3
    union all
    select ct.rule, max(ct.settled_at), min(ct.sentence), c.requester, count(*), ct.campaign_id
    from campaign_targets ct join campaigns c using (utility_id, island_id, campaign_id)
    where ct.utility_id = $1 and ct.island_id = $2 and c.created_at > $3 and ct.rule is not null
      and ct.settled_at is not null
    group by ct.rule, c.requester, ct.campaign_id
  ) refusals
  order by rule, at desc`;

const SPENT = `
  select max(at) as at, count(distinct meter_id) as meters from (
    select meter_id, at, count(*) over (partition by meter_id order by at range interval '24 hours' preceding) as woken
    from wake_ups where utility_id = $1 and island_id = $2 and at > $3
  ) days
  where woken >= $4 having count(*) > 0`;
