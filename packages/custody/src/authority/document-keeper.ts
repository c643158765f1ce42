import { Turn } from "@meterkeep/dlms";
import { readCanonical, Wrong, writeCanonical } from "@meterkeep/guard";
import type { LedgerDraft } from "@meterkeep/ledger";
import { CallRefusal } from "../calls/call-refusal.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import { sameMac } from "../records/record-mac.ts";
import type { Committer } from "../store/committer.ts";
import type { Write } from "../store/store.ts";
import { boundData } from "../vault/key-place.ts";
import type { Vault } from "../vault/vault.ts";
import { type AuthorityDocument, authorityDocument, NO_AUTHORITY } from "./document.ts";
import type { AuthorityMark, AuthorityRecords, StoredAuthority } from "./store/records.ts";

/** What keeping the document needs. */
export interface DocumentDependencies {
  readonly records: Pick<AuthorityRecords, "document">;
  readonly committer: Committer;
  readonly vault: Pick<Vault, "authenticate">;
  readonly now: () => number;
}

/** A change of the document, with what else belongs into its commit; without `next` the document stays. */
export interface DocumentChange {
  readonly next?: AuthorityDocument | undefined;
  readonly writes?: readonly Write[];
  readonly entries: readonly LedgerDraft[];
}

/**
 * Holds the one document that says who may approve and what is held back. It is read once, at the start, and judged by its
 * MAC and by the ledger's mark: one that was changed, put back or taken away leaves an authority in which nobody may anything.
 *
 * States: *sound* (what is here is what was written last), *spoilt* (critical commands are refused; only a person with the
 * ledger can say why).
 */
export class DocumentKeeper {
  readonly #dependencies: DocumentDependencies;
  #document: AuthorityDocument;
  #revision: number;
  #spoilt: string | undefined;
  /** Changes go one after the other. */
  readonly #turn = new Turn();

  private constructor(dependencies: DocumentDependencies, stored: StoredAuthority | undefined, read: Read) {
    this.#dependencies = dependencies;
    this.#document = read.document;
    this.#revision = stored?.revision ?? 0;
    this.#spoilt = read.spoilt;
  }

  static async open(dependencies: DocumentDependencies): Promise<DocumentKeeper> {
    const { stored, mark } = await dependencies.records.document();
    return new DocumentKeeper(dependencies, stored, await read(dependencies.vault, stored, mark));
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
  }
}

interface Read {
  readonly document: AuthorityDocument;
  readonly spoilt?: string;
}

async function read(
  vault: Pick<Vault, "authenticate">,
  stored: StoredAuthority | undefined,
  mark: AuthorityMark | undefined,
): Promise<Read> {
  const spoilt = (why: string): Read => ({ document: NO_AUTHORITY, spoilt: why });
  if (stored === undefined)
    return mark === undefined ? { document: NO_AUTHORITY } : spoilt("the authority's document is gone");
  const mac = await macOf(vault, stored.revision, stored.document);
  if (!sameMac(mac, stored.mac)) return spoilt("the authority's document was changed");
  if (mark?.revision !== stored.revision || !sameMac(mac, Buffer.from(mark.mac, "hex")))
    return spoilt(`the authority stands at revision ${stored.revision}, the ledger at ${mark?.revision ?? "none"}`);
  const document = readCanonical(stored.document, authorityDocument);
  return document instanceof Wrong ? spoilt(`the authority's document: ${document.why}`) : { document };
}

async function macOf(vault: Pick<Vault, "authenticate">, revision: number, document: string): Promise<Uint8Array> {
  const [mac] = await vault.authenticate([boundData("meterkeep-record-1/authority", String(revision), document)]);
  return mac as Uint8Array;
}
