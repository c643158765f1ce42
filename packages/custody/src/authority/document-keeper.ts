import { join } from "node:path";
import { Turn } from "@meterkeep/dlms";
import { readCanonical, Wrong, writeCanonical } from "@meterkeep/guard";
import type { LedgerDraft } from "@meterkeep/ledger";
import { type Loss, PUT_BACK } from "../backup/losses.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import { CustodyError } from "../errors.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import { sameMac } from "../records/record-mac.ts";
import type { Committer } from "../store/committer.ts";
import type { Write } from "../store/store.ts";
import { boundData } from "../vault/key-place.ts";
import { type StateNote, stateNote } from "../vault/state-note.ts";
import type { Vault } from "../vault/vault.ts";
import { type AuthorityDocument, authorityDocument, NO_AUTHORITY } from "./document.ts";
import type { AuthorityMark, AuthorityRecords, MarkedAuthority, StoredAuthority } from "./store/records.ts";

/** The file of the state folder that has the mark of the document as this custodian wrote it last. */
const MARK_FILE = "authority-mark.json";

interface MarkNote {
  readonly revision: number;
  /** Hex. */
  readonly documentMac: string;
}

/** What keeping the document needs. */
export interface DocumentDependencies {
  readonly records: Pick<AuthorityRecords, "document">;
  readonly committer: Committer;
  readonly vault: Pick<Vault, "authenticate">;
  /** Of the ledger, how many entries it has. */
  readonly ledger: { size(): Promise<number> };
  readonly stateFolder: string;
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
 * Holds the one document that says who may approve and what is held back. It is read once, at the start, and judged by its
 * MAC, by the ledger's mark, and by the mark in the state folder, in which whoever owns the database has no hand: one that was changed,
 * or taken away, or of which neither knows, leaves an authority in which nobody may anything. One that the ledger takes for the last and
 * the state folder does not was put back, by a restore or by somebody who hid the ledger's marks: a loss that is made good.
 *
 * States: *sound* (what is here is what was written last), *put back* (until `settle` has said so in the ledger; what was withdrawn since
 * is withdrawn again before anybody is served), *spoilt* (critical commands are refused; only a person with the ledger can say why).
 */
export class DocumentKeeper {
  readonly #dependencies: DocumentDependencies;
  #document: AuthorityDocument;
  #revision: number;
  #spoilt: string | undefined;
  readonly #note: StateNote<MarkNote>;
  /** What the state folder is to know, where it does not. */
  #unnoted: AuthorityMark | undefined;
  #putBack: Read["putBack"];
  /** Changes of the document that the ledger says after this one it does not have. */
  readonly #lacks: (sequence: number) => boolean;
  /** Changes go one after the other. */
  readonly #turn = new Turn();

  private constructor(
    dependencies: DocumentDependencies,
    stored: StoredAuthority | undefined,
    read: Read,
    note: StateNote<MarkNote>,
    lacks: (sequence: number) => boolean,
  ) {
    this.#dependencies = dependencies;
    this.#document = read.document;
    this.#revision = stored?.revision ?? 0;
    this.#spoilt = read.spoilt;
    this.#putBack = read.putBack;
    this.#unnoted = read.unnoted;
    this.#note = note;
    this.#lacks = lacks;
  }

  static async open(dependencies: DocumentDependencies): Promise<DocumentKeeper> {
    const { records, vault, ledger, stateFolder, onFailure } = dependencies;
    const { stored, mark } = await records.document();
    const note = stateNote<MarkNote>({
      path: join(stateFolder, MARK_FILE),
      domain: "meterkeep-authority-mark-1",
      fields: ["revision", "documentMac"],
      vault,
    });
    const noted = await note.read();
    const isOurs = noted !== undefined && noted !== "not ours";
    const found = await read(vault, stored, mark, isOurs ? { ...noted, mac: noted.documentMac } : undefined);
    if (noted === "not ours")
      onFailure(
        new CustodyError("record-not-authentic", `${MARK_FILE} in the state folder was not written by this custodian`),
      );
    const size = await ledger.size();
    // By its mark, which is the last entry of the commit that wrote it; this process knows what it writes itself.
    const last = found.isNoted ? Number.POSITIVE_INFINITY : (mark?.sequence ?? 0);
    return new DocumentKeeper(dependencies, stored, found, note, (sequence) => sequence > last && sequence <= size);
  }

