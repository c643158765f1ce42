import type { MeterMemory } from "@meterkeep/meter";
import type { Durability } from "./meter-line.ts";

/** Where many meters answer, a commit waits so long after the one before: it costs more than what one meter notes. */
const PACE_MILLISECONDS = 5;

/**
 * Gathers what all meters note within one turn of the event loop into one commit, and lets their answers out behind it; while
 * many answer, within some milliseconds.
 *
 * States: nothing waits, or callbacks wait for the next commit.
 */
export class DurableAnswers implements Durability {
  readonly #memory: Pick<MeterMemory, "dirty" | "commit">;
  readonly #onFailure: (error: unknown) => void;
  #waiting: (() => void)[] = [];
  #keepsPace = false;
  /** Of `performance.now()`, which no clock correction moves. */
  #committedAt = Number.NEGATIVE_INFINITY;

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
      const wait = this.#keepsPace ? this.#committedAt + PACE_MILLISECONDS - performance.now() : 0;
      if (wait > 0) setTimeout(() => this.flush(), wait);
      else setImmediate(() => this.flush());
    }
    this.#waiting.push(callback);
  }

  /** Whether many meters answer at once: then they share commits. */
  keepPace(manyAnswer: boolean): void {
    this.#keepsPace = manyAnswer;
  }

  /** Commits now. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#committedAt = performance.now();
    try {
      this.#memory.commit();
    } catch (error) {
      this.#onFailure(error);
      return;
    }
    for (const callback of waiting) callback();
  }
}
