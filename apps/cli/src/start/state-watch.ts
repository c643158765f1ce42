import { existsSync } from "node:fs";
import type { DirectoryLock } from "@meterkeep/postgres";
import { StartError } from "./error.ts";

const LOOK_MS = 1_000;

/**
 * Watches that the state directory stays what it was: without it nothing that is done from then on would be kept, and
 * what restarted would make new, empty files in its place.
 */
export interface StateWatch extends Disposable {
  /** Aborted with a {@link StartError} `state-vanished`. */
  readonly vanished: AbortSignal;
  /** From now on, this file has to be there as well. */
  require(path: string): void;
  /** From now on, says so once when this file is gone, and goes on: what is in memory may be all that is left of it. */
  report(path: string, gone: () => void): void;
}

/** Begins to look at the lock, which lies in the directory, once a second. */
export function watchState(state: string, lock: Pick<DirectoryLock, "isHeld">, everyMs = LOOK_MS): StateWatch {
  const vanishing = new AbortController();
  const required: string[] = [];
  const reported = new Map<string, () => void>();
  const stop = (what: string): void => {
    clearInterval(timer);
    vanishing.abort(
      new StartError(
        "state-vanished",
        `${what} was deleted, moved or replaced while Meterkeep ran, so everything was stopped: put it back and start again, or restore the state directory from a backup`,
      ),
    );
  };
  const timer = setInterval(() => {
    if (!lock.isHeld()) return stop(`the state directory ${state}`);
    const missing = required.find((path) => !existsSync(path));
    if (missing !== undefined) return stop(missing);
    for (const [path, gone] of reported) {
      if (existsSync(path)) continue;
      reported.delete(path);
      gone();
    }
  }, everyMs);
  return {
    vanished: vanishing.signal,
    require: (path) => void required.push(path),
    report: (path, gone) => void reported.set(path, gone),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
