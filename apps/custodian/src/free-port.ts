import { setTimeout as sleep } from "node:timers/promises";

/** A custodian that was stopped rather than ended has its ports until the supervisor has ended it. */
const PATIENCE_MILLISECONDS = 15_000;
const PAUSE_MILLISECONDS = 100;

/** Listens; while the port is still another's, again and again for some seconds. @throws what listening throws in the end */
export async function onFreePort<T>(listen: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + PATIENCE_MILLISECONDS; ; ) {
    try {
      return await listen();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || performance.now() > end) throw error;
      await sleep(PAUSE_MILLISECONDS);
    }
  }
}
