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
}

/** Begins to look at the lock, which lies in the directory, once a second. */
export function watchState(state: string, lock: Pick<DirectoryLock, "isHeld">, everyMs = LOOK_MS): StateWatch {
  const vanishing = new AbortController();
  const timer = setInterval(() => {
    if (lock.isHeld()) return;
    clearInterval(timer);
    vanishing.abort(
      new StartError(
        "state-vanished",
        `the state directory ${state} was deleted, moved or replaced while Meterkeep ran, so everything was stopped: put it back and start again, or restore it from a backup`,
      ),
    );
  }, everyMs);
  return { vanished: vanishing.signal, [Symbol.dispose]: () => clearInterval(timer) };
}
