import type { EventData, PushSource } from "@meterkeep/api";
import type { Custodian, PushResult } from "@meterkeep/api/custodian";
import { manufacturerOf, systemTitleText } from "@meterkeep/dlms";
import type { Ledger } from "@meterkeep/ledger";
import type { HeardRefusals } from "../campaign/refusals.ts";
import type { Scope } from "../database/scope.ts";
import { codeOf } from "../errors.ts";
import type { EventSink } from "../event/event-hub.ts";
import type { MeterDirectory } from "../inventory/directory.ts";
import type { Meter, MeterId } from "../inventory/meter.ts";
import type { RegisterRecord } from "../reading/result.ts";
import { counted } from "../reading/words.ts";
import type { DestinationWatch } from "../route/destination-watch.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { ATTACHED_WEAK_KEYS, judgeTrust } from "../trust/trust.ts";
import { changeOf, trustDraft } from "../trust/trust-record.ts";
import type { TrustChangeRecord } from "../work/finish.ts";
import { alarmsIn } from "./alarm-code.ts";
import { AlarmStorms } from "./alarm-storm.ts";
import { claimedTitle } from "./claimed-title.ts";
import { type OpenedPush, pushProtection, readPush } from "./push-reading.ts";
import type { PushSources, PushTally } from "./push-sources.ts";
import type { PushStanding, PushStore, StoredPush } from "./push-store.ts";
import { SourceBuckets } from "./source-limit.ts";

/** An APDU that arrived unasked. Its address proves nothing. */
export interface ArrivedPush {
  readonly apdu: Uint8Array;
  readonly transport: PushSource["transport"];
  readonly address: string;
  /** To be told the system title, when it was authenticated, new, and is stored. */
  readonly authenticated?: (title: string) => void;
}

export interface PushIntakePorts {
  readonly custodian: Pick<Custodian, "openPush">;
  readonly directory: Pick<MeterDirectory, "find">;
  readonly store: Pick<PushStore, "standings" | "write">;
  readonly sources: Pick<PushSources, "stranger">;
  readonly watch: Pick<DestinationWatch, "refused" | "authenticated">;
  readonly ledger: Pick<Ledger, "append">;
  readonly scope: Scope;
  readonly events: EventSink;
  /** A meter has proven itself in what came from an address: perhaps it is reached there. */
  onHeard(meter: Meter, address: string): void;
  clockOf(kind: Meter["kind"]): SourceClock;
  now(): number;
  /** Meters whose line has changed. */
  onChange(meters: readonly MeterId[]): void;
  /** Counts, for metrics: `accepted`, `dropped` or the code of a refusal. */
  onOutcome(outcome: string): void;
  /** Is told of storms that are folded (MC-22). */
  readonly heard: Pick<HeardRefusals, "note">;
  onError(error: unknown): void;
}

/** What the custodian said of one. */
interface Judged {
  readonly push: Waiting;
  readonly result: PushResult;
  readonly meter: Meter | undefined;
}

const MAX_BATCH = 512;
/** What waits beyond this is dropped: a flood must not become memory, and the last-gasps of a city must fit. */
const MAX_WAITING = 32_768;
const MAX_WAITING_BYTES = 32 * 1024 * 1024;

interface Waiting extends ArrivedPush {
  readonly at: number;
}

/**
 * Takes what meters push: the custodian opens it or refuses it, the rest is told apart and stored. Nothing that was not
 * opened changes anything but a count.
 *
 * States: *idle*, *taking* (one batch at the custodian or the database; more may wait).
 */
export class PushIntake {
  readonly #ports: PushIntakePorts;
  readonly #buckets = new SourceBuckets();
  readonly #storms = new AlarmStorms();
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;

  constructor(ports: PushIntakePorts) {
    this.#ports = ports;
  }

  /** Takes one. It never throws and never waits. */
  take(push: ArrivedPush): void {
    const at = this.#ports.now();
    const isFull = this.#waiting.length >= MAX_WAITING || this.#waitingBytes + push.apdu.length > MAX_WAITING_BYTES;
    if (isFull || !this.#buckets.allow(push.address, at)) {
      this.#ports.onOutcome("dropped");
      return;
    }
    this.#waiting.push({ ...push, at });
    this.#waitingBytes += push.apdu.length;
    this.#running ??= this.#run();
  }