  /**
   * Says in the ledger that the document was put back, where it was, and in the state folder which one counts from now on: to be called
   * at a start, before losses are looked for, unless the ledger is halted.
   */
  async settle(): Promise<void> {
    const { committer, now } = this.#dependencies;
    if (this.#putBack !== undefined)
      await committer.submit({ entries: [installationEntry(now(), PUT_BACK, "custodian", this.#putBack)] });
    this.#putBack = undefined;
    await this.#keepMark();
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
    return this.#revision;
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
    const change = await of(this.#document);
    const { committer, vault, now } = this.#dependencies;
    if (change.next === undefined) {
      await committer.submit({ writes: change.writes ?? [], entries: change.entries });
      return;
    }
    const document = writeCanonical(authorityDocument, change.next);
    const revision = this.#revision + 1;
    const mac = await macOf(vault, revision, document);
    const mark: AuthorityMark = { revision, mac: Buffer.from(mac).toString("hex") };
    await committer.submit({
      writes: [...(change.writes ?? []), { kind: "put-authority", authority: { revision, document, mac } }],
      entries: [...change.entries, installationEntry(now(), "authority-recorded", "custodian", mark)],
    });
    this.#document = change.next;
    this.#revision = revision;
    this.#unnoted = mark;
    // A crash before that leaves a mark from before this one, which the ledger's is newer than.
    await this.#keepMark();
  }

  /** What cannot be noted now is noted with the next change, or the next start. */
  async #keepMark(): Promise<void> {
    const mark = this.#unnoted;
    if (mark === undefined) return;
    try {
      await this.#note.keep({ revision: mark.revision, documentMac: mark.mac });
      if (this.#unnoted === mark) this.#unnoted = undefined;
    } catch (error) {
      this.#dependencies.onFailure(error);
    }
  }
}

interface Read {
  readonly document: AuthorityDocument;
  readonly spoilt?: string;
  /** The state folder says that it is the one that was written last. */
  readonly isNoted?: boolean;
  /** What the state folder is to know. */
  readonly unnoted?: AuthorityMark;
  /** What is lost, where the state folder knew of another one. */
  readonly putBack?: Pick<Loss, "name" | "words" | "since">;
}

async function read(
  vault: Pick<Vault, "authenticate">,
  stored: StoredAuthority | undefined,
  mark: MarkedAuthority | undefined,
  noted: AuthorityMark | undefined,
): Promise<Read> {
  const spoilt = (why: string): Read => ({ document: NO_AUTHORITY, spoilt: why });
  if (stored === undefined && mark === undefined && noted !== undefined)
    return spoilt(
      `the authority's document is gone, and the state folder knew of revision ${noted.revision}: where the database was put back to before anybody was enrolled, remove ${MARK_FILE} from it`,
    );
  if (stored === undefined)
    return mark === undefined ? { document: NO_AUTHORITY } : spoilt("the authority's document is gone");
  const mac = await macOf(vault, stored.revision, stored.document);
  if (!sameMac(mac, stored.mac)) return spoilt("the authority's document was changed");
  const { revision } = stored;
  const isOf = (one: AuthorityMark | undefined): boolean =>
    one?.revision === revision && sameMac(mac, Buffer.from(one.mac, "hex"));
  // The ledger's own mark may be hidden, or changed: what it has then is older.
  const isNoted = isOf(noted) && (mark === undefined || mark.revision < revision || isOf(mark));
  if (!isNoted && !isOf(mark))
    return spoilt(`the authority stands at revision ${revision}, the ledger at ${mark?.revision ?? "none"}`);
  const document = readCanonical(stored.document, authorityDocument);
  if (document instanceof Wrong) return spoilt(`the authority's document: ${document.why}`);
  if (isNoted) return { document, isNoted };
  const unnoted = { revision, mac: Buffer.from(mac).toString("hex") };
  if (noted === undefined || noted.revision < revision) return { document, unnoted };
  const name = `authority at revision ${revision}, not ${noted.revision} ${noted.mac}`;
  const words = `the authority stands at revision ${revision}, and the state folder knew of ${noted.revision}`;
  return { document, unnoted, putBack: { name, words, since: mark?.at ?? 0 } };
}

async function macOf(vault: Pick<Vault, "authenticate">, revision: number, document: string): Promise<Uint8Array> {
  const [mac] = await vault.authenticate([
    boundData("meterkeep-record-1/authority-document", String(revision), document),
  ]);
  return mac as Uint8Array;
}
