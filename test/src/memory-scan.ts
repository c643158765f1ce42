import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { keyForms } from "./key-forms.ts";

/** A secret to look for, under a name that may be printed. */
export interface NamedSecret {
  readonly name: string;
  readonly octets: Uint8Array;
}

/** Where a secret was found. */
export interface Finding {
  readonly secret: string;
  readonly form: string;
  readonly address: bigint;
  /** The mapping as `/proc/PID/maps` names it, for example `[heap]`. */
  readonly mapping: string;
}

/** What a scan has seen. */
export interface MemoryScan {
  readonly findings: readonly Finding[];
  readonly octetsRead: number;
  readonly mappings: number;
}

interface Mapping {
  readonly from: bigint;
  readonly to: bigint;
  readonly name: string;
}

/** A form of a secret, ready to be compared. */
interface Pattern {
  readonly secret: string;
  readonly form: string;
  readonly octets: Buffer;
}

const CHUNK_BYTES = 4 << 20;

/** Whether this process may read that one's memory: its owner may, unless Yama or a user id forbids it. */
export function canReadMemory(pid: number): boolean {
  try {
    const fd = openSync(`/proc/${pid}/mem`, "r");
    closeSync(fd);
    return true;
  } catch {
    return false;
  }
}

/**
 * Looks for secrets in all memory that a process could have written to, in one pass whatever their number. It is stopped
 * meanwhile (SIGSTOP), so that its garbage collector moves nothing from what is still to be read to what has been.
 */
export function scanMemory(pid: number, secrets: readonly NamedSecret[]): MemoryScan {
  const index = new PatternIndex(
    secrets.flatMap(({ name, octets }) =>
      keyForms(octets).map((form) => ({ secret: name, form: form.name, octets: Buffer.from(form.octets) })),
    ),
  );
  const findings: Finding[] = [];
  let octetsRead = 0;
  process.kill(pid, "SIGSTOP");
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    waitUntilStopped(pid);
    const mappings = readableMappings(pid);
    for (const mapping of mappings) {
      octetsRead += scanMapping(memory, mapping, index, (pattern, address) =>
        findings.push({ secret: pattern.secret, form: pattern.form, address, mapping: mapping.name }),
      );
    }
    return { findings, octetsRead, mappings: mappings.length };
  } finally {
    closeSync(memory);
    process.kill(pid, "SIGCONT");
  }
}

function waitUntilStopped(pid: number): void {
  while (!/^State:\s+[TtZ]/m.test(readFileSync(`/proc/${pid}/status`, "utf8")));
}

function readableMappings(pid: number): Mapping[] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => {
      const [, from, to, rights, name = ""] = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+\s*(.*)$/.exec(line) ?? [];
      if (from === undefined || !rights?.startsWith("r")) return [];
      // Programs and libraries hold what their files hold, and pages of the kernel nothing of the process.
      if ((name.startsWith("/") && rights[1] !== "w") || /^\[v(var|syscall|dso)/.test(name)) return [];
      return [{ from: BigInt(`0x${from}`), to: BigInt(`0x${to}`), name: name === "" ? "anonymous" : name }];
    });
}

function scanMapping(
  memory: number,
  { from, to }: Mapping,
  index: PatternIndex,
  onFound: (pattern: Pattern, address: bigint) => void,
): number {
  const overlap = index.longest - 1;
  const chunk = Buffer.alloc(overlap + CHUNK_BYTES);
  let carried = 0;
  let total = 0;
  for (let at = from; at < to; ) {
    const wanted = Number(to - at < BigInt(CHUNK_BYTES) ? to - at : BigInt(CHUNK_BYTES));
    let read: number;
    try {
      read = readSync(memory, chunk, carried, wanted, at as unknown as number);
    } catch {
      // A page behind the end of a mapped file, for one: step over it.
      at += 4096n;
      carried = 0;
      continue;
    }
    if (read === 0) break;
    total += read;
    const held = carried + read;
    const base = at - BigInt(carried);
    // What starts in the overlap has been seen if it ends there.
    index.search(chunk.subarray(0, held), carried, (pattern, offset) => onFound(pattern, base + BigInt(offset)));
    carried = Math.min(overlap, held);
    chunk.copyWithin(0, held - carried, held);
    at += BigInt(read);
  }
  return total;
}

/**
 * Patterns by their first octets. Most positions of a memory are told apart by one look into a table of 2^16 bits, most of the
 * rest by one into 2^24.
 */
class PatternIndex {
  readonly longest: number;
  readonly #two = new Uint8Array(1 << 16);
  readonly #three = new Uint8Array(1 << 21);
  readonly #byFour = new Map<number, Pattern[]>();

  constructor(patterns: readonly Pattern[]) {
    this.longest = Math.max(...patterns.map(({ octets }) => octets.length));
    for (const pattern of patterns) {
      const first = pattern.octets.readUInt32LE(0);
      this.#two[first & 0xffff] = 1;
      const three = first & 0xffffff;
      this.#three[three >> 3]! |= 1 << (three & 7);
      this.#byFour.set(first, [...(this.#byFour.get(first) ?? []), pattern]);
    }
  }

  /** Calls back for each pattern that ends behind the first `known` octets. */
  search(octets: Buffer, known: number, onFound: (pattern: Pattern, offset: number) => void): void {
    const two = this.#two;
    const three = this.#three;
    const last = octets.length - 4;
    for (let at = 0; at <= last; at += 1) {
      const low = octets[at]! | (octets[at + 1]! << 8);
      if (two[low] === 0) continue;
      const next = low | (octets[at + 2]! << 16);
      if ((three[next >> 3]! & (1 << (next & 7))) === 0) continue;
      const found = this.#byFour.get(octets.readUInt32LE(at));
      if (found === undefined) continue;
      for (const pattern of found) {
        const end = at + pattern.octets.length;
        if (end <= known || end > octets.length) continue;
        if (octets.compare(pattern.octets, 0, pattern.octets.length, at, end) === 0) onFound(pattern, at);
      }
    }
  }
}
