import { fromHex } from "@meterkeep/dlms";
import type { MeterFile } from "../store/records.ts";
import { type AssociationUse, type EnrolmentJournal, isKnownBySignature, readEnrolment } from "./journal.ts";

/** The public keys that a meter may use in associations, the likeliest first. */
export function believedKeys({
  believed,
}: Pick<EnrolmentJournal, "believed">): Readonly<Record<AssociationUse, readonly Uint8Array[]>> {
  const keys = (use: AssociationUse) => believed[use].map(({ key }) => fromHex(key));
  return { digitalSignature: keys("digitalSignature"), keyAgreement: keys("keyAgreement") };
}

/**
 * The journal of a meter that proves itself by signature: once it has, it must, so that nobody who holds its symmetric
 * keys alone can speak in its place.
 */
export function signingJournal(file: MeterFile): EnrolmentJournal | undefined {
  const [stored] = file.enrolments;
  if (stored === undefined) return undefined;
  const journal = readEnrolment(stored);
  return isKnownBySignature(journal) && journal.believed.digitalSignature.length > 0 ? journal : undefined;
}
