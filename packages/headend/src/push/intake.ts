import type { ProtectionGrade } from "@meterkeep/api";
import { type Custodian, CustodianCallError, type PushResult } from "@meterkeep/api/custodian";
import type { Ledger } from "@meterkeep/ledger";
import { isPassing } from "@meterkeep/postgres";
import type { Scope } from "../database/scope.ts";
import { codeOf } from "../errors.ts";
import type { Meter, MeterId } from "../inventory/meter.ts";
import type { DestinationWatch } from "../route/destination-watch.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { ATTACHED_WEAK_KEYS, judgeTrust } from "../trust/trust.ts";
import { changeOf, trustDraft } from "../trust/trust-record.ts";
import type { TrustChangeRecord } from "../work/finish.ts";
import type { ArrivedPush, DatedPush } from "./arrived-push.ts";
import { claimedTitle } from "./claimed-title.ts";
import { PushNews, type PushNewsPorts } from "./push-news.ts";
import { type OpenedPush, pushProtection, readPush } from "./push-reading.ts";
import type { PushTally } from "./push-sources.ts";
import type { PushStanding, PushStore, StoredPush } from "./push-store.ts";
import { PUSH_METER_LIMIT, SourceBuckets } from "./source-limit.ts";

/** What pushes are taken with. */
export interface PushIntakePorts extends PushNewsPorts {
  readonly custodian: Pick<Custodian, "openPush">;
  readonly store: Pick<PushStore, "standings" | "write">;
  readonly watch: Pick<DestinationWatch, "refused" | "authenticated">;
  readonly ledger: Pick<Ledger, "append">;
  readonly scope: Scope;
  /** A meter has proven itself in what came from an address: perhaps it is reached there. */
  onHeard(meter: Meter, address: string): void;
  clockOf(kind: Meter["kind"]): SourceClock;
  /** Meters whose line has changed. */
  onChange(meters: readonly MeterId[]): void;
  onError(error: unknown): void;
  /** Ends early, without an error, when the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** What the custodian said of one. */
interface Answered {
  readonly push: DatedPush;
  readonly result: PushResult;
  readonly meter: Meter | undefined;
}

/** What comes of one: what is written, and what is told and counted once it is written. */
interface Judgement {
  readonly stored?: StoredPush;
  readonly tally?: PushTally;
  readonly tell: () => void;
}
type Judged = Answered & Judgement;

/** While custodian or database are away it is tried again after these, and the last one again and again. */
const AGAIN_MS = [250, 1_000, 5_000] as const;

const MAX_BATCH = 512;
/**
 * What waits beyond this is dropped: a flood must not become memory, and the last-gasps of a city must fit. What names no
 * meter of ours fills half of it at most.
 */
const MAX_WAITING = 32_768;
const MAX_WAITING_BYTES = 32 * 1024 * 1024;

/**
 * Takes what meters push: the custodian opens it or refuses it, the rest is told apart and stored. Nothing that was not
 * opened changes anything but a count. What was opened has used up its counter and does not come again: it is held until it
 * is stored, while more waits.
 *
 * States: *idle*, *taking* (one batch at the custodian or the database; more may wait), *closing* (what cannot be stored now is
 * given up).
 */
export class PushIntake {
  readonly #ports: PushIntakePorts;
  readonly #buckets = new SourceBuckets();
  readonly #lanes = new SourceBuckets(PUSH_METER_LIMIT);
  readonly #news: PushNews;
  #waiting: DatedPush[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(ports: PushIntakePorts) {
    this.#ports = ports;
    this.#news = new PushNews(ports);
  }

