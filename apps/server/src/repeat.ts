import { setTimeout as sleep } from "node:timers/promises";

/** Does something again and again, never twice at once, until `signal` ends it. What it throws is told and forgotten. */
export async function repeat(
  everyMilliseconds: number,
  signal: AbortSignal,
  work: () => Promise<void>,
  onError: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) onError(error);
    }
    await pause(everyMilliseconds, signal);
  }
}

/** Resolves after so many milliseconds, at once when `signal` aborts. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
}

/** `work` so that it never runs twice at once: a call while it runs waits, and then it runs once more for all who wait. */
export function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const start = (): Promise<void> => {
    running = work().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return start();
    next ??= running.then(start, start).finally(() => {
      next = undefined;
    });
    return next;
  };
}
