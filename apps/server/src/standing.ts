import { hash } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { CertificateView, Custodian } from "@meterkeep/api/custodian";

/** Certificates with one serial number: there is one, unless somebody wrote others into the registry. */
const PAGE_CERTIFICATES = 200;

/** Asks the registry whether the certificate that the other end has proven stands, and is of the right profile. */
export function standing(
  custodian: Pick<Custodian, "searchCertificates">,
  socket: TLSSocket,
  isRight: (profile: string) => boolean,
): () => Promise<boolean> {
  // Its hash: the certificate of each of thousands of connections would be kept for nothing else.
  const proven = provenBy(socket);
  // Not by its name: others may begin likewise, any number of them.
  const serial = socket.getPeerCertificate().serialNumber.toLowerCase();
  return async () => {
    for (let after: CertificateView | undefined; ; ) {
      const { certificates } = await custodian.searchCertificates({
        utility: undefined,
        authority: undefined,
        serial,
        systemTitle: undefined,
        keyIdentifier: undefined,
        subject: undefined,
        state: "valid",
        endsBefore: undefined,
        limit: PAGE_CERTIFICATES,
        after: after && { notAfter: after.notAfter, authority: after.authority, serial: after.serial },
      });
      const own = certificates.find(
        ({ certificate }) => certificate !== undefined && hash("sha256", certificate, "hex") === proven,
      );
      if (own !== undefined) return isRight(own.profile);
      after = certificates.at(-1);
      if (after === undefined || certificates.length < PAGE_CERTIFICATES) return false;
    }
  };
}

/** The hash of the certificate that the other end has proven, hex. */
export function provenBy(socket: TLSSocket): string {
  return hash("sha256", socket.getPeerCertificate().raw, "hex");
}
