import { createSecretKey } from "node:crypto";
import {
  type AssociationConfig,
  type AssociationEffect,
  type AssociationEvent,
  type AssociationState,
  type CipheredParties,
  type Conformance,
  DlmsError,
  fromHex,
  type HlsMechanism,
  isSecuritySuiteId,
  type OpenedResponse,
  openApdu,
  PROPOSED_CONFORMANCE,
  SECURITY_SUITES,
  type SystemTitle,
  sealApdu,
  stepAssociation,
  systemTitle,
  Turn,
  toHex,
} from "@meterkeep/dlms";
import { type SigningParties, signedProof } from "../conversation/association.ts";
import type { CipherKey } from "../conversation/token-ciphers.ts";
import type { MeterFacts } from "../protocol/meter-facts.ts";
import type { MeterRecord } from "../store/records.ts";
import type { KeysAtWork, SessionKeys } from "./session-keys.ts";

const CHALLENGE_BYTES = 16;
const MAX_RECEIVE_PDU_BYTES = 0xffff;

/**
 * What is proposed where requests may write. They are sealed whole (ADR 0061), so that long ones need general block transfer;
 * blocks of ACTION are for its answers. Sessions that only read propose what every client does: no meter then has reason to
 * answer in general blocks, which not every library reads.
 */
const WRITING: Conformance = [
  ...PROPOSED_CONFORMANCE.filter((service) => service !== "block-transfer-with-set-or-write"),
  "general-block-transfer",
];

/** An APDU to be protected under a counter. */
export interface ToSeal {
  readonly apdu: Uint8Array;
  readonly counter: number;
}

/** What an association is made of beside its keys. */
export interface SessionParties {
  readonly meter: MeterRecord;
  readonly facts: MeterFacts;
  readonly client: SystemTitle;
  readonly random: (octets: number) => Uint8Array;
  /** A fresh key goes with the AARQ, and everything in the association under it. */
  readonly isDedicated: boolean;
  /** Requests may write. */
  readonly writes: boolean;
  /** Both sides prove themselves by signature (mechanism 7); by GMAC (mechanism 5) without. */
  readonly signing?: SigningParties | undefined;
}

type Ciphering = NonNullable<AssociationConfig<CipherKey>["ciphering"]>;
type KeylessCiphering = Omit<Ciphering, keyof KeysAtWork>;

const FORMS = ["global", "general-global"] as const;
const PROTECTION = { authenticated: true, encrypted: true } as const;

/** What associations without keys of their own have in common: one object for very many, which then lies in a cache. */
const COMMON_CIPHERINGS: readonly KeylessCiphering[] = Object.keys(SECURITY_SUITES)
  .map(Number)
  .filter(isSecuritySuiteId)
  .flatMap((suite) => FORMS.map((form) => ({ ...PROTECTION, suite, form })));

/**
 * A crypto session's end of an association: HLS mechanism 5 or 7 with authenticated encryption. The machine is the protocol
 * library's; the keys are lent to it for each step, and are not in its state.
 */
export class SessionAssociation {
  readonly #keys: SessionKeys;
  readonly #ciphering: KeylessCiphering;
  readonly #client: SystemTitle;
  /** Who has proven itself: an APDU that was asked for before the release is still protected for it. */
  #server: SystemTitle | undefined;
  #isEstablished = false;
  #state: AssociationState<CipherKey>;
  /** Steps go one after the other. */
  readonly #turn = new Turn();

  constructor({ meter, facts, client, random, isDedicated, writes, signing }: SessionParties, keys: SessionKeys) {
    const suite = signing?.suite ?? (isSecuritySuiteId(meter.securitySuite) ? meter.securitySuite : 0);
    const proof = signing && signedProof(signing, random);
    this.#keys = keys;
    this.#client = signing?.title ?? client;
    const common = COMMON_CIPHERINGS.find((each) => each.suite === suite && each.form === facts.form);
    this.#ciphering =
      common !== undefined && proof === undefined && !isDedicated
        ? common
        : {
            ...PROTECTION,
            suite,
            ...(isDedicated ? dedicated(facts, random(SECURITY_SUITES[suite].keyBytes)) : { form: facts.form }),
            // The platform is Node's: what agrees and signs is a key of this process, whatever holds the encryption key.
            ...(proof && { general: proof.general as unknown as NonNullable<Ciphering["general"]> }),
          };
    const config: AssociationConfig<CipherKey> = {
      authentication:
        proof === undefined
          ? { kind: "gmac", challenge: random(CHALLENGE_BYTES) }
          : { ...proof.authentication, mechanism: answeringOnce(proof.mechanism) },
      systemTitle: this.#client,
      serverSystemTitle: systemTitle(fromHex(meter.systemTitle)),
      maxReceivePduSize: MAX_RECEIVE_PDU_BYTES,
      ...(writes && { conformance: WRITING }),
    };
    this.#state = { kind: "idle", config };
  }

