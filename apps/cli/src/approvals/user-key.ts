import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { approval, parseJson, writeCanonical } from "@meterkeep/guard";
import { Token } from "@meterkeep/hsm";
import { CliError } from "../error.ts";
import { fileContent, secretText } from "../named-file.ts";
import type { Terminal } from "../terminal.ts";
import type { KeyChoice } from "./options.ts";

/** A person's own key: what it signs verifies under `publicKey`. */
export interface UserKey extends AsyncDisposable {
  /** SPKI. */
  readonly publicKey: Uint8Array;
  /** ECDSA, r and s. */
  sign(text: string): Promise<Uint8Array>;
}

const HASHES: Readonly<Record<string, string>> = { prime256v1: "sha256", secp384r1: "sha384" };
const PATIENCE_MS = 60_000;

/** Opens the user key that the options name. @throws CliError `option-invalid`, `input-unreadable`, `file-not-private`; HsmError */
export async function openUserKey(options: KeyChoice, { env }: Pick<Terminal, "env">): Promise<UserKey> {
  if (options.key !== undefined) return keyInFile(options.key);
  const { pkcs11: library, token: label, keyLabel, pinFile } = options;
  if (library === undefined || label === undefined || keyLabel === undefined || pinFile === undefined)
    throw new CliError("option-invalid", "name a --key file, or --pkcs11, --token, --key-label and --pin-file");
  const pin = secretText(pinFile).trimEnd();
  const environment = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
  const token = new Token({
    library,
    label,
    pin: () => pin,
    sessions: 1,
    deadlineMs: PATIENCE_MS,
    env: environment as Record<string, string>,
  });
  // Made at first use; it never leaves the token.
  const point = Buffer.from(await token.calls.keyPair(keyLabel, "P-384"));
  const [x, y] = [point.subarray(0, 48), point.subarray(48)].map((half) => half.toString("base64url"));
  const half = createPublicKey({ key: { kty: "EC", crv: "P-384", x: x ?? "", y: y ?? "" }, format: "jwk" });
  return {
    publicKey: new Uint8Array(half.export({ format: "der", type: "spki" })),
    sign: async (text) => token.calls.sign(keyLabel, "P-384", createHash("sha384").update(text).digest()),
    [Symbol.asyncDispose]: () => token[Symbol.asyncDispose](),
  };
}

function keyInFile(path: string): UserKey {
  const key = fileContent(path, "holds no private key", (pem) => createPrivateKey(pem));
  const publicKey = new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" }));
  const hash = HASHES[key.asymmetricKeyDetails?.namedCurve ?? ""];
  if (hash === undefined) throw new CliError("option-invalid", "the user key is no EC key on P-256 or P-384");
  return {
    publicKey,
    sign: async (text) => sign(hash, Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** A statement of the custodian's with the signature of a user key. */
export async function signedStatement(key: UserKey, statement: string): Promise<string> {
  const signature = Buffer.from(await key.sign(statement)).toString("hex");
  return writeCanonical(approval, {
    statement: parseJson(statement) as never,
    proof: { kind: "signature", signature },
  });
}
