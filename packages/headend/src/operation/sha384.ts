import { createHash } from "node:crypto";

/** SHA-384 of octets, as package guard wants it handed in. */
export const sha384 = (octets: Uint8Array): Uint8Array => new Uint8Array(createHash("sha384").update(octets).digest());
