import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { type Curve, decode, encode } from "@meterkeep/dlms";
import { SecretKey } from "@meterkeep/dlms-node";
import { type AuthorityKey, localSigner, OFFLINE, PkiError, type PublicKey, publicKey } from "@meterkeep/pki";
import type { InstallationRecords } from "../store/store.ts";
import type { SigningTokens } from "../vault/tokens/token-set.ts";
import type { Vault } from "../vault/vault.ts";
import { tokenKey } from "./token-key.ts";

/** What is sealed in the vault for a name: base64 of PKCS #8, or of the public key of one that is in a token. */
type StoredKey = { readonly pkcs8: string } | { readonly inToken: string };

/** Where an authority's key is. */
export type KeyPlace = "vault" | "token" | "offline";

/**
 * The keys of authorities: made inside a token where the vault is in tokens, else made here and sealed into the vault. No
 * name is given twice, and no key is ever given away.
 */
export class AuthorityKeys {
  readonly #vault: Vault;
  readonly #installation: Pick<InstallationRecords, "namedSecret" | "insertNamedSecret">;
  readonly #tokens: SigningTokens | undefined;

  constructor(
    vault: Vault,
    installation: Pick<InstallationRecords, "namedSecret" | "insertNamedSecret">,
    tokens: SigningTokens | undefined,
  ) {
    this.#vault = vault;
    this.#installation = installation;
    this.#tokens = tokens;
  }

  /** Makes the key pair of a name, unless there is one. */
  async make(keyName: string, curve: Curve): Promise<AuthorityKey> {
    const name = secretName(keyName);
    if ((await this.#installation.namedSecret(name)) === undefined) {
      using secret = await this.#fresh(name, curve);
      await this.#installation.insertNamedSecret(name, await this.#vault.sealNamed(name, secret));
    }
    return this.open(keyName);
  }

  /** Who signs under a name. @throws PkiError `authority-offline` where the key is not here */
  async open(keyName: string): Promise<AuthorityKey> {
    const name = secretName(keyName);
    const sealed = keyName.startsWith(OFFLINE) ? undefined : await this.#installation.namedSecret(name);
    if (sealed === undefined)
      throw new PkiError("authority-offline", `the key ${keyName} is not here: what it signs takes a ceremony`);
    using secret = await this.#vault.unsealNamed(name, sealed);
    const stored = JSON.parse(secret.lend((octets) => Buffer.from(octets).toString("utf8"))) as StoredKey;
    if ("inToken" in stored) {
      if (this.#tokens === undefined) throw new PkiError("authority-offline", `the key ${keyName} is in a token`);
      return tokenKey(this.#tokens, name, decode(publicKey, octetsOf(stored.inToken)));
    }
    const privateKey = createPrivateKey({ key: Buffer.from(stored.pkcs8, "base64"), format: "der", type: "pkcs8" });
    const { x, y, crv } = privateKey.export({ format: "jwk" }) as { x: string; y: string; crv: Curve };
    const point = new Uint8Array(Buffer.concat([Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]));
    return localSigner(privateKey, { curve: crv, point });
  }

  /** Where keys are that are made now, and where one is. */
  placeOf(keyName: string): KeyPlace {
    if (keyName.startsWith(OFFLINE)) return "offline";
    return this.#tokens === undefined ? "vault" : "token";
  }

  async #fresh(name: string, curve: Curve): Promise<SecretKey> {
    const stored: StoredKey =
      this.#tokens === undefined
        ? { pkcs8: madeHere(curve) }
        : { inToken: base64(encode(publicKey, await madeInToken(this.#tokens, name, curve))) };
    return SecretKey.take(Buffer.from(JSON.stringify(stored)));
  }
}

function madeHere(curve: Curve): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: curve });
  return privateKey.export({ type: "pkcs8", format: "der" }).toString("base64");
}

async function madeInToken(tokens: SigningTokens, name: string, curve: Curve): Promise<PublicKey> {
  return { curve, point: await tokens.makeKeyPair(name, curve) };
}

function secretName(keyName: string): string {
  return `authority-key-${keyName}`;
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64");
}

function octetsOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
