import { isSignedBy } from "../checkpoint/keys.ts";
import { type Note, parseNote } from "../checkpoint/note.ts";
import { LedgerError } from "../errors.ts";
import { rootAt } from "../tree/stored-nodes.ts";
import { type KnownLedger, splitLogName } from "./history.ts";
import type { KeeperPorts } from "./keeper-ports.ts";

/**
 * What signatures show that witnesses have, or the database: keys that have signed were announced, whatever became of the entry, and
 * a ledger that has the history which was signed is of that epoch.
 *
 * @param stored the note of the newest checkpoint in the database
 */
export async function signedSoFar(
  { keys, reads, witnesses }: Pick<KeeperPorts, "keys" | "reads" | "witnesses">,
  stored: string | undefined,
): Promise<KnownLedger> {
  const kept = await keys();
  // A second instance knows ledgers by their names only, which is what is asked for here.
  const files = witnesses.filter(({ kind }) => kind === "file");
  const shown = await Promise.all(files.map((one) => one.last("").catch(() => undefined)));
  let [newest, epoch] = [0, 1];
  for (const note of [stored, ...shown].flatMap((text) => readNote(text) ?? [])) {
    const { log, size, root } = note.checkpoint;
    const signer = kept.find((one) => isSignedBy(note, log, one));
    if (signer === undefined) continue;
    newest = Math.max(newest, signer.version);
    const own = size > (await reads.size()) ? undefined : await rootAt(reads, size);
    if (own !== undefined && Buffer.from(own).equals(root)) epoch = Math.max(epoch, splitLogName(log).epoch);
  }
  return { keys: kept.filter(({ version }) => version <= newest), epoch };
}

/** Undefined where it is none. */
function readNote(text: string | undefined): Note | undefined {
  try {
    return text === undefined ? undefined : parseNote(text);
  } catch (error) {
    if (error instanceof LedgerError) return undefined;
    throw error;
  }
}
