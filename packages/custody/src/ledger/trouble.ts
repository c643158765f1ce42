import type { KeeperState } from "@meterkeep/ledger";

/** What people should hear of. */
export interface Trouble {
  readonly code: string;
  /** Of at most 1024 characters where it is shown. */
  readonly message: string;
}

/**
 * What people should hear of: a halt, or else what is wrong with the ledger and on second storage, then a checkpoint that is late, then
 * a witness that is away. Of several the first gives the code, and its words come first; where they are too many for what is shown, each
 * has as much room as the others: whoever makes one long hides none.
 */
export function troubleOf(
  { halt, late, witnesses }: Pick<KeeperState, "halt" | "late" | "witnesses">,
  ...others: readonly (Trouble | undefined)[]
): Trouble | undefined {
  if (halt !== undefined) return { code: halt.code, message: halt.message.slice(0, MOST_CHARACTERS) };
  const away = witnesses.find(({ state }) => state === "away");
  const witness = away && { code: "ledger-witness-away", message: away.problem ?? away.name };
  const all = [...others, late, witness].filter((one) => one !== undefined);
  const message = inEqualShares(all.map((one) => one.message)).join(BESIDES);
  return all[0] && { code: all[0].code, message };
}

/** Cuts the longest until all have room; what the short ones leave is for the others. */
function inEqualShares(messages: readonly string[]): readonly string[] {
  let room = MOST_CHARACTERS - BESIDES.length * (messages.length - 1);
  const lengths = messages.map(({ length }) => length).sort((one, other) => one - other);
  let share = room;
  for (const [at, length] of lengths.entries()) {
    share = Math.floor(room / (lengths.length - at));
    if (length > share) break;
    room -= length;
  }
  return messages.map((message) => (message.length <= share ? message : `${message.slice(0, share - 1)}…`));
}

const BESIDES = "; besides, ";

/** Of what is told, as the status has it. */
export const MOST_CHARACTERS = 1024;
