import { join } from "node:path";
import { CustodyError } from "../errors.ts";
import { type StateNote, stateNote } from "../vault/state-note.ts";
import type { Vault } from "../vault/vault.ts";
import { DOCUMENT_DOMAIN, type StoredAuthority } from "./store/records.ts";

/** The file of the state folder, and of second storage, that has the document of the authority as this custodian wrote it last. */
export const KEPT_FILE = "authority.json";

type Kept = Pick<StoredAuthority, "revision" | "document">;

/** Where documents are kept, and by whom. */
export interface KeptDocumentsPlace {
  /** The custodian's own. */
  readonly stateFolder: string;
  /** What a standby, and a custodian on a new machine, find. */
  readonly secondStorage: string;
  readonly vault: Pick<Vault, "authenticate">;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * The newest document of the authority outside the database, whose owner has no hand in it: in the state folder, and on second
 * storage for whoever has another state folder. Either is whole or not there, under the MAC that the document has in the database; an
 * older one than the other is not read.
 *
 * States: *kept* (both places have the newest), *behind* (a place does not take it: each `keep` tries again). What a place had that could
 * not be read is never overwritten: it may be the newest there is, and gets another name before the next one is written.
 */
export class KeptDocuments {
  readonly #places: readonly { readonly folder: string; readonly note: StateNote<Kept> }[];
  readonly #onFailure: KeptDocumentsPlace["onFailure"];
  /** What each place has, as far as this process knows. */
  readonly #has = new Map<StateNote<Kept>, string>();
  /** Places that have something which could not be read. */
  readonly #unread = new Set<StateNote<Kept>>();
  /** Said once of each document. */
  #complainedOf: string | undefined;

  constructor({ stateFolder, secondStorage, vault, onFailure }: KeptDocumentsPlace) {
    this.#onFailure = onFailure;
    this.#places = [stateFolder, secondStorage].map((folder) => ({
      folder,
      note: stateNote<Kept>({
        path: join(folder, KEPT_FILE),
        domain: DOCUMENT_DOMAIN,
        fields: { revision: "integer", document: "string" },
        vault,
      }),
    }));
  }

  /** The newest that is kept, and whether the state folder has it. What is none of this custodian's is told, and is none. */
  async newest(): Promise<{ readonly kept: Kept; readonly isInState: boolean } | undefined> {
    const [state, second] = await Promise.all(this.#places.map((place) => this.#read(place)));
    if (state !== undefined && (second === undefined || second.revision <= state.revision))
      return { kept: state, isInState: true };
    return second && { kept: second, isInState: false };
  }

  /** Keeps this one from now on, wherever it is not yet. What cannot be kept is told, and tried again by the next call. */
  async keep({ revision, document }: Kept): Promise<void> {
    const name = nameOf({ revision, document });
    for (const { note } of this.#places) {
      if (this.#has.get(note) === name) continue;
      try {
        if (this.#unread.has(note)) await this.#setAside(note);
        await note.keep({ revision, document });
        this.#has.set(note, name);
      } catch (error) {
        if (this.#complainedOf !== name) this.#onFailure(error);
        this.#complainedOf = name;
        this.#has.delete(note);
      }
    }
  }

  async #setAside(note: StateNote<Kept>): Promise<void> {
    const aside = await note.setAside().catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    this.#unread.delete(note);
    if (aside === undefined) return;
    const words = `what could not be read of the authority's document at the start is kept as ${aside}: look at it, and who put it there`;
    this.#onFailure(new CustodyError("record-not-authentic", words));
  }

  async #read({
    folder,
    note,
  }: {
    readonly folder: string;
    readonly note: StateNote<Kept>;
  }): Promise<Kept | undefined> {
    try {
      const found = await note.read();
      if (found === "not ours")
        throw new CustodyError("record-not-authentic", `${join(folder, KEPT_FILE)} was not written by this custodian`);
      if (found !== undefined) this.#has.set(note, nameOf(found));
      return found;
    } catch (error) {
      this.#unread.add(note);
      this.#onFailure(error);
      return undefined;
    }
  }
}

function nameOf({ revision, document }: Kept): string {
  return `${revision} ${document}`;
}
