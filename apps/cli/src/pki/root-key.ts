import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  scryptSync,
} from "node:crypto";
import { existsSync } from "node:fs";
import { Token, type TokenOptions } from "@meterkeep/hsm";
import { type AuthorityKey, localSigner, type PublicKey, signatureOf } from "@meterkeep/pki";
import { secretOfHolders } from "../ceremony/run.ts";
import { CliError } from "../error.ts";
import { secretText, writeNew } from "../named-file.ts";

/** Where the key of a root is: under a passphrase in its folder, which a file has or people have together, or in a token. */
export interface RootKeyOptions {
  readonly folder: string;
  readonly passphraseFile?: string;
  /** Where the ceremony is kept in which the passphrase was split. */
  readonly ceremony?: string;
  /** Shares of it, each on its holder's medium. */
  readonly share?: readonly string[];
  readonly tokensFile?: string;
}

/** What is done with the key of a root, and who brought the shares that opened it; nobody where none did. */
export type RootWork<T> = (key: AuthorityKey, holders: readonly string[]) => Promise<T>;

/** What is in `root-key.json`: PKCS #8 under AES-256-GCM, under scrypt of the passphrase. */
interface SealedKey {
  readonly format: "meterkeep-root-key-1";
  readonly scrypt: { readonly n: number; readonly r: number; readonly p: number; readonly salt: string };
  readonly nonce: string;
  readonly sealed: string;
}

const FILE = "root-key.json";
/** 128 MiB and about half a second a guess: whoever finds the file is not to try many. */
const SCRYPT = { n: 2 ** 17, r: 8, p: 1 } as const;
const SCRYPT_MEMORY = 256 * 1024 * 1024;
const LABEL = "meterkeep-root";
const POINT_BYTES = 96;

/** Makes the key pair of a root, and lends it. @throws CliError `option-invalid`, `input-unreadable` */
export async function withNewRootKey<T>(options: RootKeyOptions, body: RootWork<T>): Promise<T> {
  if (options.tokensFile !== undefined) return withToken(options.tokensFile, body);
  const { passphrase, holders } = passphraseOf(options);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", keyOf(passphrase, salt, SCRYPT), nonce);
  const octets = privateKey.export({ type: "pkcs8", format: "der" });
  const sealed = Buffer.concat([cipher.update(octets), cipher.final(), cipher.getAuthTag()]);
  octets.fill(0);
  const content: SealedKey = {
    format: "meterkeep-root-key-1",
    scrypt: { ...SCRYPT, salt: salt.toString("base64") },
    nonce: nonce.toString("base64"),
    sealed: sealed.toString("base64"),
  };
  await writeNew(`${options.folder}/${FILE}`, `${JSON.stringify(content, undefined, 2)}\n`, 0o600);
  return body(signerOf(privateKey), holders);
}

/** Lends the key of a root for as long as `body` takes. @throws CliError `option-invalid`, `input-unreadable` */
export async function withRootKey<T>(options: RootKeyOptions, body: RootWork<T>): Promise<T> {
  if (options.tokensFile !== undefined) return withToken(options.tokensFile, body);
  const path = `${options.folder}/${FILE}`;
  if (!existsSync(path))
    throw new CliError("input-unreadable", `${path} is not there: is the root's key in a token (--tokens-file)?`);
  const { scrypt, nonce, sealed } = JSON.parse(secretText(path)) as SealedKey;
  const octets = Buffer.from(sealed, "base64");
  const { passphrase, holders } = passphraseOf(options);
  const key = keyOf(passphrase, Buffer.from(scrypt.salt, "base64"), scrypt);
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"));
  decipher.setAuthTag(octets.subarray(-16));
  let opened: Buffer;
  try {
    opened = Buffer.concat([decipher.update(octets.subarray(0, -16)), decipher.final()]);
  } catch (cause) {
    throw new CliError("option-invalid", `the passphrase does not open ${path}`, { cause });
  }
  const privateKey = createPrivateKey({ key: opened, format: "der", type: "pkcs8" });
  opened.fill(0);
  return body(signerOf(privateKey), holders);
}

function signerOf(privateKey: ReturnType<typeof createPrivateKey>): AuthorityKey {
  const { x, y } = privateKey.export({ format: "jwk" }) as { readonly x: string; readonly y: string };
  const point = new Uint8Array(Buffer.concat([Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]));
  return localSigner(privateKey, { curve: "P-384", point });
}

/** The key pair stays in the token: digests go in, signatures come out. */
async function withToken<T>(path: string, body: RootWork<T>): Promise<T> {
  await using token = new Token(tokenOf(path));
  const point = await token.calls.keyPair(LABEL, "P-384");
  if (point.length !== POINT_BYTES) throw new CliError("option-invalid", "the token's key is not on P-384");
  const publicKey: PublicKey = { curve: "P-384", point };
  const sign = async (octets: Uint8Array) =>
    signatureOf(await token.calls.sign(LABEL, "P-384", createHash("sha384").update(octets).digest()));
  return await body({ publicKey, sign }, []);
}

function tokenOf(path: string): TokenOptions {
  const [first] = JSON.parse(secretText(path)) as readonly {
    readonly library: string;
    readonly label: string;
    readonly pin: string;
    readonly env?: Readonly<Record<string, string>>;
  }[];
  if (first === undefined) throw new CliError("option-invalid", `${path} names no token`);
  const { library, label, pin, env } = first;
  return { library, label, pin: () => pin, sessions: 1, ...(env && { env }) };
}

function passphraseOf({ passphraseFile, ceremony, share }: RootKeyOptions): {
  readonly passphrase: string;
  readonly holders: readonly string[];
} {
  const isShared = share !== undefined && ceremony !== undefined;
  if (isShared === (passphraseFile !== undefined))
    throw new CliError(
      "option-invalid",
      "say what opens the root's key: --passphrase-file FILE, or --ceremony FOLDER with --share FILE for each holder",
    );
  if (!isShared) return { passphrase: longEnough(secretText(passphraseFile!)), holders: [] };
  const { secret, holders } = secretOfHolders(ceremony, share);
  const passphrase = longEnough(Buffer.from(secret).toString("utf8"));
  secret.fill(0);
  return { passphrase, holders };
}

function longEnough(text: string): string {
  const passphrase = text.trim();
  if (passphrase.length < MIN_CHARACTERS)
    throw new CliError("option-invalid", `a passphrase of a root has ${MIN_CHARACTERS} characters at least`);
  return passphrase;
}

const MIN_CHARACTERS = 20;

function keyOf(passphrase: string, salt: Uint8Array, { n, r, p }: { n: number; r: number; p: number }): Buffer {
  return scryptSync(passphrase, salt, 32, { N: n, r, p, maxmem: SCRYPT_MEMORY });
}
