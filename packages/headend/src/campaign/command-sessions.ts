import type { Custodian } from "@meterkeep/api/custodian";
import {
  type Operation as CommandDocument,
  type FleetFacts,
  type GuardFacts,
  judgeAtExecution,
  takesOff,
} from "@meterkeep/guard";
import type { Scope } from "../database/scope.ts";
import { firstRow, type SqlPool } from "../database/sql.ts";
import { codeOf, HeadEndError } from "../errors.ts";
import type { MemoryOf } from "../operation/memory.ts";
import type { KeptFact, OperationPreview, OperationResult } from "../operation/operation.ts";
import { previewOperation, runOperation } from "../operation/operation-session.ts";
import { findMeterProfile } from "../profile/meter-profile.ts";
import type { ReadResult } from "../reading/result.ts";
import { NOTHING_READ } from "../reading/result.ts";
import type { SessionRecord } from "../session/ladder.ts";
import type { Dial } from "../session/line.ts";
import { ScalerTable } from "../session/scaler-table.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { isWithoutRoom } from "../work/custodian-room.ts";
import type { Lease } from "../work/lease.ts";
import type { Billing } from "./billing.ts";
import { CAMPAIGN_COLUMNS, type CampaignRow } from "./campaign-rows.ts";
import { insertQuarantineItem } from "./campaign-store.ts";
import { type CommandOperations, commanded } from "./command-operations.ts";
import { IS_BATCH } from "./dispatch.ts";
import { expand } from "./expansion.ts";
import { signChanges } from "./fleet-facts.ts";
import type { PolicyKey } from "./policy-key.ts";
import type { Holding } from "./proposal.ts";
import type { SupplyRead } from "./supply.ts";
import { askWeather, type WeatherOffice } from "./weather.ts";

export interface CommandPorts {
  readonly pool: SqlPool;
  readonly scope: Scope;
  readonly custodian: Parameters<typeof runOperation>[0]["custodian"] & Pick<Custodian, "seal">;
  readonly dial: Dial;
  readonly memoryOf: MemoryOf;
  readonly billing: Billing;
  readonly weather: WeatherOffice;
  readonly operations: CommandOperations;
  readonly policy: PolicyKey;
  holding(): Promise<Holding>;
  clockTrouble(): string | undefined;
  clockOf(kind: Lease["meter"]["kind"]): SourceClock;
  now(): number;
  record(kind: string, body: unknown, sentence: string, meter: string): Promise<void>;
}

/** What became of a target: written in the transaction that ends the lease. */
export interface CommandOutcome {
  readonly campaign: string;
  /** Milliseconds since 1970 UTC on our clock. */
  readonly at: number;
  /** `dispatched`: nothing of it was sent, and it is as if nobody had taken it. */
  readonly state: "done" | "failed" | "refused" | "uncertain" | "waiting" | "dispatched";
  readonly sentence: string;
  readonly rule?: string;
  readonly trouble?: "lost" | "unexpected";
  readonly supply?: SupplyRead["supply"];
  readonly powerW?: number;
  /** Facts of the meter as they were read back. */
  readonly evidence: readonly KeptFact[];
  /** What was read, as JSON, where reading was the point. */
  readonly data?: string;
  /** Of what is to be tried again: when. */
  readonly againAt?: number;
  /** The line was lost, and it is tried again. */
  readonly isLost?: true;
  /** Of what nobody has taken after all: when somebody had before. */
  readonly attemptedBefore?: Date;
  /** The firmware that runs now, as the meter says: the inventory is told, since scalers are of a firmware. */
  readonly firmware?: string;
}

/** What a lease brought that was there for a command. */
export interface CommandHeld {
  readonly command: CommandOutcome;
  readonly session?: SessionRecord;
  readonly read?: ReadResult;
}

type Target = CampaignRow & {
  readonly load_w_target: number;
  readonly losses: number;
  readonly attempted_before: Date | null;
};

