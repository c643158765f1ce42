import type { Ciphers } from "@meterkeep/dlms";
import { octetKeyCiphers, type SecretKey } from "@meterkeep/dlms-node";
import { type CipherKey, withTokens } from "../conversation/token-ciphers.ts";
import { placedKeys, type WorkingKeys, workingKeys } from "../protocol/meter-keys.ts";
import { type KeyRecord, type MeterPlace, PURPOSE } from "../store/records.ts";
import type { PlacedRecord, TokenKey, Unsealer, Vault } from "../vault/vault.ts";

/**
 * How long a session has the working keys of its meter in clear: as long as it is open, or for each call anew. Where the
 * vault keeps the encryption key in a token it is in clear nowhere else, and what is said here concerns the
 * authentication key alone, which is always seen by who asks a token for GCM: it travels as additional data.
 */
export const KEY_KEEPING = ["session", "call"] as const;
export type KeyKeeping = (typeof KEY_KEEPING)[number];

/** How keys are kept in an island. */
export type KeepingOf = (place: Pick<MeterPlace, "utility" | "island">) => KeyKeeping;

/** Keys and ciphers for one piece of work. */
export interface KeysAtWork {
  readonly ciphers: Ciphers<CipherKey>;
  readonly encryptionKey: CipherKey;
  readonly authenticationKey: Uint8Array;
}

/** Unsealed for a while: both keys, or the one that a token does not keep. */
type Unsealed = WorkingKeys | { readonly authentication: Uint8Array };

/** The working keys of a session's meter. */
export class SessionKeys {
  /** Unseals both keys, or the authentication key alone. Nothing else of the meter's file stays with a session. */
  readonly #unseal: Unsealer;
  readonly #tokenKey: TokenKey | undefined;
  #held: Unsealed | undefined;

  private constructor(unseal: Unsealer, tokenKey: TokenKey | undefined) {
    this.#unseal = unseal;
    this.#tokenKey = tokenKey;
  }

  /** @throws CustodyError `vault-key-unknown`, `vault-record-not-authentic`, `vault-unavailable` */
  static async open(
    vault: Vault,
    keys: readonly KeyRecord[],
    versions: { readonly GUEK: number; readonly GAK: number },
    keeping: KeyKeeping,
  ): Promise<SessionKeys> {
    const [unicast, authentication] = placedKeys(keys, [
      { purpose: PURPOSE.GUEK, version: versions.GUEK },
      { purpose: PURPOSE.GAK, version: versions.GAK },
    ]) as [PlacedRecord, PlacedRecord];
    const tokenKey = await vault.tokenKey(unicast);
    const sealed = tokenKey === undefined ? [unicast, authentication] : [authentication];
    if (keeping === "call") return new SessionKeys(vault.unsealer(sealed), tokenKey);
    const opened = new SessionKeys(() => vault.unseal(sealed), tokenKey);
    opened.#held = opened.#working(await opened.#unseal());
    return opened;
  }

  /** Does work with the keys. It must be pure: where a token has to answer it is done more than once. */
  use<T>(work: (keys: KeysAtWork) => T): T | Promise<T> {
    if (this.#held !== undefined) return this.#useWith(this.#held, work);
    const unsealed = this.#unseal();
    return unsealed instanceof Promise || this.#tokenKey !== undefined
      ? this.#useOnce(unsealed, work)
      : useAtOnce(unsealed, work);
  }

  dispose(): void {
    if (this.#held !== undefined) wipe(this.#held);
    this.#held = undefined;
  }

  async #useOnce<T>(unsealed: Promise<SecretKey[]> | SecretKey[], work: (keys: KeysAtWork) => T): Promise<T> {
    const keys = this.#working(await unsealed);
    try {
      return await this.#useWith(keys, work);
    } finally {
      wipe(keys);
    }
  }

  #useWith<T>(keys: Unsealed, work: (keys: KeysAtWork) => T): T | Promise<T> {
    if ("encryptionKey" in keys) return work({ ciphers: octetKeyCiphers as Ciphers<CipherKey>, ...keys });
    const [encryptionKey, authenticationKey] = [this.#tokenKey as TokenKey, keys.authentication];
    return withTokens((ciphers) => work({ ciphers, encryptionKey, authenticationKey }));
  }

  #working(keys: readonly SecretKey[]): Unsealed {
    if (this.#tokenKey === undefined) return workingKeys(...(keys as [SecretKey, SecretKey]));
    using authentication = keys[0] as SecretKey;
    return { authentication: authentication.lend((octets) => Uint8Array.from(octets)) };
  }
}

/** Does work with keys that are wiped the moment it is done. */
function useAtOnce<T>(keys: readonly SecretKey[], work: (keys: KeysAtWork) => T): T {
  using unicast = keys[0] as SecretKey;
  using authentication = keys[1] as SecretKey;
  return unicast.lend((encryptionKey) =>
    authentication.lend((authenticationKey) =>
      work({ ciphers: octetKeyCiphers as Ciphers<CipherKey>, encryptionKey, authenticationKey }),
    ),
  );
}

function wipe(keys: Unsealed): void {
  if ("authentication" in keys) keys.authentication.fill(0);
  else keys[Symbol.dispose]();
}
