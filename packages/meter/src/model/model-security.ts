import { createSecretKey, type KeyObject } from "node:crypto";
import type { KeyPurpose, KeySet, SecurityPolicy, SecuritySetupPort, SystemTitle } from "@meterkeep/dlms";

/** The keys of a model meter, octets. */
export interface ModelKeys {
  readonly globalUnicastEncryptionKey: Uint8Array;
  readonly authenticationKey: Uint8Array;
  readonly keyEncryptionKey: Uint8Array;
}

/** Authenticated and encrypted both ways. */
const FULL_POLICY: SecurityPolicy = {
  authenticatedRequest: true,
  encryptedRequest: true,
  authenticatedResponse: true,
  encryptedResponse: true,
};

/**
 * The one security setup of a model meter, in suite 0. Keys can be transferred; nothing of it outlives the process, so that
 * each start begins with counter 1.
 */
export class ModelSecurity implements SecuritySetupPort<KeyObject> {
  readonly suite = 0;
  readonly policy = FULL_POLICY;
  readonly systemTitle: SystemTitle;
  #octets: ModelKeys;
  #set: KeySet<KeyObject> | undefined;
  #sent = 0;
  #received = 0;

  constructor(systemTitle: SystemTitle, keys: ModelKeys) {
    this.systemTitle = systemTitle;
    this.#octets = keys;
  }

  /** Lets the counter of what it sends go on from another place, back or ahead: what a swapped or reset meter does. */
  rollCounter(next: number): void {
    this.#sent = next - 1;
  }

  readonly keys = {
    current: (): KeySet<KeyObject> => {
      this.#set ??= {
        globalUnicastEncryptionKey: createSecretKey(this.#octets.globalUnicastEncryptionKey),
        authenticationKey: this.#octets.authenticationKey,
        keyEncryptionKey: createSecretKey(this.#octets.keyEncryptionKey),
      };
      return this.#set;
    },
    install: (keys: readonly { readonly purpose: KeyPurpose; readonly octets: Uint8Array }[]): boolean => {
      for (const { purpose, octets } of keys) this.#octets = { ...this.#octets, [purpose]: Uint8Array.from(octets) };
      this.#set = undefined;
      return true;
    },
  };

  readonly counters = {
    next: (): number => {
      this.#sent += 1;
      return this.#sent;
    },
    lowestAcceptable: (): number => this.#received + 1,
    accept: (counter: number): void => {
      this.#received = Math.max(this.#received, counter);
    },
  };
}