  get established(): boolean {
    return this.#isEstablished;
  }

  /** Whether both ends have key pairs: what is critical then goes signed. */
  get signs(): boolean {
    return this.#ciphering.general !== undefined;
  }

  /** Takes one event; the machine answers each with one effect, or none where the event has no place. */
  take(event: AssociationEvent): Promise<AssociationEffect | undefined> {
    return this.#turn.run(async () => {
      const state = this.#state;
      const [next, effect] = await this.#keys.use((keys) => stepAssociation(this.#withKeys(state, keys), event));
      this.#state = withoutKeys(next);
      this.#isEstablished = next.kind === "established";
      if (next.kind === "established") this.#server = next.negotiated.serverSystemTitle;
      return effect;
    });
  }

  /** Protects APDUs, in order. */
  seal(items: readonly ToSeal[]): Promise<Uint8Array[]> | Uint8Array[] {
    return this.#keys.use((keys) => {
      const parties = this.#parties(keys);
      return items.map(({ apdu, counter }) => sealApdu(parties, apdu, counter));
    });
  }

  /**
   * Signs an APDU and ciphers it under a key that both ends agree on, for it alone: general-signing inside general-ciphering
   * with C(0e, 2s), so that neither our unicast key nor the meter's makes it.
   */
  sealSigned({ apdu, counter }: ToSeal, transactionId: Uint8Array): Promise<Uint8Array> | Uint8Array {
    return this.#keys.use((keys) => sealApdu(signing(this.#parties(keys)), apdu, counter, { transactionId }));
  }

  /** Opens APDUs, in order; an error stands where one is not authentic, or not signed though it was to be. */
  open(
    apdus: readonly Uint8Array[],
    mustBeSigned: (apdu: Uint8Array) => boolean,
  ): Promise<(OpenedResponse | DlmsError)[]> | (OpenedResponse | DlmsError)[] {
    return this.#keys.use((keys) => {
      const parties = this.#parties(keys);
      return apdus.map((apdu) => {
        try {
          return openApdu(mustBeSigned(apdu) ? signing(parties) : parties, apdu);
        } catch (error) {
          if (error instanceof DlmsError) return error;
          throw error;
        }
      });
    });
  }

  dispose(): void {
    this.#keys.dispose();
    this.#ciphering.dedicatedKey?.octets.fill(0);
  }

  /** Both ends. @throws RangeError where nothing is established */
  #parties(keys: KeysAtWork): CipheredParties<CipherKey> {
    const server = this.#server;
    if (server === undefined) throw new RangeError("the association is not established");
    return { ciphering: this.#cipheringWith(keys), client: this.#client, server };
  }

  #withKeys(state: AssociationState<CipherKey>, keys: KeysAtWork): AssociationState<CipherKey> {
    return "config" in state ? { ...state, config: { ...state.config, ciphering: this.#cipheringWith(keys) } } : state;
  }

  #cipheringWith({ ciphers, encryptionKey, authenticationKey }: KeysAtWork): Ciphering {
    return { ...this.#ciphering, ciphers, encryptionKey, authenticationKey };
  }
}

/** Both ends for what is signed, and ciphered under a key agreed on of the static keys of both. */
function signing(parties: CipheredParties<CipherKey>): CipheredParties<CipherKey> {
  const { general } = parties.ciphering;
  if (general === undefined) throw new RangeError("the association has no key pairs to sign with");
  const form = "general-ciphering" as const;
  return {
    ...parties,
    ciphering: { ...parties.ciphering, form, general: { ...general, signs: true, source: "static" } },
  };
}

/** A step may be done more than once, and a signature is another each time. */
function answeringOnce(mechanism: HlsMechanism): HlsMechanism {
  const answers = new Map<string, Uint8Array>();
  return {
    name: mechanism.name,
    needsTitles: mechanism.needsTitles,
    answer: (exchange) => {
      const name = toHex(exchange.challenge);
      const answer = answers.get(name) ?? mechanism.answer(exchange);
      answers.set(name, answer);
      return answer;
    },
    verify: (exchange, answer) => mechanism.verify(exchange, answer),
  };
}

function withoutKeys(state: AssociationState<CipherKey>): AssociationState<CipherKey> {
  if (!("config" in state)) return state;
  const { ciphering, ...config } = state.config;
  return { ...state, config };
}

/** The dedicated counterpart of a profile's form, with the key that the InitiateRequest carries ciphered. */
function dedicated({ form }: MeterFacts, octets: Uint8Array) {
  return {
    form: form === "general-global" ? ("general-dedicated" as const) : ("dedicated" as const),
    dedicatedKey: { octets, key: createSecretKey(octets) },
  };
}
