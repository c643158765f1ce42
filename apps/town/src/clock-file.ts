import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { type KeptTime, resumeTime, type TownTime, townTimeAt, type UnixSeconds } from "@meterkeep/meter";

/** How often the file says that the town is alive, in milliseconds. */
const ALIVE_EVERY_MS = 2_000;

/** The town's running clock. */
export interface TownClock extends Disposable {
  readonly time: TownTime;
  now(): UnixSeconds;
}

/**
 * Starts the town's clock where its file says it stopped, and keeps the file up to date.
 *
 * @param factor simulated seconds a second
 */
export function startClock(file: string, factor: number): TownClock {
  const time = resumeTime(readKept(file), wall(), factor);
  const keep = (): void => {
    const kept: KeptTime = { ...time, aliveAt: wall() };
    // Not made durable: after a power cut of the machine an older file is as good, and a damaged one starts anew.
    writeFileSync(`${file}.tmp`, JSON.stringify(kept), { mode: 0o600 });
    renameSync(`${file}.tmp`, file);
  };
  keep();
  const timer = setInterval(keep, ALIVE_EVERY_MS);
  return {
    time,
    now: () => townTimeAt(time, wall()),
    [Symbol.dispose]: () => {
      clearInterval(timer);
      keep();
    },
  };
}

function wall(): UnixSeconds {
  return Date.now() / 1000;
}

function readKept(file: string): KeptTime | undefined {
  if (!existsSync(file)) return undefined;
  const numbers = ["epoch", "wallEpoch", "factor", "aliveAt"] as const;
  try {
    const kept = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    return numbers.every((name) => Number.isFinite(kept[name])) ? (kept as unknown as KeptTime) : undefined;
  } catch {
    return undefined;
  }
}
