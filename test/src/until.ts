import { setTimeout as sleep } from "node:timers/promises";

/**
 * Asks again and again until there is an answer. It gives up after four minutes (or what is said), with the words for what
 * was waited for: a limit of patience, not an assertion about speed.
 */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  { patienceMs = 240_000, everyMs = 50 }: { readonly patienceMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const begun = performance.now();
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() - begun > patienceMs) throw new Error(`waited ${patienceMs / 1_000} s in vain until ${what}`);
    await sleep(everyMs);
  }
}
