import { type Custodian, CustodianCallError } from "@meterkeep/api/custodian";
import { commandRulesOf } from "@meterkeep/guard";
import { inTransaction } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql, type SqlPool } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { LANES, type WorkQueue } from "../work/lease.ts";
import { CAMPAIGN_COLUMNS, type CampaignRow, ttlOf } from "./campaign-rows.ts";
import { writeHistory } from "./campaign-store.ts";
import { MOST_LOSSES } from "./command-sessions.ts";
import { dispatch, laneOf } from "./dispatch.ts";
import type { FleetCensus } from "./fleet-census.ts";
import type { Holding } from "./proposal.ts";
import { type Move, type StepFacts, step } from "./step.ts";

export interface CampaignRunnerPorts {
  readonly pool: SqlPool;
  readonly scope: Scope;
  readonly census: FleetCensus;
  readonly queue: Pick<WorkQueue, "due">;
  readonly custodian: Pick<Custodian, "beginShipment" | "shipmentChunk" | "submitManifest" | "manifest">;
  holding(): Promise<Holding>;
  now(): number;
  /** Says what has happened, in the ledger and to watchers, before it is done. */
  record(kind: string, body: unknown, sentence: string, severity: "notice" | "warning"): Promise<void>;
  wake(): void;
}

const CHUNK_BYTES = 512 * 1024;
/** Looks are a second apart: after longer than this nobody has looked. */
const STALLED_MS = 90_000;

/**
 * Moves campaigns. It holds nothing: every look reads where each of them is, asks the custodian, and makes one move in a
 * transaction that has the campaign's row, so that two runners never make the same one and a dead one leaves none half made.
 */
export class CampaignRunner {
  readonly #ports: CampaignRunnerPorts;

  constructor(ports: CampaignRunnerPorts) {
    this.#ports = ports;
  }

  /**
   * Looks at every open campaign until none moves. One whose manifest the custodian does not take holds up no other.
   *
   * @throws CustodianCallError what the first of those was refused with, after the last campaign
   */
  async look(): Promise<void> {
    const { pool, scope } = this.#ports;
    await this.#notice();
    const open = await rows<{ readonly campaign_id: string }>(
      pool,
      `select campaign_id from campaigns
       where utility_id = $1 and island_id = $2 and state in ('awaiting-approval', 'running', 'paused')
       order by direction in ('on', 'feed-on') desc, created_at`,
      [...scope.place],
    );
    let refused: CustodianCallError | undefined;
    for (const { campaign_id } of open)
      try {
        while (await this.#move(campaign_id));
      } catch (error) {
        if (!isOfManifest(error)) throw error;
        refused ??= error;
      }
    if (refused !== undefined) throw refused;
  }

  /** Makes at most one move. @returns whether another may follow at once. */
  async #move(id: string): Promise<boolean> {
    const { pool, scope, census, now } = this.#ports;
    const holding = await this.#ports.holding();
    const seen = await firstRow<CampaignRow>(
      pool,
      `select ${CAMPAIGN_COLUMNS} from campaigns where utility_id = $1 and island_id = $2 and campaign_id = $3`,
      [...scope.place, id],
    );
    if (seen === undefined) return false;
    const approval = await this.#approval(seen);
    const due: MeterId[] = [];
    const move = await inTransaction(pool, async (sql): Promise<Move | "moved" | undefined> => {
      const row = await firstRow<CampaignRow>(
        sql,
        `select ${CAMPAIGN_COLUMNS} from campaigns where utility_id = $1 and island_id = $2 and campaign_id = $3
         for update skip locked`,
        [...scope.place, id],
      );
      // Whoever has the row makes its move. Who finds it moved goes on from there: the other may have passed it by meanwhile.
      if (row === undefined) return undefined;
      if (row.state !== seen.state) return "moved";
      if (row.state === "running") {
        await this.#keepPace(sql, row, holding);
        await this.#dropStale(sql, row);
      }
      const facts = await this.#facts(sql, row, approval, holding);
      const next = step(
        {
          state: row.state,
          notBefore: row.not_before.getTime(),
          notAfter: row.not_after.getTime(),
          wave: row.wave_begun_at === null ? undefined : row.wave,
          waves: row.waves,
          isGrave: row.command_class === "C2" || row.command_class === "C3",
          onlyReads: row.command_class === "C0",
        },
        facts,
      );
      if (next?.kind === "dispatch") due.push(...(await dispatch({ sql, scope, census }, row, holding, now())));
      else if (next?.kind === "begin-wave") await this.#beginWave(sql, row, next.wave, holding);
      else if (next !== undefined) await this.#enter(sql, row, next);
      return next;
    });
    if (due.length > 0) {
      await this.#ports.queue.due(due, now(), laneOf(seen), "command");
      this.#ports.wake();
    }
    return move === "moved" || (move !== undefined && move.kind !== "dispatch");
  }

