import {
  AssignmentIndex,
  type AssignmentTable,
  type AuthorityRecord,
  decodeCertificate,
  openAssignments,
  PkiError,
} from "@meterkeep/pki";
import type { BoundStore } from "./bound-store.ts";

/** The newest table of assignments, verified once. */
export class AssignmentDesk {
  readonly #store: Pick<BoundStore, "assignments" | "newestTable">;
  /** Every scheme's authority, in the order of their making: a table that one before it signed counts until the newest has signed another. */
  readonly #schemes: () => Promise<readonly AuthorityRecord[]>;
  #current: { readonly table: AssignmentTable; readonly index: AssignmentIndex } | undefined;
  #isRead = false;

  constructor(
    store: Pick<BoundStore, "assignments" | "newestTable">,
    schemes: () => Promise<readonly AuthorityRecord[]>,
  ) {
    this.#store = store;
    this.#schemes = schemes;
  }

  async current() {
    if (this.#isRead) return this.#current;
    const stored = await this.#store.assignments.newest();
    this.#current = stored && (await this.#opened(stored.octets, stored.number));
    this.#isRead = true;
    return this.#current;
  }

  /** The number that the next table has: by the journal, not by rows. */
  get nextNumber(): number {
    return this.#store.newestTable + 1;
  }

  async add(octets: Uint8Array, number: number, addedAt: number): Promise<void> {
    const added = await this.#opened(octets, number);
    // From here on it may count, whatever becomes of its row.
    this.#isRead = false;
    await this.#store.assignments.add({ number, octets, addedAt });
    this.#current = added;
    this.#isRead = true;
  }

  async #opened(octets: Uint8Array, number: number) {
    const table = openedBy(await this.#schemes(), octets, number);
    return { table, index: new AssignmentIndex(table) };
  }
}

/** Whether this authority signs tables of assignments. */
export function isScheme({ profile }: Pick<AuthorityRecord, "profile">): boolean {
  return profile === "scheme";
}

/** @throws PkiError `assignment-refused` where none of these signed it */
function openedBy(schemes: readonly AuthorityRecord[], octets: Uint8Array, number: number): AssignmentTable {
  let refusal: unknown = new PkiError("authority-unknown", "there is no scheme authority yet");
  for (const { certificate } of schemes.toReversed())
    try {
      return openAssignments(octets, decodeCertificate(certificate), number);
    } catch (error) {
      refusal = error;
    }
  throw refusal;
}
