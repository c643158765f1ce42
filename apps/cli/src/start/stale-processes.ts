import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { processStartTime } from "@meterkeep/postgres";

/** How long processes may take to notice that their supervisor is gone, before this is taken into its own hands. */
const NOTICE_MS = 1_500;
const END_MS = 3_000;

/** What is being written; no process has such a name. */
const DRAFT = ".draft";

/** Notes which process runs under a name, so that a later start can find it when this supervisor is killed. */
export function noteProcess(directory: string, name: string, pid: number): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // Whole or not at all, whenever this supervisor is killed and whoever reads meanwhile: an empty note would name process 0,
  // which to kill(2) is the group of whoever asks.
  const draft = `${directory}/${name}${DRAFT}`;
  writeFileSync(draft, `${pid} ${processStartTime(pid) ?? "-"}\n`, { mode: 0o600 });
  renameSync(draft, `${directory}/${name}`);
}

/**
 * Waits for what a killed supervisor left behind: its processes end by themselves when they lose it. One that hangs is
 * ended here, recognised by id and start time.
 *
 * @returns the names of those that had to be ended
 */
export async function endStaleProcesses(directory: string): Promise<string[]> {
  const notes = readNotes(directory);
  const started = performance.now();
  while (notes.some(({ alive }) => alive()) && performance.now() - started < NOTICE_MS) await sleep(20);
  const hanging = notes.filter(({ alive }) => alive());
  await Promise.all(hanging.map(({ pid, alive }) => end(pid, alive)));
  for (const { name } of notes) rmSync(`${directory}/${name}`, { force: true });
  return hanging.map(({ name }) => name);
}

function readNotes(directory: string): { name: string; pid: number; alive: () => boolean }[] {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return readdirSync(directory).map((name) => {
    const [pid, started] = readFileSync(`${directory}/${name}`, "utf8").trim().split(" ");
    // A draft, or what a full disk has left of a note, names nobody.
    const isWhole = started !== undefined && Number.isSafeInteger(Number(pid)) && Number(pid) > 0;
    return {
      name,
      pid: Number(pid),
      alive: () => isWhole && !name.endsWith(DRAFT) && processStartTime(Number(pid)) === started,
    };
  });
}

async function end(pid: number, alive: () => boolean): Promise<void> {
  const started = performance.now();
  let signal: NodeJS.Signals = "SIGTERM";
  kill(pid, signal);
  while (alive()) {
    if (signal === "SIGTERM" && performance.now() - started > END_MS) {
      signal = "SIGKILL";
      kill(pid, signal);
    }
    await sleep(20);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
