import type { GeneralName } from "../x509/extensions.ts";

const MOST_CHARACTERS = 253;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;
const ADDRESS_BYTES = [4, 16];

/**
 * Whether a name of subjectAltName is that of one host: a name of DNS in its preferred form (RFC 5280 clause 4.2.1.6), or an
 * address. One with an asterisk is the name of many, and with a NUL of another one for who reads up to there.
 */
export function isHost({ kind, value }: GeneralName): boolean {
  if (kind === "iPAddress") return ADDRESS_BYTES.includes(value.length);
  return kind === "dNSName" && value.length <= MOST_CHARACTERS && value.split(".").every((label) => LABEL.test(label));
}
