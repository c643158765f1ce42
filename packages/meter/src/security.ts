import { createSecretKey, type KeyObject } from "node:crypto";
import {
  type KeyPurpose,
  type KeySet,
  MAX_INVOCATION_COUNTER,
  SECURITY_SUITES,
  type SecurityPolicy,
  type SecuritySetupPort,
  type SecuritySuiteId,
  type SystemTitle,
} from "@meterkeep/dlms";
import type { StoredCredentials } from "./certificates/credentials.ts";
import { MeterCertificates } from "./certificates/meter-certificates.ts";
import { MeterError } from "./errors.ts";
import type { CertificateFault, FaultScope, KeyTransferFault } from "./faults.ts";
import type { MemoryChange, StoredMeter, StoredSetup } from "./nvm/memory.ts";
import { POLICY_BITS } from "./policy-bits.ts";
import type { FactoryKeys } from "./production.ts";

/** How many send counters are reserved in memory at a time: a power cut skips what is left of them and repeats none. */
export const RESERVED_AT_ONCE = 64;

/** What happened to a call of key_transfer. */
export type KeyTransferOutcome = "applied" | "refused" | "crashed";

/** What a meter's security needs of it. */
export interface SecurityOwner {
  write(change: MemoryChange): void;
  readonly keyTransferFault: KeyTransferFault;
  readonly certificateFault: CertificateFault;
  /** Bits of security_policy (class 64 version 1) in force. */
  readonly policyBits: number;
  setPolicyBits(bits: number): void;
  /** Told about every call of key_transfer that the meter acknowledges. */
  onKeys(purposes: readonly KeyPurpose[]): void;
  /** Whether the meter loses power now instead of applying the call. */
  crashesNow(scope: Exclude<FaultScope, "any" | "association">): boolean;
}

/**
 * A security setup of one meter: its keys, counters and policy; the first has its certificates as well, from suite 1 on.
 *
 * Invariants: a send counter leaves only after its block is in memory; a received counter is in memory before the answer leaves; a new key likewise
 * (the caller commits the memory before it sends). Counters never go down, not with new keys either.
 */
export class MeterSecurity implements SecuritySetupPort<KeyObject> {
  readonly suite: SecuritySuiteId;
  readonly systemTitle: SystemTitle;
  /** Key pairs and certificates; none in suite 0. */
  readonly certificates: MeterCertificates | undefined;
  readonly #owner: SecurityOwner;
  readonly #keysPerTransfer: number;
  #octets: FactoryKeys;
  #set: KeySet<KeyObject> | undefined;
  #send: number;
  #reserved: number;
  #unicast: number;
  readonly #broadcast: number;

  /** `further` is what is kept of a setup beside the first. */
  constructor(
    stored: StoredMeter,
    systemTitle: SystemTitle,
    keysPerTransfer: number,
    owner: SecurityOwner,
    further?: StoredSetup,
  ) {
    const kept = further ?? stored;
    this.suite = stored.record.securitySuite;
    this.systemTitle = systemTitle;
    this.#owner = owner;
    this.#keysPerTransfer = keysPerTransfer;
    this.#octets = kept.keys;
    this.#send = kept.sendCounter;
    this.#reserved = kept.sendCounter;
    this.#unicast = kept.receivedUnicast;
    this.#broadcast = kept.receivedBroadcast;
    const { securitySuite, trustAnchors = [] } = stored.record;
    this.certificates =
      securitySuite === 0 || further !== undefined
        ? undefined
        : new MeterCertificates(systemTitle, securitySuite, trustAnchors, stored.credentials, {
            get certificateFault() {
              return owner.certificateFault;
            },
            keepCredentials: (credentials: StoredCredentials) => owner.write({ kind: "credentials", credentials }),
            losesPower: () => owner.crashesNow("certificates"),
          });
  }

  get general(): MeterCertificates["general"] | undefined {
    return this.certificates?.general;
  }

