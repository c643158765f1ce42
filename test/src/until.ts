import { setTimeout as sleep } from "node:timers/promises";

/** Unless it is said how often: at first so often, later ever more rarely, and at least so often. */
const FIRST_MS = 50;
const LAST_MS = 500;
/** As many times as long as an answer took, nothing is asked, up to this: what is waited for needs the machine as well. */
const SPARED = { times: 3, mostMs: 2_000 };

/**
 * Asks again and again until there is an answer. It gives up after four minutes (or what is said), with the words for what
 * was waited for: a limit of patience, not an assertion about speed.
 */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  { patienceMs = 240_000, everyMs }: { readonly patienceMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const begun = performance.now();
  for (;;) {
    const asked = performance.now();
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    const waitedMs = performance.now() - begun;
    if (waitedMs > patienceMs) throw new Error(`waited ${patienceMs / 1_000} s in vain until ${what}`);
    const askingMs = Math.min(SPARED.times * (performance.now() - asked), SPARED.mostMs);
    await sleep(Math.max(everyMs ?? Math.min(Math.max(waitedMs / 10, FIRST_MS), LAST_MS), askingMs));
  }
}
