import { SecretKey } from "@meterkeep/dlms-node";

/** A key of a block: its purpose, the client whose secret it is, and the key. */
export interface BlockKey {
  readonly purpose: number;
  /** The client's service access point, or the device's channel; absent for keys of a security setup. */
  readonly client?: number | undefined;
  /** The further security setup that it is a key of, the `e` of 0-0:43.0.e.255; absent for the first. */
  readonly setup?: number | undefined;
  readonly key: SecretKey;
}

/** The `setup` of its record: its security setup, its client or its channel. */
export function setupOf({ setup, client }: BlockKey): number {
  return setup ?? client ?? 0;
}

/** Octets of a symmetric key by security suite. */
export function keyBytesOfSuite(securitySuite: number): number {
  return securitySuite === 2 ? 32 : 16;
}

/** Purposes of a complete block, in their order: GUEK, GBEK, GAK, KEK. */
export const COMPLETE_BLOCK: readonly number[] = [0, 1, 2, 3];

/** The highest invocation counter that whoever had the meter before has used: 4 octets. */
export const COUNTER_ENTRY = 254;
const COUNTER_BYTES = 4;

/** What follows is of a further security setup, which its one octet names. */
const SETUP_ENTRY = 253;
/** More than any companion specification has beside the first. */
export const MOST_FURTHER_SETUPS = 8;

const LAST_OF_SETUP = 3;
/** LLS passwords and HLS secrets, one a client. */
const SECRETS: readonly number[] = [5, 6];
/** Default keys of devices at M-Bus channels, one a channel: AES-128 (EN 13757-7). */
const CHILD_DEFAULT = 11;
const CHILD_KEY_BYTES = 16;
const MOST_CHANNELS = 8;
const MOST_SECRET_BYTES = 64;

/**
 * Reads `purpose(1) length(1) octets` one after the other and zeroes the block: keys of the security setup first, then the
 * secrets of clients, whose octets begin with the client, then the default keys of M-Bus devices, whose octets begin with the channel,
 * then the counter of a meter that was in service before. At the end, for each further security setup,
 * its number and its keys.
 *
 * Gives what is wrong instead where purposes do not rise, a length is not the suite's, or octets are missing or left.
 */
export function readKeyBlock(block: SecretKey, keyBytes: number): readonly BlockKey[] | string {
  using own = block;
  return own.lend((bytes) => {
    const keys: BlockKey[] = [];
    let setup: number | undefined;
    // Each setup begins anew with its first key.
    let last: BlockKey | undefined;
    for (let at = 0; at < bytes.length; ) {
      const [purpose, length = 0, first = 0] = [bytes[at] as number, bytes[at + 1], bytes[at + 2]];
      const wrong =
        purpose === SETUP_ENTRY
          ? setupObjection(setup, last, length, first)
          : objection(last, setup, purpose, length, first, keyBytes);
      if (wrong !== undefined) return dropped(keys, wrong);
      if (at + 2 + length > bytes.length) return dropped(keys, "the block ends within a key");
      const octets = bytes.subarray(at + 2, at + 2 + length);
      at += 2 + length;
      if (purpose === SETUP_ENTRY) {
        setup = first;
        last = undefined;
        continue;
      }
      last =
        purpose > LAST_OF_SETUP && purpose !== COUNTER_ENTRY
          ? { purpose, client: octets[0] as number, key: SecretKey.copy(octets.subarray(1)) }
          : { purpose, ...(setup !== undefined && { setup }), key: SecretKey.copy(octets) };
      keys.push(last);
    }
    if (setup !== undefined && last === undefined) return dropped(keys, `security setup ${setup} has no keys`);
    return keys;
  });
}

function setupObjection(
  before: number | undefined,
  last: BlockKey | undefined,
  length: number,
  setup: number,
): string | undefined {
  if (before !== undefined && last === undefined) return `security setup ${before} has no keys`;
  if (length !== 1) return `the number of a security setup has ${length} octets`;
  return setup <= (before ?? 0) || setup > MOST_FURTHER_SETUPS
    ? `security setup ${setup} after security setup ${before ?? 0}`
    : undefined;
}

function objection(
  last: BlockKey | undefined,
  setup: number | undefined,
  purpose: number,
  length: number,
  client: number,
  keyBytes: number,
): string | undefined {
  if (purpose <= LAST_OF_SETUP) {
    const before = last?.purpose ?? -1;
    if (purpose <= before) return `purpose ${purpose} after purpose ${before}`;
    return length === keyBytes ? undefined : `a key of ${length} octets where the suite has ${keyBytes}`;
  }
  if (setup !== undefined) return `purpose ${purpose} is no key of security setup ${setup}`;
  if (last?.purpose === COUNTER_ENTRY) return `purpose ${purpose} after the counter`;
  if (purpose === COUNTER_ENTRY) return length === COUNTER_BYTES ? undefined : `a counter of ${length} octets`;
  if (purpose === CHILD_DEFAULT) {
    const before = last?.purpose === CHILD_DEFAULT ? (last.client ?? 0) : 0;
    if (length !== CHILD_KEY_BYTES + 1) return `the default key of a device has ${length - 1} octets`;
    return client <= before || client > MOST_CHANNELS ? `channel ${client} after channel ${before}` : undefined;
  }
  if (last?.purpose === CHILD_DEFAULT) return `purpose ${purpose} after the key of a device`;
  if (!SECRETS.includes(purpose)) return `purpose ${purpose} is not known in a key block`;
  if (length < 2 || length > MOST_SECRET_BYTES + 1) return `the secret of a client has ${length - 1} octets`;
  // One secret a client, in the order of clients: a block is written in one way.
  return client === 0 || client > 127 || client <= (last?.client ?? 0)
    ? `client ${client} after client ${last?.client ?? 0}`
    : undefined;
}

function dropped(keys: readonly BlockKey[], why: string): string {
  for (const { key } of keys) key[Symbol.dispose]();
  return why;
}
