import { randomBytes } from "node:crypto";
import type { Caller } from "./caller.ts";

const HANDLE_BYTES = 12;

/** Things under way, each known to the principal that began it alone. */
export class Handles<T extends { readonly caller: Caller; lastUsed: number }> {
  readonly #held = new Map<string, T>();

  get size(): number {
    return this.#held.size;
  }

  /** Keeps a thing and names it. */
  add(thing: T): string {
    const handle = randomBytes(HANDLE_BYTES).toString("hex");
    this.#held.set(handle, thing);
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

  remove(handle: string): void {
    this.#held.delete(handle);
  }

  /** What nobody has used since `before`, with its name. */
  idleSince(before: number): (readonly [handle: string, thing: T])[] {
    return [...this.#held].filter(([, { lastUsed }]) => lastUsed < before);
  }

  entries(): Iterable<readonly [handle: string, thing: T]> {
    return this.#held;
  }
}
