import { Turn } from "@meterkeep/dlms";
import { readCanonical, Wrong, writeCanonical } from "@meterkeep/guard";
import type { LedgerDraft } from "@meterkeep/ledger";
import { PUT_BACK } from "../backup/losses.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import { CustodyError } from "../errors.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import { sameMac } from "../records/record-mac.ts";
import type { Committer } from "../store/committer.ts";
import type { Write } from "../store/store.ts";
import { boundData } from "../vault/key-place.ts";
import type { Vault } from "../vault/vault.ts";
import { type AuthorityDocument, authorityDocument, NO_AUTHORITY } from "./document.ts";
import type { KeptDocuments } from "./kept-documents.ts";
import {
  type AuthorityMark,
  type AuthorityRecords,
  DOCUMENT_DOMAIN,
  type MarkedAuthority,
  type StoredAuthority,
} from "./store/records.ts";

/** What keeping the document needs. */
export interface DocumentDependencies {
  readonly records: Pick<AuthorityRecords, "document">;
  readonly committer: Committer;
  readonly vault: Pick<Vault, "authenticate">;
  /** Of the ledger, how many entries it has. */
  readonly ledger: { size(): Promise<number> };
  /** Where the newest one lies besides. */
  readonly kept: Pick<KeptDocuments, "newest" | "keep">;
  readonly now: () => number;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
}

/** A change of the document, with what else belongs into its commit; without `next` the document stays. */
export interface DocumentChange {
  readonly next?: AuthorityDocument | undefined;
  readonly writes?: readonly Write[];
  readonly entries: readonly LedgerDraft[];
}

/**
 * Holds the one document that says who may approve and what is held back. It is read at the start, and judged by its MAC, by the
 * ledger's mark, and by the newest one that is kept outside the database, in which whoever owns the database has no hand. A row that is
 * gone, that was changed, or that is older than what is kept is put right by that, and said to be a loss; what the ledger knows a newer
 * one of leaves an authority in which nobody may anything. A running custodian goes by what it knows, and puts its row right too.
 *
 * States: *sound* (what is here is what was written last), *to be put right* (the row is another; until it has been written and said in the
 * ledger), *spoilt* (critical commands are refused; only a person with the ledger can say why).
 */
export class DocumentKeeper {
  readonly #dependencies: DocumentDependencies;
  #document: AuthorityDocument;
  /** The same as it is to be in the database; undefined while nobody was ever enrolled, or where it is spoilt. */
  #written: StoredAuthority | undefined;
  readonly #spoilt: string | undefined;
  /** What is wrong with the row, where it is to be put right. */
  #wrong: Wrongness | undefined;
  /** What was tried to be written last and nobody has said that it was: it may have been all the same. */
  #tried: Tried | undefined;
  #isOpen = false;
  /** How often it was put right by this process. */
  #putRight = 0;
  /** Changes of the document that the ledger says after this one it does not have. */
  readonly #lacks: (sequence: number) => boolean;
  /** Changes go one after the other. */
  readonly #turn = new Turn();

  private constructor(
    dependencies: DocumentDependencies,
    { document, written, spoilt, wrong }: Read,
    lacks: (sequence: number) => boolean,
  ) {
    this.#dependencies = dependencies;
    this.#document = document;
    this.#written = written;
    this.#spoilt = spoilt;
    this.#wrong = wrong;
    this.#lacks = lacks;
  }

  static async open(dependencies: DocumentDependencies): Promise<DocumentKeeper> {
    const { records, vault, ledger, kept } = dependencies;
    const { stored, mark } = await records.document();
    const found = await read(vault, stored, mark, await kept.newest());
    const size = await ledger.size();
    // By its mark, which is the last entry of the commit that wrote it; this process knows what it writes itself.
    const last = found.isNewest ? Number.POSITIVE_INFINITY : (mark?.sequence ?? 0);
    return new DocumentKeeper(dependencies, found, (sequence) => sequence > last && sequence <= size);
  }

