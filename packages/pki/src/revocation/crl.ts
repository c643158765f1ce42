import { DlmsError, decode, encode, type Infer, toHex } from "@meterkeep/dlms";
import { asn1 } from "../asn1/asn1.ts";
import type { Packed } from "../asn1/packed.ts";
import type { Issuer } from "../authority/issue.ts";
import { PkiError } from "../errors.ts";
import { type Certificate, MAX_SERIAL_BYTES } from "../x509/certificate.ts";
import { EXTENSIONS, type Extension, extension, extensions, extensionValue, generalNames } from "../x509/extensions.ts";
import { OID } from "../x509/identifiers.ts";
import { name, nameText } from "../x509/name.ts";
import { SIGNATURE_ALGORITHM_OF, signatureAlgorithm } from "../x509/public-key.ts";
import { isSignedBy } from "../x509/signature.ts";
import { type RevocationReason, revocationReason } from "./reasons.ts";

const V2 = 1;
/** A shard of a million meters in 64 has some 16 000; a list above this is refused rather than read. */
const MAX_ENTRIES = 2 ** 21;
const MAX_NUMBER_BYTES = 20;

const wireEntry = asn1.sequence("entry", {
  serial: asn1.positiveInteger(MAX_SERIAL_BYTES),
  revokedAt: asn1.time,
  extensions: asn1.optional(asn1.sequenceOf(extension, { min: 1, max: 4 })),
});
const entry = asn1.map("entry", wireEntry, { decode: readEntry, encode: makeEntry });

/** TBSCertList (RFC 5280 clause 5.1). */
const list = asn1.sequence("list", {
  version: asn1.smallInteger,
  signatureAlgorithm,
  issuer: name,
  thisUpdate: asn1.time,
  nextUpdate: asn1.time,
  entries: asn1.optional(asn1.packedSequenceOf(entry, { min: 1, max: MAX_ENTRIES })),
  extensions: asn1.explicit(0, extensions),
});

const signed = asn1.sequence("crl", { list: asn1.any, signatureAlgorithm, signature: asn1.bitStringOctets });

/** Which part of an issuer's certificates a list is about: the address that their certificates name for it. */
const issuingDistributionPoint = asn1.sequence("issuingDistributionPoint", {
  name: asn1.optional(asn1.sequence("name", { fullName: asn1.implicit(0, generalNames) }, 0xa0)),
});
const number = asn1.positiveInteger(MAX_NUMBER_BYTES);

/** One certificate that its issuer revoked. */
export interface Revocation {
  readonly serial: Uint8Array;
  readonly revokedAt: Date;
  readonly reason: RevocationReason;
}

/** What a list says, apart from its entries. */
export interface CrlOrder {
  /** Grows with every list of its issuer and shard; a delta has the number of the full list published with it. */
  readonly number: bigint;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  /** The address of the shard, as its certificates name it; none for a list over everything. */
  readonly shard?: string;
  /** For a full list: where its deltas lie, so that whoever has it finds them (RFC 5280 clause 5.2.6). */
  readonly freshest?: string;
  /** For a delta: the number of the full list whose changes these are. */
  readonly since?: bigint;
}

/** A list, read: its signature is verified by `openCrl`. */
export interface RevocationList extends CrlOrder {
  /** They stay in the octets of the list until they are looked at: a list of a million takes no more than it has. */
  readonly revocations: Packed<Revocation>;
}

/** Writes and signs a list, full or delta. Entries are written in the order given; time and memory are linear in them. */
export function issueCrl(issuer: Issuer, order: CrlOrder, revocations: Packed<Revocation>): Uint8Array {
  const octets = prepareCrl(issuer.certificate, order, revocations);
  return crlOf(issuer.certificate, octets, issuer.signer.sign(octets));
}

/** All of `issueCrl` but the signature: TBSCertList in DER. @throws PkiError `issuer-unfit` */
export function prepareCrl(issuer: Certificate, order: CrlOrder, revocations: Packed<Revocation>): Uint8Array {
  const { subject, extensions: own } = issuer;
  if (!extensionValue(EXTENSIONS.keyUsage, own)?.includes("cRLSign"))
    throw new PkiError("issuer-unfit", `the key of ${nameText(subject)} may not sign revocation lists`);
  return encode(list, {
    version: V2,
    signatureAlgorithm: SIGNATURE_ALGORITHM_OF[issuer.publicKey.curve],
    issuer: subject,
    thisUpdate: order.thisUpdate,
    nextUpdate: order.nextUpdate,
    ...(revocations.length > 0 && { entries: revocations }),
    extensions: listExtensions(order, extensionValue(EXTENSIONS.subjectKeyIdentifier, own)),
  } satisfies Infer<typeof list>);
}

