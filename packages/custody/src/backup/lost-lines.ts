import { DAY_MILLISECONDS } from "../day.ts";
import type { JournalBreak } from "../escrow/authentic-journal.ts";
import { KEYS_AGAIN_PAGE, type WantedStates } from "./keys-again.ts";
import type { Loss } from "./losses.ts";
import {
  isLost,
  KEY_STATES,
  type KeyChange,
  SUSPENDED,
  type Withdrawal,
  type WithdrawalJournal,
} from "./withdrawals.ts";

/** Lines of the journal that may be lost. Clocks go wrong: a day more costs a look. */
export async function* linesSince(
  journal: WithdrawalJournal,
  losses: readonly Loss[],
  onStrange: () => void,
  onBreak: (broken: JournalBreak) => void = onStrange,
): AsyncGenerator<Withdrawal> {
  const since = Math.min(...losses.map((loss) => loss.since)) - DAY_MILLISECONDS;
  for await (const line of journal.read(onStrange, onBreak)) if (line.at >= since) yield line;
}

/**
 * Which keys lines take out of use, meter by meter, a page at a time; those that were suspended in the end come last, since a
 * later line may have ended that.
 *
 * @param isBroken lines are gone: that a key was resumed is believed of none
 */
export async function* keyPages(
  lines: AsyncIterable<Withdrawal>,
  isBroken: boolean,
): AsyncGenerator<WantedStates, undefined> {
  let page = new Map<string, KeyChange[]>();
  const suspended = new Map<string, { readonly meter: string; readonly change: KeyChange }>();
  const add = (meter: string, change: KeyChange): void => {
    const changes = page.get(meter);
    if (changes === undefined) page.set(meter, [change]);
    else changes.push(change);
  };
  for await (const line of lines) {
    if (line.kind !== "entry" || line.entry.kind !== KEY_STATES) continue;
    const { meter = "", body } = line.entry;
    for (const change of (JSON.parse(body) as { readonly changes: readonly KeyChange[] }).changes) {
      const name = `${meter} ${change.purpose} ${change.setup} ${change.version}`;
      if (change.to === SUSPENDED) suspended.set(name, { meter, change });
      else if (isLost(change.to)) {
        suspended.delete(name);
        add(meter, change);
      } else if (!isBroken) suspended.delete(name);
    }
    if (page.size < KEYS_AGAIN_PAGE) continue;
    yield page;
    page = new Map();
  }
  for (const { meter, change } of suspended.values()) {
    add(meter, change);
    if (page.size < KEYS_AGAIN_PAGE) continue;
    yield page;
    page = new Map();
  }
  if (page.size > 0) yield page;
  return undefined;
}
