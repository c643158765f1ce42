import { hash } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { type Custodian, certificatesLike } from "@meterkeep/api/custodian";

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
    for await (const { certificate, profile } of certificatesLike(custodian, { serial, state: "valid" }))
      if (certificate !== undefined && hash("sha256", certificate, "hex") === proven) return isRight(profile);
    return false;
  };
}

/** The hash of the certificate that the other end has proven, hex. */
export function provenBy(socket: TLSSocket): string {
  return hash("sha256", socket.getPeerCertificate().raw, "hex");
}
