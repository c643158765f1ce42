import type { CustodianRequest } from "@meterkeep/api/custodian";
import type { LeavingMeters } from "../departure/leaving-meters.ts";
import type { SetupPlace } from "../store/records.ts";
import { CallRefusal } from "./call-refusal.ts";
import type { Caller } from "./caller.ts";
import { Counts } from "./counts.ts";
import { Handles } from "./handles.ts";
import { type Opening, Openings } from "./openings.ts";

/** A contact that nobody advances for so long is over. */
const IDLE_MILLISECONDS = 120_000;
/** Of one kind, over all callers: none has more of them than it leaves free. */
const MOST_CONTACTS = 20_000;

/** A contact with a meter: what it holds is given back once, when nothing goes on in it any more. */
export interface OpenContact extends Disposable {
  readonly caller: Caller;
  readonly place: Pick<SetupPlace, "systemTitle">;
}

/** Why a contact is open no more: it came to its end, nobody brought it there, or its caller has begun another in its place. */
export type Ended = "over" | "abandoned" | "replaced";

/** What contacts need, and tell of. */
export interface OpenContactPorts<T> {
  readonly now: () => number;
  readonly leaving: Pick<LeavingMeters, "during">;
  /** Told of each that is open no more, after its last step. */
  readonly onEnd: (live: T, ended: Ended) => void;
}

interface Held<T> {
  readonly caller: Caller;
  readonly live: T;
  handle: string;
  /** The step that is under way. */
  step: PromiseWithResolvers<void> | undefined;
  ended: Ended | undefined;
}

/** A meter's contact as whoever asks for one finds it. */
export interface Running<T> {
  readonly live: T;
  /** A step is under way: until it is over nothing else is begun with the meter. */
  readonly isBusy: boolean;
}

/** What ends contacts, whatever they are for. */
export type ContactEnds = Pick<OpenContacts<OpenContact>, "endOf" | "endOfCaller" | "closeAll" | "underWay">;

/** Contacts of one kind, as far as they are kept up. */
export interface ContactKind {
  readonly ends: ContactEnds;
  /** Ends those that nobody advances. */
  sweep(): void;
}

/**
 * Contacts with meters of one kind, one for each meter, which principals advance step by step over lines that may be slow.
 *
 * A contact is *open* (its caller finds it), *ended* (nobody does) and, once the step that was under way when it was ended is over, *gone*:
 * only then are its keys wiped. Whatever ends a contact, no step goes on under keys that are wiped.
 */
export class OpenContacts<T extends OpenContact> {
  readonly #ports: OpenContactPorts<T>;
  readonly #open = new Handles<Held<T>>();
  /** That of a meter, until it is gone. */
  readonly #byMeter = new Map<string, Held<T>>();
  /** Meters with which one is being begun, and for whom, in the order of asking: what resolves when that is over. */
  readonly #beginning = new Map<string, Map<string, Promise<void>>>();
  readonly #openings = new Openings();
  /** How many each caller begins now: they are open in a moment. */
  readonly #begun = new Counts();

  constructor(ports: OpenContactPorts<T>) {
    this.#ports = ports;
  }

  /** The contact of a meter; undefined where it has none, or it is gone. */
  of(title: string): Running<T> | undefined {
    const held = this.#byMeter.get(title);
    return held && { live: held.live, isBusy: held.step !== undefined };
  }

  /**
   * Who asks for the contact of a meter ends its own, and another's that nobody has advanced for long. Two that ask at once must not end
   * each other's for ever: whoever came first goes on.
   */
  standing(title: string, { name }: Caller): "free" | "in-use" | "replaced" {
    const held = this.#byMeter.get(title);
    if (held === undefined) return this.#beginning.has(title) ? "in-use" : "free";
    const used = this.#open.lastUsed(held.handle) ?? 0;
    const isAnothers = held.caller.name !== name && this.#ports.now() - used < IDLE_MILLISECONDS;
    if (held.step !== undefined || isAnothers) return "in-use";
    void this.#end(held, "replaced");
    return "replaced";
  }

  /**
   * Answers somebody who asks for a meter's contact: two must not start from one journal. Who comes while another is answered waits for
   * that, behind at most one question of each: nobody who asks again and again, of a meter that may not even be its own, keeps the others
   * from asking. `keep` takes the contact that comes of it and gives its handle; where it throws the contact is still the asker's to
   * dispose of.
   *
   * @throws CallRefusal `too-many-open`, `meter-busy`, `custodian-closing`, `contact-unknown` of a contact whose end came before it was kept
   */
  async begin<R>(title: string, caller: Caller, work: (keep: (live: T) => string) => Promise<R>): Promise<R> {
    this.#takeRoom(title, caller);
    try {
      return await this.#openings.during(title, caller.name, (opening) => this.#inTurn(title, caller, opening, work));
    } finally {
      this.#begun.leave(caller.name);
    }
  }

  /**
   * One step of a contact, and no second beside it; undefined where this caller has no such contact. What is durable is durable; what
   * this process believes of a contact whose step went wrong is not worth keeping: it is over.
   *
   * @throws CallRefusal `meter-busy`, `meter-leaving`, and what `step` throws.
   */
  async advance<R>(
    { contact }: Pick<CustodianRequest<"advanceContact">, "contact">,
    caller: Caller,
    step: (live: T) => Promise<R>,
  ): Promise<R | undefined> {
    const held = this.#open.find(contact, caller, this.#ports.now());
    if (held === undefined) return undefined;
    return this.#ports.leaving.during([held.live.place.systemTitle], () => this.#alone(held, step));
  }

