import { type Ciphers, fromHex } from "@meterkeep/dlms";
import { nodeCiphers, type SecretKey } from "@meterkeep/dlms-node";
import { type CipherKey, withTokens } from "../conversation/token-ciphers.ts";
import { unsealKeys, type WorkingKeys, workingKeys } from "../protocol/meter-keys.ts";
import { type KeyName, type KeyRecord, type MeterPlace, PURPOSE } from "../store/records.ts";
import type { TokenKey, Vault } from "../vault/vault.ts";

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
type Names = readonly [unicast: KeyName, authentication: KeyName];

/** The working keys of a session's meter. */
export class SessionKeys {
  readonly #vault: Vault;
  readonly #records: readonly KeyRecord[];
  readonly #names: Names;
  readonly #tokenKey: TokenKey | undefined;
  #held: Unsealed | undefined;

  private constructor(vault: Vault, records: readonly KeyRecord[], names: Names, tokenKey: TokenKey | undefined) {
    this.#vault = vault;
    this.#records = records;
    this.#names = names;
    this.#tokenKey = tokenKey;
  }

  /** @throws CustodyError `vault-key-unknown`, `vault-record-not-authentic`, `vault-unavailable` */
  static async open(
    vault: Vault,
    keys: readonly KeyRecord[],
    versions: { readonly GUEK: number; readonly GAK: number },
    keeping: KeyKeeping,
  ): Promise<SessionKeys> {
    const names = [
      { purpose: PURPOSE.GUEK, version: versions.GUEK },
      { purpose: PURPOSE.GAK, version: versions.GAK },
    ] as const;
    // What is needed again stays with the session, sealed; nothing else of the meter's file does.
    const records = keys.filter((record) =>
      names.some(({ purpose, version }) => record.purpose === purpose && record.version === version),
    );
    const unicast = records.find(({ purpose }) => purpose === PURPOSE.GUEK);
    const tokenKey =
      unicast &&
      (await vault.tokenKey({
        place: { ...unicast, systemTitle: fromHex(unicast.systemTitle) },
        sealed: unicast.sealed,
      }));
    const opened = new SessionKeys(vault, records, names, tokenKey);
    if (keeping === "session") opened.#held = await opened.#unseal();
    return opened;
  }

  /** Does work with the keys. It must be pure: where a token has to answer it is done more than once. */
  use<T>(work: (keys: KeysAtWork) => T): T | Promise<T> {
    return this.#held === undefined ? this.#useOnce(work) : this.#useWith(this.#held, work);
  }

  dispose(): void {
    if (this.#held !== undefined) wipe(this.#held);
    this.#held = undefined;
  }

  async #useOnce<T>(work: (keys: KeysAtWork) => T): Promise<T> {
    const keys = await this.#unseal();
    try {
      return await this.#useWith(keys, work);
    } finally {
      wipe(keys);
    }
  }

  #useWith<T>(keys: Unsealed, work: (keys: KeysAtWork) => T): T | Promise<T> {
    if ("encryptionKey" in keys) return work({ ciphers: nodeCiphers as Ciphers<CipherKey>, ...keys });
    const [encryptionKey, authenticationKey] = [this.#tokenKey as TokenKey, keys.authentication];
    return withTokens((ciphers) => work({ ciphers, encryptionKey, authenticationKey }));
  }

  async #unseal(): Promise<Unsealed> {
    const [unicast, authentication] = this.#names;
    if (this.#tokenKey !== undefined) {
      const [tag] = (await unsealKeys(this.#vault, this.#records, [authentication])) as [SecretKey];
      using own = tag;
      return { authentication: own.lend((octets) => Uint8Array.from(octets)) };
    }
    const [key, tag] = (await unsealKeys(this.#vault, this.#records, [unicast, authentication])) as [
      SecretKey,
      SecretKey,
    ];
    return workingKeys(key, tag);
  }
}

function wipe(keys: Unsealed): void {
  if ("authentication" in keys) keys.authentication.fill(0);
  else keys[Symbol.dispose]();
}