  /** Tells of storms that are over; to be called now and then. */
  lookAtStorms(): void {
    const at = this.#ports.now();
    for (const { code, meter, count } of this.#storms.ended(at)) {
      const whose = meter === undefined ? "the fleet" : (this.#ports.directory.find(meter)?.label ?? meter);
      const sentence = `The storm of alarms ${code} of ${whose} is over: ${counted(count, "alarm")}.`;
      const data = { at: new Date(at).toISOString(), source: "push", accepted: true, code, sentence };
      this.#ports.events.publish("push", data, {
        sentence,
        severity: "notice",
        ...(meter === undefined ? {} : { meter }),
      });
    }
  }

  /** Waits until everything that was taken is stored. */
  async settled(): Promise<void> {
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

  async #takeBatch(batch: readonly Waiting[]): Promise<void> {
    const { custodian, store } = this.#ports;
    const results = await custodian.openPush({
      items: batch.map(({ apdu, transport }) => ({ apdu, transport: transport === "udp" ? "udp" : "tcp" })),
    });
    const pairs = batch.flatMap((push, at) => {
      const result = results[at];
      return result === undefined ? [] : [{ push, result, meter: this.#meterOf(push, result) }];
    });
    const known = [...new Set(pairs.flatMap(({ meter }) => (meter === undefined ? [] : [meter.id])))];
    const standings = known.length === 0 ? new Map<MeterId, PushStanding>() : await store.standings(known);
    const stored: StoredPush[] = [];
    const tallies: PushTally[] = [];
    for (const { push, result, meter } of pairs) {
      const judged = this.#judge(push, result, meter, standings);
      if (judged.stored !== undefined) stored.push(judged.stored);
      if (judged.tally !== undefined) tallies.push(judged.tally);
    }
    await this.#recordTrust(stored, standings);
    await store.write(stored, tallies, standings);
    await this.#tellWatch(pairs);
    if (known.length > 0) this.#ports.onChange(known);
  }

  #meterOf(push: Waiting, result: PushResult): Meter | undefined {
    const title = result.meter ?? claimedTitle(push.apdu);
    return title === undefined ? undefined : this.#ports.directory.find(title);
  }

  #judge(
    push: Waiting,
    result: PushResult,
    meter: Meter | undefined,
    standings: ReadonlyMap<MeterId, PushStanding>,
  ): { readonly stored?: StoredPush; readonly tally?: PushTally } {
    if (meter === undefined) {
      this.#stranger(push, result.kind === "refused" ? result.code : "unknown-meter");
      return {};
    }
    if (result.kind === "refused") return { tally: this.#refuse(push, meter, result.code) };
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
      const read = readPush(meter, opened, this.#ports.clockOf(meter.kind).atSource(push.at));
      const trust = this.#trustOf(meter, protection, push.at, standings.get(meter.id));
      this.#accept(push, meter, read.registers, protection);
      return {
        stored: {
          meter: meter.id,
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
      return { tally: this.#refuse(push, meter, codeOf(error)) };
    }
  }

  /** A source that is not taken over is worth what its messages prove; one that is, keeps what its takeover proved. */
  #trustOf(
    meter: Meter,
    protection: OpenedProtection,
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

  async #recordTrust(stored: readonly StoredPush[], standings: ReadonlyMap<MeterId, PushStanding>): Promise<void> {
    const { ledger, scope } = this.#ports;
    const drafts = stored.flatMap(({ meter, title, trust }) => {
      const standing = standings.get(meter);
      return trust === undefined || standing === undefined ? [] : [trustDraft(scope, title, standing, trust)];
    });
    if (drafts.length > 0) await ledger.append(...drafts);
  }

  #accept(push: Waiting, meter: Meter, registers: readonly RegisterRecord[], protection: OpenedProtection): void {
    this.#ports.onOutcome("accepted");
    const how = protection === "authenticated" ? "authenticated" : "confidential only, not authenticated";
    if (protection === "authenticated" && this.#alarms(push, meter, registers)) return;
    const sentence = `${meter.label} pushed ${counted(registers.length, "reading")} over ${push.transport.toUpperCase()}: ${how}.`;
    // A fleet pushes several times a second: who watches sees it, and the list of recent events keeps the rest.
    const isOrdinary = meter.role !== "attached" && protection === "authenticated";
    const severity = protection === "authenticated" ? "info" : "notice";
    this.#publish(push, { meter: meter.title, accepted: true, sentence }, isOrdinary ? undefined : severity);
  }

  /** Tells of alarms one by one, or once for a storm of them. @returns whether there were any */
  #alarms(push: Waiting, meter: Meter, registers: readonly RegisterRecord[]): boolean {
    const alarms = alarmsIn(registers);
    for (const alarm of alarms) {
      this.#ports.onOutcome("alarm");
      const verdict = this.#storms.take(meter.title, alarm, push.at);
      if (verdict.kind === "counted") continue;
      const storm = verdict.kind === "begins" ? verdict.storm : undefined;
      const whose = storm !== undefined && storm.meter === undefined ? "Many meters" : meter.label;
      const sentence =
        storm === undefined
          ? `${whose}: alarm, ${alarm.words}.`
          : `${whose}: a storm of alarms, ${alarm.words}. All are stored; they are counted here until it is over.`;
      if (storm !== undefined)
        this.#ports.heard.note("MC-22", { at: new Date(push.at).toISOString(), sentence, by: whose, meters: 1 });
      this.#publish(push, { meter: meter.title, accepted: true, code: alarm.code, sentence }, "warning");
    }
    return alarms.length > 0;
  }

  /** Each meter and address once a batch: a flood must not become a flood of questions. */
  async #tellWatch(pairs: readonly Judged[]): Promise<void> {
    const seen = new Set<string>();
    for (const { push, result, meter } of pairs) {
      if (meter === undefined) continue;
      const isProven = result.kind === "opened" && result.authenticated;
      if (isProven) push.authenticated?.(meter.title);
      const key = `${meter.id} ${push.address} ${isProven}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (isProven) {
        this.#ports.onHeard(meter, push.address);
        await this.#ports.watch.authenticated(meter, push.address);
      } else if (result.kind === "refused") await this.#ports.watch.refused(meter, push.address, result.code);
    }
  }

  #refuse(push: Waiting, meter: Meter, code: string): PushTally {
    this.#ports.onOutcome(code);
    const sentence = `A push in the name of ${meter.label} was refused: ${code}.`;
    this.#publish(push, { meter: meter.title, accepted: false, code, sentence }, "warning");
    return this.#tally(push, meter, { accepted: false, refusal: code });
  }

  #stranger(push: Waiting, code: string): void {
    this.#ports.onOutcome(code);
    const claimed = claimedTitle(push.apdu);
    const title = claimed === undefined ? undefined : systemTitleText(claimed);
    const isNew = this.#ports.sources.stranger(
      { address: push.address, transport: push.transport, ...(title === undefined ? {} : { systemTitle: title }) },
      code,
      new Date(push.at),
    );
    if (!isNew) return;
    const maker = claimed === undefined ? undefined : manufacturerOf(claimed);
    const name = title === undefined ? "Something" : `A meter ${title}${maker === undefined ? "" : ` (${maker})`}`;
    const sentence = `${name} that nobody has shipped or added sends to us: it is shown and not believed.`;
    this.#publish(push, { accepted: false, code, sentence }, "notice");
  }

  #tally(push: Waiting, meter: Meter, more: Pick<PushTally, "accepted" | "refusal" | "protection">): PushTally {
    return { meter: meter.id, address: push.address, transport: push.transport, at: new Date(push.at), ...more };
  }

  #publish(
    push: Waiting,
    event: Omit<EventData["push"], "at" | "source">,
    severity: "info" | "notice" | "warning" | undefined,
  ): void {
    const data = { at: new Date(push.at).toISOString(), source: `${push.transport}://${push.address}`, ...event };
    const { meter, sentence } = event;
    if (severity === undefined) this.#ports.events.publish("push", data);
    else this.#ports.events.publish("push", data, { sentence, severity, ...(meter === undefined ? {} : { meter }) });
  }
}

type OpenedProtection = ReturnType<typeof pushProtection>;
