import type { Custodian, CustodianRequest } from "./methods.ts";
import { type CertificateView, MAX_PAGE_CERTIFICATES } from "./pki.ts";

type Query = Omit<CustodianRequest<"searchCertificates">, "limit" | "after">;

/** A search of certificates that asks for nothing in particular. */
export const ANY_CERTIFICATE: Query = {
  utility: undefined,
  authority: undefined,
  serial: undefined,
  systemTitle: undefined,
  keyIdentifier: undefined,
  subject: undefined,
  state: undefined,
  endsBefore: undefined,
};

/** Every certificate that is like this, page by page, in the order of their end. */
export async function* certificatesLike(
  custodian: Pick<Custodian, "searchCertificates">,
  query: Partial<Query>,
): AsyncGenerator<CertificateView> {
  for (let last: CertificateView | undefined; ; ) {
    const after = last && { notAfter: last.notAfter, authority: last.authority, serial: last.serial };
    const asked = { ...ANY_CERTIFICATE, ...query, limit: MAX_PAGE_CERTIFICATES, after };
    const { certificates } = await custodian.searchCertificates(asked);
    yield* certificates;
    last = certificates.at(-1);
    if (certificates.length < MAX_PAGE_CERTIFICATES) return;
  }
}
