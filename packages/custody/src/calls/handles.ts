import { randomBytes } from "node:crypto";
import type { Caller } from "./caller.ts";

const WORD_DIGITS = 8;
const WORD_BYTES = 4;
/** A handle is the number of its thing, and two random words that nobody guesses. */
const WORDS = 3;
/** Of each number when it was used last, and the random words. */
const MARKS = WORDS;
const FIRST_THINGS = 16;

/** Things under way, each known to the principal that began it alone. */
export class Handles<T extends { readonly caller: Caller }> {
  readonly #things: (T | undefined)[] = [];
  readonly #free: number[] = [];
  /** In one row of numbers: of very many things each is found in one look at memory. */
  #marks = new Float64Array(FIRST_THINGS * MARKS);
  readonly #counts = new Map<string, number>();

  get size(): number {
    return this.#things.length - this.#free.length;
  }

  /** How many of them a principal has. */
  countOf({ name }: Caller): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Keeps a thing, which is used now, and names it. */
  add(thing: T, now: number): string {
    const number = this.#free.pop() ?? this.#things.length;
    const at = number * MARKS;
    if (at === this.#marks.length) {
      const marks = new Float64Array(at * 2);
      marks.set(this.#marks);
      this.#marks = marks;
    }
    const random = randomBytes((WORDS - 1) * WORD_BYTES);
    for (let word = 1; word < WORDS; word += 1) this.#marks[at + word] = random.readUInt32BE((word - 1) * WORD_BYTES);
    this.#marks[at] = now;
    this.#things[number] = thing;
    this.#counts.set(thing.caller.name, this.countOf(thing.caller) + 1);
    return this.#handleOf(number);
  }

  /** The thing, where it is this caller's. */
  find(handle: string, caller: Caller, now: number): T | undefined {
    const number = this.#numberOf(handle);
    const thing = this.#things[number];
    if (thing === undefined || thing.caller.name !== caller.name) return undefined;
    this.#marks[number * MARKS] = now;
    return thing;
  }

  /** The thing, whosever it is, without counting as its use. */
  peek(handle: string): T | undefined {
    return this.#things[this.#numberOf(handle)];
  }

  /** When a thing was found last; undefined where there is none. */
  lastUsed(handle: string): number | undefined {
    const number = this.#numberOf(handle);
    return this.#things[number] && this.#marks[number * MARKS];
  }

  /** Forgets a thing; false where it was forgotten before. */
  remove(handle: string): boolean {
    const number = this.#numberOf(handle);
    const thing = this.#things[number];
    if (thing === undefined) return false;
    this.#things[number] = undefined;
    this.#free.push(number);
    const left = this.countOf(thing.caller) - 1;
    if (left > 0) this.#counts.set(thing.caller.name, left);
    else this.#counts.delete(thing.caller.name);
    return true;
  }

  /** What nobody has used since `before`, with its name. */
  idleSince(before: number): (readonly [handle: string, thing: T])[] {
    return this.#named((number) => (this.#marks[number * MARKS] as number) < before);
  }

  entries(): (readonly [handle: string, thing: T])[] {
    return this.#named(() => true);
  }

  #named(isMeant: (number: number) => boolean): (readonly [handle: string, thing: T])[] {
    return this.#things.flatMap((thing, number) =>
      thing !== undefined && isMeant(number) ? [[this.#handleOf(number), thing] as const] : [],
    );
  }

  #handleOf(number: number): string {
    const at = number * MARKS;
    return [number, ...this.#marks.subarray(at + 1, at + WORDS)].map(wordText).join("");
  }

  /** The number that a handle names, -1 where its thing is gone or was never there. */
  #numberOf(handle: string): number {
    if (handle.length !== WORDS * WORD_DIGITS) return -1;
    const number = wordOf(handle, 0);
    const at = number * MARKS;
    for (let word = 1; word < WORDS; word += 1) if (this.#marks[at + word] !== wordOf(handle, word)) return -1;
    return number;
  }
}

function wordText(word: number): string {
  return word.toString(16).padStart(WORD_DIGITS, "0");
}

/** A word of a handle; NaN, which equals nothing, where it is none of ours. Every call comes by here, and none should make a text. */
function wordOf(handle: string, word: number): number {
  let value = 0;
  for (let at = word * WORD_DIGITS; at < (word + 1) * WORD_DIGITS; at += 1) {
    const code = handle.charCodeAt(at);
    if (code >= 0x30 && code <= 0x39) value = value * 16 + (code - 0x30);
    else if (code >= 0x61 && code <= 0x66) value = value * 16 + (code - 0x57);
    else return Number.NaN;
  }
  return value;
}