  /** Takes one. It never throws and never waits. */
  take(push: ArrivedPush): void {
    const at = this.#ports.now();
    const title = claimedTitle(push.apdu);
    const meter = title === undefined ? undefined : this.#ports.directory.find(title);
    const share = meter === undefined ? 2 : 1;
    const isFull =
      this.#waiting.length >= MAX_WAITING / share || this.#waitingBytes + push.apdu.length > MAX_WAITING_BYTES / share;
    // An address can be forged, and shared by many meters: who names one of ours is heard now and then whatever the rest sends.
    const isAllowed =
      this.#buckets.allow(push.address, at) || (meter !== undefined && this.#lanes.allow(meter.title, at));
    if (isFull || !isAllowed) {
      this.#ports.onOutcome("dropped");
      return;
    }
    this.#waiting.push({ ...push, at });
    this.#waitingBytes += push.apdu.length;
    this.#running ??= this.#run();
  }

  /** @see PushNews.lookAtStorms */
  lookAtStorms(): void {
    this.#news.lookAtStorms();
  }

  /** Waits until everything that was taken is stored. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** Stores what waits as far as it can be stored at once. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_BATCH);
      this.#waitingBytes -= batch.reduce((sum, { apdu }) => sum + apdu.length, 0);
      try {
        await this.#takeBatch(batch);
      } catch (error) {
        for (const _ of batch) this.#ports.onOutcome(codeOf(error));
        this.#ports.onError(error);
      }
    }
    this.#running = undefined;
  }

  async #takeBatch(batch: readonly DatedPush[]): Promise<void> {
    const { custodian, store } = this.#ports;
    const items = batch.map(
      ({ apdu, transport }) => ({ apdu, transport: transport === "udp" ? "udp" : "tcp" }) as const,
    );
    const results = await this.#lasting(() => custodian.openPush({ items }));
    const answers = batch.flatMap((push, at) => {
      const result = results[at];
      return result === undefined ? [] : [{ push, result, meter: this.#meterOf(push, result) }];
    });
    const known = [...new Set(answers.flatMap(({ meter }) => (meter === undefined ? [] : [meter.id])))];
    const standings =
      known.length === 0 ? new Map<MeterId, PushStanding>() : await this.#lasting(() => store.standings(known));
    const judged = answers.map((answer) => ({ ...answer, ...this.#judge(answer, standings) }));
    await this.#lasting(() => this.#recordTrust(judged, standings));
    const kept = await this.#keep(judged, standings);
    for (const { tell } of kept) tell();
    await this.#tellWatch(kept);
    if (known.length > 0) this.#ports.onChange(known);
  }

  /** @returns those that were stored: one that the database refuses costs itself alone */
  async #keep(judged: readonly Judged[], standings: ReadonlyMap<MeterId, PushStanding>): Promise<readonly Judged[]> {
    const stored = judged.flatMap((one) => one.stored ?? []);
    const tallies = judged.flatMap((one) => one.tally ?? []);
    try {
      await this.#lasting(() => this.#ports.store.write(stored, tallies, standings));
      return judged;
    } catch (error) {
      if (judged.length > 1 && !this.#closing.signal.aborted) {
        const kept: Judged[] = [];
        for (const one of judged) kept.push(...(await this.#keep([one], standings)));
        return kept;
      }
      for (const _ of judged) this.#ports.onOutcome(codeOf(error));
      this.#ports.onError(error);
      return [];
    }
  }

  /** Does it again while custodian or database are away. */
  async #lasting<Result>(act: () => Promise<Result>): Promise<Result> {
    const { signal } = this.#closing;
    for (let tries = 0; ; tries += 1)
      try {
        return await act();
      } catch (error) {
        if (!isAway(error) || signal.aborted) throw error;
        if (tries === 0) this.#ports.onError(error);
        await this.#ports.sleep(AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)] as number, signal);
      }
  }