/**
 * How often a meter may be lost in the middle of something that switches nothing and is tried again: a run looks first, and
 * goes on where it was.
 */
export const MOST_LOSSES = 8;
/** After the first loss; doubled at each. */
const AGAIN_MILLISECONDS = 5_000;
/** What was read and is longer than this is with the readings, if anywhere. */
const MOST_DATA = 262_144;
/** Of what only reads. */
const SHARE_USED =
  "its SIM has carried what reading on demand may take of its budget by now; the rest of the month's is kept for scheduled reading";

/** Carries one target of a campaign out, under the lease of its meter. */
export class CommandSessions {
  readonly #ports: CommandPorts;
  readonly #scalers = new ScalerTable();

  constructor(ports: CommandPorts) {
    this.#ports = ports;
  }

  /** Undefined where there is nothing to be commanded any more: it was stopped, or has grown stale. */
  async hold(lease: Lease, signal: AbortSignal): Promise<CommandHeld | undefined> {
    const target = await this.#next(lease);
    if (target === undefined) return undefined;
    const { operation, parameters } = commanded(this.#ports.operations, target.operation, target.parameters);
    const { meter } = lease;
    const profile = findMeterProfile(meter.profile);
    if (profile === undefined || meter.route === undefined)
      throw new HeadEndError("meter-address-unknown", `nobody knows how meter ${meter.title} is reached`);
    const command = target.looks ? undefined : operation.command(parameters, profile);
    const against = command === undefined ? undefined : await this.#refusal(lease, target, command);
    if (command === undefined && lease.isSimShareUsed === true)
      return this.#refused(lease, target, "MC-23", SHARE_USED);
    if (against !== undefined) return this.#refused(lease, target, against.rule, against.sentence);
    if (!(await this.#take(lease, target))) return undefined;
    const ports = { ...this.#ports, scalers: this.#scalers };
    const clock = this.#ports.clockOf(meter.kind);
    const order = { meter, route: meter.route, profile, clock, operation, parameters };
    if (target.looks) {
      const { session, result, error } = await previewOperation(ports, order, signal);
      const seen = result === undefined ? undefined : lookedAt(result);
      return { command: outcomeOf(target, { session, result: seen, error }, false, this.#ports.now()), session };
    }
    let minted = 0;
    const tokens = {
      token: async (act: number): Promise<Uint8Array> => {
        minted += 1;
        return this.#ports.policy.token(target.manifest_hash ?? "", meter.systemTitle, act, this.#ports.now());
      },
    };
    const held = await runOperation(ports, order, command === undefined ? undefined : tokens, signal);
    for (const { code, severity, sentence } of held.result?.findings ?? [])
      if (severity === "alert")
        await this.#ports.record(code, { campaign: target.campaign_id, sentence }, sentence, meter.title);
    const outcome = outcomeOf(target, held, minted > 0, this.#ports.now());
    const read = readOf(held.result);
    return { command: outcome, session: held.session, ...(read !== undefined && { read }) };
  }

  /** The target that this lease is for, while its campaign runs and its time has not passed. */
  #next({ meter }: Lease): Promise<Target | undefined> {
    const { pool, scope, now } = this.#ports;
    return firstRow<Target>(
      pool,
      `select ${CAMPAIGN_COLUMNS.replaceAll(/\b(\w+)\b/g, "c.$1")}, ct.load_w as load_w_target, ct.losses,
         ct.attempted_at as attempted_before
       from campaign_targets ct join campaigns c using (utility_id, island_id, campaign_id)
       where ct.utility_id = $1 and ct.island_id = $2 and ct.meter_id = $3 and ct.state = 'dispatched'
         and c.state = 'running' and ct.expires_at > $4
       order by c.direction in ('on', 'feed-on') desc, ${IS_BATCH}, ct.due_at limit 1`,
      [...scope.place, meter.id, new Date(now())],
    );
  }

  /** Takes it: from here on it may have been done, and is never sent a second time. */
  async #take({ meter, epoch }: Lease, { campaign_id }: Target): Promise<boolean> {
    const { pool, scope, now } = this.#ports;
    const taken = await pool.query(
      `update campaign_targets ct set state = 'attempted', attempted_at = $5, epoch = $6
       from campaigns c, work w
       where ct.utility_id = $1 and ct.island_id = $2 and ct.campaign_id = $3 and ct.meter_id = $4
         and ct.state = 'dispatched' and ct.expires_at > $5
         and (c.utility_id, c.island_id, c.campaign_id) = (ct.utility_id, ct.island_id, ct.campaign_id)
         and c.state = 'running'
         and (w.utility_id, w.island_id, w.meter_id) = (ct.utility_id, ct.island_id, ct.meter_id)
         and w.epoch = $6 and w.leased_by is not null`,
      [...scope.place, campaign_id, meter.id, new Date(now()), epoch.toString()],
    );
    return taken.rowCount === 1;
  }

  /** Everything that may have changed since it was asked for (MC-08 to MC-11), asked again. */
  async #refusal({ meter }: Lease, target: Target, command: CommandDocument) {
    const { pool, scope, billing, weather, now, holding, clockTrouble } = this.#ports;
    const { thresholds, frozen, clockDoubt } = await holding();
    const at = now();
    const fleet: FleetFacts = {
      ...NOT_COUNTED,
      signChanges: await signChanges(pool, scope, at, target.direction),
      frozen,
      clockTrouble: clockTrouble() ?? clockDoubt,
    };
    const [found] = await expand(pool, scope, { kind: "list", meters: [meter.title] }, target.direction, {
      now: at,
      clockOf: this.#ports.clockOf,
    });
    if (found === undefined || found.leftOut !== undefined)
      return { rule: "MC-10", sentence: found?.leftOut ?? "it is not in the inventory" } as const;
    const told = takesOff(target.direction)
      ? await askAgain(billing, target.work_order, meter.title)
      : { answered: true };
    const asked = { operation: command, reason: target.reason };
    const facts: GuardFacts = {
      now: at,
      thresholds,
      fleet,
      weather: await askWeather(weather, asked, thresholds),
      principal: {
        hours: [],
        thisHour: 0,
        operations: new Set(),
        hoursOfDay: new Set(),
        networks: new Set(),
        network: "",
      },
      request: {
        ...asked,
        requester: target.requester,
        isEmergency: target.urgency === "emergency",
        notBefore: at,
        targets: [{ ...found, account: told.account }],
        peak: { meters: 1, loadW: found.loadW },
        workOrderId: target.work_order,
        workOrder: told.workOrder,
        billingAnswered: told.answered,
        isDoubtSigned: (target.dry_run.doubted ?? 0) > 0,
        sameAs: undefined,
      },
    };
    return judgeAtExecution(facts);
  }

  /** Refused at the last moment: kept like everything that the guard refuses. */
  async #refused({ meter }: Lease, target: Target, rule: string, sentence: string): Promise<CommandHeld> {
    const { pool, scope, now, record } = this.#ports;
    await record(
      "command-refused",
      { campaign: target.campaign_id, rule, sentence, requester: target.requester },
      `${target.words} was refused at the last moment (${rule}): ${sentence}.`,
      meter.title,
    );
    await insertQuarantineItem(pool, scope, {
      campaign: target.campaign_id,
      rules: [rule],
      sentence: `At the last moment: ${sentence}`,
      meters: [meter.title],
      loadW: target.load_w_target,
      releasable: false,
      at: now(),
    });
    return { command: { campaign: target.campaign_id, at: now(), state: "refused", rule, sentence, evidence: [] } };
  }
}

/** Caps are kept by the pace of the waves: what is asked at the moment of execution counts no fleet. */
const NOT_COUNTED = {
  meters: 0,
  loadW: 0,
  off: { tenMinutes: 0, day: 0, month: 0, loadInTenMinutesW: 0 },
  transformers: new Map(),
  feeders: new Map(),
} as const;

async function askAgain(billing: Billing, id: string, meter: string) {
  try {
    const workOrder = id === "" ? undefined : await billing.workOrder(id);
    return { answered: true, workOrder, account: (await billing.accounts([meter])).get(meter) };
  } catch {
    return { answered: false };
  }
}

function outcomeOf(
  { campaign_id: campaign, direction, losses, attempted_before }: Target,
  { result, session, error }: { result: OperationResult | undefined; session: SessionRecord; error: unknown },
  mayHaveBeenSent: boolean,
  at: number,
): CommandOutcome {
  const evidence = (result?.readBack ?? []).map(({ evidence: { hash }, ...fact }) => ({
    ...fact,
    hash: Buffer.from(hash).toString("hex"),
  }));
  const { firmware } = result ?? {};
  const base = {
    campaign,
    at,
    evidence,
    ...dataOf(result),
    ...supplyOf(result),
    ...(firmware !== undefined && { firmware }),
  };
  if (result !== undefined) {
    const { sentence, outcome, againAt } = result;
    if (outcome === "not-now")
      return { ...base, state: "waiting", sentence, ...(againAt !== undefined && { againAt }) };
    if (outcome === "not-taken")
      return {
        ...base,
        state: "failed",
        sentence,
        ...(direction !== "none" && { rule: "MC-14", trouble: "unexpected" as const }),
      };
    return { ...base, state: "done", sentence };
  }
  const { sentence } = session;
  const code = codeOf(error);
  // Of a command every token is made before it is sealed: without one nothing of it has left us.
  if (isWithoutRoom(code) && !mayHaveBeenSent)
    return { ...base, state: "dispatched", sentence, ...(attempted_before && { attemptedBefore: attempted_before }) };
  if (code === "seal-refused") {
    const rule = /MC-\d\d/.exec(sentence)?.[0] ?? (/frozen/.test(sentence) ? "MC-19" : "MC-20");
    return { ...base, state: "refused", sentence, rule };
  }
  if (direction !== "none")
    return { ...base, state: mayHaveBeenSent ? "uncertain" : "failed", sentence, trouble: "lost" };
  // Refused by us, of the meter nothing is to be found out: asking again changes nothing.
  if (code === "firmware-refused" || code === "request-too-long") return { ...base, state: "refused", sentence };
  if (session.outcome === "lost" && losses + 1 < MOST_LOSSES)
    return { ...base, state: "waiting", sentence, isLost: true, againAt: at + AGAIN_MILLISECONDS * 2 ** losses };
  return { ...base, state: "failed", sentence, trouble: "lost" };
}

/** A look as a result: it has changed nothing, and says what a run would do. */
function lookedAt({ sentence, readBack, findings }: OperationPreview): OperationResult {
  return { outcome: "unchanged", sentence, readBack, findings };
}

function dataOf(result: OperationResult | undefined): { readonly data?: string } {
  if (result?.data === undefined) return {};
  const data = JSON.stringify(result.data);
  return data.length > MOST_DATA ? {} : { data };
}

function supplyOf(result: OperationResult | undefined): Partial<SupplyRead> {
  const data = result?.data as Partial<SupplyRead> | undefined;
  return data?.supply === undefined
    ? {}
    : { supply: data.supply, ...(data.powerW !== undefined && { powerW: data.powerW }) };
}

function readOf(result: OperationResult | undefined): ReadResult | undefined {
  const { supply, powerW } = supplyOf(result);
  if (supply === undefined && result?.read === undefined) return undefined;
  return {
    ...NOTHING_READ,
    ...result?.read,
    ...(supply !== undefined && { supply }),
    ...(powerW !== undefined && { powerW }),
  };
}
