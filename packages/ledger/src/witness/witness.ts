/** What came of giving a witness a checkpoint. */
export type Taken =
  /** It keeps it; a witness with keys of its own has signed it too: the lines of both signatures. */
  | { readonly kind: "taken"; readonly lines?: string | undefined }
  /** It has seen another size than the one the proof begins at: the note it has. */
  | { readonly kind: "elsewhere"; readonly note?: string | undefined }
  /** It does not know the keys that signed; it knows those up to this version. */
  | { readonly kind: "keys-unknown"; readonly version: number };

/** Proof for a witness that a ledger has changed its keys. */
export interface KeyChange {
  /** The line of the entry that announces them. */
  readonly line: string;
  /** From the entry to the root of the checkpoint that the witness has. */
  readonly proof: readonly Uint8Array[];
}

/**
 * Somebody outside the database who remembers how far a ledger had grown. Every call throws LedgerError
 * `ledger-witness-away` when the witness cannot be reached, and `ledger-witness-refused` when it objects.
 */
export interface Witness {
  readonly name: string;
  readonly kind: "file" | "instance";
  /** The newest note of the ledger that it has. */
  last(log: string): Promise<string | undefined>;
  /** Gives it a checkpoint, with the proof that it has grown from the `former` entries it has seen. */
  add(note: string, former: number, proof: readonly Uint8Array[]): Promise<Taken>;
  /** Teaches it new keys; the change is in the checkpoint it has. */
  addKeys(log: string, change: KeyChange): Promise<void>;
}
