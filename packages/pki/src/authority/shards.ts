/** Shards of an issuing authority's revocation lists: with a million meters revoked at once each list has 16 000. */
export const SHARDS = 64;

/** The part of its issuer's lists that a certificate would be on: even, since serial numbers are random. */
export function shardOf(serial: Uint8Array): number {
  return serial.at(-1)! % SHARDS;
}
