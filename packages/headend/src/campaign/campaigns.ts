import type {
  CampaignList,
  CampaignState,
  CampaignTarget,
  CampaignTargetDetail,
  CampaignView,
  CommandOrder,
  DryRun,
  OperationView,
  QuarantineItem,
  TargetState,
} from "@meterkeep/api";
import type { Custodian } from "@meterkeep/api/custodian";
import { seenName } from "@meterkeep/guard";
import { inTransaction } from "@meterkeep/postgres";
import { firstRow, rows, type Sql, type SqlPool } from "../database/sql.ts";
import { HeadEndError } from "../errors.ts";
import { alarmOf } from "./alarm.ts";
import {
  CAMPAIGN_COLUMNS,
  type CampaignRow,
  countTargets,
  type QuarantineRow,
  quarantineView,
  summaryOf,
  summed,
  type TargetBrought,
  type TargetRow,
  targetDetail,
  targetView,
  wavesOf,
} from "./campaign-rows.ts";
import { enterState, putOff } from "./campaign-runner.ts";
import { insertCampaign } from "./campaign-store.ts";
import { operationViews } from "./command-operations.ts";
import { type ProposalPorts, propose, type Requester } from "./proposal.ts";

export interface CampaignsPorts extends Omit<ProposalPorts, "sql" | "sameAs"> {
  readonly pool: SqlPool;
  readonly custodian: Pick<Custodian, "manifest">;
  /** Where people sign: the custodian's own page. */
  page(): Promise<string | undefined>;
  /** Writes into the ledger, before it is done, who did what; and tells whoever watches. */
  record(kind: string, by: string, body: unknown, sentence: string, severity: "notice" | "warning"): Promise<void>;
  /** A campaign may have something to do. */
  changed(): void;
}

/** What was quarantined becomes a campaign. */
interface Release {
  readonly from: string;
  /** Who released it. */
  readonly by: string;
  settle(sql: Sql, as: string): Promise<void>;
}

const HOUR = 3_600_000;
const UNIQUE_STATES = "('awaiting-approval', 'running', 'paused')";

/** Requests for commands, what became of them, and what of them was refused. */
export class Campaigns {
  readonly #ports: CampaignsPorts;

  constructor(ports: CampaignsPorts) {
    this.#ports = ports;
  }

