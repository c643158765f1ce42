import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import type { InvocationCounters, KeySet, SecurityPolicy } from "@meterkeep/dlms";

/** Keys in the order GUEK, GBEK, GAK, KEK, as the server takes them. */
export function keySetOf(keys: readonly Uint8Array[]): KeySet<KeyObject> {
  const [GUEK, GBEK, GAK, KEK] = keys as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  return {
    globalUnicastEncryptionKey: createSecretKey(GUEK),
    globalBroadcastEncryptionKey: createSecretKey(GBEK),
    authenticationKey: GAK,
    keyEncryptionKey: createSecretKey(KEK),
  };
}

const POLICY_BITS = [
  ["authenticatedRequest", 0x04],
  ["encryptedRequest", 0x08],
  ["authenticatedResponse", 0x20],
  ["encryptedResponse", 0x40],
] as const;

/** What a test meter remembers of one of its security setups: keys, counters, policy. */
export class TestSetup {
  readonly factoryKeys: readonly Uint8Array[];
  /** The factory's as one set: one that is made anew each time looks like changed keys to the server. */
  readonly factorySet: KeySet<KeyObject>;
  policyBits: number;
  /** Counters below are refused. */
  lowestCounter: number;
  #keys: readonly Uint8Array[];
  #set: KeySet<KeyObject> | undefined;
  #next = 1;

  constructor(keys: readonly Uint8Array[] | undefined, policyBits: number, lowestCounter: number) {
    this.factoryKeys = keys ?? [0, 1, 2, 3].map(() => new Uint8Array(randomBytes(16)));
    this.factorySet = keySetOf(this.factoryKeys);
    this.#keys = this.factoryKeys;
    this.policyBits = policyBits;
    this.lowestCounter = lowestCounter;
  }

  get keys(): readonly Uint8Array[] {
    return this.#keys;
  }

  set keys(keys: readonly Uint8Array[]) {
    this.#keys = keys;
    this.#set = undefined;
  }

  current(): KeySet<KeyObject> {
    this.#set ??= keySetOf(this.#keys);
    return this.#set;
  }

  get policy(): SecurityPolicy {
    const has = (bit: number) => (this.policyBits & bit) !== 0;
    return {
      authenticatedRequest: has(0x04),
      encryptedRequest: has(0x08),
      authenticatedResponse: has(0x20),
      encryptedResponse: has(0x40),
    };
  }

  activate(policy: SecurityPolicy): boolean {
    this.policyBits = POLICY_BITS.reduce((all, [name, bit]) => all | (policy[name] ? bit : 0), 0);
    return true;
  }

  readonly counters: InvocationCounters = {
    next: () => this.#next++,
    lowestAcceptable: () => this.lowestCounter,
    accept: (counter) => {
      this.lowestCounter = Math.max(this.lowestCounter, counter + 1);
    },
  };
}
