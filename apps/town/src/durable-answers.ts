import type { MeterMemory } from "@meterkeep/meter";
import type { Durability } from "./meter-line.ts";

/**
 * Gathers what all meters note within one turn of the event loop into one commit, and lets their answers out behind it.
 *
 * States: nothing waits, or callbacks wait for the commit at the end of this turn.
 */
export class DurableAnswers implements Durability {
  readonly #memory: Pick<MeterMemory, "dirty" | "commit">;
  readonly #onFailure: (error: unknown) => void;
  #waiting: (() => void)[] = [];

  /** @param onFailure is called when the memory cannot be written; no answer leaves then. */
  constructor(memory: Pick<MeterMemory, "dirty" | "commit">, onFailure: (error: unknown) => void) {
    this.#memory = memory;
    this.#onFailure = onFailure;
  }

  afterCommit(callback: () => void): void {
    if (this.#waiting.length === 0) {
      if (!this.#memory.dirty) {
        callback();
        return;
      }
      setImmediate(() => this.flush());
    }
    this.#waiting.push(callback);
  }

  /** Commits now. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      this.#memory.commit();
    } catch (error) {
      this.#onFailure(error);
      return;
    }
    for (const callback of waiting) callback();
  }
}
