import { isSignedBy } from "../checkpoint/keys.ts";
import { parseNote } from "../checkpoint/note.ts";
import { LedgerError } from "../errors.ts";
import type { LedgerReads } from "../store.ts";
import { rootAt } from "../tree/stored-nodes.ts";
import { type LedgerHistory, splitLogName } from "./history.ts";

/**
 * Compares what a witness has seen with what the database holds: gives what is wrong, or how many entries both agree on.
 *
 * `ledger-restored` when the witness has seen more, `ledger-rewritten` when it has seen others, `ledger-checkpoint-invalid`
 * when what it shows was not signed by this ledger.
 */
export async function compareWithWitness(
  reads: LedgerReads,
  { log, keys }: Pick<LedgerHistory, "log" | "keys">,
  witness: string,
  note: string,
): Promise<LedgerError | number> {
  const parsed = parseNote(note);
  const seen = parsed.checkpoint;
  const size = await reads.size();
  const what = `witness ${witness} has seen ${seen.size} entries at ${new Date(seen.at).toISOString()}`;
  if (log === undefined) return new LedgerError("ledger-restored", `${what}, and the database holds no ledger`);
  const [own, other] = [splitLogName(log), splitLogName(seen.log)];
  if (own.base !== other.base)
    return new LedgerError("ledger-checkpoint-invalid", `${what} of ${seen.log}, which is another ledger than ${log}`);
  // It was given up with two approvals; what was seen of the former epoch is not compared any more.
  if (other.epoch < own.epoch) return 0;
  if (other.epoch > own.epoch || seen.size > size)
    return new LedgerError(
      "ledger-restored",
      `${what}, and the database holds ${size}: it was restored from an older state. Nothing is written and no key is used until the newest database is back, or its loss is approved`,
    );
  if (!keys.some((one) => isSignedBy(parsed, seen.log, one.keys)))
    return new LedgerError("ledger-checkpoint-invalid", `${what}, under a signature that is not this ledger's`);
  const root = await rootAt(reads, seen.size);
  if (root !== undefined && Buffer.from(root).equals(seen.root)) return seen.size;
  return new LedgerError(
    "ledger-rewritten",
    `${what}, and the database holds other entries there: one of them was changed, left out or put in`,
  );
}
