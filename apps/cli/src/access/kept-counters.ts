import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { type FrameCounters, fromHex, type SystemTitle, systemTitle } from "@meterkeep/dlms";
import { acquireLock, type DirectoryLock, PostgresError } from "@meterkeep/postgres";
import { CliError } from "../error.ts";

/**
 * What this machine has used as a client of meters: its system title, and for each key the next counter.
 *
 * Two messages under one key and counter give away what is in both, so a counter is written down before it is used, and
 * what a meter says of its counter, which nobody has authenticated, only ever raises it.
 */
export interface KeptCounters {
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
const WAIT_MS = 20;
const MOST_WAITS = 250;

/** Where the file is: `XDG_STATE_HOME`, or `.local/state` of the home directory. */
export function keptCountersFile(env: Readonly<Record<string, string | undefined>>): string {
  return join(env["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "meterkeep", "client.json");
}

/**
 * Opens the file; makes it on first use. Several commands may use it at the same time: each takes counters of its own.
 *
 * @throws CliError `counter-file-invalid`
 */
export function openKeptCounters(file: string): KeptCounters {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const { title } = change(file, (kept) => kept);
  return {
    title: systemTitle(fromHex(title)),
    of(key, client, lowest) {
      const name = nameOf(key, client);
      let next = 0;
      let reserved = 0;
      return {
        take(count) {
          if (next + count > reserved) {
            const wanted = count + RESERVED_AT_ONCE;
            change(file, (kept) => {
              next = Math.max(kept.next[name] ?? 0, lowest);
              reserved = next + wanted;
              if (reserved > HIGHEST)
                throw new CliError(
                  "option-invalid",
                  `counter ${next} is near the end: the meter needs a new key first`,
                );
              return { ...kept, next: { ...kept.next, [name]: reserved } };
            });
          }
          const first = next;
          next += count;
          return first;
        },
      };
    },
  };
}

/** Changes what is kept, one process at a time. */
function change(file: string, how: (kept: Kept) => Kept): Kept {
  const lock = waitForLock(`${file}.lock`);
  try {
    const kept = readKept(file) ?? { title: `4D4B43${randomBytes(5).toString("hex").toUpperCase()}`, next: {} };
    const changed = how(kept);
    writeKept(file, changed);
    return changed;
  } finally {
    lock.release();
  }
}

/** A change takes a millisecond or two: another process is waited for. */
function waitForLock(file: string): DirectoryLock {
  for (let waits = 0; ; waits += 1) {
    try {
      return acquireLock(file, "the file of counters");
    } catch (error) {
      const isHeld = error instanceof PostgresError && error.code === "already-running";
      if (!isHeld || waits >= MOST_WAITS) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
    }
  }
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
