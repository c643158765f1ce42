import { randomBytes, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { createChannelCredential } from "@meterkeep/pki";
import { writePrivate } from "./directories.ts";
import type { ProcessUser } from "./users.ts";

/** One end's credential for the channel to the custodian: the key stays in its file, the certificate is public. */
export interface StoredCredential {
  readonly keyFile: string;
  readonly certificate: string;
}

const DAY_MS = 86_400_000;
const LIFETIME_DAYS = 3_650;
const RENEW_BEFORE_DAYS = 365;

/** What a credential is for: a channel inside the platform, or strangers who compare the names of its hosts. */
export interface CredentialUse {
  /** Name of its two files. */
  readonly file: string;
  readonly hosts: readonly string[];
}

const CHANNEL: CredentialUse = { file: "channel", hosts: [] };

/** Opens the credential in a process's directory; makes it on first run, for other hosts, and anew in its last year. */
export function openCredential(
  directory: string,
  name: string,
  now: number,
  user?: ProcessUser,
  { file, hosts }: CredentialUse = CHANNEL,
): StoredCredential {
  const [keyFile, certificateFile] = [`${directory}/${file}.key`, `${directory}/${file}.crt`];
  if (existsSync(keyFile) && existsSync(certificateFile)) {
    const certificate = readFileSync(certificateFile, "utf8");
    const read = new X509Certificate(certificate);
    const isForAll = hosts.every(
      (host) => (isIP(host) === 0 ? read.checkHost(host) : read.checkIP(host)) !== undefined,
    );
    if (isForAll && Date.parse(read.validTo) - now > RENEW_BEFORE_DAYS * DAY_MS) return { keyFile, certificate };
  }
  const { privateKey, certificate } = createChannelCredential({
    name: `meterkeep ${name}`,
    serial: randomBytes(16),
    // A machine whose clock is set back a little must still find its own certificates valid.
    notBefore: new Date(now - 30 * DAY_MS),
    notAfter: new Date(now + LIFETIME_DAYS * DAY_MS),
    hosts,
  });
  writePrivate(keyFile, privateKey, user);
  writePrivate(certificateFile, certificate, user);
  return { keyFile, certificate };
}
