import type { EntryFault, EntryRange, Finding, LedgerDraft, LedgerReads } from "@meterkeep/ledger";
import { installationEntry } from "./installation-entry.ts";

/** Kind of the entry that names entries that this custodian has not written, and later of the one by which people have seen them. */
export const FOREIGN = "ledger-foreign-entries";
/** Kind of the same about entries that it has written, and that somebody has changed since. */
export const ALTERED = "ledger-altered";

/** The body of an entry of either kind. */
export interface FindingBody extends EntryRange {
  /** What is wrong with them, where it is not that they were appended. */
  readonly fault?: EntryFault;
  /** What they call themselves. */
  readonly kinds?: readonly string[];
  /** They have been put right since people accepted them: what is found there later is found anew. */
  readonly mended?: boolean;
  /** By now people have seen what was named up to the entry `named`. */
  readonly accepted?: boolean;
  readonly named?: number;
}

/** What a ledger says of itself: what was found in it, with the entry that names it; and up to which of those people have seen them. */
export interface NamedFindings {
  readonly found: ReadonlyMap<string, Finding & { readonly sequence: number }>;
  readonly seenUpTo: number;
}

/** Tells findings from each other. */
export function findingKey({ from, to, fault }: Finding): string {
  return `${fault} ${from}-${to}`;
}

const LOST: ReadonlySet<EntryFault> = new Set(["altered", "missing", "replaced", "hidden"]);

/** Whether one of these entries may have said what nobody knows now. */
export function isLost({ fault }: Pick<Finding, "fault">): boolean {
  return LOST.has(fault);
}

/** Whether it is about entries that this custodian wrote. */
export function isOfOwn({ fault }: Pick<Finding, "fault">): boolean {
  return fault !== "appended" && fault !== "beyond";
}

/** Whether both are about some entry, of the same fault. */
export function isAbout(one: Finding, other: Finding): boolean {
  return one.fault === other.fault && one.from <= other.to && other.from <= one.to;
}

/** The code of findings, which is the kind of the entries that name them: one that was changed is worse than one that was added. */
export function codeOf(findings: readonly Pick<Finding, "fault">[]): typeof FOREIGN | typeof ALTERED {
  return findings.some(isOfOwn) ? ALTERED : FOREIGN;
}

/** The entry that names a finding. */
export async function namingEntry(
  ledger: Pick<LedgerReads, "kinds">,
  { from, to, fault }: Finding,
  at: number,
): Promise<LedgerDraft> {
  // What stands behind a gap is read by nobody.
  const kinds = fault === "beyond" ? [] : (await ledger.kinds({ from, to }, MOST_READ)).slice(0, MOST_KINDS);
  const body: FindingBody = { from, to, ...(fault !== "appended" && { fault }), ...(kinds.length > 0 && { kinds }) };
  return installationEntry(at, codeOf([{ fault }]), "custodian", body);
}

/** What the ledger has named and nobody has put right since. */
export async function namedFindings(ledger: Pick<LedgerReads, "ofItself">): Promise<NamedFindings> {
  const found = new Map<string, Finding & { readonly sequence: number }>();
  let seenUpTo = 0;
  for (const { kind, sequence, body } of await ledger.ofItself()) {
    if (kind !== FOREIGN && kind !== ALTERED) continue;
    const { from, to, fault = "appended", accepted, mended, named = 0 } = JSON.parse(body) as FindingBody;
    if (mended === true) found.delete(findingKey({ from, to, fault }));
    else if (accepted === true) seenUpTo = Math.max(seenUpTo, named);
    else found.set(findingKey({ from, to, fault }), { from, to, fault, sequence });
  }
  return { found, seenUpTo };
}

/** Entries that are looked through for their kinds. */
const MOST_READ = 5000;
/** Kinds that are named of a finding. */
const MOST_KINDS = 32;
