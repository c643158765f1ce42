import { randomBytes } from "node:crypto";
import type { Caller } from "./caller.ts";

const HANDLE_BYTES = 12;

/** Things under way, each known to the principal that began it alone. */
export class Handles<T extends { readonly caller: Caller; lastUsed: number }> {
  readonly #held = new Map<string, T>();
  readonly #counts = new Map<string, number>();

  get size(): number {
    return this.#held.size;
  }

  /** How many of them a principal has. */
  countOf({ name }: Caller): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Keeps a thing and names it. */
  add(thing: T): string {
    const handle = randomBytes(HANDLE_BYTES).toString("hex");
    this.#held.set(handle, thing);
    this.#counts.set(thing.caller.name, this.countOf(thing.caller) + 1);
    return handle;
  }

  /** The thing, where it is this caller's. */
  find(handle: string, caller: Caller, now: number): T | undefined {
    const thing = this.#held.get(handle);
    if (thing === undefined || thing.caller.name !== caller.name) return undefined;
    thing.lastUsed = now;
    return thing;
  }

  /** The thing, whosever it is, without counting as its use. */
  peek(handle: string): T | undefined {
    return this.#held.get(handle);
  }

  /** Forgets a thing; false where it was forgotten before. */
  remove(handle: string): boolean {
    const thing = this.#held.get(handle);
    if (thing === undefined) return false;
    this.#held.delete(handle);
    const left = this.countOf(thing.caller) - 1;
    if (left > 0) this.#counts.set(thing.caller.name, left);
    else this.#counts.delete(thing.caller.name);
    return true;
  }

  /** What nobody has used since `before`, with its name. */
  idleSince(before: number): (readonly [handle: string, thing: T])[] {
    return [...this.#held].filter(([, { lastUsed }]) => lastUsed < before);
  }

  entries(): Iterable<readonly [handle: string, thing: T]> {
    return this.#held;
  }
}
