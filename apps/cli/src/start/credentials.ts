import { randomBytes, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
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

/** Opens the credential in a process's directory; makes it on first run, and anew in its last year. */
export function openCredential(directory: string, name: string, now: number, user?: ProcessUser): StoredCredential {
  const [keyFile, certificateFile] = [`${directory}/channel.key`, `${directory}/channel.crt`];
  if (existsSync(keyFile) && existsSync(certificateFile)) {
    const certificate = readFileSync(certificateFile, "utf8");
    if (Date.parse(new X509Certificate(certificate).validTo) - now > RENEW_BEFORE_DAYS * DAY_MS) {
      return { keyFile, certificate };
    }
  }
  const { privateKey, certificate } = createChannelCredential({
    name: `meterkeep ${name}`,
    serial: randomBytes(16),
    // A machine whose clock is set back a little must still find its own certificates valid.
    notBefore: new Date(now - 30 * DAY_MS),
    notAfter: new Date(now + LIFETIME_DAYS * DAY_MS),
  });
  writePrivate(keyFile, privateKey, user);
  writePrivate(certificateFile, certificate, user);
  return { keyFile, certificate };
}
