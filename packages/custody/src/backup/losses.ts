import { type LedgerEntry, RESUMED } from "@meterkeep/ledger";
import { RESTORED } from "../ledger/skipped-counters.ts";
import type { CustodyStore } from "../store/store.ts";

/** Kind of the entry that ends it: what was lost is made good, and everything critical frozen. */
export const MADE_GOOD = "ledger-made-good";
/** Kind of the entry that says that it goes on beside the service: it is frozen already. */
export const MAKING_GOOD = "ledger-making-good";
/** Kind of the entry that says that the journal of withdrawals knows of a longer ledger: soon nothing else tells of it. */
export const BEHIND = "ledger-behind-journal";

/** Something of this database's past that it does not know any more. */
export interface Loss {
  /** As the entry that makes it good has it. */
  readonly name: string;
  /** As people read it. */
  readonly words: string;
  /** From when on it may lack something. */
  readonly since: number;
  /** The sequence of the entry that says so; undefined while none does. */
  readonly sequence: number | undefined;
  /** Everything critical was frozen for it before. */
  readonly isTold: boolean;
}

/**
 * The losses that nothing has made good yet, however long ago: restores from a backup, ledgers that people let go on behind a
 * witness, and ledgers that were found behind the journal of withdrawals.
 */
export async function lossesOf({
  restorations,
  ledger,
}: {
  readonly restorations: CustodyStore["restorations"];
  readonly ledger: Pick<CustodyStore["ledger"], "ofItself">;
}): Promise<readonly Loss[]> {
  const own = await ledger.ofItself();
  const made = namedIn(own, MADE_GOOD);
  const told = namedIn(own, MAKING_GOOD);
  const said = own.filter(({ kind }) => kind === RESTORED);
  const restored = (await restorations.list()).map(({ backup, restoredAt, knownUntil }) => ({
    name: `backup ${backup} at ${restoredAt}`,
    words: `backup ${backup}, put back at ${timeOf(restoredAt)}`,
    since: knownUntil,
    sequence: said.find(({ body }) => {
      const one = JSON.parse(body) as { readonly backup: string; readonly restoredAt: number };
      return one.backup === backup && one.restoredAt === restoredAt;
    })?.sequence,
  }));
  const resumed = own
    .filter(({ kind }) => kind === RESUMED)
    .map(({ sequence, body }) => {
      const { since } = JSON.parse(body) as { readonly since?: number | null };
      const name = `resumption ${sequence}`;
      return { name, words: name, since: since ?? 0, sequence };
    });
  const behind = own
    .filter(({ kind }) => kind === BEHIND)
    .map(({ sequence, body }) => ({ ...(JSON.parse(body) as Pick<Loss, "name" | "words" | "since">), sequence }));
  return [...restored, ...resumed, ...behind]
    .filter(({ name }) => !made.has(name))
    .map((loss) => ({ ...loss, isTold: told.has(loss.name) }));
}

/** The row that says so carries no MAC, and may say anything. */
function timeOf(milliseconds: number): string {
  const time = new Date(milliseconds);
  return Number.isNaN(time.getTime()) ? `${milliseconds}, which is no time` : time.toISOString();
}

/** What the entries of a kind name as lost. */
export function namedIn(entries: readonly LedgerEntry[], wanted: string): ReadonlySet<string> {
  return new Set(
    entries
      .filter(({ kind }) => kind === wanted)
      .flatMap(({ body }) => (JSON.parse(body) as { readonly losses: readonly string[] }).losses),
  );
}
