import type { Carrier } from "./carrier.ts";
import type { Outbox } from "./outbox.ts";

const MOST_ANNOUNCEMENTS = 512;
/** What carries it takes messages of a megabyte. */
const MOST_OCTETS = 400_000;

/**
 * Hands over what the outbox has and nobody has taken yet, in order. Killed in between, it hands the last consignment over
 * again: whoever hears it knows it by its numbers. @returns how many announcements
 */
export async function relay(
  outbox: Pick<Outbox, "head" | "after" | "carried">,
  carrier: Carrier,
  signal: AbortSignal,
): Promise<number> {
  const { origin, carried: begun } = await outbox.head();
  let carried = begun;
  while (!signal.aborted) {
    const announcements = await outbox.after(carried, MOST_ANNOUNCEMENTS, MOST_OCTETS);
    const last = announcements.at(-1);
    if (last === undefined) break;
    await carrier.carry({ origin, announcements });
    carried = last.sequence;
    await outbox.carried(carried);
  }
  return carried - begun;
}
