import { createSecretKey, type KeyObject } from "node:crypto";
import {
  type AssociationConfig,
  type ClientAuthentication,
  type ClientCiphering,
  type FrameCounters,
  localAssociator,
  openSession,
  openShortNameSession,
  type RandomOctets,
  risingCountersFrom,
  type Session,
  SessionError,
  type ShortNameSession,
  type SystemTitle,
  securityOf,
} from "@meterkeep/dlms";
import { nodeCiphers } from "@meterkeep/dlms-node";
import { authenticationOf, type MeterAccess } from "../access/meter-access.ts";
import { MOST_PDU_BYTES } from "../access/open-meter.ts";
import { type Attempt, attempt, type HalfOpen, halfOpen, type Secured } from "./association.ts";
import type { Evidence } from "./evidence.ts";
import { NotTestable } from "./not-testable.ts";
import { openProbe, type Probe } from "./probe.ts";
import type { RequestForms } from "./requests.ts";

/** A push that the meter sent while it was listened to, or that was recorded before. */
export interface SeenPush {
  readonly from: string;
  readonly apdu: Uint8Array;
}

/** What the checks are given besides the meter itself. */
export interface BenchParts {
  readonly access: MeterAccess;
  readonly title: SystemTitle;
  /** Rising, and never used before under the key in `access`. */
  readonly counters: FrameCounters;
  readonly random: RandomOctets;
  /** Milliseconds, rising. */
  readonly now: () => number;
  /** Is fulfilled when so many milliseconds are over. */
  readonly pause: (milliseconds: number) => Promise<void>;
  readonly signal: AbortSignal;
  /** Waits for pushes and gives those that came; absent where nobody listens. */
  /** How what the meter holds is asked for. */
  readonly requests: RequestForms;
  readonly pushes: (() => Promise<readonly SeenPush[]>) | undefined;
  /** How long a meter may turn right keys away after wrong ones. */
  readonly patienceMilliseconds: number;
}

type Keys = NonNullable<MeterAccess["keys"]>;
/** A configuration that ciphers. */
export type CipheredConfig = AssociationConfig<KeyObject> & { readonly ciphering: ClientCiphering<KeyObject> };
/** An association that ciphers. */
export type CipheredAssociation = Secured & { readonly parties: NonNullable<Secured["parties"]> };

const CHALLENGE_BYTES = 16;
/** The least that mechanism 7 takes. */
const SIGNED_CHALLENGE_BYTES = 32;
const KEY_BYTES = 16;
const RETRY_MS = 500;

/** A meter on the bench, for one check: what travels goes into that check's evidence. One connection at a time. */
export class Bench implements AsyncDisposable {
  readonly parts: BenchParts;
  readonly evidence: Evidence;
  #probe: Probe | undefined;

  constructor(parts: BenchParts, evidence: Evidence) {
    this.parts = parts;
    this.evidence = evidence;
  }

  get access(): MeterAccess {
    return this.parts.access;
  }

  get counters(): FrameCounters {
    return this.parts.counters;
  }

  /** The keys that the test was given. @throws NotTestable */
  get keys(): Keys {
    const { keys } = this.access;
    if (keys === undefined) throw new NotTestable("It needs the meter's keys: --key-file, or --key and --auth-key.");
    return keys;
  }

  /**
   * Opens a connection, as the client of the access unless given, and closes the one before: many meters hold one alone.
   *
   * @throws TransportError, LineError when the meter takes none
   */
  async open(clientSap = this.access.clientSap): Promise<Probe> {
    await this[Symbol.asyncDispose]();
    const { access: reach, requests, now, signal } = this.parts;
    this.#probe = await openProbe({ reach, clientSap, evidence: this.evidence, requests, now, signal });
    return this.#probe;
  }

  get requests(): RequestForms {
    return this.parts.requests;
  }

  /** Whether the meter's objects are named by numbers. */
  get isByShortNames(): boolean {
    return this.access.profile.services?.shortNames === true;
  }

  /** Mechanism 5 or 7 and authenticated encryption under the given keys. */
  configured({ encryptionKey, authenticationKey }: Keys): CipheredConfig {
    const { meter, suite, form, profile } = this.access;
    return {
      authentication: authenticationOf(this.access, this.challenge()),
      systemTitle: this.parts.title,
      ...this.#referencing(),
      profile: securityOf(profile),
      maxReceivePduSize: MOST_PDU_BYTES,
      ciphering: {
        ciphers: nodeCiphers,
        suite,
        // Counters of a dedicated key begin anew with each association; the checks are about those that last.
        form: form === "general-global" || form === "general-dedicated" ? "general-global" : "global",
        authenticated: true,
        encrypted: true,
        encryptionKey: createSecretKey(encryptionKey),
        authenticationKey,
      },
      ...(meter === undefined ? {} : { serverSystemTitle: meter }),
    };
  }

