import type { KeeperState } from "@meterkeep/ledger";

/** What people should hear of. */
export interface Trouble {
  readonly code: string;
  /** Of at most 1024 characters where it is shown. */
  readonly message: string;
}

/**
 * What people should hear of: a halt, or else what is wrong with the ledger and on second storage, then a checkpoint that is late, then
 * a witness that is away. Of two the first gives the code, and its words come first: a witness that somebody took away hides no journal
 * that was written on.
 */
export function troubleOf(
  { halt, late, witnesses }: Pick<KeeperState, "halt" | "late" | "witnesses">,
  ...others: readonly (Trouble | undefined)[]
): Trouble | undefined {
  if (halt !== undefined) return { code: halt.code, message: halt.message.slice(0, MOST_CHARACTERS) };
  const away = witnesses.find(({ state }) => state === "away");
  const witness = away && { code: "ledger-witness-away", message: away.problem ?? away.name };
  const all = [...others, late, witness].filter((one) => one !== undefined);
  const message = all.map((one) => one.message).join("; besides, ");
  return all[0] && { code: all[0].code, message: message.slice(0, MOST_CHARACTERS) };
}

/** Of what is told, as the status has it. */
export const MOST_CHARACTERS = 1024;