/** A list with the signature that was made over its octets. */
export function crlOf(issuer: Certificate, octets: Uint8Array, signature: Uint8Array): Uint8Array {
  return encode(signed, {
    list: octets,
    signatureAlgorithm: SIGNATURE_ALGORITHM_OF[issuer.publicKey.curve],
    signature,
  });
}

/** Extensions of lists that are understood. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.crlNumber,
  OID.authorityKeyIdentifier,
  OID.deltaCrlIndicator,
  OID.issuingDistributionPoint,
]);

/**
 * Reads a list and verifies that `issuer` signed it, and may.
 *
 * @param at the moment at which the list is to be good; any where it is not said
 * @throws DecodeError; PkiError `crl-refused` when it is another's, its time is over or has not come, something critical in
 * it is not understood, or its signature does not verify
 */
export function openCrl(octets: Uint8Array, issuer: Certificate, at?: Date): RevocationList {
  const outer = decode(signed, octets);
  const inner = decode(list, outer.list);
  const refuse = (why: string): never => {
    throw new PkiError("crl-refused", `not a revocation list of ${nameText(issuer.subject)}: ${why}`);
  };
  if (inner.version !== V2) refuse(`version ${inner.version + 1}`);
  if (!extensionValue(EXTENSIONS.keyUsage, issuer.extensions)?.includes("cRLSign")) refuse("its key may sign none");
  if (nameText(inner.issuer) !== nameText(issuer.subject)) refuse(`it is of ${nameText(inner.issuer)}`);
  if (inner.signatureAlgorithm !== outer.signatureAlgorithm) refuse("its signature algorithms differ");
  if (outer.signatureAlgorithm !== SIGNATURE_ALGORITHM_OF[issuer.publicKey.curve])
    refuse("its signature is of another curve");
  if (!isSignedBy(issuer.publicKey, outer.signatureAlgorithm, outer.list, outer.signature))
    refuse("its signature does not hold");
  if (at !== undefined && (at < inner.thisUpdate || at > inner.nextUpdate))
    refuse(`it is good from ${inner.thisUpdate.toISOString()} to ${inner.nextUpdate.toISOString()}`);
  const strange = inner.extensions.find(({ id, critical }) => critical && !UNDERSTOOD.has(id));
  if (strange !== undefined) refuse(`extension ${strange.id} is critical and unknown`);
  const ids = inner.extensions.map(({ id }) => id);
  // Of two values one reader takes the first, and another the last.
  const twice = ids.find((id, place) => ids.indexOf(id) !== place);
  if (twice !== undefined) refuse(`extension ${twice} is there twice`);
  const find = (id: string): Uint8Array | undefined => inner.extensions.find((one) => one.id === id)?.value;
  const numberOctets = find(OID.crlNumber) ?? refuse("it has no number");
  const since = find(OID.deltaCrlIndicator);
  const point = find(OID.issuingDistributionPoint);
  const names = (point && decode(issuingDistributionPoint, point).name?.fullName) ?? [];
  const [shard] = names.flatMap((one) => (one.kind === "uniformResourceIdentifier" ? [one.value] : []));
  // About a part of what its issuer signed, and nothing here can say which: it would be taken for a list over all.
  if (names.length > 0 && shard === undefined) refuse(`it is about a part that is named by ${names[0]?.kind}`);
  return {
    number: bigOf(decode(number, numberOctets)),
    thisUpdate: inner.thisUpdate,
    nextUpdate: inner.nextUpdate,
    ...(since && { since: bigOf(decode(number, since)) }),
    ...(shard !== undefined && { shard }),
    revocations: inner.entries ?? [],
  };
}

/**
 * Whether a list is about a certificate (RFC 5280 clause 6.3.3 (b)): a list of one shard is about those that name its
 * address; a list over everything is about all. That a list of another shard does not name a certificate says nothing.
 */
