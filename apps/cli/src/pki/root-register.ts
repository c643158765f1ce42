import { readFileSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { type AuthorityKey, type Certificate, isSignedBy, type RevocationReason } from "@meterkeep/pki";
import { CliError } from "../error.ts";

/** What a root has done, beside its certificate: it has no database, and its next ceremony is in years. */
export interface RootRegister {
  readonly issued: readonly RegisteredCertificate[];
  readonly revoked: readonly RegisteredRevocation[];
  /** The number of the last list. */
  readonly lists: number;
}

export interface RegisteredCertificate {
  /** As the certificate has it, lower-case hex. */
  readonly serial: string;
  readonly subject: string;
  readonly at: string;
  /** Who held the shares that opened the key; nobody where it was opened in another way. */
  readonly holders: readonly string[];
}

export interface RegisteredRevocation {
  readonly serial: string;
  readonly reason: RevocationReason;
  readonly at: string;
  readonly holders: readonly string[];
}

/** The octets that a root signs: what it has done, in this order of fields. */
const signedText = ({ issued, revoked, lists }: RootRegister): Buffer =>
  Buffer.from(`${FORMAT}/${JSON.stringify({ issued, revoked, lists })}`);

const FORMAT = "meterkeep-root-register-1";
const ALGORITHM = "ecdsa-with-SHA384";

/**
 * Reads the register of a root, which its key has signed: whoever takes a revocation out of the file is found out before
 * the next list is signed. An older file in the place of a newer one is not; the custodian refuses the list that comes of it.
 *
 * @throws CliError `input-unreadable`
 */
export function readRegister(folder: string, root: Certificate): RootRegister {
  const path = `${folder}/register.json`;
  try {
    const { format, signature, issued, revoked, lists } = writtenIn(path);
    const register = { issued, revoked, lists };
    const octets = new Uint8Array(Buffer.from(String(signature), "base64"));
    if (format === FORMAT && isSignedBy(root.publicKey, ALGORITHM, signedText(register), octets)) return register;
  } catch (cause) {
    throw refused(path, "cannot be read", cause);
  }
  throw refused(path, "was not signed by this root, or was changed since");
}

function writtenIn(path: string): RootRegister & { readonly format?: string; readonly signature?: string } {
  return JSON.parse(readFileSync(path, "utf8")) as ReturnType<typeof writtenIn>;
}

function refused(path: string, why: string, cause?: unknown): CliError {
  return new CliError(
    "input-unreadable",
    `${path} ${why}: put back the copy that was kept at the last ceremony`,
    cause === undefined ? {} : { cause },
  );
}

/** Signs what the root has done, and puts it in the place of the register before: whole and durable, or not at all. */
export async function writeRegister(folder: string, key: AuthorityKey, register: RootRegister): Promise<void> {
  const signature = Buffer.from(await key.sign(signedText(register))).toString("base64");
  const draft = `${folder}/register.json.new`;
  const { issued, revoked, lists } = register;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ format: FORMAT, issued, revoked, lists, signature }, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, `${folder}/register.json`);
}