  #meterOf(push: DatedPush, result: PushResult): Meter | undefined {
    const title = result.meter ?? claimedTitle(push.apdu);
    return title === undefined ? undefined : this.#ports.directory.find(title);
  }

  #judge({ push, result, meter }: Answered, standings: ReadonlyMap<MeterId, PushStanding>): Judgement {
    if (meter === undefined)
      return { tell: () => this.#news.stranger(push, result.kind === "refused" ? result.code : "unknown-meter") };
    if (result.kind === "refused") return this.#refused(push, meter, result.code);
    if (result.authenticated) {
      this.#buckets.giveBack(push.address);
      this.#lanes.giveBack(meter.title);
    }
    const opened: OpenedPush = {
      protectedApdu: push.apdu,
      plainApdu: result.apdu,
      authenticated: result.authenticated,
      encrypted: result.encrypted,
      counter: result.counter,
      receivedAt: push.at,
    };
    const protection = pushProtection(opened);
    try {
      const standing = standings.get(meter.id);
      const atSource = this.#ports.clockOf(meter.kind).atSource(push.at);
      const read = readPush(meter, opened, atSource, standing?.clockOffSeconds);
      const trust = this.#trustOf(meter, protection, push.at, standing);
      return {
        tell: () => this.#news.accepted(push, meter, read.registers, protection),
        stored: {
          meter: meter.id,
          route: meter.route,
          octets: push.apdu.length,
          title: meter.title,
          read,
          source: push.address,
          transport: push.transport,
          receivedAt: push.at,
          trust,
        },
        tally: this.#tally(push, meter, { accepted: true, protection }),
      };
    } catch (error) {
      return this.#refused(push, meter, codeOf(error));
    }
  }

  /** A source that is not taken over is worth what its messages prove; one that is, keeps what its takeover proved. */
  #trustOf(
    meter: Meter,
    protection: ProtectionGrade,
    at: number,
    standing: PushStanding | undefined,
  ): TrustChangeRecord | undefined {
    if (meter.role !== "attached" || standing === undefined) return undefined;
    if (standing.state !== "held" && standing.state !== "provisional") return undefined;
    if (standing.reason === ATTACHED_WEAK_KEYS) return undefined;
    const judged = judgeTrust({
      phase: "not-applicable",
      grade: "none",
      verdict: "pending",
      holders: meter.holders,
      protection,
    });
    return changeOf(standing, judged, at, this.#ports.clockOf("real").atSource(at));
  }

  async #recordTrust(judged: readonly Judged[], standings: ReadonlyMap<MeterId, PushStanding>): Promise<void> {
    const { ledger, scope } = this.#ports;
    const drafts = judged.flatMap(({ stored }) => {
      if (stored === undefined) return [];
      const { meter, title, trust } = stored;
      const standing = standings.get(meter);
      return trust === undefined || standing === undefined ? [] : [trustDraft(scope, title, standing, trust)];
    });
    if (drafts.length > 0) await ledger.append(...drafts);
  }

  /** Each meter and address once a batch: a flood must not become a flood of questions. */
  async #tellWatch(answers: readonly Answered[]): Promise<void> {
    const seen = new Set<string>();
    const proven: { readonly meter: Meter; readonly address: string }[] = [];
    for (const { push, result, meter } of answers) {
      if (meter === undefined) continue;
      const isProven = result.kind === "opened" && result.authenticated;
      if (isProven) push.authenticated?.(meter.title);
      const key = `${meter.id} ${push.address} ${isProven}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (isProven) {
        this.#ports.onHeard(meter, push.address);
        proven.push({ meter, address: push.address });
      } else if (result.kind === "refused") await this.#ports.watch.refused(meter, push.address, result.code);
    }
    if (proven.length > 0) await this.#ports.watch.authenticated(proven);
  }

  #refused(push: DatedPush, meter: Meter, code: string): Judgement {
    return {
      tally: this.#tally(push, meter, { accepted: false, refusal: code }),
      tell: () => this.#news.refused(push, meter, code),
    };
  }

  #tally(push: DatedPush, meter: Meter, more: Pick<PushTally, "accepted" | "refusal" | "protection">): PushTally {
    return { meter: meter.id, address: push.address, transport: push.transport, at: new Date(push.at), ...more };
  }
}

/** Whether custodian or database are away: what they did not do now they can do later. */
function isAway(error: unknown): boolean {
  if (error instanceof CustodianCallError) return AWAY.has(error.code);
  return isPassing(error);
}

const AWAY: ReadonlySet<string> = new Set(["custodian-unreachable", "custodian-closing", "channel-closed"]);