export function coversCertificate(
  { shard }: Pick<RevocationList, "shard">,
  { extensions: own }: Pick<Certificate, "extensions">,
): boolean {
  if (shard === undefined) return true;
  const points = extensionValue(EXTENSIONS.crlDistributionPoints, own) ?? [];
  return points.some((point) =>
    (point.name?.fullName ?? []).some((one) => one.kind === "uniformResourceIdentifier" && one.value === shard),
  );
}

/** A full list brought up to date by a delta. @throws PkiError `crl-refused` when the delta begins after the list */
export function applyDelta(full: RevocationList, delta: RevocationList): RevocationList {
  if (
    delta.since === undefined ||
    delta.since > full.number ||
    delta.number < full.number ||
    delta.shard !== full.shard
  )
    throw new PkiError("crl-refused", `delta ${delta.number} since ${delta.since} does not follow list ${full.number}`);
  const changed = [...delta.revocations];
  const changedSerials = new Set(changed.map(({ serial }) => toHex(serial)));
  const kept = [...full.revocations].filter(({ serial }) => !changedSerials.has(toHex(serial)));
  const { since: _, ...rest } = delta;
  return { ...rest, revocations: [...kept, ...changed.filter(({ reason }) => reason !== "removeFromCRL")] };
}

function makeEntry({ serial, revokedAt, reason }: Revocation): Infer<typeof wireEntry> {
  // A reason that says nothing is left out (RFC 5280 clause 5.3.1).
  if (reason === "unspecified") return { serial, revokedAt };
  return { serial, revokedAt, extensions: REASON_EXTENSIONS[reason] };
}

const REASON_EXTENSIONS = Object.fromEntries(
  (
    [
      "keyCompromise",
      "cACompromise",
      "affiliationChanged",
      "superseded",
      "cessationOfOperation",
      "certificateHold",
      "removeFromCRL",
      "privilegeWithdrawn",
    ] as const
  ).map((reason) => [reason, [{ id: OID.reasonCode, critical: false, value: encode(revocationReason, reason) }]]),
) as unknown as Readonly<Record<RevocationReason, readonly Extension[]>>;

function readEntry({ serial, revokedAt, extensions: all = [] }: Infer<typeof wireEntry>): Revocation {
  const strange = all.find(({ id, critical }) => critical && id !== OID.reasonCode);
  // Whoever does not understand one entry may go by none of the list (RFC 5280 clause 5.3).
  if (strange !== undefined) throw new DlmsError("unknown-value", `extension ${strange.id} is critical and unknown`);
  const reason = all.find(({ id }) => id === OID.reasonCode);
  return { serial, revokedAt, reason: reason ? decode(revocationReason, reason.value) : "unspecified" };
}

function listExtensions(order: CrlOrder, issuerKey: Uint8Array | undefined): Extension[] {
  const all: Extension[] = [{ id: OID.crlNumber, critical: false, value: encode(number, octetsOf(order.number)) }];
  if (issuerKey !== undefined)
    all.push({
      id: OID.authorityKeyIdentifier,
      critical: false,
      value: encode(EXTENSIONS.authorityKeyIdentifier.codec, { keyIdentifier: issuerKey }),
    });
  if (order.since !== undefined)
    all.push({ id: OID.deltaCrlIndicator, critical: true, value: encode(number, octetsOf(order.since)) });
  if (order.freshest !== undefined) {
    const fullName = [{ kind: "uniformResourceIdentifier", value: order.freshest }] as const;
    const value = encode(EXTENSIONS.crlDistributionPoints.codec, [{ name: { fullName } }]);
    all.push({ id: OID.freshestCrl, critical: false, value });
  }
  if (order.shard !== undefined) {
    const fullName = [{ kind: "uniformResourceIdentifier", value: order.shard }] as const;
    all.push({
      id: OID.issuingDistributionPoint,
      critical: true,
      value: encode(issuingDistributionPoint, { name: { fullName } }),
    });
  }
  return all;
}

function octetsOf(value: bigint): Uint8Array {
  const digits = value.toString(16);
  return Uint8Array.from(Buffer.from(digits.padStart(digits.length + (digits.length % 2), "0"), "hex"));
}

function bigOf(octets: Uint8Array): bigint {
  return octets.reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);
}
