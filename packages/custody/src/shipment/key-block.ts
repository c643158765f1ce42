import { SecretKey } from "@meterkeep/dlms-node";

/** A key of a block: the standard's key_id, and the key. */
export interface BlockKey {
  readonly purpose: number;
  readonly key: SecretKey;
}

/** Octets of a symmetric key by security suite. */
export function keyBytesOfSuite(securitySuite: number): number {
  return securitySuite === 2 ? 32 : 16;
}

/** Purposes of a complete block, in their order: GUEK, GBEK, GAK, KEK. */
export const COMPLETE_BLOCK: readonly number[] = [0, 1, 2, 3];

/**
 * Reads `purpose(1) length(1) octets` one after the other and zeroes the block.
 *
 * Gives what is wrong instead where purposes do not rise, a length is not the suite's, or octets are missing or left.
 */
export function readKeyBlock(block: SecretKey, keyBytes: number): readonly BlockKey[] | string {
  using own = block;
  return own.lend((bytes) => {
    const keys: BlockKey[] = [];
    for (let at = 0; at < bytes.length; ) {
      const [purpose, length] = [bytes[at] as number, bytes[at + 1]];
      const last = keys.at(-1)?.purpose ?? -1;
      if (purpose <= last || purpose > 3) return dropped(keys, `purpose ${purpose} after purpose ${last}`);
      if (length !== keyBytes) return dropped(keys, `a key of ${length} octets where the suite has ${keyBytes}`);
      if (at + 2 + length > bytes.length) return dropped(keys, "the block ends within a key");
      keys.push({ purpose, key: SecretKey.copy(bytes.subarray(at + 2, at + 2 + length)) });
      at += 2 + length;
    }
    return keys;
  });
}

function dropped(keys: readonly BlockKey[], why: string): string {
  for (const { key } of keys) key[Symbol.dispose]();
  return why;
}
