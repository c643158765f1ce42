import { createHash } from "node:crypto";

/** Something that was published, as it goes out. */
export interface KeptAnswer {
  readonly octets: Buffer;
  /** For clients: until when it holds. */
  readonly until: number;
  /** For us: until when it is given without asking again. */
  readonly keptUntil: number;
  /** A strong ETag. */
  readonly tag: string;
  /** `until` and the number of octets, as headers have them. */
  readonly expires: string;
  readonly length: string;
}

/** Answers by name, so many octets of them; the one that was not asked for longest goes first. */
export class AnswerCache {
  readonly #most: number;
  readonly #now: () => number;
  readonly #kept = new Map<string, KeptAnswer>();
  #bytes = 0;

  constructor(mostBytes: number, now: () => number) {
    this.#most = mostBytes;
    this.#now = now;
  }

  find(name: string): KeptAnswer | undefined {
    const found = this.#kept.get(name);
    if (found === undefined) return undefined;
    if (found.keptUntil <= this.#now()) {
      this.#drop(name, found);
      return undefined;
    }
    // To the end of the line.
    this.#kept.delete(name);
    this.#kept.set(name, found);
    return found;
  }

  /** Keeps an answer where it may be kept, and gives it as it goes out. */
  keep(
    name: string,
    answer: { readonly octets: Uint8Array; readonly until: number; readonly keptUntil: number },
  ): KeptAnswer {
    const octets = Buffer.from(answer.octets);
    const tag = `"${createHash("sha256").update(octets).digest("base64url").slice(0, 22)}"`;
    const { until, keptUntil } = answer;
    const expires = new Date(until).toUTCString();
    const kept = { octets, tag, until, keptUntil, expires, length: String(octets.length) };
    const before = this.#kept.get(name);
    if (before !== undefined) this.#drop(name, before);
    if (kept.keptUntil <= this.#now() || octets.length > this.#most) return kept;
    this.#kept.set(name, kept);
    this.#bytes += octets.length + name.length;
    for (const [oldest, one] of this.#kept) {
      if (this.#bytes <= this.#most) break;
      this.#drop(oldest, one);
    }
    return kept;
  }

  #drop(name: string, { octets }: KeptAnswer): void {
    this.#kept.delete(name);
    this.#bytes -= octets.length + name.length;
  }
}
