import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { processStartTime } from "@meterkeep/postgres";

const END_MS = 3_000;

/** Notes which process runs under a name, so that a later start can find it when this supervisor is killed. */
export function noteProcess(directory: string, name: string, pid: number): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(`${directory}/${name}`, `${pid} ${processStartTime(pid) ?? "-"}\n`, { mode: 0o600 });
}

/**
 * Ends what a killed supervisor left behind. Its processes end by themselves when they lose it; one that hangs is ended
 * here, recognised by id and start time.
 *
 * @returns the names of those that were still there
 */
export async function endStaleProcesses(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const { name, pid, alive } of readNotes(directory)) {
    if (alive()) {
      found.push(name);
      await end(pid, alive);
    }
    rmSync(`${directory}/${name}`, { force: true });
  }
  return found;
}

function readNotes(directory: string): { name: string; pid: number; alive: () => boolean }[] {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return readdirSync(directory).map((name) => {
    const [pid, started] = readFileSync(`${directory}/${name}`, "utf8").trim().split(" ");
    return { name, pid: Number(pid), alive: () => processStartTime(Number(pid)) === started };
  });
}

async function end(pid: number, alive: () => boolean): Promise<void> {
  const started = performance.now();
  let signal: NodeJS.Signals = "SIGTERM";
  process.kill(pid, signal);
  while (alive()) {
    if (signal === "SIGTERM" && performance.now() - started > END_MS) {
      signal = "SIGKILL";
      process.kill(pid, signal);
    }
    await sleep(20);
  }
}
