import type { TimeWindow } from "../cosem/structures.ts";
import type { DateTime } from "../data/date-time.ts";
import { inWindows } from "./calendar-pattern.ts";

/** How a push is delivered, of all versions of push setup (Blue Book 4.4.8). Durations are seconds. */
export interface DeliverySettings {
  readonly communicationWindow: readonly TimeWindow[];
  readonly randomisationStartInterval: number;
  readonly numberOfRetries: number;
  /** The delay before retry n is `min * (exponent / 100) ** (n - 1)`, at most `max`; a constant one has exponent 100. */
  readonly repetitionDelay: { readonly min: number; readonly exponent: number; readonly max: number };
  /** When a push counts as delivered: sent, taken by the layer below, or confirmed by the client. */
  readonly deliveredWhen: "sent" | "supported" | "confirmed";
}

/**
 * A push on its way.
 *
 * - idle: nothing to send.
 * - waiting: an attempt is due; outside of the communication windows it waits for the next one.
 * - sending: an attempt was given to the runner, which answers with `failed`, `sent` or `confirmed`. Without an answer that
 *   counts as delivered until the next retry is due, it is tried again.
 */
export type DeliveryState =
  | { readonly kind: "idle" }
  /** `attempt` counts from 0; `due` is milliseconds since 1970 UTC. */
  | { readonly kind: "waiting"; readonly attempt: number; readonly due: number }
  | { readonly kind: "sending"; readonly attempt: number; readonly due: number };

export type DeliveryEvent =
  /** Something asked for a push. `random` is from 0 to 1. */
  | { readonly kind: "push"; readonly at: number; readonly random: number }
  | { readonly kind: "tick"; readonly at: number }
  | { readonly kind: "sent"; readonly at: number }
  | { readonly kind: "supported"; readonly at: number }
  | { readonly kind: "confirmed"; readonly at: number }
  | { readonly kind: "failed"; readonly at: number }
  | { readonly kind: "reset" };

/** What the runner does: build the body and send it; or note that a push was given up. */
export type DeliveryEffect = "send" | "given-up" | "delivered";

const IDLE: DeliveryState = { kind: "idle" };
const ANSWERS = ["sent", "supported", "confirmed"] as const;

/** Steps the delivery of a push. Pure. A push that is asked for while one is on its way is part of that one. */
export function stepDelivery(
  state: DeliveryState,
  event: DeliveryEvent,
  settings: DeliverySettings,
  localTime: (instant: number) => DateTime,
): readonly [DeliveryState, ...DeliveryEffect[]] {
  switch (event.kind) {
    case "reset":
      return [IDLE];
    case "push": {
      if (state.kind !== "idle") return [state];
      const delay = event.random * settings.randomisationStartInterval * 1000;
      return attempt({ kind: "waiting", attempt: 0, due: event.at + delay }, event.at, settings, localTime);
    }
    case "tick":
      if (state.kind === "waiting") return attempt(state, event.at, settings, localTime);
      if (state.kind === "sending" && event.at >= state.due) return again(state, event.at, settings, localTime);
      return [state];
    case "failed":
      return state.kind === "sending" ? retry(state, event.at, settings) : [state];
    case "sent":
    case "supported":
    case "confirmed":
      if (state.kind !== "sending") return [state];
      return ANSWERS.indexOf(event.kind) >= ANSWERS.indexOf(settings.deliveredWhen) ? [IDLE, "delivered"] : [state];
    default:
      return event satisfies never;
  }
}

function attempt(
  state: Extract<DeliveryState, { kind: "waiting" }>,
  at: number,
  settings: DeliverySettings,
  localTime: (instant: number) => DateTime,
): readonly [DeliveryState, ...DeliveryEffect[]] {
  if (at < state.due || !inWindows(settings.communicationWindow, localTime(at))) return [state];
  const due = at + retryDelaySeconds(settings, state.attempt + 1) * 1000;
  return [{ kind: "sending", attempt: state.attempt, due }, "send"];
}

function retry(
  { attempt: done }: Extract<DeliveryState, { kind: "sending" }>,
  at: number,
  settings: DeliverySettings,
): readonly [DeliveryState, ...DeliveryEffect[]] {
  if (done >= settings.numberOfRetries) return [IDLE, "given-up"];
  return [{ kind: "waiting", attempt: done + 1, due: at + retryDelaySeconds(settings, done + 1) * 1000 }];
}

function again(
  state: Extract<DeliveryState, { kind: "sending" }>,
  at: number,
  settings: DeliverySettings,
  localTime: (instant: number) => DateTime,
): readonly [DeliveryState, ...DeliveryEffect[]] {
  if (state.attempt >= settings.numberOfRetries) return [IDLE, "given-up"];
  return attempt({ kind: "waiting", attempt: state.attempt + 1, due: at }, at, settings, localTime);
}

/** Seconds before retry `n`, from 1. */
export function retryDelaySeconds({ repetitionDelay }: Pick<DeliverySettings, "repetitionDelay">, n: number): number {
  const { min, exponent, max } = repetitionDelay;
  return Math.min(min * (exponent / 100) ** (n - 1), Math.max(min, max));
}
