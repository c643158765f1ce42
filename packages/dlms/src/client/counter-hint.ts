import { decode } from "../codec/codec.ts";
import { DataClass } from "../cosem/classes/data-class.ts";
import { d } from "../data/d.ts";
import { DlmsError } from "../errors.ts";
import { MAX_INVOCATION_COUNTER } from "../security/suites.ts";
import type { FrameCounters } from "./protection.ts";
import type { Session } from "./session.ts";
import { SessionError } from "./session-error.ts";

/** What a client knows of the counter that a meter expects. */
export interface KnownCounter {
  /** The next that this client would use. */
  readonly next: number;
  /** Days since an authenticated exchange, whole or not. */
  readonly daysSinceContact: number;
}

/** How far ahead of what is known a hint is believed: so much at once, and so much more a day without contact. */
export interface HintBounds {
  readonly counters: number;
  readonly countersADay: number;
}

/** What 1 000 requests a day never reach. */
export const HINT_BOUNDS: HintBounds = { counters: 10_000, countersADay: 2000 };

/**
 * What to make of the counter that a public client has read:
 *
 * - `behind`: ours is higher. Keep it: a meter takes any higher one.
 * - `ahead`: go on from `next`, and believe it when something has proven authentic under it.
 * - `too-far`: nobody has sent so much. A meter, or who speaks in its place, must not use up our counters.
 */
export type HintVerdict = { readonly kind: "behind" | "too-far" } | { readonly kind: "ahead"; readonly next: number };

/** Judges a hint. It is what anybody on the line could have said. */
export function judgeCounterHint(hint: number, known: KnownCounter, bounds: HintBounds = HINT_BOUNDS): HintVerdict {
  if (!Number.isInteger(hint) || hint < 0 || hint >= MAX_INVOCATION_COUNTER) return { kind: "too-far" };
  if (hint < known.next) return { kind: "behind" };
  const furthest = known.next + bounds.counters + bounds.countersADay * Math.max(0, known.daysSinceContact);
  return hint > furthest ? { kind: "too-far" } : { kind: "ahead", next: hint + 1 };
}

/** Reads the counter object (0-b:43.1.e.255) as a public client may: a hint, not a fact. */
export async function readCounterHint(session: Pick<Session, "get">, logicalName = "0.0.43.1.0.255"): Promise<number> {
  const { id: classId, attributes } = DataClass;
  const octets = await session.get({ classId, logicalName, attributeId: attributes.value.index });
  return Number(decode(d.number, octets, { trailing: "ignore" }));
}

/** Where the counters of one meter are kept. Durable, and never given twice. */
export interface CounterStore {
  known(): KnownCounter;
  /** The counters in use. */
  counters(): FrameCounters;
  /** Counters from `next` on, for one attempt. They count as used from then on, but not as what the meter expects. */
  tentative(next: number): FrameCounters;
  /** What was tentative has proven right: it is what the meter expects. */
  confirm(): void;
}

/**
 * Opens a session, and where the meter refuses its counter, once more with the one that a public client reads.
 *
 * @param open makes the association with the counters given, on a line of its own
 * @param readHint asks the meter as a public client, on another line; some meters want a pause before
 * @throws SessionError `counter-hint-refused` when the hint is further ahead than anybody can have sent, or when it is
 * behind, which shows that the meter was exchanged or reset, or that somebody else answers; what `open` throws
 */
export async function openInStep<S>(
  store: CounterStore,
  open: (counters: FrameCounters) => Promise<S>,
  readHint: () => Promise<number>,
  bounds: HintBounds = HINT_BOUNDS,
): Promise<S> {
  try {
    return await open(store.counters());
  } catch (error) {
    if (!mayBeOutOfStep(error)) throw error;
    const hint = await readHint();
    const verdict = judgeCounterHint(hint, store.known(), bounds);
    if (verdict.kind === "ahead") {
      const session = await open(store.tentative(verdict.next));
      store.confirm();
      return session;
    }
    const why =
      verdict.kind === "behind" ? "below ours, and it refuses ours" : "further ahead than anybody can have sent";
    throw new SessionError("counter-hint-refused", `the meter's counter ${hint} is ${why}`, {
      reason: verdict.kind,
      cause: error,
    });
  }
}

/** Meters that do not say that it is the counter say that they cannot decipher. */
function mayBeOutOfStep(error: unknown): boolean {
  if (!(error instanceof DlmsError)) return false;
  return error.code === "invocation-counter-error" || error.code === "exception-response";
}
