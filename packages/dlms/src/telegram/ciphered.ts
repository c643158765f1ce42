import { NO_BYTES, toHex } from "../bytes.ts";
import { Reader } from "../codec/reader.ts";
import { DecodeError } from "../errors.ts";
import { UNSOLICITED } from "../link/apdu.ts";
import type { SecurityControl } from "../security/control.ts";
import { TAG_BYTES } from "../security/suites.ts";
import { generalCiphering, generalGloCiphering } from "../xdlms/ciphered.ts";

/** A ciphered APDU taken apart, nothing opened yet. */
export interface CipheredApdu {
  /** Of the sender; empty where the meter leaves it out. */
  readonly systemTitle: Uint8Array;
  readonly securityControl: SecurityControl;
  /** The security control as sent: it is authenticated. */
  readonly securityControlOctet: number;
  readonly invocationCounter: number;
  /** What is authenticated besides security control and key (general-ciphering only). */
  readonly authenticatedHeader: Uint8Array;
  readonly key: CipheredKey;
  /** Ciphertext, or plaintext that is only authenticated; without the tag. */
  readonly content: Uint8Array;
  /** 12 octets, or none. */
  readonly tag: Uint8Array;
  /** Octets that the APDU takes; what follows is another one. */
  readonly length: number;
}

/** Which key a ciphered APDU was made with, as far as its form tells. */
export type CipheredKey = "global" | "global-broadcast" | "dedicated" | "wrapped" | "agreed";

const CIPHERED: ReadonlySet<number> = new Set([
  UNSOLICITED.generalGloCiphering,
  UNSOLICITED.generalDedCiphering,
  UNSOLICITED.generalCiphering,
]);

/** Whether an APDU that begins with this octet is ciphered in one of the general forms. */
export function isCiphered(tag: number | undefined): boolean {
  return tag !== undefined && CIPHERED.has(tag);
}

/** Takes the ciphered APDU apart that stands first in `apdu` (Green Book 9.4.6). @throws DecodeError */
export function readCiphered(apdu: Uint8Array): CipheredApdu {
  const r = new Reader(apdu, 1);
  if (apdu[0] === UNSOLICITED.generalCiphering) {
    const value = generalCiphering.decode(r);
    return takeApart(r, value.originatorSystemTitle, value.content, keyOf(value.keyInfo), readHeader(apdu));
  }
  const value = generalGloCiphering.decode(r);
  const key = apdu[0] === UNSOLICITED.generalDedCiphering ? "dedicated" : "global";
  return takeApart(r, value.systemTitle, value.content, key, NO_BYTES);
}

/** A system title as 16 upper-case hex digits. */
export function titleText(systemTitle: Uint8Array): string {
  return toHex(systemTitle).toUpperCase();
}

function takeApart(
  r: Reader,
  systemTitle: Uint8Array,
  secured: ReturnType<(typeof generalGloCiphering)["decode"]>["content"],
  key: CipheredKey,
  authenticatedHeader: Uint8Array,
): CipheredApdu {
  const { securityControl, invocationCounter, text } = secured;
  const textAt = r.offset - text.length;
  if (systemTitle.length !== 8 && systemTitle.length !== 0)
    throw new DecodeError("wrong-length", 2, `a system title has 8 octets, this one ${systemTitle.length}`);
  const length = text.length - (securityControl.authenticated ? TAG_BYTES : 0);
  if (length < 0) throw new DecodeError("truncated", textAt, "there is no room for the authentication tag");
  return {
    systemTitle,
    securityControl,
    securityControlOctet: r.bytes[textAt - SECURITY_HEADER_BYTES] as number,
    invocationCounter,
    authenticatedHeader,
    key,
    content: text.subarray(0, length),
    tag: text.subarray(length),
    length: r.offset,
  };
}

/** Security control (1) and invocation counter (4). */
const SECURITY_HEADER_BYTES = 5;

function keyOf(info: ReturnType<(typeof generalCiphering)["decode"]>["keyInfo"]): CipheredKey {
  switch (info?.kind) {
    case undefined:
      return "global";
    case "identified-key":
      return info.value.keyId === "global-broadcast" ? "global-broadcast" : "global";
    case "wrapped-key":
      return "wrapped";
    case "agreed-key":
      return "agreed";
    default:
      return info satisfies never;
  }
}

/** The five octet strings in front of key-info, with their lengths, as they are authenticated. */
function readHeader(apdu: Uint8Array): Uint8Array {
  const r = new Reader(apdu, 1);
  for (let field = 0; field < HEADER_FIELDS; field += 1) r.octets(r.length());
  return apdu.subarray(1, r.offset);
}

/** transaction-id, originator and recipient system title, date-time, other-information. */
const HEADER_FIELDS = 5;
