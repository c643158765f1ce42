import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { type FrameCounters, fromHex, type SystemTitle, systemTitle } from "@meterkeep/dlms";
import { acquireLock } from "@meterkeep/postgres";
import { CliError } from "../error.ts";

/**
 * What this machine has used as a client of meters: its system title, and for each key the next counter.
 *
 * Two messages under one key and counter give away what is in both, so a counter is written down before it is used, and
 * what a meter says of its counter, which nobody has authenticated, only ever raises it.
 */
export interface KeptCounters extends Disposable {
  readonly title: SystemTitle;
  /** The counters of this client under a key, from at least `lowest` on. */
  of(key: Uint8Array, client: SystemTitle, lowest: number): FrameCounters;
}

interface Kept {
  readonly title: string;
  readonly next: Readonly<Record<string, number>>;
}

/** Counters written down at a time: those that a killed command leaves are skipped. */
const RESERVED_AT_ONCE = 64;
/** A meter that shows a higher one has reached its end, or somebody on the line says so. */
const HIGHEST = 0xffff_0000;

/** Where the file is: `XDG_STATE_HOME`, or `.local/state` of the home directory. */
export function keptCountersFile(env: Readonly<Record<string, string | undefined>>): string {
  return join(env["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "meterkeep", "client.json");
}

/** Opens the file for this process alone; makes it on first use. @throws PostgresError `already-running` */
export function openKeptCounters(file: string): KeptCounters {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const lock = acquireLock(`${file}.lock`, `the file of counters ${file}`);
  let kept: Kept;
  try {
    kept = readKept(file) ?? { title: `4D4B43${randomBytes(5).toString("hex").toUpperCase()}`, next: {} };
    writeKept(file, kept);
  } catch (error) {
    lock.release();
    throw error;
  }
  return {
    title: systemTitle(fromHex(kept.title)),
    of(key, client, lowest) {
      const name = nameOf(key, client);
      let next = Math.max(kept.next[name] ?? 0, lowest);
      let reserved = next;
      return {
        take(count) {
          if (next + count > HIGHEST)
            throw new CliError("option-invalid", `counter ${next} is near the end: the meter needs a new key first`);
          const first = next;
          next += count;
          if (next > reserved) {
            reserved = next + RESERVED_AT_ONCE;
            kept = { ...kept, next: { ...kept.next, [name]: reserved } };
            writeKept(file, kept);
          }
          return first;
        },
      };
    },
    [Symbol.dispose]: () => lock.release(),
  };
}

/** Names a key without telling it: one way, and a guess has to be the whole key. */
function nameOf(key: Uint8Array, client: SystemTitle): string {
  return createHash("sha256").update("meterkeep counter").update(client).update(key).digest("hex").slice(0, 32);
}

function readKept(file: string): Kept | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  try {
    const { title, next } = JSON.parse(text) as Partial<Kept>;
    const isRight = typeof title === "string" && /^[0-9A-F]{16}$/.test(title) && typeof next === "object";
    if (isRight && next !== null && Object.values(next).every(Number.isSafeInteger)) return { title, next };
  } catch {
    // Told below.
  }
  // Beginning anew could use a counter twice.
  throw new CliError("counter-file-invalid", `${file} is damaged: mend it, or remove it and give --counter once`);
}

function writeKept(file: string, kept: Kept): void {
  const draft = `${file}.${process.pid}`;
  rmSync(draft, { force: true });
  writeFileSync(draft, `${JSON.stringify(kept, undefined, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(draft, file);
}