  async dryRun(order: CommandOrder, requester: Requester): Promise<DryRun> {
    return (await propose(this.#proposing(), order, requester)).dryRun;
  }

  /** Makes a campaign of a request, or quarantines it. @throws HeadEndError `operation-invalid`, `selection-empty` */
  create(order: CommandOrder, requester: Requester): Promise<CampaignView> {
    return this.#create(order, requester, new Set(), undefined);
  }

  async #create(
    order: CommandOrder,
    requester: Requester,
    waived: ReadonlySet<string>,
    release: Release | undefined,
  ): Promise<CampaignView> {
    const { pool, scope, record, now, changed } = this.#ports;
    const released = release && { from: release.from, by: release.by };
    await this.#alarm(order, requester);
    const proposal = await propose(this.#proposing(), order, requester, waived);
    const { id, words, dryRun, judgement, command } = proposal;
    if (dryRun.selected === 0) throw new HeadEndError("selection-empty", "no meter of this island is selected");
    const rules = [...new Set(judgement.findings.filter(({ effect }) => effect !== "warn").map(({ rule }) => rule))];
    const isHeld = judgement.verdict !== "goes-on";
    const body = {
      campaign: id,
      operation: order.operation,
      selection: order.selection,
      selected: dryRun.selected,
      targets: dryRun.targets,
      loadAtRiskW: dryRun.loadAtRiskW,
      verdict: judgement.verdict,
      rules,
      reason: order.reason,
      workOrder: order.workOrder ?? "",
      ...(released !== undefined && { released }),
    };
    const asked = `${requester.name} asks to ${words} on ${dryRun.selected} meters`;
    await record(
      isHeld ? "command-quarantined" : "command-asked",
      requester.name,
      {
        ...body,
        selection:
          order.selection.kind === "list" ? { kind: "list", meters: order.selection.meters.length } : order.selection,
      },
      isHeld ? `${asked}: quarantined (${rules.join(", ")}).` : `${asked}.`,
      isHeld ? "warning" : "notice",
    );
    await inTransaction(pool, async (sql) => {
      await insertCampaign(sql, scope, proposal, { requester, at: now(), released });
      await release?.settle(sql, id);
    });
    if (!isHeld || command === undefined) changed();
    return this.view(id);
  }

  /** Says what is far beyond the caps before anything is expanded, judged or kept: that takes a quarter of a minute for a city. */
  async #alarm(order: CommandOrder, requester: Requester): Promise<void> {
    const { record } = this.#ports;
    const alarm = await alarmOf(this.#proposing(), order);
    if (alarm === undefined) return;
    const { words, ...body } = alarm;
    await record(
      "command-alarm",
      requester.name,
      { operation: order.operation, ...body, reason: order.reason, workOrder: order.workOrder ?? "" },
      `${requester.name} asks to ${words} on ${alarm.meters} meters (${Math.round(alarm.loadW / 1000)} kW), and a day allows ${alarm.most} (${alarm.rules.join(", ")}).`,
      "warning",
    );
  }

  /** All that can be asked for. */
  operations(): readonly OperationView[] {
    return operationViews(this.#ports.operations);
  }

  async list(state: CampaignState | undefined, limit: number): Promise<CampaignList> {
    const { pool, scope } = this.#ports;
    const found = await rows<CampaignRow>(
      pool,
      `select ${CAMPAIGN_COLUMNS} from campaigns where utility_id = $1 and island_id = $2
         and ($3::text is null or state = $3) order by created_at desc limit $4`,
      [...scope.place, state ?? null, limit],
    );
    const counts = await countTargets(
      pool,
      scope,
      found.map(({ campaign_id }) => campaign_id),
    );
    return {
      campaigns: found.map((row) => summaryOf(row, summed(counts.get(row.campaign_id)?.values() ?? []))),
    };
  }

  /** @throws HeadEndError `campaign-unknown` */
  async view(id: string): Promise<CampaignView> {
    const { pool, scope } = this.#ports;
    const row = await this.#row(id);
    const waves = (await countTargets(pool, scope, [id])).get(id) ?? new Map();
    const history = await rows<{ at: Date; by_whom: string; what: string; sentence: string }>(
      pool,
      `select at, by_whom, what, sentence from campaign_history
       where utility_id = $1 and island_id = $2 and campaign_id = $3 order by entry_id`,
      [...scope.place, id],
    );
    const manifest = await this.#manifest(row);
    return {
      campaign: summaryOf(row, summed(waves.values())),
      note: row.note,
      workOrder: row.work_order,
      parameters: row.parameters,
      selection: row.selection,
      ...(row.released_from !== null && { releasedFrom: row.released_from }),
      ...(row.released_by !== null && { releasedBy: row.released_by }),
      dryRun: row.dry_run,
      ...(manifest !== undefined && { manifest }),
      waves: wavesOf(row, waves),
      history: history.map(({ at, by_whom, what, sentence }) => ({
        at: at.toISOString(),
        by: by_whom,
        what,
        sentence,
      })),
    };
  }

  async targets(
    id: string,
    { state, after, limit }: { readonly state?: TargetState; readonly after?: string; readonly limit: number },
  ): Promise<readonly CampaignTarget[]> {
    const { pool, scope } = this.#ports;
    await this.#row(id);
    const found = await rows<TargetRow>(
      pool,
      `select ct.*, m.label from campaign_targets ct join meters m using (utility_id, island_id, meter_id)
       where ct.utility_id = $1 and ct.island_id = $2 and ct.campaign_id = $3
         and ($4::text is null or ct.state = $4) and ($5::text is null or ct.system_title > $5)
       order by ct.system_title limit $6`,
      [...scope.place, id, state ?? null, after ?? null, limit],
    );
    return found.map(targetView);
  }

  /** What became of one meter: the facts that were read back, and what was read. @throws HeadEndError `campaign-unknown` */
  async target(id: string, meter: string): Promise<CampaignTargetDetail> {
    const { pool, scope } = this.#ports;
    await this.#row(id);
    const row = await firstRow<TargetRow & TargetBrought>(
      pool,
      `select ct.*, m.label from campaign_targets ct join meters m using (utility_id, island_id, meter_id)
       where ct.utility_id = $1 and ct.island_id = $2 and ct.campaign_id = $3 and ct.system_title = $4`,
      [...scope.place, id, meter],
    );
    if (row === undefined) throw new HeadEndError("campaign-unknown", `meter ${meter} is no target of campaign ${id}`);
    return targetDetail(row);
  }

  /** Moves a campaign at a person's word. @throws HeadEndError `campaign-unknown`, `campaign-not-so` */
  async decide(id: string, what: "pause" | "resume" | "stop", by: Requester, reason: string): Promise<CampaignView> {
    const { pool, scope, now, record, changed } = this.#ports;
    const { from, to, done } = DECISIONS[what];
    const sentence = `${done} by ${by.name}: ${reason}`;
    const { words } = await this.#row(id);
    await record(`campaign-${what}`, by.name, { campaign: id, reason }, `${words}: ${sentence}`, "notice");
    await inTransaction(pool, async (sql) => {
      const row = await firstRow<Pick<CampaignRow, "state" | "wave_begun_at" | "manifest_hash">>(
        sql,
        "select state, wave_begun_at, manifest_hash from campaigns where utility_id = $1 and island_id = $2 and campaign_id = $3 for update",
        [...scope.place, id],
      );
      if (row === undefined || !(from as readonly string[]).includes(row.state))
        throw new HeadEndError("campaign-not-so", `the campaign is ${row?.state}, and cannot be ${done.toLowerCase()}`);
      const isUnsigned = row.manifest_hash !== null && row.wave_begun_at === null;
      const state = to === "running" && isUnsigned ? "awaiting-approval" : to;
      if (what === "resume") await this.#resumeAt(sql, id, now());
      await enterState(sql, scope, id, { state, sentence, rule: undefined, by: by.name, at: now() });
    });
    changed();
    return this.view(id);
  }

  /** What waits keeps its distances, and its time to live: a pause counts for neither. */
  async #resumeAt(sql: Sql, id: string, at: number): Promise<void> {
    const { scope } = this.#ports;
    const target = [...scope.place, id];
    const paused = await firstRow<{ at: Date }>(
      sql,
      `select at from campaign_history
       where utility_id = $1 and island_id = $2 and campaign_id = $3 and what = 'paused' order by entry_id desc limit 1`,
      target,
    );
    if (paused !== undefined) await putOff(sql, scope, id, Math.max(0, at - paused.at.getTime()));
    await sql.query(
      "update campaigns set looked_at = $4 where utility_id = $1 and island_id = $2 and campaign_id = $3",
      [...target, new Date(at)],
    );
  }

  async quarantine(state: string | undefined, limit: number): Promise<readonly QuarantineItem[]> {
    const { pool, scope } = this.#ports;
    const found = await rows<QuarantineRow>(
      pool,
      `${QUARANTINE} and ($3::text is null or q.state = $3) order by q.at desc limit $4`,
      [...scope.place, state ?? null, limit],
    );
    return found.map(quarantineView);
  }

  /**
   * Makes a new campaign of what was quarantined, as another person than who asked for it. Rules that a person may waive are
   * waived; all others are judged again. It is approved like any other.
   *
   * @throws HeadEndError `quarantine-unknown`, `quarantine-not-releasable`, `same-person`
   */
  async release(item: string, by: Requester, reason: string): Promise<CampaignView> {
    const held = await this.#held(item);
    if (held.requester_id === by.id || seenName(held.requester) === seenName(by.name))
      throw new HeadEndError("same-person", "who asked for it does not release it");
    if (!held.releasable)
      throw new HeadEndError("quarantine-not-releasable", `${held.rules.join(", ")}: mend the cause and ask anew`);
    const from = await this.#row(held.campaign_id);
    const { not_before: notBefore, not_after: notAfter } = from;
    return this.#create(
      {
        operation: from.operation,
        parameters: from.parameters,
        selection: { kind: "list", meters: [...held.meters] },
        reason: from.reason,
        note: from.note,
        workOrder: from.work_order,
        urgency: from.urgency,
        look: from.looks,
        // As it was asked for: what is for tomorrow is not for now.
        ...(notBefore.getTime() > this.#ports.now() && { notBefore: notBefore.toISOString() }),
        hours: Math.max(1, Math.round((notAfter.getTime() - notBefore.getTime()) / HOUR)),
      },
      { id: held.requester_id, name: held.requester, network: from.network },
      new Set(held.rules),
      { from: item, by: by.name, settle: (sql, as) => this.#settle(sql, held, { state: "released", as }, by, reason) },
    );
  }

  /** Says that what was quarantined shall not be done. @throws HeadEndError `quarantine-unknown` */
  async discard(item: string, by: Requester, reason: string): Promise<QuarantineItem> {
    await this.#settle(this.#ports.pool, await this.#held(item), { state: "discarded" }, by, reason);
    return quarantineView(await this.#item(item));
  }

  /** In the transaction of what becomes of it: it is in quarantine, or it is a campaign. */
  async #settle(
    sql: Sql,
    item: QuarantineRow,
    { state, as }: { readonly state: "released" | "discarded"; readonly as?: string },
    by: Requester,
    reason: string,
  ): Promise<void> {
    const { scope, now, record } = this.#ports;
    await record(
      `quarantine-${state}`,
      by.name,
      { item: item.item_id, campaign: item.campaign_id, rules: item.rules, requester: item.requester, reason },
      `${by.name} ${state} what was quarantined (${item.rules.join(", ")}): ${item.words} on ${item.meters.length} meters.`,
      "warning",
    );
    const settled = await sql.query(
      `update command_quarantine set state = $4, decided_by = $5, decided_at = $6, decision = $7, released_as = $8
       where utility_id = $1 and island_id = $2 and item_id = $3 and state = 'waiting'`,
      [...scope.place, item.item_id, state, by.name, new Date(now()), reason, as ?? null],
    );
    if (settled.rowCount !== 1) throw new HeadEndError("quarantine-unknown", "it is not in quarantine any more");
  }

  async #held(item: string): Promise<QuarantineRow> {
    const row = await this.#item(item);
    if (row.state !== "waiting") throw new HeadEndError("quarantine-unknown", `it was ${row.state} already`);
    return row;
  }

  async #item(item: string): Promise<QuarantineRow> {
    const { pool, scope } = this.#ports;
    const row = await firstRow<QuarantineRow>(pool, `${QUARANTINE} and q.item_id = $3`, [...scope.place, item]);
    if (row === undefined) throw new HeadEndError("quarantine-unknown", `nothing of the id ${item} was quarantined`);
    return row;
  }

  async #row(id: string): Promise<CampaignRow> {
    const { pool, scope } = this.#ports;
    const row = await firstRow<CampaignRow>(
      pool,
      `select ${CAMPAIGN_COLUMNS} from campaigns where utility_id = $1 and island_id = $2 and campaign_id = $3`,
      [...scope.place, id],
    );
    if (row === undefined) throw new HeadEndError("campaign-unknown", `there is no campaign ${id}`);
    return row;
  }

