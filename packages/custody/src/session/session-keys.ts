import type { Ciphers } from "@meterkeep/dlms";
import { octetKeyCiphers, type SecretKey } from "@meterkeep/dlms-node";
import { type CipherKey, withTokens } from "../conversation/token-ciphers.ts";
import { placedKeys } from "../protocol/meter-keys.ts";
import { type KeyRecord, type MeterPlace, PURPOSE } from "../store/records.ts";
import type { PlacedRecord, TokenKey, Unsealer, Vault } from "../vault/vault.ts";
import type { KeptKeys } from "./kept-keys.ts";
import { sessionUnknown } from "./session-refusals.ts";

/**
 * How long a session has the working keys of its meter in clear: as long as it is open, or for each call anew. Where the
 * vault keeps the encryption key in a token it is in clear nowhere else, and what is said here concerns the
 * authentication key alone, which is always seen by who asks a token for GCM: it travels as additional data.
 */
export const KEY_KEEPING = ["session", "call"] as const;
export type KeyKeeping = (typeof KEY_KEEPING)[number];

/** How keys are kept in an island. */
export type KeepingOf = (place: Pick<MeterPlace, "utility" | "island">) => KeyKeeping;

/** Keys and ciphers for one piece of work: the octets are wiped with its end. */
export interface KeysAtWork {
  readonly ciphers: Ciphers<CipherKey>;
  readonly encryptionKey: CipherKey;
  readonly authenticationKey: Uint8Array;
}

const CIPHERS = octetKeyCiphers as Ciphers<CipherKey>;

/** Lends octets of keys to a call: both, or the authentication key alone. */
type Lender = <T>(use: (first: Uint8Array, second: Uint8Array) => T) => T;

/** The working keys of a session's meter. */
export class SessionKeys {
  readonly #tokenKey: TokenKey | undefined;
  readonly #kept: KeptKeys;
  /** Where they are in clear, or what unseals both, or the authentication key alone; neither once the session is over. */
  #held: number | Unsealer | undefined;

  private constructor(tokenKey: TokenKey | undefined, kept: KeptKeys, held: number | Unsealer) {
    this.#tokenKey = tokenKey;
    this.#kept = kept;
    this.#held = held;
  }

  /** @throws CustodyError `vault-key-unknown`, `vault-record-not-authentic`, `vault-unavailable` */
  static async open(
    vault: Vault,
    keys: readonly KeyRecord[],
    versions: { readonly GUEK: number; readonly GAK: number },
    { keeping, kept }: { readonly keeping: KeyKeeping; readonly kept: KeptKeys },
  ): Promise<SessionKeys> {
    const [unicast, authentication] = placedKeys(keys, [
      { purpose: PURPOSE.GUEK, version: versions.GUEK },
      { purpose: PURPOSE.GAK, version: versions.GAK },
    ]) as [PlacedRecord, PlacedRecord];
    const tokenKey = await vault.tokenKey(unicast);
    const sealed = tokenKey === undefined ? [unicast, authentication] : [authentication];
    if (keeping === "call") return new SessionKeys(tokenKey, kept, vault.unsealer(sealed));
    const unsealed = await vault.unseal(sealed);
    try {
      return new SessionKeys(tokenKey, kept, kept.keep(unsealed));
    } finally {
      wipe(unsealed);
    }
  }

  /**
   * Does work with the keys. It must be pure: where a token has to answer it is done more than once.
   *
   * @throws CallRefusal `session-unknown` once the session is over
   */
  use<T>(work: (keys: KeysAtWork) => T): T | Promise<T> {
    const held = this.#held;
    if (held === undefined) throw sessionUnknown();
    if (typeof held === "number") return this.#work((use) => this.#lend(held, use), work);
    const unsealed = held.unseal();
    if (unsealed instanceof Promise || this.#tokenKey !== undefined) return this.#workLater(held, unsealed, work);
    try {
      return lenderOf(unsealed)((encryptionKey, authenticationKey) =>
        work({ ciphers: CIPHERS, encryptionKey, authenticationKey }),
      );
    } finally {
      wipe(unsealed);
    }
  }

  dispose(): void {
    const held = this.#held;
    this.#held = undefined;
    if (typeof held === "number") this.#kept.drop(held);
    else held?.[Symbol.dispose]();
  }

  /** A token may have been asked meanwhile, and the session be over: its place is then another's. */
  #lend<T>(place: number, use: (first: Uint8Array, second: Uint8Array) => T): T {
    if (this.#held !== place) throw sessionUnknown();
    return this.#kept.lend(place, use);
  }

  async #workLater<T>(
    held: Unsealer,
    unsealed: Promise<SecretKey[]> | SecretKey[],
    work: (keys: KeysAtWork) => T,
  ): Promise<T> {
    const keys = await unsealed;
    const lend = lenderOf(keys);
    try {
      return await this.#work((use) => {
        // What unseals them, or a token, was asked meanwhile: the session may be over.
        if (this.#held !== held) throw sessionUnknown();
        return lend(use);
      }, work);
    } finally {
      wipe(keys);
    }
  }

  #work<T>(lend: Lender, work: (keys: KeysAtWork) => T): T | Promise<T> {
    const encryptionKey = this.#tokenKey;
    if (encryptionKey === undefined)
      return lend((unicast, authenticationKey) =>
        work({ ciphers: CIPHERS, encryptionKey: unicast, authenticationKey }),
      );
    // Lent anew for each round, and not while the token is asked.
    return withTokens((ciphers) => lend((authenticationKey) => work({ ciphers, encryptionKey, authenticationKey })));
  }
}

function lenderOf([first, second]: readonly SecretKey[]): Lender {
  const none = new Uint8Array(0);
  return (use) =>
    (first as SecretKey).lend((octets) =>
      second === undefined ? use(octets, none) : second.lend((others) => use(octets, others)),
    );
}

function wipe(keys: readonly SecretKey[]): void {
  for (const key of keys) key[Symbol.dispose]();
}
