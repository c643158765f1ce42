import { createHash } from "node:crypto";
import type { Custody } from "@meterkeep/custody";
import { decodeCertificate, nameText } from "@meterkeep/pki";

/** The roots of our tree, as whoever orders meters has them made with (docs/formats/other-files.md). */
export async function anchorsOf({ pki }: Pick<Custody, "pki">) {
  const roots = (await pki.authorities.all()).filter(({ parent }) => parent === undefined);
  return roots.map(({ certificate }) => ({
    subject: nameText(decodeCertificate(certificate).subject),
    sha256: createHash("sha256").update(certificate).digest("hex"),
    certificate: Buffer.from(certificate).toString("base64"),
  }));
}
