import type { KeyObject } from "node:crypto";
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
  ecdsaMechanism,
  fromHex,
  type HlsExchange,
  type HlsMechanism,
  hashMechanism,
  isSecuritySuiteId,
  openApdu,
  partiesOf,
  type SystemTitle,
  stepAssociation,
  systemTitle,
} from "@meterkeep/dlms";
import { nodeCiphers, nodeCurves, nodeHashes, nodePlatform, type SecretKey } from "@meterkeep/dlms-node";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { ClientPairs } from "../enrolment/client-keys.ts";
import type { AssociationUse } from "../enrolment/journal.ts";
import type { MeterFacts, SecretClient } from "../protocol/meter-facts.ts";
import type { WorkingKeys } from "../protocol/meter-keys.ts";
import type { MeterRecord } from "../store/records.ts";

const CHALLENGE_BYTES = 16;
const SIGNED_CHALLENGE_BYTES = 32;
const MAX_RECEIVE_PDU_BYTES = 0xffff;

/**
 * The custodian's end of an association: the pure machine of the protocol library, its state, and the keys it uses.
 */
export class Association {
  readonly #keys: WorkingKeys | undefined;
  readonly #config: AssociationConfig<KeyObject>;
  readonly #proof: { readonly shown: Uint8Array | undefined } | undefined;
  #state: AssociationState<KeyObject>;
  #isOver = false;

  private constructor(
    config: AssociationConfig<KeyObject>,
    keys: WorkingKeys | undefined,
    proof?: { readonly shown: Uint8Array | undefined },
  ) {
    this.#config = config;
    this.#proof = proof;
    this.#state = { kind: "idle", config };
    this.#keys = keys;
  }

  /** HLS mechanism 5 with authenticated encryption. The keys are disposed of with the association. */
  static secured(
    meter: MeterRecord,
    facts: MeterFacts,
    keys: WorkingKeys,
    client: SystemTitle,
    random: (octets: number) => Uint8Array,
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
        form: facts.form,
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

  /**
   * HLS mechanism 7 with authenticated encryption: both sides prove themselves by signature. The keys are disposed of with
   * the association.
   */
  static signing(
    meter: MeterRecord,
    facts: MeterFacts,
    keys: WorkingKeys,
    signing: SigningParties,
    random: (octets: number) => Uint8Array,
  ): Association {
    const { mechanism, authentication, general } = signedProof(signing, random);
    const config: AssociationConfig<KeyObject> = {
      authentication,
      systemTitle: signing.title,
      serverSystemTitle: systemTitle(fromHex(meter.systemTitle)),
      maxReceivePduSize: MAX_RECEIVE_PDU_BYTES,
      ciphering: {
        ciphers: nodeCiphers,
        suite: signing.suite,
        authenticated: true,
        encrypted: true,
        form: facts.form,
        encryptionKey: keys.encryptionKey,
        authenticationKey: keys.authenticationKey,
        general,
      },
    };
    return new Association(config, keys, mechanism);
  }

  /** The public client: no keys, no proof. */
  static open(): Association {
    return new Association(
      { authentication: { kind: "none" }, maxReceivePduSize: MAX_RECEIVE_PDU_BYTES, conformance: ["get"] },
      undefined,
    );
  }

  /**
   * Takes one event; the machine answers each with one effect, or none where the event has no place.
   *
   * @throws CallRefusal `contact-unknown` once it is disposed of, as all does that would seal or open: its keys are wiped
   */
  take(event: AssociationEvent): AssociationEffect | undefined {
    this.#requireKeys();
    const [state, effect] = stepAssociation(this.#state, event);
    this.#state = state;
    return effect;
  }

  /** Both ends, once it is established and ciphered. */
  get parties(): CipheredParties<KeyObject> | undefined {
    this.#requireKeys();
    return this.#state.kind === "established" ? partiesOf(this.#state.config, this.#state.negotiated) : undefined;
  }

  /** The public key that the meter's signature was made with, where it proved itself by one. */
  get shownKey(): Uint8Array | undefined {
    return this.#proof?.shown;
  }

  /** Both ends for what is signed, and ciphered under a key that both agree on for this one APDU. */
  get signedParties(): CipheredParties<KeyObject> | undefined {
    const { parties } = this;
    const general = parties?.ciphering.general;
    if (parties === undefined || general === undefined) return undefined;
    return {
      ...parties,
      ciphering: { ...parties.ciphering, form: "general-ciphering", general: { ...general, signs: true } },
    };
  }

  /**
   * Whether an answer to the AARQ has a part that is authentic under the keys of this association: who made it has them,
   * even where the association came to nothing.
   */
  isUnderKeys(answer: Uint8Array): boolean {
    const { ciphering, systemTitle: client, serverSystemTitle: server } = this.#config;
    this.#requireKeys();
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
    this.#isOver = true;
    this.#keys?.[Symbol.dispose]();
  }

  #requireKeys(): void {
    if (this.#isOver) throw new CallRefusal("contact-unknown", "the contact is over, and its keys are wiped");
  }
}

function mechanismOf(name: Exclude<SecretClient["mechanism"], "low">, secret: SecretKey): HlsMechanism {
  return secret.lend((octets) =>
    name === "high" ? aesMechanism(octets) : hashMechanism(nodeHashes, name, Uint8Array.from(octets)),
  );
}

/** Who signs and agrees: we with our own pairs, the meter with one of the keys it is believed to have. */
export interface SigningParties {
  readonly suite: 1 | 2;
  readonly title: SystemTitle;
  readonly pairs: ClientPairs;
  /** Public keys, the likeliest first. */
  readonly believed: Readonly<Record<AssociationUse, readonly Uint8Array[]>>;
}

/** What mechanism 7 takes: the proofs of both sides, and what signs and agrees on keys. */
export function signedProof({ suite, pairs, believed }: SigningParties, random: (octets: number) => Uint8Array) {
  const mechanism = provenByOneOf(suite, pairs.digitalSignature.privateKey, believed.digitalSignature);
  const [otherAgreement] = believed.keyAgreement;
  return {
    mechanism,
    authentication: { kind: "hls" as const, challenge: random(SIGNED_CHALLENGE_BYTES), mechanism },
    general: {
      platform: nodePlatform,
      source: "one-pass" as const,
      keys: {
        signing: pairs.digitalSignature.privateKey,
        agreement: pairs.keyAgreement.privateKey,
        get otherSigning() {
          return mechanism.shown;
        },
        otherAgreement,
      },
    },
  };
}

/** Mechanism 7 towards a meter whose key may be the one before or the one after a renewal: whichever signed is told. */
function provenByOneOf(suite: 1 | 2, signing: KeyObject, keys: readonly Uint8Array[]) {
  let shown: Uint8Array | undefined;
  // What certificate the meter sends along says nothing: the keys are known from its enrolment.
  const each = keys.map((key) => ({
    key,
    mechanism: ecdsaMechanism({ curves: nodeCurves, suite, signing, otherSigning: () => key }),
  }));
  const [first] = each;
  if (first === undefined) throw new DlmsError("key-missing", "no key of this meter is known to sign with");
  return {
    ...first.mechanism,
    verify: (exchange: HlsExchange, answer: Uint8Array) => {
      shown = each.find(({ mechanism }) => mechanism.verify(exchange, answer))?.key;
      return shown !== undefined;
    },
    get shown() {
      return shown;
    },
  };
}
