import type { PushSource } from "@meterkeep/api";

/** Somebody who sent something that belongs to no meter of ours. */
export type Stranger = PushSource & { readonly stranger: true };

/**
 * Senders that nobody has shipped or added: shown, counted, never believed. Bounded: when it is full, who was not heard
 * for the longest time is forgotten.
 */
export class Strangers {
  readonly #limit: number;
  readonly #known = new Map<string, Stranger>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#known.size;
  }

  /** @returns whether this one was not known. */
  saw(
    sender: { readonly address: string; readonly transport: PushSource["transport"]; readonly systemTitle?: string },
    refusal: string,
    at: Date,
  ): boolean {
    const key = `${sender.systemTitle ?? ""} ${sender.transport} ${sender.address}`;
    const before = this.#known.get(key);
    this.#known.delete(key);
    this.#known.set(key, {
      address: sender.address,
      transport: sender.transport,
      ...(sender.systemTitle === undefined ? {} : { systemTitle: sender.systemTitle }),
      stranger: true,
      accepted: 0,
      refused: (before?.refused ?? 0) + 1,
      lastRefusal: refusal,
      firstSeenAt: before?.firstSeenAt ?? at.toISOString(),
      lastSeenAt: at.toISOString(),
    });
    if (this.#known.size > this.#limit) {
      const oldest = this.#known.keys().next().value;
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    return before === undefined;
  }

  /** A system title is a meter of ours from now on. */
  forget(systemTitle: string): void {
    for (const [key, stranger] of this.#known) if (stranger.systemTitle === systemTitle) this.#known.delete(key);
  }

  /** Who was heard last comes first. */
  list(): readonly Stranger[] {
    return [...this.#known.values()].reverse();
  }
}
