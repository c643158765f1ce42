import { PURPOSE, type Purpose } from "../store/records.ts";
import {
  type Carrier,
  isFinal,
  type Journal,
  newJournal,
  type TakeoverEffect,
  type TakeoverEvent,
} from "../takeover/journal.ts";
import { step } from "../takeover/machine.ts";
import type { TakeoverRules } from "../takeover/moves.ts";

/** How a meter behaves that is not honest, or not able. */
export type Character =
  | "honest"
  | "keeps-all-keys"
  | "keeps-master"
  | "opens-with-both"
  | "takes-both-masters"
  | "applies-half"
  | "refuses-transfers"
  | "refuses-master"
  | "applies-late"
  | "is-another";

/** What goes wrong with one exchange, or with us around it. */
export const FAULTS = [
  "none",
  "unreachable",
  "request-lost",
  "answer-lost",
  "half-applied",
  "meter-crash-after-ack",
  "crash-before-commit",
  "crash-after-commit",
  "crash-before-answer-commit",
] as const;
export type Fault = (typeof FAULTS)[number];

export const FAST: TakeoverRules["pace"] = {
  sameKeysMilliseconds: 60_000,
  anyKeysMilliseconds: 1000,
  firstRetryMilliseconds: 500,
};

/** A meter as far as its keys go: versions instead of octets. */
class PretendMeter {
  readonly keys: Record<Purpose, number> = { 0: 1, 1: 1, 2: 1, 3: 1 };
  readonly character: Character;
  #late: (readonly { purpose: Purpose; version: number }[])[] = [];

  constructor(character: Character) {
    this.character = character;
  }

  opens(GUEK: number, GAK: number): boolean {
    const factory = this.character === "opens-with-both" && GUEK === 1 && GAK === 1;
    return factory || (GUEK === this.keys[PURPOSE.GUEK] && GAK === this.keys[PURPOSE.GAK]);
  }

