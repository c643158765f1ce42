import { c, type Infer } from "@meterkeep/dlms";
import { meterTitle, oneOf, record, shortText, time } from "./wire.ts";

/**
 * What a key is for. The first four in the order of the standard's key_id: global unicast encryption, global broadcast
 * encryption, authentication, master (key encryption). The custodian's registry says the rest of each.
 */
export const KEY_PURPOSES = [
  "GUEK",
  "GBEK",
  "GAK",
  "KEK",
  "dedicated",
  "LLS",
  "HLS",
  "M-Bus",
  "signature",
  "key-agreement",
  "TLS",
  "M-Bus-default",
] as const;
export type KeyPurposeName = (typeof KEY_PURPOSES)[number];

/** NIST SP 800-57 part 1, 7: the states of a key. */
export const KEY_STATES = [
  "pre-activation",
  "active",
  "suspended",
  "deactivated",
  "compromised",
  "destroyed",
  "destroyed-compromised",
] as const;
export type KeyState = (typeof KEY_STATES)[number];

/** Where a key comes from. */
export const KEY_ORIGINS = ["imported", "generated", "derived"] as const;
export type KeyOrigin = (typeof KEY_ORIGINS)[number];

/** What may be known about a key outside the custodian: everything but its octets. */
export const keyDescription = record({
  purpose: oneOf(KEY_PURPOSES),
  version: c.unsigned32,
  state: oneOf(KEY_STATES),
  origin: oneOf(KEY_ORIGINS),
  createdAt: time,
  /** The client whose secret it is. */
  client: c.optional(c.unsigned16),
  /** The M-Bus channel whose device it is of. */
  channel: c.optional(c.unsigned8),
  /** When the meter proved that it holds the key. */
  provenAt: c.optional(time),
  /** The security setup that it is a key of, where that is not the first. */
  setup: c.optional(c.unsigned8),
});
export type KeyDescription = Infer<typeof keyDescription>;

export const describeKeysRequest = record({ meter: meterTitle });
export const describeKeysResponse = record({ keys: c.sequenceOf(keyDescription, { max: 1000 }) });

/** What may be asked of a manufacturer's master: the transitions of NIST SP 800-57, each by its own command. */
export const MASTER_COMMANDS = ["suspend", "resume", "deactivate", "compromise", "destroy"] as const;
export type MasterCommand = (typeof MASTER_COMMANDS)[number];

/** A master that a manufacturer derives factory keys from. */
export const factoryMaster = record({
  master: shortText,
  manufacturer: shortText,
  /** SHA-256 of the manufacturer's signature keys, lower-case hex. */
  manufacturerKey: shortText,
  state: oneOf(KEY_STATES),
  since: time,
});
export const factoryMastersResponse = record({ masters: c.sequenceOf(factoryMaster, { max: 1000 }) });
export const changeMasterStateRequest = record({
  master: shortText,
  manufacturerKey: shortText,
  command: oneOf(MASTER_COMMANDS),
  reason: shortText,
});
export const changeMasterStateResponse = record({ state: oneOf(KEY_STATES) });
