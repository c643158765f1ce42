import { encode, fromHex } from "@meterkeep/dlms";
import type { Certificate } from "./certificate.ts";
import { EXTENSIONS, type Extension, extensionValue, hardwareModuleOf } from "./extensions.ts";
import { OID } from "./identifiers.ts";
import { type Name, name, textOf } from "./name.ts";
import type { CertificateRequest } from "./request.ts";

const TITLE_TEXT = /^[0-9A-F]{16}$/;

/**
 * The system title that a certificate or a request is for: its only common name in 16 upper-case hexadecimal digits, or,
 * where the subject is empty, the hardware module of subjectAltName. Undefined for what names no device.
 *
 * @throws DecodeError where subjectAltName is malformed
 */
export function deviceOf({
  subject,
  extensions,
}: Pick<Certificate | CertificateRequest, "subject" | "extensions">): Uint8Array | undefined {
  if (subject.length > 0) {
    const text = subject.length === 1 ? textOf(subject, OID.commonName) : undefined;
    return text !== undefined && TITLE_TEXT.test(text) ? fromHex(text) : undefined;
  }
  const names = extensionValue(EXTENSIONS.subjectAltName, extensions as readonly Extension[]);
  return names && hardwareModuleOf(names)?.hwSerialNum;
}

/** A name in DER, as meters are told whose certificates are meant. */
export function nameOctets(of: Name): Uint8Array {
  return encode(name, of);
}
