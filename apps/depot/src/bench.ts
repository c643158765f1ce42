import { setTimeout as sleep } from "node:timers/promises";
import { type Address, type ContactResult, codeOf, type SessionLimits } from "@meterkeep/headend";

/** A meter on the bench. */
export interface BenchMeter {
  /** Upper-case hex. */
  readonly title: string;
  /** Where it is reached now: a town that comes back has other ports. Undefined while nobody knows. */
  address(): Address | undefined;
}

export interface BenchPorts {
  /** Carries one contact with a meter as far as it goes. */
  contact(meter: BenchMeter, address: Address, signal: AbortSignal): Promise<Contact>;
  readonly limits: Pick<SessionLimits, "totalSeconds">;
  now(): number;
  /** In [0, 1), for jitter. */
  random(): number;
  /** A contact could not be carried: the custodian is away, or the meter. */
  onFailure(meter: BenchMeter, code: string): void;
  onDone(meter: BenchMeter, verdict: string): void;
}

/** As much of a contact as the bench goes by. */
export type Contact = Pick<ContactResult, "next" | "lost" | "milliseconds"> & {
  readonly state: Pick<ContactResult["state"], "verdict">;
};

/** Contacts at once. */
const CONCURRENCY = 16;
const FIRST_PAUSE_MILLISECONDS = 300;
const LONGEST_PAUSE_MILLISECONDS = 60_000;
/** The bench looks up at least this often: a meter may have come. */
const LOOK_UP_MILLISECONDS = 500;

interface Standing {
  readonly meter: BenchMeter;
  dueAt: number;
  failures: number;
  underWay: boolean;
}

/**
 * Carries the takeovers of the meters on the bench to their end, one contact at a time each, so that meters which do not
 * answer wait for their next turn and keep nobody's place. It keeps nothing: the custodian's journal knows where each one
 * stands, so a bench that was killed goes on with the first question it asks.
 */
export class Bench {
  readonly #ports: BenchPorts;
  readonly #standing = new Map<string, Standing>();
  /** Nobody is asked before this: the shipment is on its way into custody, and asking for each meter would slow it down. */
  #quietUntil = 0;

  constructor(ports: BenchPorts) {
    this.#ports = ports;
  }

  /** Puts a meter on the bench; one that is there already stays as it is. */
  add(meter: BenchMeter): void {
    if (this.#standing.has(meter.title)) return;
    this.#standing.set(meter.title, { meter, dueAt: this.#ports.now(), failures: 0, underWay: false });
  }

  /** Works until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const underWay = new Set<Promise<void>>();
    while (!signal.aborted) {
      for (const standing of this.#due(CONCURRENCY - underWay.size)) {
        standing.underWay = true;
        const contact: Promise<void> = this.#carry(standing, signal).finally(() => {
          standing.underWay = false;
          underWay.delete(contact);
        });
        underWay.add(contact);
      }
      const waking = new AbortController();
      await Promise.race([...underWay, this.#rest(AbortSignal.any([signal, waking.signal]))]);
      waking.abort();
    }
    await Promise.all(underWay);
  }

  /** The longest due first: a takeover that has begun goes on before another one begins. */
  #due(places: number): readonly Standing[] {
    const now = this.#ports.now();
    const due: Standing[] = [];
    if (now < this.#quietUntil) return due;
    for (const standing of this.#standing.values()) {
      if (standing.underWay || standing.dueAt > now) continue;
      const at = due.findIndex(({ dueAt }) => standing.dueAt < dueAt);
      due.splice(at < 0 ? due.length : at, 0, standing);
      if (due.length > places) due.pop();
    }
    return due;
  }

  async #carry(standing: Standing, signal: AbortSignal): Promise<void> {
    const { meter } = standing;
    const { limits, now, contact, onDone } = this.#ports;
    const address = meter.address();
    if (address === undefined) {
      standing.dueAt = now() + FIRST_PAUSE_MILLISECONDS;
      return;
    }
    try {
      const budget = AbortSignal.any([signal, AbortSignal.timeout(limits.totalSeconds * 1000)]);
      const result = await contact(meter, address, budget);
      if (result.next === "done") {
        this.#standing.delete(meter.title);
        onDone(meter, result.state.verdict);
        return;
      }
      this.#again(standing, result.lost?.code, result.milliseconds);
    } catch (error) {
      const code = codeOf(error);
      // The shipment is on its way into custody: that is nobody's failure, and soon over.
      if (code === "unknown-meter") this.#quietUntil = now() + FIRST_PAUSE_MILLISECONDS;
      else this.#again(standing, code, 0);
    }
  }

  /** When it is its turn again. */
  #again(standing: Standing, code: string | undefined, milliseconds: number): void {
    const { now, random, onFailure } = this.#ports;
    standing.failures = code === undefined ? 0 : standing.failures + 1;
    if (code !== undefined) onFailure(standing.meter, code);
    const pause = Math.max(milliseconds, standing.failures === 0 ? 0 : backoff(standing.failures, random()));
    if (pause > 0) standing.dueAt = now() + pause;
  }

  async #rest(signal: AbortSignal): Promise<void> {
    const now = this.#ports.now();
    let wait = this.#quietUntil > now ? this.#quietUntil - now : LOOK_UP_MILLISECONDS;
    for (const { underWay, dueAt } of this.#standing.values())
      if (!underWay && dueAt > now) wait = Math.min(wait, dueAt - now);
    await sleep(wait, undefined, { signal }).catch(() => undefined);
  }
}

function backoff(failures: number, random: number): number {
  const full = Math.min(LONGEST_PAUSE_MILLISECONDS, FIRST_PAUSE_MILLISECONDS * 2 ** Math.min(20, failures - 1));
  return full / 2 + (full / 2) * random;
}
