import { randomBytes } from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";
import type { GcmRequest, WrappedEncryptionKey } from "@meterkeep/hsm";
import { CustodyError } from "../../errors.ts";
import type { VaultSecret } from "../../store/store.ts";
import { boundData, keyPlaceData } from "../key-place.ts";
import { type PlacedKey, type PlacedRecord, type TokenGcm, TokenKey } from "../vault.ts";
import type { TokenSet } from "./token-set.ts";
import type { VaultSecrets } from "./vault-secrets.ts";

// form(1) ‖ version of the secret(4) ‖ salt(16) ‖ check value(8) ‖ wrapped key(24 or 40): never as long as an envelope.
const FORM = 2;
const VERSION_AT = 1;
const SALT_AT = 5;
const CHECK_AT = 21;
const WRAPPED_AT = 29;
const LENGTHS: ReadonlySet<number> = new Set([WRAPPED_AT + 24, WRAPPED_AT + 40]);
/** The standard's key_id of unicast encryption keys: those that sessions and pushes cipher with. */
const UNICAST = 0;

/** Islands whose encryption keys stay in tokens. */
export interface IslandOfKeys {
  readonly utility: string;
  readonly island: string;
}

/**
 * Unicast encryption keys that are in clear in tokens alone, for the islands whose setting says so.
 *
 * The secret behind them is one of its own for each island, kept beside that of the island's other keys under a name that
 * no island can have.
 */
export class EncryptionKeys {
  readonly #tokens: TokenSet;
  readonly #secrets: VaultSecrets;
  readonly #islands: ReadonlySet<string>;

  constructor(tokens: TokenSet, secrets: VaultSecrets, islands: readonly IslandOfKeys[]) {
    this.#tokens = tokens;
    this.#secrets = secrets;
    this.#islands = new Set(islands.map(nameOf));
  }

  /** Whether a key belongs in here when it is sealed. */
  takes({ place }: Pick<PlacedKey, "place">): boolean {
    return place.purpose === UNICAST && this.#islands.has(nameOf(place));
  }

  /** Wraps a key for its place; twice, since what is wrapped under a wrong key would be lost. */
  async seal({ place, key }: PlacedKey): Promise<Uint8Array> {
    const secret = await this.#secrets.current(place.utility, nameOfSecret(place.island));
    const salt = randomBytes(CHECK_AT - SALT_AT);
    const octets = key.lend((bytes) => Uint8Array.from(bytes));
    try {
      const wrap = () => this.#tokens.wrapEncryptionKey(secret, { place: textOf(salt, place), octets });
      let former = await wrap();
      for (let attempt = 0; attempt < 4; attempt += 1) {
        const next = await wrap();
        if (isSame(former, next)) return recordOf(secret, salt, next);
        former = next;
      }
    } finally {
      octets.fill(0);
    }
    throw new CustodyError("vault-unavailable", "the tokens do not agree on a wrapped key");
  }

  /** The key in clear: for what changes it. */
  async reveal(record: PlacedRecord): Promise<SecretKey> {
    const { secret, key } = await this.#wrapped(record);
    return SecretKey.take(await this.#tokens.revealEncryptionKey(secret, key));
  }

  /** The key to be used where it is. */
  async key(record: PlacedRecord): Promise<TokenKey> {
    const { secret, key } = await this.#wrapped(record);
    return new TokenKey((requests) => this.#gcm(secret, key, requests));
  }

  async #gcm(secret: VaultSecret, key: WrappedEncryptionKey, asked: readonly TokenGcm[]) {
    const requests = asked.map((one): GcmRequest => ({ ...one, key }));
    const sealing = requests.some(({ open }) => !open);
    const opened = await this.#tokens.gcm(secret, requests);
    // What was sealed under another key would use up a counter of that key: two sessions must agree on it.
    if (!sealing && opened.every((one) => one !== undefined)) return opened;
    let former = opened;
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const next = await this.#tokens.gcm(secret, requests);
      if (next.every((one, at) => isEqual(one, former[at]))) return next;
      former = next;
    }
    throw new CustodyError(
      "vault-unavailable",
      "the tokens do not agree: one of them uses another key than it was asked for",
    );
  }

  async #wrapped({ place, sealed }: PlacedRecord): Promise<{ secret: VaultSecret; key: WrappedEncryptionKey }> {
    const version = Buffer.from(sealed.buffer, sealed.byteOffset).readUInt32BE(VERSION_AT);
    const secret = await this.#secrets.version(place.utility, nameOfSecret(place.island), version);
    if (secret === undefined)
      throw new CustodyError("vault-key-unknown", `no secret ${version} for encryption keys of ${nameOf(place)}`);
    const key = {
      place: textOf(sealed.subarray(SALT_AT, CHECK_AT), place),
      checkValue: sealed.subarray(CHECK_AT, WRAPPED_AT),
      octets: sealed.subarray(WRAPPED_AT),
    };
    return { secret, key };
  }
}

/** Whether a record of this vault is a key that stays in tokens. */
export function isOfTokens(sealed: Uint8Array): boolean {
  return sealed[0] === FORM && LENGTHS.has(sealed.length);
}

function recordOf(
  { version }: VaultSecret,
  salt: Uint8Array,
  { checkValue, octets }: WrappedEncryptionKey,
): Uint8Array {
  const head = Buffer.alloc(SALT_AT);
  head.writeUInt8(FORM, 0);
  head.writeUInt32BE(version, VERSION_AT);
  return Buffer.concat([head, salt, checkValue, octets]);
}

function textOf(salt: Uint8Array, place: PlacedRecord["place"]): Uint8Array {
  return boundData("meterkeep-vault-2/encryption-key", salt, keyPlaceData(place));
}

/** No island has a control character in its name. */
function nameOfSecret(island: string): string {
  return `${island}\u0001encryption-keys`;
}

function nameOf({ utility, island }: IslandOfKeys): string {
  return `${utility}\u0001${island}`;
}

function isSame(one: WrappedEncryptionKey, other: WrappedEncryptionKey): boolean {
  return isEqual(one.octets, other.octets) && isEqual(one.checkValue, other.checkValue);
}

function isEqual(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one === undefined || other === undefined ? one === other : Buffer.compare(one, other) === 0;
}