  get policy(): SecurityPolicy {
    const bits = this.#owner.policyBits;
    const has = (name: keyof typeof POLICY_BITS): boolean => (bits & POLICY_BITS[name]) !== 0;
    return {
      authenticatedRequest: has("authenticatedRequest"),
      encryptedRequest: has("encryptedRequest"),
      signedRequest: has("signedRequest"),
      authenticatedResponse: has("authenticatedResponse"),
      encryptedResponse: has("encryptedResponse"),
      signedResponse: has("signedResponse"),
    };
  }

  /** The highest counter accepted so far; 0 where there is none: what the counter object shows. */
  get lastReceived(): number {
    return Math.max(0, this.#unicast);
  }

  readonly keys = {
    current: (): KeySet<KeyObject> => {
      this.#set ??= {
        globalUnicastEncryptionKey: createSecretKey(this.#octets.globalUnicastEncryptionKey),
        globalBroadcastEncryptionKey: createSecretKey(this.#octets.globalBroadcastEncryptionKey),
        authenticationKey: this.#octets.authenticationKey,
        keyEncryptionKey: createSecretKey(this.#octets.keyEncryptionKey),
      };
      return this.#set;
    },
    install: (keys: readonly { readonly purpose: KeyPurpose; readonly octets: Uint8Array }[]): boolean =>
      this.#install(keys) === "applied",
  };

  readonly counters = {
    next: (): number => {
      if (this.#send >= MAX_INVOCATION_COUNTER) {
        throw new MeterError("meter-counter-exhausted", "All send counters of this key are used. Transfer a new key.");
      }
      if (this.#send === this.#reserved) {
        this.#reserved = Math.min(MAX_INVOCATION_COUNTER, this.#reserved + RESERVED_AT_ONCE);
        this.#keepCounters();
      }
      return this.#send++;
    },
    lowestAcceptable: (): number => this.#unicast + 1,
    accept: (counter: number): void => {
      if (counter <= this.#unicast) return;
      this.#unicast = counter;
      this.#keepCounters();
    },
  };

  /** Takes a policy into use; the server has checked that it is no weaker. */
  activate(policy: SecurityPolicy): boolean {
    const names = Object.keys(POLICY_BITS) as (keyof typeof POLICY_BITS)[];
    this.#owner.setPolicyBits(names.reduce((bits, name) => bits | (policy[name] ? POLICY_BITS[name] : 0), 0));
    return true;
  }

  /** What a power cut leaves: of the counters that were reserved for sending, the unused ones are skipped. */
  powerCycle(): void {
    this.#send = this.#reserved;
    this.rest();
  }

  /** Makes the meter forget that counters above this one were used: what a defect or a clone does. */
  rollCounter(lastReceived: number): void {
    this.#unicast = lastReceived;
    this.#keepCounters();
  }

  /** Lets go of key objects while nobody is connected; they are made again from the meter's octets. */
  rest(): void {
    this.#set = undefined;
    this.certificates?.rest();
  }

  #keepCounters(): void {
    this.#owner.write({ kind: "counters", send: this.#reserved, unicast: this.#unicast, broadcast: this.#broadcast });
  }

  #install(keys: readonly { readonly purpose: KeyPurpose; readonly octets: Uint8Array }[]): KeyTransferOutcome {
    const { keyBytes } = SECURITY_SUITES[this.suite];
    if (keys.length === 0 || keys.length > this.#keysPerTransfer) return "refused";
    if (keys.some(({ octets }) => octets.length !== keyBytes)) return "refused";
    if (this.#owner.crashesNow("key-transfer")) return "crashed";
    const fault = this.#owner.keyTransferFault;
    const applied = keys.filter(({ purpose }, at) => {
      if (fault === "none") return true;
      if (fault === "keepKeys") return false;
      if (fault === "keepMaster") return purpose !== "keyEncryptionKey";
      return at < fault.keys;
    });
    for (const { purpose, octets } of applied) {
      const kept = Uint8Array.from(octets);
      this.#octets = { ...this.#octets, [purpose]: kept };
      this.#owner.write({ kind: "key", purpose, octets: kept });
    }
    if (applied.length > 0) this.#set = undefined;
    this.#owner.onKeys(keys.map(({ purpose }) => purpose));
    return "applied";
  }
}
