import { type CertificateQuery, type CertificateRecord, stateOf } from "./registry.ts";

type Place = Pick<CertificateRecord, "notAfter" | "authority" | "serial">;

/** Whether a certificate is one that a query asks for, and stands behind the page before. */
export function isLike(record: CertificateRecord, query: Omit<CertificateQuery, "limit">, now: number): boolean {
  const { utility, authority, butOf = [], serial, systemTitle, keyIdentifier, subject } = query;
  const { state, endsBefore, after } = query;
  return (
    (utility === undefined || record.utility === utility) &&
    (authority === undefined || record.authority === authority) &&
    !butOf.includes(record.authority) &&
    (serial === undefined || record.serial === serial) &&
    (systemTitle === undefined || record.systemTitle === systemTitle) &&
    (keyIdentifier === undefined || record.keyIdentifier === keyIdentifier) &&
    (subject === undefined || record.subject.startsWith(subject)) &&
    (state === undefined || stateOf(record, now) === state) &&
    (endsBefore === undefined || record.notAfter < endsBefore) &&
    (after === undefined || inPageOrder(after, record) < 0)
  );
}

/** The order of the pages of a search: by their end, then authority and serial number. */
export function inPageOrder(one: Place, other: Place): number {
  return one.notAfter - other.notAfter || byIssuer(one, other);
}

/** By authority, then serial number. */
export function byIssuer(one: Omit<Place, "notAfter">, other: Omit<Place, "notAfter">): number {
  return compare(one.authority, other.authority) || compare(one.serial, other.serial);
}

/** By code units. */
export function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