  /**
   * Puts the row right where it was not what was written last, says so in the ledger, and keeps the one that counts: to be called at a
   * start, before losses are looked for, unless the ledger is halted.
   */
  async settle(): Promise<void> {
    await this.#turn.run(async () => {
      if (this.#wrong !== undefined) await this.#writeAgain(this.#wrong);
      this.#isOpen = true;
      await this.#keep();
    });
  }

  /** Looks whether the row is still what was written, and puts it right where it is not; to be called every few seconds. */
  async tend(): Promise<void> {
    await this.#turn.run(async () => {
      await this.#look();
      await this.#keep();
    });
  }

  /** How often this process has found the row to be another and put it right: each time is a loss to be made good. */
  get putRight(): number {
    return this.#putRight;
  }

  /** Whether the document is from before an entry that this ledger had when it was opened. */
  isBefore(sequence: number): boolean {
    return this.#lacks(sequence);
  }

  get document(): AuthorityDocument {
    return this.#document;
  }

  /** Counts the changes: what was derived from an older one is derived again. */
  get revision(): number {
    return this.#written?.revision ?? 0;
  }

  /** Why nobody may anything, where the stored document is not the one that was written last. */
  get spoilt(): string | undefined {
    return this.#spoilt;
  }

  /** @throws CallRefusal `authority-spoilt`. */
  requireSound(): void {
    if (this.#spoilt !== undefined)
      throw new CallRefusal("authority-spoilt", `${this.#spoilt}; nothing critical is approved or sealed`);
  }

  /** Decides over the document as it is and makes what was decided durable, one after the other. */
  change(of: (document: AuthorityDocument) => DocumentChange | Promise<DocumentChange>): Promise<void> {
    return this.#turn.run(() => this.#change(of));
  }

  /** Writes entries beside any change. */
  async note(entries: readonly LedgerDraft[]): Promise<void> {
    await this.#dependencies.committer.submit({ entries });
  }

  async #change(of: (document: AuthorityDocument) => DocumentChange | Promise<DocumentChange>): Promise<void> {
    this.requireSound();
    // First: a change before that failed may be in the row, and this one goes on from it.
    await this.#look();
    const change = await of(this.#document);
    const { committer, vault, now } = this.#dependencies;
    if (change.next === undefined) {
      await committer.submit({ writes: change.writes ?? [], entries: change.entries });
      return;
    }
    const document = writeCanonical(authorityDocument, change.next);
    const revision = this.revision + 1;
    const written = { revision, document, mac: await macOf(vault, revision, document) };
    const tried = { document: change.next, written };
    this.#tried = tried;
    await committer.submit({
      writes: [...(change.writes ?? []), { kind: "put-authority", authority: written }],
      entries: [...change.entries, installationEntry(now(), "authority-recorded", "custodian", markOf(written))],
    });
    this.#wrote(tried);
    // A crash before that leaves one from before this one, which the row and the ledger's mark are newer than.
    await this.#keep();
  }

  #wrote({ document, written }: Tried): void {
    this.#document = document;
    this.#written = written;
    this.#tried = undefined;
  }

  /** Whoever owns the database may have taken the row away since, or changed it. */
  async #look(): Promise<void> {
    const tried = this.#tried;
    if (!this.#isOpen || (this.#written === undefined && tried === undefined)) return;
    const { stored, mark } = await this.#dependencies.records.document();
    // Its commit was written, and the answer was lost: what it withdrew must not come back by being put right.
    if (tried !== undefined && isOf(tried.written, mark)) this.#wrote(tried);
    const written = this.#written;
    if (written === undefined) return;
    if (stored === undefined || !isSame(stored, written)) return this.#writeAgain({ why: whyNot(stored), mark });
    // The same of what put it right.
    if (this.#wrong !== undefined) this.#putRight += 1;
    this.#wrong = undefined;
  }

  async #writeAgain(wrong: Wrongness): Promise<void> {
    const written = this.#written;
    if (written === undefined) return;
    this.#wrong = wrong;
    const { committer, ledger, onFailure, now } = this.#dependencies;
    const { why, mark } = wrong;
    const words = `${why} in the database; revision ${written.revision} was put in its place, as it was kept outside`;
    const name = `authority put right after entry ${await ledger.size()}`;
    const said = { name, words, since: mark?.at ?? 0 };
    // Whoever does it every few seconds while everything is frozen for it makes no ledger grow.
    const isTold = this.#putRight > 0 && this.#document.frozen !== undefined;
    await committer.submit({
      writes: [{ kind: "put-authority-right", authority: written }],
      entries: [
        ...(isTold ? [] : [installationEntry(now(), PUT_BACK, "custodian", said)]),
        ...(isOf(written, mark) ? [] : [installationEntry(now(), "authority-recorded", "custodian", markOf(written))]),
      ],
    });
    this.#wrong = undefined;
    if (!isTold) this.#putRight += 1;
    // At a start it may be a restore: the entry and the freeze say it.
    if (this.#isOpen) onFailure(new CustodyError("record-not-authentic", words));
  }

  /** What cannot be kept now is kept with the next change, or the next look. */
  async #keep(): Promise<void> {
    if (this.#written !== undefined) await this.#dependencies.kept.keep(this.#written);
  }
}

