import { createHash } from "node:crypto";
import type { CertificateProfile } from "../profile/profile.ts";
import type { PublicKey } from "./public-key.ts";

const UNCOMPRESSED = Uint8Array.of(4);

/**
 * subjectKeyIdentifier of a key (RFC 5280 clause 4.2.1.2): SHA-1 over the BIT STRING's octets, whole (`sha-1`, 20 octets)
 * or 0100 and its last 60 bits (`short`, 8 octets). An identifier finds keys; nothing rests on its strength.
 */
export function keyIdentifier({ point }: PublicKey, method: CertificateProfile["keyIdentifier"]): Uint8Array {
  const digest = createHash("sha1").update(UNCOMPRESSED).update(point).digest();
  if (method === "sha-1") return new Uint8Array(digest);
  const short = new Uint8Array(digest.subarray(-8));
  short[0] = 0x40 | (short[0]! & 0x0f);
  return short;
}
