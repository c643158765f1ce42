import { SecretKey } from "@meterkeep/dlms-node";
import type { AgreementPair } from "@meterkeep/hsm";
import { CustodyError } from "../../errors.ts";
import { type AgreementKey, pointOf } from "../agreement.ts";
import type { TokenSet } from "./token-set.ts";
import type { VaultSecrets } from "./vault-secrets.ts";

// form(1) ‖ version of the secret(4) ‖ x and y(96) ‖ wrapped private key.
const FORM = 3;
const VERSION_AT = 1;
const POINT_AT = 5;
const WRAPPED_AT = POINT_AT + 96;
/** Secrets that wrap private keys, in the place of a utility: no utility has this name. */
const AGREEMENTS = "*agreements";

/**
 * Private keys on P-384 that are in clear in tokens alone (ADR 0079).
 *
 * The secret behind each is one of its own, kept under the key's name: a record that was moved to another name is wrapped
 * under another secret.
 */
export class AgreementKeys {
  readonly #tokens: TokenSet;
  readonly #secrets: VaultSecrets;

  constructor(tokens: TokenSet, secrets: VaultSecrets) {
    this.#tokens = tokens;
    this.#secrets = secrets;
  }

  /** Makes a pair in a token: its record. */
  async make(name: string): Promise<Uint8Array> {
    const secret = await this.#secrets.current(AGREEMENTS, name);
    const { point, wrapped } = await this.#tokens.makeAgreementPair(secret);
    const head = Buffer.alloc(POINT_AT);
    head.writeUInt8(FORM, 0);
    head.writeUInt32BE(secret.version, VERSION_AT);
    return Buffer.concat([head, point, wrapped]);
  }

  /** The key of a record, which a token has opened and found to be whole. */
  async open(name: string, record: Uint8Array): Promise<AgreementKey> {
    if (record[0] !== FORM || record.length <= WRAPPED_AT)
      throw new CustodyError(
        "vault-record-not-authentic",
        `the record of ${name} is no private key of a vault of tokens`,
      );
    const version = Buffer.from(record.buffer, record.byteOffset).readUInt32BE(VERSION_AT);
    const secret = await this.#secrets.version(AGREEMENTS, name, version);
    if (secret === undefined)
      throw new CustodyError("vault-key-unknown", `no secret ${version} for the private key ${name}`);
    const pair: AgreementPair = { point: record.slice(POINT_AT, WRAPPED_AT), wrapped: record.slice(WRAPPED_AT) };
    await this.#tokens.requirePair(secret, pair);
    return {
      point: pair.point,
      agree: async (peer) => SecretKey.take(await this.#tokens.agree(secret, pair, pointOf(peer))),
    };
  }
}