  /** Hands the manifest in where that was not done, and asks how far its approvals are. */
  async #approval({ state, manifest_hash: hash, campaign_id, submitted }: CampaignRow): Promise<StepFacts["approval"]> {
    if (hash === null) return "none";
    if (state !== "awaiting-approval") return "approved";
    const { pool, scope, custodian } = this.#ports;
    if (!submitted) {
      const row = await firstRow<{ readonly manifest: Uint8Array }>(
        pool,
        "select manifest from campaigns where utility_id = $1 and island_id = $2 and campaign_id = $3",
        [...scope.place, campaign_id],
      );
      const octets = new Uint8Array(row?.manifest ?? []);
      const { upload } = await custodian.beginShipment({ utility: scope.utility, island: scope.island });
      for (let at = 0; at < octets.length; at += CHUNK_BYTES)
        await custodian.shipmentChunk({ upload, bytes: octets.subarray(at, at + CHUNK_BYTES) });
      await custodian.submitManifest({ upload });
      await pool.query(
        "update campaigns set submitted = true where utility_id = $1 and island_id = $2 and campaign_id = $3",
        [...scope.place, campaign_id],
      );
    }
    return (await custodian.manifest({ hash })).state;
  }

  async #facts(
    sql: Sql,
    row: CampaignRow,
    approval: StepFacts["approval"],
    { thresholds, frozen }: Holding,
  ): Promise<StepFacts> {
    const { scope, now } = this.#ports;
    const counts = await firstRow<Record<string, string> & { last: Date | null }>(sql, COUNT, [
      ...scope.place,
      row.campaign_id,
      row.wave,
    ]);
    return {
      now: now(),
      approval,
      frozen,
      counts: {
        tried: Number(counts?.["tried"] ?? 0),
        failed: Number(counts?.["failed"] ?? 0),
        lost: Number(counts?.["lost"] ?? 0),
        unexpected: Number(counts?.["unexpected"] ?? 0),
      },
      openInWave: Number(counts?.["open"] ?? 0),
      underWay: Number(counts?.["under_way"] ?? 0),
      lastSettledAt: counts?.last?.getTime(),
      autoStop: commandRulesOf(thresholds).autoStop,
    };
  }

  /**
   * MC-12, MC-15: what came due while nobody looked is not due at once, it keeps its distances. After an outage longer than
   * its time to live it is stale (MC-17).
   */
  async #keepPace(sql: Sql, row: CampaignRow, { thresholds }: Holding): Promise<void> {
    const { scope, now } = this.#ports;
    const stall = row.looked_at === null ? 0 : now() - row.looked_at.getTime();
    if (stall > STALLED_MS && stall <= ttlOf(row, thresholds) * 1000) await putOff(sql, scope, row.campaign_id, stall);
    await sql.query(
      "update campaigns set looked_at = $4 where utility_id = $1 and island_id = $2 and campaign_id = $3",
      [...scope.place, row.campaign_id, new Date(now())],
    );
  }

  /** MC-17: what was not taken in time is dropped, never run late. */
  async #dropStale(sql: Sql, { campaign_id, not_after }: CampaignRow): Promise<void> {
    const { scope, now } = this.#ports;
    await sql.query(
      `update campaign_targets set state = 'stale', rule = 'MC-17', settled_at = $4,
         sentence = 'It was not carried out in its time, and is not run late.'
       where utility_id = $1 and island_id = $2 and campaign_id = $3 and state in ('waiting', 'dispatched')
         and (expires_at < $4 or $5)`,
      [...scope.place, campaign_id, new Date(now()), now() >= not_after.getTime()],
    );
  }

  /** A wave's targets get their times: as the manifest says, but never bunched together by a late approval. */
  async #beginWave(sql: Sql, row: CampaignRow, wave: number, { thresholds }: Holding): Promise<void> {
    const { scope, now } = this.#ports;
    const soak = row.waves.slice(0, wave).reduce((sum, { soakSeconds }) => sum + soakSeconds, 0);
    const begins = new Date(Math.max(now(), row.not_before.getTime() + soak * 1000));
    const ttl = ttlOf(row, thresholds);
    await sql.query(
      `update campaign_targets set due_at = $5::timestamptz + make_interval(secs => delay_seconds),
         expires_at = $5::timestamptz + make_interval(secs => delay_seconds + $6)
       where utility_id = $1 and island_id = $2 and campaign_id = $3 and wave = $4 and state = 'waiting'`,
      [...scope.place, row.campaign_id, wave, begins, ttl],
    );
    const sentence = `Wave ${wave + 1} of ${row.waves.length} is under way.`;
    await this.#ports.record(
      "campaign-wave",
      { campaign: row.campaign_id, wave },
      `${row.words}: ${sentence}`,
      "notice",
    );
    await writeHistory(sql, scope, row.campaign_id, { at: now(), by: "runner", what: "wave", sentence });
    await sql.query(
      `update campaigns set state = 'running', sentence = $4, wave = $5, wave_begun_at = $6
       where utility_id = $1 and island_id = $2 and campaign_id = $3`,
      [...scope.place, row.campaign_id, sentence, wave, begins],
    );
  }

  /** Enters another state. What is still ahead when it ends is not done. */
  async #enter(sql: Sql, row: CampaignRow, move: Extract<Move, { kind: "state" }>): Promise<void> {
    const { scope, now } = this.#ports;
    const { state, sentence, rule } = move;
    const severity = state === "stopped" || state === "paused" ? "warning" : "notice";
    const body = { campaign: row.campaign_id, state, sentence, ...(rule !== undefined && { rule }) };
    await this.#ports.record("campaign-moved", body, `${row.words}: ${sentence}`, severity);
    await enterState(sql, scope, row.campaign_id, { state, sentence, rule, by: "runner", at: now() });
  }

  /**
   * Targets that were taken under a lease that is gone: nobody knows what became of them. Those that switch are not sent again,
   * the meter is asked, and where it has been heard since, that settles it. All others are run again.
   */
  async #notice(): Promise<void> {
    const { pool, scope, now, queue } = this.#ports;
    const place = [...scope.place, new Date(now())];
    await pool.query(NOTICE_LOST, place);
    await pool.query(RESOLVE, place);
    await pool.query(NOT_TOLD, place);
    const asked = await rows<{ readonly meter_id: MeterId }>(pool, ASK_AGAIN, place);
    if (asked.length === 0) return;
    await queue.due(
      asked.map(({ meter_id }) => meter_id),
      now(),
      LANES.onDemand,
      "verify",
    );
    this.#ports.wake();
  }
}

