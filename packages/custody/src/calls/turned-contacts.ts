import type { ContactAdvance, CustodianRequest, LostReason, NextContact } from "@meterkeep/api/custodian";
import type { Caller } from "./caller.ts";
import { MeterTurns } from "./meter-turns.ts";
import { type ContactEnds, type OpenContact, type OpenContactPorts, OpenContacts } from "./open-contacts.ts";

/** What a step of a contact does: with what the meter answered, or without. */
export interface ContactSteps<T> {
  received(live: T, apdu: Uint8Array): Promise<ContactAdvance>;
  lost(live: T, reason: LostReason): Promise<ContactAdvance>;
}

/** Contacts that go on from a journal, whoever's turn it is: what goes on in one keeps its caller's. */
export class TurnedContacts<T extends OpenContact> {
  readonly #contacts: OpenContacts<T>;
  readonly #turns: MeterTurns;

  constructor({ now, leaving }: Pick<OpenContactPorts<T>, "now" | "leaving">) {
    const turns = new MeterTurns(now);
    this.#turns = turns;
    this.#contacts = new OpenContacts({
      now,
      leaving,
      onEnd: ({ place }, ended) => {
        if (ended !== "replaced") turns.over(place.systemTitle);
      },
    });
  }

  /** What ends them. */
  get ends(): ContactEnds {
    return this.#contacts;
  }

  /** @see OpenContacts.begin */
  begin<R>(title: string, caller: Caller, work: (keep: (live: T) => string) => Promise<R>): Promise<R> {
    return this.#contacts.begin(title, caller, work);
  }

  /** Begins a contact for whom it is the turn of, in place of its own before; for others, and while a step is under way, `busy`. */
  async taking<N extends NextContact | undefined>(
    title: string,
    { name }: Caller,
    busy: () => N,
    begin: () => Promise<N>,
  ): Promise<N> {
    const running = this.#contacts.of(title);
    if (!this.#turns.mayBegin(title, name, running?.isBusy)) return busy();
    if (running !== undefined) this.#contacts.end(running.live, "replaced");
    return this.#turns.taking(title, name, begin);
  }

  /** @see OpenContacts.advance */
  advance(
    request: CustodianRequest<"advanceContact">,
    caller: Caller,
    steps: ContactSteps<T>,
  ): Promise<ContactAdvance | undefined> {
    const { event } = request;
    return this.#contacts.advance(request, caller, async (live) => {
      if (event.kind === "lost") return steps.lost(live, event.reason);
      const advance = await steps.received(live, event.apdu);
      if (advance.kind === "send") this.#turns.goesOn(live.place.systemTitle);
      return advance;
    });
  }

  /** It is over with the step that is under way. */
  over(live: T): void {
    this.#contacts.end(live, "over");
  }

  /** Ends contacts that nobody advances; their journals say all that is needed. */
  sweep(): void {
    this.#contacts.sweep();
    this.#turns.sweep();
  }
}
