import type { SecretKey } from "@meterkeep/dlms-node";
import type { AgreementKey } from "./agreement.ts";
import type { DerivationInput } from "./derivation.ts";
import type { KeyPlace } from "./key-place.ts";

/** A key to be sealed for its place. */
export interface PlacedKey {
  readonly place: KeyPlace;
  readonly key: SecretKey;
}

/** A sealed key and the place it stands in. */
export interface PlacedRecord {
  readonly place: KeyPlace;
  readonly sealed: Uint8Array;
}

/** AES-GCM with a tag of 12 octets that a token does: `text` ends with its tag where it is to be opened. */
export interface TokenGcm {
  readonly open: boolean;
  readonly iv: Uint8Array;
  readonly data: Uint8Array;
  readonly text: Uint8Array;
}

/** An encryption key that stays in a token: what is asked of it is answered there. */
export class TokenKey {
  /** What each request comes to; undefined where a tag does not fit. @throws CustodyError `vault-unavailable` */
  readonly gcm: (requests: readonly TokenGcm[]) => Promise<readonly (Uint8Array | undefined)[]>;

  constructor(gcm: TokenKey["gcm"]) {
    this.gcm = gcm;
  }
}

/** Unseals the records it was made for, until it is disposed of. */
export interface Unsealer extends Disposable {
  /** The caller disposes of the keys. */
  unseal(): Promise<SecretKey[]> | SecretKey[];
}

/**
 * Keeps keys under keys: what leaves it is sealed, what it lends is a `SecretKey`.
 *
 * Lists, since a token that is not in this process answers in milliseconds. Every adapter passes `vaultContract`.
 */
export interface Vault {
  readonly kind: "software" | "tokens";
  /** Seals meter keys for the places they belong to. */
  seal(keys: readonly PlacedKey[]): Promise<Uint8Array[]>;
  /**
   * Unseals meter keys, at once where nothing has to be asked for; the caller disposes of them.
   *
   * @throws CustodyError `vault-record-not-authentic`.
   */
  unseal(records: readonly PlacedRecord[]): Promise<SecretKey[]> | SecretKey[];
  /**
   * What unseals these records as often as it is called, as `unseal` does: for keys that are in clear for one use at a time.
   * After the first time that may be from an envelope of this process for all of them (`HeldKeys`).
   *
   * @throws CustodyError `vault-record-not-authentic` where a record is none of this vault
   */
  unsealer(records: readonly PlacedRecord[]): Unsealer;
  /**
   * The key of a record that stays in a token; undefined for one that is unsealed to be used.
   *
   * It is still unsealed by `unseal`, for what changes it: its meter's next key, and a shipment to another owner.
   */
  tokenKey(record: PlacedRecord): Promise<TokenKey | undefined>;
  /**
   * Keyed check values: equal for equal keys whatever their place, of no use without the vault. They prove that no two
   * meters share a key.
   */
  checkValues(keys: readonly SecretKey[]): Promise<Uint8Array[]>;
  /**
   * A MAC over each text, 32 octets, under a key for this use alone: what is kept in clear and must not be changed or
   * moved by who can write to the database.
   */
  authenticate(texts: readonly Uint8Array[]): Promise<Uint8Array[]>;
  /** Seals a secret of the installation (not of a meter) under a name. */
  sealNamed(name: string, secret: SecretKey): Promise<Uint8Array>;
  unsealNamed(name: string, sealed: Uint8Array): Promise<SecretKey>;
  /**
   * Makes a private key on P-384 and gives it sealed under a name: what shipments are opened with. In a vault of tokens it
   * is made in one of them, and in clear nowhere else.
   *
   * @throws CustodyError `token-unfit` where a token of the vault cannot agree with such a key
   */
  makeAgreementKey(name: string): Promise<Uint8Array>;
  /** @throws CustodyError `vault-record-not-authentic` */
  agreementKey(name: string, sealed: Uint8Array): Promise<AgreementKey>;
  /**
   * Takes a master of 32 octets under a name that has none, durably; where it has one, nothing changes. In a vault of
   * tokens it is in clear on its way in and never again.
   */
  takeMaster(name: string, master: SecretKey): Promise<void>;
  /** Overwrites a master with nothing, for good; none is taken under its name again. Of one that is not held nothing happens. */
  destroyMaster(name: string): Promise<void>;
  /**
   * Keys derived from a master (`derivation.ts`). A token makes the MACs they consist of, so that the master stays in it.
   *
   * @throws CustodyError `vault-key-unknown` where no master has that name
   */
  derive(name: string, inputs: readonly DerivationInput[]): Promise<SecretKey[]>;
}