  /** A contact begins: what is applied late is applied at the contact after the next. */
  contacted(): void {
    for (const { purpose, version } of this.#late.shift() ?? []) this.keys[purpose] = version;
  }

  /** Whether it says that it has taken the keys; `half` leaves out all but the first. */
  transfer(keys: readonly { purpose: Purpose; version: number }[], under: number, half: boolean): boolean {
    const master = keys.some(({ purpose }) => purpose === PURPOSE.KEK);
    if (this.character === "refuses-transfers" || (master && this.character === "refuses-master")) return false;
    const both = this.character === "takes-both-masters" && under === 1;
    if (under !== this.keys[PURPOSE.KEK] && !both) return false;
    if (this.character === "keeps-all-keys" || (master && this.character === "keeps-master")) return true;
    if (this.character === "applies-late" && keys.some(({ purpose }) => purpose === PURPOSE.GUEK)) {
      this.#late = [[], ...this.#late.slice(1), keys];
      return true;
    }
    const cut = half || this.character === "applies-half" ? 1 : keys.length;
    for (const { purpose, version } of keys.slice(0, cut)) this.keys[purpose] = version;
    return true;
  }
}

/** What a run showed. */
export interface Run {
  readonly journal: Journal;
  readonly meter: PretendMeter;
  readonly contacts: number;
  /** Versions generated and durable, by purpose. */
  readonly held: Readonly<Record<Purpose, ReadonlySet<number>>>;
  /** The shortest time between two associations with the same keys that led nowhere. */
  readonly closestTries: number;
}

/**
 * Runs a takeover against a pretended meter under a schedule of faults, one for each exchange; when they are used up
 * nothing goes wrong any more. After everything that happens, what is on the meter must be believed and held.
 */
export function run(
  character: Character,
  faults: readonly Fault[],
  options: { readonly arrays?: boolean; readonly carrier?: Carrier; readonly wrongCounter?: boolean } = {},
): Run {
  const rules: TakeoverRules = { pace: FAST, arrays: options.arrays ?? true };
  const carrier = options.carrier ?? "head-end";
  const meter = new PretendMeter(character);
  const held: Record<Purpose, Set<number>> = { 0: new Set([1]), 1: new Set([1]), 2: new Set([1]), 3: new Set([1]) };
  const schedule = [...faults];
  const tried = new Map<string, number>();
  let closestTries = Number.POSITIVE_INFINITY;
  let durable = newJournal();
  let at = 1_000_000;
  let contacts = 0;
  let counterWrong = options.wrongCounter ?? false;

  const check = (): void => {
    for (const purpose of [0, 1, 2, 3] as const) {
      const version = meter.keys[purpose];
      if (!held[purpose].has(version))
        throw new Error(`key ${purpose} version ${version} is on the meter and forgotten`);
      // A meter that opens with more than one set is open to us with any of them.
      const manifold = character === "opens-with-both" || character === "applies-late";
      if (!manifold && !durable.belief[purpose].includes(version))
        throw new Error(
          `key ${purpose} version ${version} is on the meter and not believed: ${durable.belief[purpose]}`,
        );
    }
  };
  const commit = (journal: Journal, effects: readonly TakeoverEffect[]): void => {
    durable = JSON.parse(JSON.stringify(journal)) as Journal;
    for (const effect of effects)
      if (effect.kind === "transfer") for (const { purpose, version } of effect.keys) held[purpose].add(version);
  };
  const event = (happened: Extract<TakeoverEvent, { at: number }>) => step(durable, happened, rules);

  /** The exchange that an effect asks for; gives what came of it, or nothing where the contact is over. */
  const exchange = (effect: TakeoverEffect, fault: Fault): TakeoverEvent | "crashed" => {
    at += 10;
    if (fault === "crash-after-commit") return "crashed";
    if (fault === "unreachable") return { kind: "lost", at, reason: "unreachable" };
    if (fault === "request-lost") return { kind: "lost", at, reason: "closed" };
    const answer = answerOf(effect, fault);
    check();
    if (fault === "answer-lost" || fault === "half-applied") return { kind: "lost", at, reason: "timed-out" };
    return fault === "crash-before-answer-commit" ? "crashed" : answer;
  };
  const answerOf = (effect: TakeoverEffect, fault: Fault): TakeoverEvent => {
    switch (effect.kind) {
      case "associate": {
        const name = `${effect.GUEK}/${effect.GAK}`;
        if (counterWrong) return { kind: "association-refused", at, detail: "the counter is too low" };
        if (meter.opens(effect.GUEK, effect.GAK)) return { kind: "associated", at };
        const before = tried.get(name);
        if (before !== undefined) closestTries = Math.min(closestTries, at - before);
        tried.set(name, at);
        return { kind: "association-refused", at, detail: "authentication failure" };
      }
      case "read-counter":
        counterWrong = false;
        return { kind: "counter-read", at, counter: 5000 };
      case "read-identity":
        return { kind: "identity-read", at, matches: character !== "is-another", detail: "logical device name" };
      case "transfer": {
        const before = { ...meter.keys };
        const accepted = meter.transfer(effect.keys, effect.under, fault === "half-applied");
        // Said, and forgotten when the power went.
        if (fault === "meter-crash-after-ack") Object.assign(meter.keys, before);
        return { kind: "transfer-answered", at, accepted, detail: accepted ? "success" : "refused" };
      }
      case "release":
        return { kind: "released", at };
      default:
        throw new Error(`no exchange for ${effect.kind}`);
    }
  };

  while (contacts < 400) {
    let happened: TakeoverEvent | "crashed" = { kind: "contact-asked", at, carrier };
    contacts += 1;
    meter.contacted();
    for (;;) {
      if (happened === "crashed") {
        at += 2000;
        break;
      }
      const [journal, ...effects] = event(happened);
      const doing = effects.find(({ kind }) =>
        ["associate", "read-counter", "read-identity", "transfer", "release"].includes(kind),
      );
      const fault: Fault = doing === undefined ? "none" : (schedule.shift() ?? "none");
      if (fault === "crash-before-commit") {
        happened = "crashed";
        continue;
      }
      commit(journal, effects);
      check();
      if (doing !== undefined) {
        happened = exchange(doing, fault);
        continue;
      }
      const end = effects.find(({ kind }) => kind === "close" || kind === "wait" || kind === "nothing");
      if (end?.kind === "close" || end?.kind === "wait") at += Math.max(end.milliseconds, 1);
      if (end?.kind === "nothing") return { journal: durable, meter, contacts, held, closestTries };
      if (end === undefined) throw new Error("the machine stands still");
      break;
    }
    if (isFinal(durable.verdict) && durable.contact === undefined) at += 1;
  }
  throw new Error(`no end after ${contacts} contacts: ${JSON.stringify(durable)}`);
}
