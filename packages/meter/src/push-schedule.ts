import { type DateTime, type DeliveryState, deliveryOf, type PushSettings, stepDelivery } from "@meterkeep/dlms";
import { between, uniform } from "./noise.ts";
import type { UnixSeconds } from "./time/calendar.ts";

/** What is pushed: the regular report or an alarm. */
export type PushKind = "report" | "alarm";

/** From one report to where the next one may begin; its randomisation comes on top. Seconds. */
const BETWEEN_REPORTS = [900, 2700] as const;
/** The least time between two alarms: whoever rattles at a meter's door does not make it flood its head-end. Seconds. */
const BETWEEN_ALARMS = 300;
const IDLE: DeliveryState = { kind: "idle" };

/** What the schedule needs of its meter. */
export interface PushScheduleParts {
  readonly seed: number;
  /** The push setup (class 40) of each kind, as it is set now. */
  readonly settings: (kind: PushKind) => PushSettings;
  /** The meter's local time of an instant, in milliseconds since 1970 UTC. */
  readonly localTime: (instant: number) => DateTime;
}

/**
 * When a meter pushes.
 *
 * States: silent, until it is in the field and when it was stopped; else always one report ahead. Each kind has a delivery of its own, which its push
 * setup governs: how long it waits at random, in which windows it sends, how often it tries again.
 */
export class PushSchedule {
  readonly #parts: PushScheduleParts;
  readonly #deliveries: Record<PushKind, DeliveryState> = { report: IDLE, alarm: IDLE };
  #pushes = 0;
  #nextReport = Number.POSITIVE_INFINITY;
  #lastAlarm = Number.NEGATIVE_INFINITY;

  constructor(parts: PushScheduleParts) {
    this.#parts = parts;
  }

  /** The meter has come up, or been installed: it announces itself soon, and what was under way is forgotten. */
  start(at: UnixSeconds): void {
    this.#deliveries.report = this.#deliveries.alarm = IDLE;
    this.#report(at);
  }

  /** Pushes nothing more, until it starts again. */
  stop(): void {
    this.#nextReport = Number.POSITIVE_INFINITY;
    this.#deliveries.report = this.#deliveries.alarm = IDLE;
  }

  /**
   * Asks for a push after its randomisation, or at once; one that is asked for while one is on its way is part of that one,
   * and an alarm that follows another too closely is left out.
   */
  request(kind: PushKind, at: UnixSeconds, atOnce = false): void {
    if (this.#nextReport === Number.POSITIVE_INFINITY) return;
    if (kind === "alarm" && at - this.#lastAlarm < BETWEEN_ALARMS) return;
    const random = atOnce ? 0 : uniform(this.#parts.seed ^ 0x9054, this.#pushes++);
    const before = this.#deliveries[kind];
    // What waits for its turn need not wait any longer.
    if (atOnce && before.kind === "waiting" && before.attempt === 0) this.#deliveries[kind] = IDLE;
    this.#step(kind, { kind: "push", at: at * 1000, random });
  }

  /** What is to be sent now; the runner says of each what became of it. */
  take(at: UnixSeconds): PushKind | undefined {
    if (at >= this.#nextReport) this.#report(at);
    for (const kind of ["alarm", "report"] as const) {
      if (this.#deliveries[kind].kind !== "waiting") continue;
      if (!this.#step(kind, { kind: "tick", at: at * 1000 })) continue;
      if (kind === "alarm") this.#lastAlarm = at;
      else this.#nextReport = Math.max(this.#nextReport, at + BETWEEN_REPORTS[0]);
      return kind;
    }
    return undefined;
  }

  /** What became of a push that was taken. */
  settle(kind: PushKind, outcome: "sent" | "failed", at: UnixSeconds): void {
    this.#step(kind, { kind: outcome, at: at * 1000 });
  }

  #report(at: UnixSeconds): void {
    this.#nextReport = at + between(this.#parts.seed ^ 0x7e90, this.#pushes, ...BETWEEN_REPORTS);
    this.request("report", at);
  }

  /** Whether the push has to be sent now. */
  #step(kind: PushKind, event: Parameters<typeof stepDelivery>[1]): boolean {
    const settings = deliveryOf(this.#parts.settings(kind));
    const [state, ...effects] = stepDelivery(this.#deliveries[kind], event, settings, this.#parts.localTime);
    // A push that waits for nothing is sent when it is taken.
    this.#deliveries[kind] =
      event.kind === "push" && state.kind === "sending" ? { kind: "waiting", attempt: 0, due: event.at } : state;
    return effects.includes("send");
  }
}
