import { type LeaseSignatures, requireSignedBy } from "./custodian.ts";
import { FieldError } from "./field-error.ts";
import {
  journalText,
  type OpenHandheld,
  openSealed,
  type StoredHandheld,
  signedJournal,
  strangeJournal,
  type WrappedContentKey,
} from "./handheld.ts";
import type { FieldMemory, StoredLease } from "./memory.ts";
import { fromHexText, type Octets } from "./octets.ts";

/** What may be done under a lease. */
export type FieldOperation = "read" | "set-clock";

/** A meter as the terms of a lease name it, which are no secret. */
export interface LeasedMeter {
  readonly meter: string;
  readonly label: string;
  readonly profile: string;
  readonly securitySuite: number;
  /** The client that each operation is done as: the one with the least rights that can. */
  readonly clients: Readonly<Partial<Record<FieldOperation, number>>>;
  readonly first: number;
  readonly count: number;
}

/** The terms of a lease (docs/formats/lease.md). */
export interface LeaseTerms {
  readonly lease: string;
  readonly handheld: string;
  readonly technician: string;
  readonly from: number;
  readonly until: number;
  readonly operations: readonly FieldOperation[];
  readonly client: string;
  readonly meters: readonly LeasedMeter[];
}

/** The two keys of a meter, for a visit. */
export interface LentKeys {
  readonly encryptionKey: Octets;
  readonly authenticationKey: Octets;
}

/** What was done with a meter. */
export interface FieldAct {
  readonly meter: string;
  readonly at: number;
  readonly operation: FieldOperation;
  readonly address: string;
  readonly outcome: string;
}

interface LeaseFile {
  readonly terms: string;
  readonly key: WrappedContentKey;
  readonly sealed: string;
  readonly signed?: LeaseSignatures;
}

interface Journal {
  readonly lease: string;
  readonly used: readonly { readonly meter: string; readonly next: number }[];
  /** Counters that meters had taken and this journal knew nothing of. */
  readonly passed: readonly { readonly meter: string; readonly first: number; readonly next: number }[];
  readonly acts: readonly FieldAct[];
}

/** Counters that are written down at once, for one visit. What it does not use is the next one's. */
export const COUNTERS_A_VISIT = 96;

/** The terms in a lease file, to be shown. What is done follows {@link verifiedTerms}. @throws FieldError */
export function termsOf(file: string): LeaseTerms {
  try {
    const terms = JSON.parse(fileOf(file).terms) as LeaseTerms & { readonly format: string };
    if (terms.format === "meterkeep-lease-1" && Array.isArray(terms.meters)) return terms;
  } catch (cause) {
    throw new FieldError("This is no lease.", { cause });
  }
  throw new FieldError("This is no lease.");
}

/**
 * The terms of a lease that this handheld's custodian has signed, whole, for this handheld.
 *
 * Asked at every visit too, since what lies in a browser's storage may be written by others.
 * @throws FieldError
 */
export async function verifiedTerms({ custodian, name }: StoredHandheld, file: string): Promise<LeaseTerms> {
  const terms = termsOf(file);
  const { terms: text, key, sealed, signed } = fileOf(file);
  await requireSignedBy(custodian, JSON.stringify({ terms: text, key, sealed }), signed);
  if (terms.handheld !== name) throw new FieldError(`This lease is for the handheld ${terms.handheld}.`);
  const { from, until, operations, client, meters } = terms;
  const isWhole =
    from < until &&
    /^[0-9A-F]{16}$/.test(client) &&
    operations.length > 0 &&
    meters.length > 0 &&
    meters.every(({ meter, first, count, clients }) => {
      const numbers = [first, count, ...operations.map((operation) => clients?.[operation])];
      return /^[0-9A-F]{16}$/.test(meter) && numbers.every((one) => Number.isSafeInteger(one) && Number(one) > 0);
    });
  if (!isWhole)
    throw new FieldError("The lease does not say all that this page needs: update the page, then have it lent anew.");
  return terms;
}

/**
 * What the journal has of a lease so far, to be shown. What is done follows {@link FieldJournal}, which verifies it.
 *
 * @throws FieldError where it cannot be read
 */
export function journalOf({ file, journal }: StoredLease): Journal {
  if (journal === undefined) return { lease: termsOf(file).lease, used: [], passed: [], acts: [] };
  try {
    const shown = JSON.parse((JSON.parse(journal) as { readonly text: string }).text) as Journal;
    if (Array.isArray(shown.acts)) return shown;
  } catch (cause) {
    throw strangeJournal(cause);
  }
  throw strangeJournal();
}

