import type { PushSource } from "@meterkeep/api";

/** Somebody who sent something that belongs to no meter of ours. */
export type Stranger = PushSource & { readonly stranger: true };

/**
 * Senders that nobody has shipped or added: shown, counted, never believed. Bounded: when it is full, who was not heard
 * for the longest time is forgotten.
 */
export class Strangers {
  readonly #limit: number;
  readonly #isMeter: (systemTitle: string) => boolean;
  readonly #known = new Map<string, Stranger>();

  /** `isMeter`: whether a system title is a meter of ours by now; such a sender is no stranger any more. */
  constructor(limit: number, isMeter: (systemTitle: string) => boolean) {
    this.#limit = limit;
    this.#isMeter = isMeter;
  }

  get count(): number {
    this.#dropMeters();
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

  /** Who was heard last comes first. */
  list(): readonly Stranger[] {
    this.#dropMeters();
    return [...this.#known.values()].reverse();
  }

  #dropMeters(): void {
    for (const [key, { systemTitle }] of this.#known)
      if (systemTitle !== undefined && this.#isMeter(systemTitle)) this.#known.delete(key);
  }
}