/** Puts off what waits by so many milliseconds. */
export async function putOff(sql: Sql, scope: Scope, campaign: string, milliseconds: number): Promise<void> {
  await sql.query(
    `update campaign_targets set due_at = due_at + $4 * interval '1 millisecond',
       expires_at = expires_at + $4 * interval '1 millisecond'
     where utility_id = $1 and island_id = $2 and campaign_id = $3 and state = 'waiting' and due_at is not null`,
    [...scope.place, campaign, milliseconds],
  );
}

/** Puts a campaign into a state; an end leaves nothing waiting behind. */
export async function enterState(
  sql: Sql,
  scope: Scope,
  campaign: string,
  {
    state,
    sentence,
    rule,
    by,
    at,
  }: {
    readonly state: CampaignRow["state"];
    readonly sentence: string;
    readonly rule: string | undefined;
    readonly by: string;
    readonly at: number;
  },
): Promise<void> {
  await sql.query(
    "update campaigns set state = $4, sentence = $5 where utility_id = $1 and island_id = $2 and campaign_id = $3",
    [...scope.place, campaign, state, sentence],
  );
  await writeHistory(sql, scope, campaign, { at, by, what: state, sentence });
  if (state === "paused")
    await sql.query(
      `update campaign_targets set state = 'waiting'
       where utility_id = $1 and island_id = $2 and campaign_id = $3 and state = 'dispatched'`,
      [...scope.place, campaign],
    );
  else if (state === "stopped" || state === "expired" || state === "done")
    await sql.query(
      `update campaign_targets set state = 'stopped', rule = $4, sentence = $5, settled_at = $6
       where utility_id = $1 and island_id = $2 and campaign_id = $3 and state in ('waiting', 'dispatched')`,
      [...scope.place, campaign, rule ?? null, sentence, new Date(at)],
    );
}

const COUNT = `
  select count(*) filter (where attempted_at is not null) as tried,
    count(*) filter (where state in ('failed', 'refused') and trouble is null) as failed,
    count(*) filter (where trouble = 'lost') as lost,
    count(*) filter (where trouble = 'unexpected') as unexpected,
    count(*) filter (where wave = $4 and state in ('waiting', 'dispatched', 'attempted', 'uncertain')) as open,
    count(*) filter (where state in ('attempted', 'uncertain')) as under_way,
    max(settled_at) filter (where wave = $4) as last
  from campaign_targets where utility_id = $1 and island_id = $2 and campaign_id = $3`;