  /** A custodian that does not answer leaves the page without approvals, not without the campaign. */
  async #manifest({ manifest_hash: hash, submitted }: CampaignRow): Promise<CampaignView["manifest"]> {
    if (hash === null) return undefined;
    const none = { hash, approvedBy: [], people: 0 };
    if (!submitted) return none;
    try {
      const [{ approvedBy, people, missing }, page] = await Promise.all([
        this.#ports.custodian.manifest({ hash }),
        this.#ports.page(),
      ]);
      return {
        hash,
        approvedBy: [...approvedBy],
        people,
        ...(missing !== undefined && { missing }),
        ...(page !== undefined && { page }),
      };
    } catch {
      return none;
    }
  }

  #proposing(): ProposalPorts {
    const { pool, scope } = this.#ports;
    return {
      ...this.#ports,
      sql: pool,
      sameAs: async (sameness) => {
        const row = await firstRow<{ campaign_id: string }>(
          pool,
          `select campaign_id from campaigns where utility_id = $1 and island_id = $2 and sameness = $3
             and state in ${UNIQUE_STATES} limit 1`,
          [...scope.place, sameness],
        );
        return row?.campaign_id;
      },
    };
  }
}

const DECISIONS = {
  pause: { from: ["running", "awaiting-approval"], to: "paused", done: "Paused" },
  resume: { from: ["paused"], to: "running", done: "Resumed" },
  stop: { from: ["running", "awaiting-approval", "paused"], to: "stopped", done: "Stopped" },
} as const;

const QUARANTINE = `
  select q.*, c.operation, c.words, c.requester, c.requester_id
  from command_quarantine q join campaigns c using (utility_id, island_id, campaign_id)
  where q.utility_id = $1 and q.island_id = $2`;
