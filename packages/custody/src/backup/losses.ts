import { type LedgerEntry, RESUMED } from "@meterkeep/ledger";
import { isLost } from "../ledger/named-findings.ts";
import { RESTORED } from "../ledger/skipped-counters.ts";
import type { CustodyStore } from "../store/store.ts";

/** Kind of the entry that ends it: what was lost is made good, and everything critical frozen. */
export const MADE_GOOD = "ledger-made-good";
/** Kind of the entry that says that it goes on beside the service: it is frozen already. */
export const MAKING_GOOD = "ledger-making-good";
/** Kind of the entry that says that the journal of withdrawals knows of a longer ledger: soon nothing else tells of it. */
export const BEHIND = "ledger-behind-journal";

/** Kind of the entry that says that the authority's document is an older one than the state folder knew of. */
export const PUT_BACK = "ledger-authority-put-back";

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
 * witness, ledgers that were found behind the journal of withdrawals, and documents of the authority that were put back.
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
    .filter(({ kind }) => kind === BEHIND || kind === PUT_BACK)
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

/**
 * The losses that nothing has made good yet of what this custodian has written, and what does not say that any more, or is gone: each
 * such entry may have withdrawn something.
 *
 * @param ledger as of `countingReads`
 */
export async function lossesByFindings(
  ledger: Pick<CustodyStore["ledger"], "foreign" | "ofItself" | "read">,
): Promise<readonly Loss[]> {
  const found = ledger.foreign.findings.filter(isLost);
  if (found.length === 0) return [];
  const [from, to] = [Math.min(...found.map((one) => one.from)), Math.max(...found.map((one) => one.to))];
  const ranges = found.length > MOST_FINDINGS ? [{ fault: `${found.length} faults`, from, to }] : found;
  const made = namedIn(await ledger.ofItself(), MADE_GOOD);
  const wanted = ranges
    .map((range) => ({ range, name: `entries ${range.from} to ${range.to} ${range.fault}` }))
    .filter(({ name }) => !made.has(name));
  return Promise.all(
    wanted.map(async ({ range, name }) => ({
      name,
      words: `entries ${range.from} to ${range.to} of the ledger are not what was written`,
      since: await timeBefore(ledger, range.from),
      sequence: undefined,
      isTold: false,
    })),
  );
}

/** When the newest entry before one was written, among those right before it; 0 where nobody knows. */
async function timeBefore(ledger: Pick<CustodyStore["ledger"], "read">, sequence: number): Promise<number> {
  const page = await ledger.read(Math.max(0, sequence - 1 - LOOKED_AT_BEFORE), LOOKED_AT_BEFORE);
  return page.findLast((entry) => entry.sequence < sequence)?.at ?? 0;
}

/** Of more findings the first and the last number are named. */
const MOST_FINDINGS = 32;
const LOOKED_AT_BEFORE = 100;

/** What the entries of a kind name as lost. */
export function namedIn(entries: readonly LedgerEntry[], wanted: string): ReadonlySet<string> {
  return new Set(
    entries
      .filter(({ kind }) => kind === wanted)
      .flatMap(({ body }) => (JSON.parse(body) as { readonly losses: readonly string[] }).losses),
  );
}