/** Why an operation is not allowed now; undefined where it is. */
export function refusalOf({ from, until, operations }: LeaseTerms, operation: FieldOperation, now: number) {
  if (!operations.includes(operation)) return `The lease does not allow to ${operation}.`;
  if (now < from || now >= until)
    return `The lease is from ${new Date(from).toLocaleString()} to ${new Date(until).toLocaleString()}.`;
  return undefined;
}

/** The keys of one meter; those of the others are wiped. @throws FieldError */
export async function keysFor(handheld: OpenHandheld, file: string, title: string): Promise<LentKeys> {
  const { terms, key, sealed } = fileOf(file);
  const plain = await openSealed(handheld, key, terms, sealed);
  try {
    const all = JSON.parse(new TextDecoder().decode(plain)) as readonly Readonly<Record<string, string>>[];
    const own = all.find(({ meter }) => meter === title);
    if (own === undefined) throw new FieldError(`Meter ${title} is not in the lease.`);
    return {
      encryptionKey: fromHexText(own["encryptionKey"] ?? ""),
      authenticationKey: fromHexText(own["authenticationKey"] ?? ""),
    };
  } finally {
    plain.fill(0);
  }
}

/**
 * The journal of a lease while its handheld is open: counters are in it, signed and on the disk, before they are used. What lies in
 * the browser's storage is believed as this handheld has signed it, for this lease; that it is the newest nothing here can tell, so
 * that the meter is asked before each visit.
 *
 * States of the counters of a visit: *taken* (written down, up to `end`), then *settled* (what was not used is given back).
 */
export class FieldJournal {
  readonly #memory: Pick<FieldMemory, "get" | "keep">;
  readonly #handheld: Pick<OpenHandheld, "keys" | "verifying">;

  constructor(memory: Pick<FieldMemory, "get" | "keep">, handheld: Pick<OpenHandheld, "keys" | "verifying">) {
    this.#memory = memory;
    this.#handheld = handheld;
  }

  /**
   * Counters for one visit to a meter, above the last that it shows. What it has taken that the journal does not know is told in it:
   * the device was put back to an older state, or somebody else has the keys.
   *
   * @param shown the last counter that the meter has taken; undefined where it shows none
   * @throws FieldError where none are left
   */
  async take(
    { meter, first, count }: LeasedMeter,
    shown: number | undefined,
  ): Promise<{ readonly first: number; readonly end: number }> {
    const { used } = await this.#journalOf(await this.#lease());
    const known = used.find((one) => one.meter === meter)?.next ?? first;
    const from = Math.max(known, shown === undefined ? 0 : shown + 1);
    const end = Math.min(from + COUNTERS_A_VISIT, first + count);
    if (from >= end) throw new FieldError("The lease has no counters left for this meter: a new lease is needed.");
    await this.#write((journal) => ({
      ...withNext(journal, meter, end),
      ...(from > known && { passed: [...journal.passed, { meter, first: known, next: from }] }),
    }));
    return { first: from, end };
  }

  /** Writes down which counter of a meter comes next. */
  async settle(meter: string, next: number): Promise<void> {
    await this.#write((journal) => withNext(journal, meter, next));
  }

  /** Writes the journal as it is: nobody was visited. */
  async close(): Promise<void> {
    await this.#write((journal) => journal);
  }

  async note(act: FieldAct): Promise<void> {
    await this.#write((journal) => ({ ...journal, acts: [...journal.acts, act] }));
  }

  async #write(change: (journal: Journal) => Journal): Promise<void> {
    const lease = await this.#lease();
    const journal = await signedJournal(this.#handheld, JSON.stringify(change(await this.#journalOf(lease))));
    await this.#memory.keep("lease", { ...lease, journal });
  }

  async #journalOf(stored: StoredLease): Promise<Journal> {
    if (stored.journal === undefined) return journalOf(stored);
    const journal = JSON.parse(await journalText(this.#handheld, stored.journal)) as Journal;
    if (journal.lease !== termsOf(stored.file).lease)
      throw new FieldError("The journal on this device is another lease's: hand this one back, and have it lent anew.");
    return journal;
  }

  async #lease(): Promise<StoredLease> {
    const lease = await this.#memory.get("lease");
    if (lease === undefined) throw new FieldError("No lease is on this device.");
    return lease;
  }
}

function withNext(journal: Journal, meter: string, next: number): Journal {
  return { ...journal, used: [...journal.used.filter((one) => one.meter !== meter), { meter, next }] };
}

function fileOf(text: string): LeaseFile {
  return JSON.parse(text) as LeaseFile;
}
