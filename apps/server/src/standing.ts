import { hash } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { Custodian } from "@meterkeep/api/custodian";

/** Certificates of one subject that are looked through: it has few. */
const MOST_CERTIFICATES = 200;

/** Asks the registry whether the certificate that the other end has proven stands, and is of the right profile. */
export function standing(
  custodian: Pick<Custodian, "searchCertificates">,
  socket: TLSSocket,
  subject: string,
  isRight: (profile: string) => boolean,
): () => Promise<boolean> {
  // Its hash: the certificate of each of thousands of connections would be kept for nothing else.
  const proven = provenBy(socket);
  return async () => {
    const { certificates } = await custodian.searchCertificates({
      utility: undefined,
      authority: undefined,
      serial: undefined,
      systemTitle: undefined,
      keyIdentifier: undefined,
      subject,
      state: "valid",
      endsBefore: undefined,
      limit: MOST_CERTIFICATES,
      after: undefined,
    });
    return certificates.some(
      ({ profile, certificate }) =>
        isRight(profile) && certificate !== undefined && hash("sha256", certificate, "hex") === proven,
    );
  };
}

/** The hash of the certificate that the other end has proven, hex. */
export function provenBy(socket: TLSSocket): string {
  return hash("sha256", socket.getPeerCertificate().raw, "hex");
}