const CAN_BE_TRIED_AGAIN = `(ct.losses + 1 < ${MOST_LOSSES} and c.state in ('running', 'paused'))`;

// What switches nothing is run again, since a run looks first; what switches is never sent a second time. Nobody stops a campaign
// whose targets are to wait again.
const NOTICE_LOST = `
  with lost as (
    select ct.campaign_id, ct.meter_id, ct.epoch
    from campaign_targets ct join work w using (utility_id, island_id, meter_id)
    where ct.utility_id = $1 and ct.island_id = $2 and ct.state = 'attempted'
      and (w.epoch <> ct.epoch or w.leased_by is null or w.leased_until < $3)
  ), c as (
    select campaign_id, direction, state from campaigns
    where utility_id = $1 and island_id = $2 and campaign_id in (select campaign_id from lost)
    order by campaign_id for share
  )
  update campaign_targets ct set losses = ct.losses + 1,
    state = case when c.direction <> 'none' then 'uncertain' when ${CAN_BE_TRIED_AGAIN} then 'waiting' else 'failed' end,
    trouble = case when c.direction = 'none' and ${CAN_BE_TRIED_AGAIN} then null else 'lost' end,
    due_at = case when c.direction = 'none' then $3 else ct.due_at end,
    expires_at = case when c.direction = 'none' then $3 + (ct.expires_at - ct.due_at) else ct.expires_at end,
    settled_at = case when c.direction = 'none' and not ${CAN_BE_TRIED_AGAIN} then $3 end,
    sentence = case when c.direction <> 'none'
        then 'It was taken and nothing was heard of it: it is not sent again, the meter is asked.'
      when ${CAN_BE_TRIED_AGAIN} then 'It was cut off, and goes on where it was.'
      else 'It was cut off, and is not tried again.' end
  from lost, c
  where ct.utility_id = $1 and ct.island_id = $2 and ct.campaign_id = lost.campaign_id and ct.meter_id = lost.meter_id
    and c.campaign_id = ct.campaign_id and ct.state = 'attempted' and ct.epoch = lost.epoch`;

/** What the meter's supply says the end of. */
const ON_SUPPLY = "c.operation in ('disconnect', 'reconnect', 'arm')";

const RESOLVE = `
  update campaign_targets ct set supply = l.supply, settled_at = $3, trouble = null,
    state = case when l.supply = case c.direction when 'off' then 'disconnected' else 'connected' end
      then 'done' else 'failed' end,
    sentence = 'Its answer was lost; read back it is ' || l.supply || '.'
  from meter_latest l, campaigns c
  where ct.utility_id = $1 and ct.island_id = $2 and ct.state = 'uncertain' and ${ON_SUPPLY}
    and (l.utility_id, l.island_id, l.meter_id) = (ct.utility_id, ct.island_id, ct.meter_id)
    and (c.utility_id, c.island_id, c.campaign_id) = (ct.utility_id, ct.island_id, ct.campaign_id)
    and l.supply_at > ct.attempted_at and l.supply <> 'unknown'`;

// A relay of a load, or a limiter, does not show in the supply: somebody looks, and nothing is sent again.
const NOT_TOLD = `
  update campaign_targets ct set settled_at = $3, state = 'failed', trouble = 'lost',
    sentence = 'Its answer was lost: look at the meter before anything else is asked of it.'
  from meter_latest l, campaigns c
  where ct.utility_id = $1 and ct.island_id = $2 and ct.state = 'uncertain' and c.direction <> 'none' and not ${ON_SUPPLY}
    and (l.utility_id, l.island_id, l.meter_id) = (ct.utility_id, ct.island_id, ct.meter_id)
    and (c.utility_id, c.island_id, c.campaign_id) = (ct.utility_id, ct.island_id, ct.campaign_id)
    and (l.contact_at > ct.attempted_at or c.not_after <= $3)`;

const ASK_AGAIN = `
  select ct.meter_id from campaign_targets ct
  join campaigns c using (utility_id, island_id, campaign_id) join work w using (utility_id, island_id, meter_id)
  where ct.utility_id = $1 and ct.island_id = $2 and ct.state = 'uncertain' and c.direction <> 'none'
    and c.not_after > $3 and w.leased_by is null and w.on_demand is null and w.attempts = 0`;

/** Whether the custodian was there, and would not have this manifest. */
function isOfManifest(error: unknown): error is CustodianCallError {
  return error instanceof CustodianCallError && (error.code === "manifest-refused" || error.code === "too-many-open");
}