/** A document, and what it is in the database. */
interface Tried {
  readonly document: AuthorityDocument;
  readonly written: StoredAuthority;
}

/** Why the row is not what was written last, and the newest mark of the ledger. */
interface Wrongness {
  readonly why: string;
  readonly mark: MarkedAuthority | undefined;
}

interface Read {
  readonly document: AuthorityDocument;
  readonly written?: StoredAuthority;
  readonly spoilt?: string;
  /** The state folder says that it is the one that was written last. */
  readonly isNewest?: boolean;
  readonly wrong?: Wrongness | undefined;
}

/** Which document counts: the newest one of this custodian that the ledger, or what is kept, says to be the newest. */
async function read(
  vault: Pick<Vault, "authenticate">,
  stored: StoredAuthority | undefined,
  mark: MarkedAuthority | undefined,
  found: Awaited<ReturnType<KeptDocuments["newest"]>>,
): Promise<Read> {
  const kept = found && { ...found.kept, mac: await macOf(vault, found.kept.revision, found.kept.document) };
  const row = stored && sameMac(await macOf(vault, stored.revision, stored.document), stored.mac) ? stored : undefined;
  if (row !== undefined && isOf(row, mark) && (kept === undefined || kept.revision <= row.revision))
    return readable(row, { isNewest: kept !== undefined && found?.isInState === true && isSame(kept, row) });
  if (kept !== undefined && (mark === undefined || mark.revision < kept.revision || isOf(kept, mark))) {
    const isRight = row !== undefined && isSame(row, kept);
    const wrong = isRight ? undefined : { why: whyNot(stored, row), mark };
    return readable(kept, { isNewest: found?.isInState === true, wrong });
  }
  if (stored === undefined && mark === undefined) return { document: NO_AUTHORITY };
  const is = row === undefined ? whyNot(stored, row) : `the authority stands at revision ${row.revision}`;
  const knew =
    kept === undefined ? "none is kept outside the database" : `revision ${kept.revision} is kept outside it`;
  return { document: NO_AUTHORITY, spoilt: `${is}, the ledger at ${mark?.revision ?? "none"}, and ${knew}` };
}

function readable(written: StoredAuthority, more: Pick<Read, "isNewest" | "wrong">): Read {
  const document = readCanonical(written.document, authorityDocument);
  return document instanceof Wrong
    ? { document: NO_AUTHORITY, spoilt: `the authority's document: ${document.why}` }
    : { document, written, ...more };
}

function whyNot(stored: StoredAuthority | undefined, row: StoredAuthority | undefined = undefined): string {
  if (stored === undefined) return "the authority's document is gone";
  return row === undefined
    ? "the authority's document was changed"
    : `the authority stands at revision ${row.revision}`;
}

function isSame(one: StoredAuthority, other: StoredAuthority): boolean {
  return one.revision === other.revision && one.document === other.document && sameMac(other.mac, one.mac);
}

function isOf({ revision, mac }: StoredAuthority, mark: AuthorityMark | undefined): boolean {
  return mark?.revision === revision && sameMac(mac, Buffer.from(mark.mac, "hex"));
}

function markOf({ revision, mac }: StoredAuthority): AuthorityMark {
  return { revision, mac: Buffer.from(mac).toString("hex") };
}

async function macOf(vault: Pick<Vault, "authenticate">, revision: number, document: string): Promise<Uint8Array> {
  const [mac] = await vault.authenticate([boundData(DOCUMENT_DOMAIN, String(revision), document)]);
  return mac as Uint8Array;
}
