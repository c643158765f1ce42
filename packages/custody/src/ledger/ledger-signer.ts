import { sign } from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";
import {
  generateSignerSecret,
  type LedgerKeys,
  type LedgerSigner,
  privateKeyOf,
  type SignerSecret,
  softwareSigner,
  spkiOf,
} from "@meterkeep/ledger";
import { CustodyError } from "../errors.ts";
import type { InstallationRecords } from "../store/store.ts";
import type { SigningTokens } from "../vault/tokens/token-set.ts";
import type { Vault } from "../vault/vault.ts";

/** What is sealed in the vault of a version: base64 of PKCS #8, and of the SPKI of keys that are in tokens. */
interface StoredSigner {
  readonly ecdsa?: string;
  readonly inTokens?: readonly string[];
  readonly mldsa: string;
}

/**
 * The keys that sign the ledger, by version: made and sealed into the vault at first use. Where the vault is in tokens
 * each of them has an ECDSA key of its own, any of which signs; ML-DSA is not offered by tokens yet, so that key is
 * sealed.
 */
export function ledgerSigners(
  vault: Vault,
  installation: InstallationRecords,
  tokens: SigningTokens | undefined,
): (version: number) => Promise<LedgerSigner> {
  return async (version) => {
    const name = `${NAME}${version}`;
    const stored = await installation.namedSecret(name);
    const sealed =
      stored ?? (await installation.insertNamedSecret(name, await sealFresh(vault, name, version, tokens)));
    using secret = await vault.unsealNamed(name, sealed);
    const { ecdsa, inTokens, mldsa } = JSON.parse(
      secret.lend((octets) => Buffer.from(octets).toString("utf8")),
    ) as StoredSigner;
    if (ecdsa !== undefined) return softwareSigner(version, { ecdsa: octetsOf(ecdsa), mldsa: octetsOf(mldsa) });
    if (tokens === undefined || inTokens === undefined) throw new Error(`the keys of ${name} are in no token`);
    return tokenSigner(version, tokens, inTokens.map(octetsOf), octetsOf(mldsa));
  };
}

/**
 * The public keys of every version that there is, in order; none is made. What does not open was put there by somebody else: it is
 * left out, and told of.
 */
export async function signingKeys(
  vault: Vault,
  installation: InstallationRecords,
  tokens: SigningTokens | undefined,
  onFailure: (error: unknown) => void,
): Promise<readonly LedgerKeys[]> {
  const signer = ledgerSigners(vault, installation, tokens);
  const versions = (await installation.namedSecrets()).flatMap(({ name }) =>
    name.startsWith(NAME) && IS_VERSION.test(name.slice(NAME.length)) ? [Number(name.slice(NAME.length))] : [],
  );
  const keys: LedgerKeys[] = [];
  for (const version of versions.sort((one, other) => one - other))
    try {
      keys.push((await signer(version)).keys);
    } catch (cause) {
      if (!(cause instanceof CustodyError && cause.code === "vault-record-not-authentic")) throw cause;
      onFailure(
        new CustodyError(
          "vault-record-not-authentic",
          `the secret ${NAME}${version} in the database is none of this vault's, and counts for nothing: find out who put it there`,
          { cause },
        ),
      );
    }
  return keys;
}

const NAME = "ledger-signing-";
const IS_VERSION = /^[1-9]\d{0,8}$/;

async function sealFresh(
  vault: Vault,
  name: string,
  version: number,
  tokens: SigningTokens | undefined,
): Promise<Uint8Array> {
  const { ecdsa, mldsa }: SignerSecret = generateSignerSecret();
  const inTokens = (await tokens?.publicKeys(labelOf(version)))?.map(base64);
  const stored: StoredSigner = {
    mldsa: base64(mldsa),
    ...(inTokens === undefined ? { ecdsa: base64(ecdsa) } : { inTokens }),
  };
  using secret = SecretKey.take(Buffer.from(JSON.stringify(stored)));
  return await vault.sealNamed(name, secret);
}

function tokenSigner(
  version: number,
  tokens: SigningTokens,
  keys: readonly Uint8Array[],
  mldsaSecret: Uint8Array,
): LedgerSigner {
  const mldsa = privateKeyOf(mldsaSecret);
  return {
    keys: { version, ecdsa: keys, mldsa: spkiOf(mldsa) },
    sign: async (text) => {
      const { by, signature } = await tokens.sign(labelOf(version), keys, text);
      return { by, ecdsa: signature, mldsa: new Uint8Array(sign(null, text, mldsa)) };
    },
  };
}

function labelOf(version: number): string {
  return `meterkeep-ledger-${version}`;
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64");
}

function octetsOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
