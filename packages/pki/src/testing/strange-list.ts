import { fromHex } from "@meterkeep/dlms";
import type { Issuer } from "../authority/issue.ts";
import { BEGIN } from "./test-tree.ts";

const LATER = new Date("2028-01-01T00:00:00Z");

/** DER by hand, for lists that nobody here would write. */
function tlv(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const length = content.reduce((sum, one) => sum + one.length, 0);
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Uint8Array.from(Buffer.concat([Uint8Array.of(tag, ...head), ...content]));
}
const UNKNOWN = fromHex("0603551d7f");
const CRITICAL = fromHex("0101ff");
/** An extension that nobody knows, and that has to be understood. */
export const UNKNOWN_EXTENSION = tlv(0x30, UNKNOWN, CRITICAL, tlv(0x04, tlv(0x05)));

/** issuingDistributionPoint with these fields, critical. */
export function issuingPoint(fields: Uint8Array): Uint8Array {
  return tlv(0x30, fromHex("0603551d1c"), CRITICAL, tlv(0x04, tlv(0x30, fields)));
}

/** A list of an issuer as nobody here would write one. */
export function strangeList(
  issuer: Issuer,
  list: {
    readonly revoked: readonly Uint8Array[];
    readonly isEntryStrange?: boolean;
    readonly own?: readonly Uint8Array[];
  },
): Uint8Array {
  const text = (at: Date) => tlv(0x17, Buffer.from(`${at.toISOString().replaceAll(/[-:T]/g, "").slice(2, 14)}Z`));
  const ecdsa = tlv(0x30, fromHex("06082a8648ce3d040302"));
  const strange = list.isEntryStrange === true ? [tlv(0x30, UNKNOWN_EXTENSION)] : [];
  const entries = list.revoked.map((serial) => tlv(0x30, tlv(0x02, serial), text(BEGIN), ...strange));
  const name = tlv(
    0x30,
    tlv(0x31, tlv(0x30, fromHex("0603550403"), ...issuer.certificate.subject.map((a) => a.value))),
  );
  const number = tlv(0x30, fromHex("0603551d14"), tlv(0x04, fromHex("020101")));
  const unsigned = tlv(
    0x30,
    fromHex("020101"),
    ecdsa,
    name,
    text(BEGIN),
    text(LATER),
    ...(entries.length > 0 ? [tlv(0x30, ...entries)] : []),
    tlv(0xa0, tlv(0x30, number, ...(list.own ?? []))),
  );
  return tlv(0x30, unsigned, ecdsa, tlv(0x03, Uint8Array.of(0), issuer.signer.sign(unsigned)));
}
