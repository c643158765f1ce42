import { createSecretKey, type KeyObject } from "node:crypto";
import {
  type AssociationConfig,
  type AssociationEffect,
  type AssociationEvent,
  type AssociationState,
  acseApdu,
  aesMechanism,
  type CipheredParties,
  DlmsError,
  decode,
  fromHex,
  type HlsMechanism,
  hashMechanism,
  isSecuritySuiteId,
  openApdu,
  partiesOf,
  SECURITY_SUITES,
  type SecuritySuiteId,
  type SystemTitle,
  stepAssociation,
  systemTitle,
} from "@meterkeep/dlms";
import { nodeCiphers, nodeHashes, type SecretKey } from "@meterkeep/dlms-node";
import type { MeterFacts, SecretClient } from "../protocol/meter-facts.ts";
import type { WorkingKeys } from "../protocol/meter-keys.ts";
import type { MeterRecord } from "../store/records.ts";

const CHALLENGE_BYTES = 16;
const MAX_RECEIVE_PDU_BYTES = 0xffff;

/**
 * The custodian's end of an association: the pure machine of the protocol library, its state, and the keys it uses.
 */
export class Association {
  readonly #keys: WorkingKeys | undefined;
  readonly #config: AssociationConfig<KeyObject>;
  #state: AssociationState<KeyObject>;

  private constructor(config: AssociationConfig<KeyObject>, keys: WorkingKeys | undefined) {
    this.#config = config;
    this.#state = { kind: "idle", config };
    this.#keys = keys;
  }

  /**
   * HLS mechanism 5 with authenticated encryption. The keys are disposed of with the association. With `isDedicated` a
   * fresh key goes with the AARQ, and everything in the association under it.
   */
  static secured(
    meter: MeterRecord,
    facts: MeterFacts,
    keys: WorkingKeys,
    client: SystemTitle,
    random: (octets: number) => Uint8Array,
    isDedicated = false,
  ): Association {
    const suite = isSecuritySuiteId(meter.securitySuite) ? meter.securitySuite : 0;
    const config: AssociationConfig<KeyObject> = {
      authentication: { kind: "gmac", challenge: random(CHALLENGE_BYTES) },
      systemTitle: client,
      serverSystemTitle: systemTitle(fromHex(meter.systemTitle)),
      maxReceivePduSize: MAX_RECEIVE_PDU_BYTES,
      ciphering: {
        ciphers: nodeCiphers,
        suite,
        authenticated: true,
        encrypted: true,
        ...(isDedicated ? dedicated(facts, random(keyBytesOf(suite))) : { form: facts.form }),
        encryptionKey: keys.encryptionKey,
        authenticationKey: keys.authenticationKey,
      },
    };
    return new Association(config, keys);
  }

  /**
   * A client with a secret of its own, without ciphering: a password travels in clear, so that opening one gives it away to
   * whoever carries the octets. The secret is disposed of.
   */
  static withSecret(
    meter: MeterRecord,
    { mechanism }: Pick<SecretClient, "mechanism">,
    secret: SecretKey,
    client: SystemTitle,
    random: (octets: number) => Uint8Array,
  ): Association {
    using own = secret;
    const config: AssociationConfig<KeyObject> = {
      authentication:
        mechanism === "low"
          ? { kind: "lls", password: own.lend((octets) => Uint8Array.from(octets)) }
          : { kind: "hls", challenge: random(CHALLENGE_BYTES), mechanism: mechanismOf(mechanism, own) },
      systemTitle: client,
      serverSystemTitle: systemTitle(fromHex(meter.systemTitle)),
      maxReceivePduSize: MAX_RECEIVE_PDU_BYTES,
      conformance: ["get"],
    };
    return new Association(config, undefined);
  }

  /** The public client: no keys, no proof. */
  static open(): Association {
    return new Association(
      { authentication: { kind: "none" }, maxReceivePduSize: MAX_RECEIVE_PDU_BYTES, conformance: ["get"] },
      undefined,
    );
  }

  /** Takes one event; the machine answers each with one effect, or none where the event has no place. */
  take(event: AssociationEvent): AssociationEffect | undefined {
    const [state, effect] = stepAssociation(this.#state, event);
    this.#state = state;
    return effect;
  }

  /** Both ends, once it is established and ciphered. */
  get parties(): CipheredParties<KeyObject> | undefined {
    return this.#state.kind === "established" ? partiesOf(this.#state.config, this.#state.negotiated) : undefined;
  }

  /**
   * Whether an answer to the AARQ has a part that is authentic under the keys of this association: who made it has them,
   * even where the association came to nothing.
   */
  isUnderKeys(answer: Uint8Array): boolean {
    const { ciphering, systemTitle: client, serverSystemTitle: server } = this.#config;
    if (ciphering === undefined || client === undefined || server === undefined) return false;
    try {
      const aare = decode(acseApdu, answer);
      if (aare.kind !== "aare" || aare.value.userInformation === undefined) return false;
      return openApdu({ ciphering, client, server }, aare.value.userInformation).counter !== undefined;
    } catch (error) {
      if (error instanceof DlmsError) return false;
      throw error;
    }
  }

  get established(): boolean {
    return this.#state.kind === "established";
  }

  [Symbol.dispose](): void {
    this.#keys?.[Symbol.dispose]();
    this.#config.ciphering?.dedicatedKey?.octets.fill(0);
  }
}

function mechanismOf(name: Exclude<SecretClient["mechanism"], "low">, secret: SecretKey): HlsMechanism {
  return secret.lend((octets) =>
    name === "high" ? aesMechanism(octets) : hashMechanism(nodeHashes, name, Uint8Array.from(octets)),
  );
}

/** The dedicated counterpart of a profile's form, with the key that the InitiateRequest carries ciphered. */
function dedicated({ form }: MeterFacts, octets: Uint8Array) {
  return {
    form: form === "general-global" ? ("general-dedicated" as const) : ("dedicated" as const),
    dedicatedKey: { octets, key: createSecretKey(octets) },
  };
}

function keyBytesOf(suite: SecuritySuiteId): number {
  return SECURITY_SUITES[suite].keyBytes;
}
