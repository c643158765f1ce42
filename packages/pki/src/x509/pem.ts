/** Octets in the armour that files and other programs want (RFC 7468), 64 characters a line. */
export function toPem(label: "CERTIFICATE" | "CERTIFICATE REQUEST" | "X509 CRL", octets: Uint8Array): string {
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString("base64");
  const lines = text.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** The octets of every armoured block with this label, in their order; text around them is passed over. */
export function fromPem(label: "CERTIFICATE" | "CERTIFICATE REQUEST" | "X509 CRL", text: string): Uint8Array[] {
  const blocks = text.matchAll(new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`, "g"));
  return [...blocks].map(([, body]) => new Uint8Array(Buffer.from(body!, "base64")));
}
