import { createSecretKey, type KeyObject, randomFillSync } from "node:crypto";
import { inspect } from "node:util";
import { constantTimeEqual } from "./constant-time.ts";

/**
 * Key octets with an end: they print as `[secret]`, are lent to a callback, and are zeroed on dispose.
 *
 * ```ts
 * using key = SecretKey.random(16);
 * const wrapped = key.lend((octets) => wrap(kek, octets));
 * ```
 */
export class SecretKey implements Disposable {
  readonly #octets: Uint8Array;
  #disposed = false;

  private constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  /** Takes ownership of `octets`: the caller keeps no other copy, and they are zeroed on dispose. */
  static take(octets: Uint8Array): SecretKey {
    return new SecretKey(octets);
  }

  /** Copies `octets`, which stay the caller's to zero. */
  static copy(octets: Uint8Array): SecretKey {
    return new SecretKey(Uint8Array.from(octets));
  }

  /** A key from the operating system's randomness. */
  static random(bytes: number): SecretKey {
    // Filled in place: a copy of randomBytes would leave the original behind, out of reach of dispose.
    return new SecretKey(randomFillSync(new Uint8Array(bytes)));
  }

  get length(): number {
    return this.#octets.length;
  }

  /** Lends the octets for the time of the call; they must not be kept. @throws Error after dispose */
  lend<T>(use: (octets: Uint8Array) => T): T {
    if (this.#disposed) throw new Error("the key was disposed of");
    return use(this.#octets);
  }

  /** The key as node:crypto uses it fastest. It lives outside this buffer until it is collected. */
  keyObject(): KeyObject {
    return this.lend((octets) => createSecretKey(octets));
  }

  equals(other: SecretKey): boolean {
    return this.lend((mine) => other.lend((theirs) => constantTimeEqual(mine, theirs)));
  }

  [Symbol.dispose](): void {
    this.#octets.fill(0);
    this.#disposed = true;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}
