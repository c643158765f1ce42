import { equalBytes, toHex } from "@meterkeep/dlms";
import {
  authorityId,
  type Certificate,
  type CertificateProfile,
  type CertificateRecord,
  type CertificateRequest,
  EXTENSIONS,
  extensionValue,
  type GeneralName,
  openRequest,
  subjectNames,
} from "@meterkeep/pki";
import { ANY_POLICY, profileOf } from "../development-tree.ts";
import { ENROLLED_OVER_EST } from "../enrollable.ts";
import type { Pki } from "../open-pki.ts";
import { passwordHash } from "../pki-service.ts";
import { hostNames, subjectFromText } from "../subjects.ts";
import { EstRefusal } from "./refusal.ts";

/** Who enrols with a password, as HTTP Basic says it. */
export interface Basic {
  readonly name: string;
  readonly password: string;
}

/**
 * Enrols by a one-time password: the certificate says what the password was made for, whatever the request asks.
 *
 * @throws EstRefusal, PkiError, DecodeError
 */
export async function enrolByPassword(pki: Pki, { name, password }: Basic, request: Uint8Array): Promise<Certificate> {
  // Before the password is used up: who sent nonsense may try again.
  const { publicKey } = openRequest(request);
  const hash = passwordHash(name, password);
  const used = await pki.store.passwords.take(hash, pki.now());
  if (used === undefined) throw new EstRefusal(401, "the password is not known, was used, or has ended");
  try {
    const profile = enrollable(used.profile);
    const { subject, hosts } = subjectFromText(used.subject);
    return await pki.authorities.issue({
      authority: used.authority,
      profile,
      subject,
      publicKey,
      hosts: profile.altName.kind === "hosts" ? hostNames(hosts) : [],
      policies: [ANY_POLICY],
      requester: `est:${name}`,
    });
  } catch (error) {
    // Nobody was given a certificate for it: whoever mends what was wrong tries again.
    await pki.store.passwords.giveBack(hash, pki.now());
    throw error;
  }
}

/** The profile of an end that speaks TLS, and enrols by itself. Meters enrol over DLMS (ADR 0034). @throws EstRefusal */
function enrollable(name: string): CertificateProfile {
  const profile = profileOf(name);
  if (!ENROLLED_OVER_EST.has(name)) throw new EstRefusal(403, `certificates of ${name} are not given over EST`);
  return profile;
}

/**
 * Renews the certificate that the connection has proven: the same authority, profile and names, another key if the
 * request has one.
 *
 * @param shown the certificate of the TLS client, whose key it has proven
 * @throws EstRefusal where the certificate is not, or no longer, one of ours, or the request names somebody else
 */
export async function renewByCertificate(pki: Pki, shown: Uint8Array, request: Uint8Array): Promise<Certificate> {
  const current = await ownCertificate(pki, shown);
  const asked = openRequest(request);
  requireSameNames(asked, current.certificate);
  const profile = enrollable(current.record.profile);
  const { authority, serial } = current.record;
  const next = await pki.authorities.issue({
    authority,
    profile,
    subject: { names: subjectNames(current.certificate.subject) },
    publicKey: asked.publicKey,
    hosts: profile.altName.kind === "hosts" ? namesOf(current.certificate) : [],
    policies: [ANY_POLICY],
    requester: `est:${current.record.subject}`,
  });
  // Revoked meanwhile: whoever has its key would come away with another certificate, of which nobody knows.
  if (await pki.store.registry.isRevoked(authority, serial)) {
    await pki.authorities.revoke(authority, toHex(next.serial), "privilegeWithdrawn", `est:${current.record.subject}`);
    throw new EstRefusal(403, "the certificate of the connection was revoked");
  }
  return next;
}

/** A certificate that this PKI issued, that holds now, and that its registry knows. @throws EstRefusal */
async function ownCertificate(pki: Pki, shown: Uint8Array) {
  const seen = await pki.examine(shown, "tls-client");
  if (!seen.isTrusted) throw new EstRefusal(403, `the certificate of the connection does not hold: ${seen.problem}`);
  const { certificate, path } = seen;
  const record: CertificateRecord | undefined = await pki.store.registry.find(
    authorityId(path[1]!),
    toHex(certificate.serial),
  );
  if (record === undefined) throw new EstRefusal(403, "the certificate of the connection is not in the registry");
  return { certificate, record };
}

/** RFC 7030 clause 4.2.2: subject and subjectAltName of the request are those of the certificate that is renewed. */
function requireSameNames(asked: CertificateRequest, current: Certificate): void {
  const isSame =
    asked.subject.length === current.subject.length &&
    asked.subject.every(
      ({ type, value }, at) => type === current.subject[at]!.type && equalBytes(value, current.subject[at]!.value),
    );
  const [wanted, held] = [asked, current].map(({ extensions }) => {
    const found = extensions.find(({ id }) => id === EXTENSIONS.subjectAltName.id);
    return found === undefined ? "" : toHex(found.value);
  });
  if (!isSame || (wanted !== "" && wanted !== held))
    throw new EstRefusal(400, "a renewal asks for the names of the certificate that it renews, and no others");
}

function namesOf({ extensions }: Certificate): readonly GeneralName[] {
  return extensionValue(EXTENSIONS.subjectAltName, extensions) ?? [];
}

/** The body of a request: PKCS #10 in base64, with or without lines (RFC 7030 clause 4.2.1, RFC 8951). @throws EstRefusal */
export function requestOctets(body: string): Uint8Array {
  const text = body.replaceAll(/-----[A-Z ]+-----/g, "").replaceAll(/\s/g, "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw new EstRefusal(400, "the body is a PKCS #10 request in base64");
  return new Uint8Array(Buffer.from(text, "base64"));
}
