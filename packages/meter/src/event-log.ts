import type { LoggedEvent } from "./nvm/memory.ts";
import type { EventLogFacts, MeterEvent } from "./profile/companion-profile.ts";
import type { UnixSeconds } from "./time/calendar.ts";

/** The event logs of one meter, each a ring of its newest events. */
export class EventLogs {
  readonly #facts: readonly EventLogFacts[];
  readonly #logs: LoggedEvent[][];
  readonly #keep: (event: LoggedEvent, capacity: number) => void;

  /**
   * @param stored events of all logs from memory, oldest first
   * @param keep is told every new event, to make it durable
   */
  constructor(
    facts: readonly EventLogFacts[],
    stored: readonly LoggedEvent[],
    keep: (event: LoggedEvent, capacity: number) => void,
  ) {
    this.#facts = facts;
    this.#logs = facts.map((_, log) => stored.filter((event) => event.log === log));
    this.#keep = keep;
  }

  /** Writes the event into every log that has a code for it. */
  add(event: MeterEvent, at: UnixSeconds): void {
    for (const [log, facts] of this.#facts.entries()) {
      const code = facts.codes[event];
      const events = this.#logs[log];
      if (code === undefined || events === undefined) continue;
      const logged = { log, sequence: (events.at(-1)?.sequence ?? -1) + 1, at, code };
      events.push(logged);
      if (events.length > facts.capacity) events.shift();
      this.#keep(logged, facts.capacity);
    }
  }

  /** Events of a log, oldest first. */
  of(log: number): readonly LoggedEvent[] {
    return this.#logs[log] ?? [];
  }
}