  /** Without ciphering. */
  plain(authentication: ClientAuthentication): AssociationConfig<KeyObject> {
    return { authentication, maxReceivePduSize: MOST_PDU_BYTES, ...this.#referencing() };
  }

  #referencing(): Pick<AssociationConfig<KeyObject>, "referencing"> {
    return this.isByShortNames ? { referencing: "short-name" } : {};
  }

  /** Authenticated encryption under a fresh dedicated key, as who has the keys. @throws NotTestable without keys */
  dedicated(): CipheredConfig {
    const config = this.genuine();
    const octets = this.parts.random(this.keys.encryptionKey.length);
    const form = config.ciphering.form === "general-global" ? "general-dedicated" : "dedicated";
    const dedicatedKey = { octets, key: createSecretKey(octets) };
    return { ...config, ciphering: { ...config.ciphering, form, dedicatedKey } };
  }

  /** As who has the keys. @throws NotTestable without keys */
  genuine(): CipheredConfig {
    return this.configured(this.keys);
  }

  /** As somebody who has guessed. */
  stranger(): CipheredConfig {
    const { random } = this.parts;
    const bytes = this.access.keys?.encryptionKey.length ?? KEY_BYTES;
    return this.configured({ encryptionKey: random(bytes), authenticationKey: random(bytes) });
  }

  challenge(): Uint8Array {
    return this.parts.random(this.access.mechanism === "ecdsa" ? SIGNED_CHALLENGE_BYTES : CHALLENGE_BYTES);
  }

  /** Tries to associate, on a connection of its own. */
  async attempt(config: AssociationConfig<KeyObject>, label?: string, clientSap?: number): Promise<Attempt> {
    return await attempt(await this.open(clientSap), config, this.counters, label);
  }

  /**
   * Associates as who has the keys; a meter that is wary after wrong ones is given time.
   *
   * @throws NotTestable when it will not have them
   */
  async associate(label = "AARQ with the right keys"): Promise<CipheredAssociation> {
    const { now, pause, patienceMilliseconds } = this.parts;
    const begun = now();
    for (;;) {
      const outcome = await this.attempt(this.genuine(), label);
      if (outcome.kind === "established") return outcome.association as CipheredAssociation;
      if (now() - begun >= patienceMilliseconds) {
        const why = outcome.kind === "refused" ? outcome.error.message : "it does not answer";
        throw new NotTestable(`The meter does not associate with the keys given: ${why}.`);
      }
      await pause(RETRY_MS);
    }
  }

  /** Sends the AARQ of who has the keys, and no proof yet. @throws NotTestable when the meter does not take part */
  async begin(label?: string): Promise<{ readonly probe: Probe; readonly half: HalfOpen }> {
    const probe = await this.open();
    const half = await halfOpen(probe, this.genuine(), this.counters, label);
    if (half === undefined) throw new NotTestable("The meter does not begin to prove itself with the keys given.");
    return { probe, half };
  }

  /** Associates as the public client. @throws NotTestable when the meter has none */
  async associatePublicly(): Promise<Secured> {
    const outcome = await this.attempt(this.plain({ kind: "none" }), "AARQ of the public client", this.publicSap);
    if (outcome.kind === "established") return outcome.association;
    throw new NotTestable("The meter has no public client.");
  }

  /** A session of the whole library as the public client or as who has the keys. @throws NotTestable */
  async session(who: "public" | "genuine"): Promise<Session | ShortNameSession> {
    const probe = await this.open(who === "public" ? this.publicSap : undefined);
    const config: AssociationConfig<KeyObject> = who === "public" ? this.plain({ kind: "none" }) : this.genuine();
    const counters = { frameCounters: this.counters, receivedCounters: risingCountersFrom(0) };
    const exchange = async (apdu: Uint8Array): Promise<Uint8Array> => {
      const answer = await probe.say(`request of the ${who === "public" ? "public" : "management"} client`, apdu);
      if (answer.kind === "octets") return answer.octets;
      throw new NotTestable(`The meter did not answer (${answer.kind}).`);
    };
    try {
      const options = { exchange, associator: localAssociator(config, counters) };
      return this.isByShortNames ? await openShortNameSession(options) : await openSession(options);
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      throw new NotTestable(`The meter does not associate with the ${who} client: ${error.message}.`);
    }
  }

  get publicSap(): number {
    return this.access.publicSap;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const probe = this.#probe;
    this.#probe = undefined;
    await probe?.[Symbol.asyncDispose]();
  }
}
