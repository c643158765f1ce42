import type { Scope } from "../database/scope.ts";
import type { Sql } from "../database/sql.ts";
import type { SessionRecord } from "../session/ladder.ts";
import type { Lease } from "../work/lease.ts";
import type { CommandOutcome } from "./command-sessions.ts";

/** Writes what became of targets, inside the transaction that has ended their leases. */
export async function writeCommands(
  sql: Sql,
  scope: Scope,
  ended: readonly { readonly lease: Lease; readonly command: CommandOutcome; readonly session?: SessionRecord }[],
): Promise<void> {
  await holdCampaigns(sql, scope, ended);
  for (const { lease, command, session } of ended) {
    if (command.state === "dispatched") {
      const target = [...scope.place, command.campaign, lease.meter.id];
      await sql.query(PUT_BACK, [...target, new Date(command.at), command.attemptedBefore ?? null]);
      continue;
    }
    if (command.firmware !== undefined)
      await sql.query(RUNNING_FIRMWARE, [...scope.place, lease.meter.id, command.firmware]);
    await sql.query(SETTLE, [
      ...scope.place,
      command.campaign,
      lease.meter.id,
      command.state,
      command.rule ?? null,
      command.sentence,
      new Date(command.at),
      session?.id ?? null,
      command.supply ?? null,
      command.powerW ?? null,
      command.trouble ?? null,
      JSON.stringify(command.evidence),
      command.againAt === undefined ? null : new Date(command.againAt),
      command.data ?? null,
      command.isLost === true ? 1 : 0,
    ]);
  }
}

/**
 * Where targets are put back, or wait to be tried again, nobody stops or pauses their campaigns meanwhile: what is ahead in a campaign
 * that has ended would stay so. Before anything of them is written, and in one order, since who moves a campaign goes from it to its
 * targets.
 */
async function holdCampaigns(
  sql: Sql,
  scope: Scope,
  ended: readonly { readonly command: CommandOutcome }[],
): Promise<void> {
  const isAhead = ({ state }: CommandOutcome): boolean => state === "dispatched" || state === "waiting";
  const campaigns = ended.flatMap(({ command }) => (isAhead(command) ? [command.campaign] : []));
  if (campaigns.length > 0) await sql.query(HOLD_CAMPAIGNS, [...scope.place, campaigns]);
}

const HOLD_CAMPAIGNS = `
  select from campaigns where utility_id = $1 and island_id = $2 and campaign_id = any($3::uuid[])
  order by campaign_id for share`;

// It keeps its time to live: what nobody has room for in that time is dropped (MC-17). Of what gives back it holds up its neighbours
// as if it had been handed out just now (MC-15): else all would come at once when there is room.
const PUT_BACK = `
  update campaign_targets ct set epoch = null, attempted_at = $6,
    due_at = case when c.direction in ('on', 'feed-on') then $5 else ct.due_at end,
    state = case c.state when 'running' then 'dispatched' when 'paused' then 'waiting' else 'stopped' end,
    sentence = case when c.state in ('running', 'paused') then ct.sentence else c.sentence end,
    settled_at = case when c.state in ('running', 'paused') then ct.settled_at else $5 end
  from campaigns c
  where ct.utility_id = $1 and ct.island_id = $2 and ct.campaign_id = $3 and ct.meter_id = $4 and ct.state = 'attempted'
    and (c.utility_id, c.island_id, c.campaign_id) = (ct.utility_id, ct.island_id, ct.campaign_id)`;

const RUNNING_FIRMWARE = `
  update meters set firmware = $4
  where utility_id = $1 and island_id = $2 and meter_id = $3 and firmware is distinct from $4`;

/** What is to be tried again in a campaign that has ended meanwhile: it is stopped with it. */
const HAS_ENDED = "($5 = 'waiting' and c.state not in ('running', 'paused'))";

const SETTLE = `
  update campaign_targets ct set state = case when ${HAS_ENDED} then 'stopped' else $5 end, rule = $6,
    sentence = case when ${HAS_ENDED} then c.sentence else $7 end,
    settled_at = case when $5 = 'uncertain' or ($5 = 'waiting' and not ${HAS_ENDED}) then null else $8::timestamptz end,
    session_id = $9, supply = $10, power_w = $11, trouble = $12, evidence = $13, data = coalesce($15::jsonb, ct.data),
    losses = ct.losses + $16, due_at = coalesce($14, ct.due_at),
    expires_at = case when $14::timestamptz is null then ct.expires_at
      else $14::timestamptz + (ct.expires_at - ct.due_at) end
  from campaigns c
  where ct.utility_id = $1 and ct.island_id = $2 and ct.campaign_id = $3 and ct.meter_id = $4
    and ct.state in ('dispatched', 'attempted')
    and (c.utility_id, c.island_id, c.campaign_id) = (ct.utility_id, ct.island_id, ct.campaign_id)`;
