import { createCipheriv, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { descendants, processFacts } from "../src/process-facts.ts";
import type { Meterkeep } from "../src/start-meterkeep.ts";

/** Clock ticks a second of `/proc/PID/stat`: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** All processes of a running Meterkeep, by what they are. PostgreSQL counts with its backends. */
export function processesOf(meterkeep: Pick<Meterkeep, "pid" | "pids">): ReadonlyMap<string, readonly number[]> {
  const named = Object.entries(meterkeep.pids());
  const found = new Map<string, readonly number[]>([["supervisor", [meterkeep.pid]]]);
  for (const [name, pid] of named)
    if (processFacts(pid) !== undefined) found.set(name, [pid, ...descendants(pid).map((child) => child.pid)]);
  return found;
}

/** CPU seconds that processes have used so far. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
}

function cpuOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

/** Megabytes that processes hold: shared pages divided among those who share them (PSS). */
export function megabytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + pssOf(pid), 0);
}

function pssOf(pid: number): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** The value of `--name`, a number. */
export function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? otherwise : Number(process.argv[at + 1]);
  if (!Number.isFinite(value)) throw new Error(`--${name} needs a number`);
  return value;
}

/** What else the machine did meanwhile, by the load that the kernel tells. */
export function machineLoad(): string {
  return readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 2).join(", ");
}

/**
 * What a core of this machine is worth, to hold figures of two machines against each other: a full APDU of a profile
 * (1 024 octets) sealed with AES-GCM by node:crypto alone, times a CPU second.
 */
export function yardstick(): string {
  const [key, text] = [randomBytes(16), randomBytes(1024)];
  const seal = (): void => {
    const cipher = createCipheriv("aes-128-gcm", key, randomBytes(12));
    cipher.update(text);
    cipher.final();
    cipher.getAuthTag();
  };
  for (let warm = 0; warm < 20_000; warm += 1) seal();
  const SEALS = 100_000;
  const before = process.cpuUsage();
  for (let done = 0; done < SEALS; done += 1) seal();
  const { user, system } = process.cpuUsage(before);
  return `${Math.round((SEALS * 1_000_000) / (user + system)).toLocaleString("en")} AES-GCM seals of 1,024 octets a core second`;
}