  /** Ends a contact: nobody finds it from now on. It is gone when the step that is under way is over. */
  end(live: T, ended: Ended): void {
    const held = this.#byMeter.get(live.place.systemTitle);
    if (held?.live === live) void this.#end(held, ended);
  }

  /** Ends what nobody advances. A step that is under way is waited for. */
  sweep(): void {
    for (const [, held] of this.#open.idleSince(this.#ports.now() - IDLE_MILLISECONDS))
      if (held.step === undefined) void this.#end(held, "abandoned");
  }

  /** Ends the contact of a meter that leaves; resolves when it is gone. */
  async endOf(title: string): Promise<void> {
    const openings = this.#openings.end((opening) => opening.title === title);
    const held = this.#byMeter.get(title);
    if (held !== undefined) await this.#end(held, "over");
    await openings;
  }

  /** Ends the contacts of a caller that has gone, and those that are being opened for it; resolves when they are gone. */
  async endOfCaller(name: string): Promise<void> {
    const openings = this.#openings.end(({ caller }) => caller === name);
    const its = [...this.#byMeter.values()].filter(({ caller }) => caller.name === name);
    await Promise.all([openings, ...its.map((held) => this.#end(held, "abandoned"))]);
  }

  /** Ends all, and opens nothing more; resolves when all are gone. */
  async closeAll(): Promise<void> {
    const all = [...this.#byMeter.values()];
    await Promise.all([this.#openings.close(), ...all.map((held) => this.#end(held, "over"))]);
  }

  /** Meters with whose contacts a step goes on, or is being begun: what whoever ends them waits for. */
  underWay(): readonly string[] {
    const inSteps = [...this.#byMeter.values()].filter(({ step }) => step !== undefined);
    return [...new Set([...inSteps.map(({ live }) => live.place.systemTitle), ...this.#beginning.keys()])];
  }

  /**
   * A caller may have as many as it leaves free: one alone half of all, two a third each, and there is room for whoever comes, however many
   * meters another has rights on. Those that it begins at once count, and what it asks for in place of its own takes no more.
   */
  #takeRoom(title: string, caller: Caller): void {
    const before = this.#byMeter.get(title);
    const isInPlace = before?.caller.name === caller.name && before.ended === undefined;
    const own = this.#open.countOf(caller);
    const left = MOST_CONTACTS - this.#open.size - this.#begun.all - own;
    if (this.#begun.enter(caller.name, isInPlace ? Number.POSITIVE_INFINITY : left)) return;
    throw new CallRefusal(
      "too-many-open",
      `${this.#open.size} contacts are open, ${own} of them by ${caller.name}, which may have no more`,
    );
  }

  async #inTurn<R>(
    title: string,
    { name }: Caller,
    opening: Opening,
    work: (keep: (live: T) => string) => Promise<R>,
  ): Promise<R> {
    const asking = this.#beginning.get(title) ?? new Map<string, Promise<void>>();
    if (asking.has(name)) throw new CallRefusal("meter-busy", `meter ${title} is being asked for already`);
    const before = [...asking.values()].at(-1);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#beginning.set(title, asking.set(name, promise));
    try {
      await before;
      return await work((live) => this.#keep(live, opening));
    } finally {
      asking.delete(name);
      if (asking.size === 0) this.#beginning.delete(title);
      resolve();
    }
  }

  #keep(live: T, opening: Opening): string {
    if (opening.ended !== undefined)
      throw new CallRefusal("contact-unknown", "the contact was ended while it was opened: ask for the next one");
    const held: Held<T> = { caller: live.caller, live, handle: "", step: undefined, ended: undefined };
    held.handle = this.#open.add(held, this.#ports.now());
    this.#byMeter.set(live.place.systemTitle, held);
    return held.handle;
  }

  async #alone<R>(held: Held<T>, step: (live: T) => Promise<R>): Promise<R> {
    if (held.step !== undefined) throw new CallRefusal("meter-busy", "this contact is being advanced already");
    const under = Promise.withResolvers<void>();
    held.step = under;
    try {
      return await step(held.live);
    } catch (error) {
      void this.#end(held, "over");
      throw error;
    } finally {
      held.step = undefined;
      // However long it took: whoever carries its octets has the whole time from here on.
      this.#open.find(held.handle, held.caller, this.#ports.now());
      if (held.ended !== undefined) this.#gone(held, held.ended);
      under.resolve();
    }
  }

  /** @returns what resolves when it is gone */
  #end(held: Held<T>, ended: Ended): Promise<void> | undefined {
    if (held.ended === undefined) {
      held.ended = ended;
      this.#open.remove(held.handle);
      if (held.step === undefined) this.#gone(held, ended);
    }
    return held.step?.promise;
  }

  #gone(held: Held<T>, ended: Ended): void {
    const { systemTitle } = held.live.place;
    if (this.#byMeter.get(systemTitle) === held) this.#byMeter.delete(systemTitle);
    held.live[Symbol.dispose]();
    this.#ports.onEnd(held.live, ended);
  }
}
