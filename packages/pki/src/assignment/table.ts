import { decode, encode, equalBytes, type Infer, toHex } from "@meterkeep/dlms";
import { asn1 } from "../asn1/asn1.ts";
import { PkiError } from "../errors.ts";
import type { Certificate } from "../x509/certificate.ts";
import { EXTENSIONS, extensionValue } from "../x509/extensions.ts";
import { nameText } from "../x509/name.ts";
import { SIGNATURE_ALGORITHM_OF, signatureAlgorithm } from "../x509/public-key.ts";
import { type AuthorityKey, isSignedBy } from "../x509/signature.ts";

/** A system title is 8 octets: three letters of the maker, then what the maker chose. */
const TITLE_BYTES = 8;
const MAX_AUTHORITIES = 4096;
const MAX_RANGES = 65_536;

const range = asn1.sequence("range", { first: asn1.octetString, last: asn1.octetString });
const row = asn1.sequence("row", {
  authority: asn1.octetString,
  name: asn1.utf8String,
  ranges: asn1.sequenceOf(range, { max: MAX_RANGES }),
});
const table = asn1.sequence("table", {
  version: asn1.smallInteger,
  number: asn1.smallInteger,
  issuedAt: asn1.generalizedTime,
  rows: asn1.sequenceOf(row, { max: MAX_AUTHORITIES }),
});
const signed = asn1.sequence("assignments", { table: asn1.any, signatureAlgorithm, signature: asn1.bitStringOctets });

const VERSION = 1;

/** Which system titles an authority may speak for. */
export interface Assignment {
  /** subjectKeyIdentifier of the authority: a name may be taken by another, a key not. */
  readonly authority: Uint8Array;
  /** For people. */
  readonly name: string;
  /** First and last system title of each range, both included, 8 octets each, compared as numbers. */
  readonly ranges: readonly { readonly first: Uint8Array; readonly last: Uint8Array }[];
}

/** Rows as they are signed, with a number that only grows: an old table is refused where a newer one is known. */
export interface AssignmentTable {
  readonly number: number;
  readonly issuedAt: Date;
  readonly rows: readonly Assignment[];
}

/**
 * Signs a table with the key of the scheme's authority.
 *
 * @throws PkiError `assignment-refused` for ranges that are no ranges, or that belong to two authorities
 */
export async function signAssignments(key: AuthorityKey, content: AssignmentTable): Promise<Uint8Array> {
  requireDistinct(content);
  const octets = encode(table, { version: VERSION, ...content } satisfies Infer<typeof table>);
  const algorithm = SIGNATURE_ALGORITHM_OF[key.publicKey.curve];
  return encode(signed, { table: octets, signatureAlgorithm: algorithm, signature: await key.sign(octets) });
}

/**
 * Reads a table and verifies that the scheme's authority signed it.
 *
 * @param newest the number of the newest table known; a lower one is refused
 * @throws DecodeError; PkiError `assignment-refused`
 */
export function openAssignments(octets: Uint8Array, scheme: Certificate, newest = 0): AssignmentTable {
  const outer = decode(signed, octets);
  const expected = SIGNATURE_ALGORITHM_OF[scheme.publicKey.curve];
  if (outer.signatureAlgorithm !== expected || !isSignedBy(scheme.publicKey, expected, outer.table, outer.signature))
    throw refusal(`not signed by ${nameText(scheme.subject)}`);
  const { version, ...content } = decode(table, outer.table);
  if (version !== VERSION) throw refusal(`version ${version} is unknown`);
  if (content.number < newest) throw refusal(`number ${content.number} is older than ${newest}, which is known`);
  requireDistinct(content);
  return content;
}

/** Finds whose a system title is, by binary search over all ranges of a table. */
export class AssignmentIndex {
  readonly #ranges: readonly { readonly first: bigint; readonly last: bigint; readonly row: Assignment }[];

  constructor({ rows }: AssignmentTable) {
    this.#ranges = rows
      .flatMap((each) =>
        each.ranges.map(({ first, last }) => ({ first: titleNumber(first), last: titleNumber(last), row: each })),
      )
      .toSorted((left, right) => (left.first < right.first ? -1 : 1));
  }

  /** The authority that may speak for `systemTitle`; undefined where nobody was given it. */
  ownerOf(systemTitle: Uint8Array): Assignment | undefined {
    const wanted = titleNumber(systemTitle);
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]!.first <= wanted) low = middle + 1;
      else high = middle;
    }
    const found = this.#ranges[low - 1];
    return found !== undefined && wanted <= found.last ? found.row : undefined;
  }

  /**
   * What speaks against a device's certificate with this path; undefined when its owner is one of the authorities in it.
   * An authority that issues outside what it was given is caught here: its signatures are perfect.
   */
  objection(systemTitle: Uint8Array, path: readonly Certificate[]): string | undefined {
    const owner = this.ownerOf(systemTitle);
    if (owner === undefined) return `nobody was given ${toHex(systemTitle).toUpperCase()}`;
    const isInPath = path.slice(1).some(({ extensions }) => {
      const key = extensionValue(EXTENSIONS.subjectKeyIdentifier, extensions);
      return key !== undefined && equalBytes(key, owner.authority);
    });
    return isInPath
      ? undefined
      : `${toHex(systemTitle).toUpperCase()} was given to ${owner.name}, which is not in the path`;
  }
}

function requireDistinct({ rows }: AssignmentTable): void {
  const all = rows.flatMap(({ name, ranges }) =>
    ranges.map(({ first, last }) => ({ name, first: titleNumber(first), last: titleNumber(last) })),
  );
  all.sort((left, right) => (left.first < right.first ? -1 : 1));
  all.forEach((one, at) => {
    if (one.last < one.first) throw refusal(`a range of ${one.name} ends before it begins`);
    const next = all[at + 1];
    if (next !== undefined && next.first <= one.last) throw refusal(`ranges of ${one.name} and ${next.name} overlap`);
  });
}

function titleNumber(systemTitle: Uint8Array): bigint {
  if (systemTitle.length !== TITLE_BYTES)
    throw refusal(`a system title has ${TITLE_BYTES} octets, not ${systemTitle.length}`);
  return new DataView(systemTitle.buffer, systemTitle.byteOffset, TITLE_BYTES).getBigUint64(0);
}

function refusal(why: string): PkiError {
  return new PkiError("assignment-refused", `assignment table: ${why}`);
}
