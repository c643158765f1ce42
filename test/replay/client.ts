import type { KeyObject } from "node:crypto";
import {
  type AssociationConfig,
  acseApdu,
  type CipheringForm,
  type ClientAuthentication,
  DlmsError,
  data,
  decode,
  encode,
  equalBytes,
  type InvokeIdAndPriority,
  localAssociator,
  logicalNameText,
  type Negotiated,
  openSession,
  type PlainApdu,
  preEstablishedAssociator,
  protectionFormOf,
  type ReceivedCounters,
  type Session,
  SessionError,
  type SessionOptions,
  STANDARD_SECURITY,
  type SystemTitle,
  toHex,
} from "@meterkeep/dlms";
import { nodeCiphers } from "@meterkeep/dlms-node";
import { mechanismOf } from "./mechanisms.ts";
import { type OpenedApdu, type OpenedRecording, plainIn, secretKey } from "./opened.ts";
import { proofCounter } from "./proof.ts";
import type { RecordedStep } from "./recording.ts";
import { recordedValue } from "./transfers.ts";

/** What became of one side of a recording. */
export interface SideOutcome {
  /** APDUs of ours that are the recorded ones to the octet. */
  readonly exact: number;
  /** APDUs that the recording does not determine, each with the reason. */
  readonly undetermined: readonly string[];
  /** Answers and requests that were understood. */
  readonly understood: number;
  /** Refusals that were met for the recorded reason. */
  readonly refused: number;
  readonly complaints: readonly string[];
}

/** The recording stops here, or goes on in a way that no client of ours would. */
class RecordingEnds extends Error {}

const SIGNED = 0xdf;
const ANY_COUNTER: ReceivedCounters = { accept: () => true };
const RELEASE_REQUEST = 0x62;
const CIPHERED_INITIATE_REQUEST = 0x21;
/** Behind tag, length and security control. */
const COUNTER_AT = 3;
const UNSOLICITED: ReadonlySet<number> = new Set([0x0f, 0xc2]);
/** Recorded challenges need not be as long as ours, nor differ from everything that decodes. */
const TOLERANT = {
  ...STANDARD_SECURITY,
  challengeBytes: { least: 1, leastSigned: 1, most: 255 },
  refuseApduChallenges: false,
};

/** Says a recorded exchange again with our client: challenges, counters, invoke ids and proposals are the recorded ones. */
export async function replayClient(opened: OpenedRecording): Promise<SideOutcome> {
  const replay = new ClientReplay(opened);
  try {
    await replay.run();
  } catch (error) {
    if (!(error instanceof RecordingEnds)) replay.complain(error);
  }
  return replay.outcome();
}

class ClientReplay {
  readonly #opened: OpenedRecording;
  readonly #apdus: readonly OpenedApdu[];
  readonly #options: { requestBlocks: NonNullable<SessionOptions["requestBlocks"]> } = { requestBlocks: {} };
  #at = 0;
  #exact = 0;
  #understood = 0;
  #refused = 0;
  readonly #undetermined: string[] = [];
  readonly #complaints: string[] = [];

  constructor(opened: OpenedRecording) {
    this.#opened = opened;
    this.#apdus = opened.apdus.filter(({ octets }) => !UNSOLICITED.has(octets[0] ?? 0));
  }

  outcome(): SideOutcome {
    return {
      exact: this.#exact,
      undetermined: this.#undetermined,
      understood: this.#understood,
      refused: this.#refused,
      complaints: this.#complaints,
    };
  }

  complain(error: unknown): void {
    const where = this.#apdus[this.#at]?.message ?? "the end";
    const what = error instanceof Error ? error.message : String(error);
    this.#complaints.push(`client, message ${where}: ${what}`);
  }

  async run(): Promise<void> {
    const session = await this.#open();
    if (session === undefined) return;
    while (this.#at < this.#apdus.length) {
      const before = this.#at;
      await this.#sayNext(session);
      if (this.#at === before) throw new Error("our client says nothing where the recorded one spoke");
    }
  }

  async #open(): Promise<Session | undefined> {
    const config = this.#config();
    const counters = {
      frameCounters: { take: (count: number) => this.#counter(count) },
      receivedCounters: ANY_COUNTER,
    };
    const { association, serverTitle } = this.#opened;
    const associator =
      association.aarq === undefined
        ? preEstablishedAssociator(config, this.#preEstablished(serverTitle), counters)
        : localAssociator(config, counters);
    const options = this.#options;
    try {
      return await openSession({
        associator,
        exchange: (apdu) => this.#exchange(apdu),
        line: { send: (apdu) => this.#send(apdu), receive: async () => this.#receive() },
        invokeIds: () => this.#invokeId(),
        get requestBlocks() {
          return options.requestBlocks;
        },
        blockTransfer: { windowBlocks: this.#window(), preferred: this.#usesGeneralBlocks() },
      });
    } catch (error) {
      this.#judgeRefusal(error);
      return undefined;
    }
  }

  /** A refused association is what was recorded, if nothing came after it. */
  #judgeRefusal(error: unknown): void {
    if (error instanceof RecordingEnds) throw error;
    if (!(error instanceof DlmsError)) throw error;
    const rest = this.#apdus
      .slice(this.#at)
      .filter(({ direction, octets }) => direction === "sent" && octets[0] !== RELEASE_REQUEST);
    if (rest.length > 0) {
      // The recorded client went on where ours does not: what it was told stays a refusal.
      this.#undetermined.push(`the recorded client goes on after ${error.code}`);
    }
    this.#refused += 1;
    this.#at = this.#apdus.length;
  }

  #exchange(apdu: Uint8Array): Promise<Uint8Array> {
    this.#send(apdu);
    const received = this.#receive();
    if (received === undefined) throw new RecordingEnds();
    return Promise.resolve(received);
  }

  #send(apdu: Uint8Array): void {
    const recorded = this.#apdus[this.#at];
    if (recorded === undefined) throw new RecordingEnds();
    if (recorded.direction !== "sent") throw new Error("our client speaks where the recorded one waited");
    if (recorded.octets[0] === RELEASE_REQUEST && apdu[0] !== RELEASE_REQUEST) {
      this.#undetermined.push("the recorded client gives up where ours goes on");
      throw new RecordingEnds();
    }
    const why = this.#undeterminedReason(recorded, apdu);
    if (equalBytes(apdu, recorded.octets)) this.#exact += 1;
    else if (why !== undefined) this.#undetermined.push(why);
    else throw new Error(`${toHex(apdu).slice(0, 120)} where ${toHex(recorded.octets).slice(0, 120)} was recorded`);
    this.#at += 1;
  }

  #receive(): Uint8Array | undefined {
    const recorded = this.#apdus[this.#at];
    if (recorded?.direction !== "received") return undefined;
    this.#at += 1;
    return recorded.octets;
  }

  /** Why the recorded client's octets could not be ours; undefined when they must be. */
  #undeterminedReason({ inner, facts, octets }: OpenedApdu, ours: Uint8Array): string | undefined {
    if (octets[0] === 0x60) return aarqDifference(octets, ours);
    if (octets[0] === RELEASE_REQUEST) return "other fields in its release request";
    if (octets[0] === SIGNED) return "it signs what is ciphered already, and a signature is random";
    if (facts === undefined && isCiphered(ours)) return "it speaks plainly in a ciphered association";
    if (octets.length > (this.#opened.association.accepted?.serverMaxReceivePduSize || Number.POSITIVE_INFINITY))
      return "it sends more than the server takes";
    const counter = proofCounter(inner);
    if (counter === undefined) return undefined;
    if (counter === "signature") return "a signature is random";
    if (facts === undefined) return undefined;
    if (facts.counter === counter) return "its proof repeats the counter of its carrier";
    const form = this.#form();
    return facts.form === form || (facts.form === "global" && form === "dedicated")
      ? undefined
      : "its proof goes in another form than what follows";
  }

  async #sayNext(session: Session): Promise<void> {
    const recorded = this.#apdus[this.#at] as OpenedApdu;
    if (recorded.direction === "received") {
      this.#at += 1;
      return;
    }
    try {
      await this.#say(session, recorded);
      this.#understood += 1;
    } catch (error) {
      if (error instanceof RecordingEnds || !(error instanceof DlmsError)) throw error;
      const failed = this.#failedStep(recorded.message);
      if (failed === undefined && !(error instanceof SessionError && REFUSALS.has(error.code))) throw error;
      this.#refused += 1;
      if (failed !== undefined) this.#skipPast(failed.lastMessage ?? recorded.message);
    }
  }

  /** What the recorded client failed at when it sent this message. */
  #failedStep(message: number): RecordedStep | undefined {
    return this.#opened.recording.decoded.find(
      ({ firstMessage, lastMessage, error }) =>
        error !== undefined &&
        firstMessage !== undefined &&
        message >= firstMessage &&
        message <= (lastMessage ?? firstMessage),
    );
  }

  #skipPast(message: number): void {
    while ((this.#apdus[this.#at]?.message ?? Number.POSITIVE_INFINITY) <= message) this.#at += 1;
    while (this.#apdus[this.#at]?.direction === "received") this.#at += 1;
  }

  async #say(session: Session, recorded: OpenedApdu): Promise<void> {
    if (recorded.octets[0] === RELEASE_REQUEST) return session.release();
    const whole = recordedValue(this.#apdus, this.#at);
    const request = plainIn(whole.request);
    if (request === undefined) return this.#passOver("a request that is none");
    if (!isAgreed(session.negotiated, request))
      return this.#carry(session, recorded, "a service that was not agreed on");
    this.#options.requestBlocks = whole.blocks;
    const { kind, value } = request;
    if (kind === "get-request" && value.kind === "normal") {
      const { attribute, access } = value.value;
      await session.get(addressOf(attribute), selectionOf(access));
    } else if (kind === "get-request" && value.kind === "with-list") {
      await session.getList(
        value.value.attributes.map(({ attribute, access }) => ({
          ...addressOf(attribute),
          selection: selectionOf(access),
        })),
      );
    } else if (kind === "set-request" && value.kind === "normal" && value.value.access === undefined) {
      await session.set(addressOf(value.value.attribute), encode(data, value.value.value));
    } else if (kind === "action-request" && value.kind === "normal") {
      const { method, parameters } = value.value;
      const { classId, instanceId, methodId } = method;
      const address = { classId, logicalName: logicalNameText(instanceId), methodId };
      await session.call(address, parameters === undefined ? undefined : encode(data, parameters));
    } else await this.#carry(session, recorded, `${kind} in a form without a method of its own`);
  }

  /** Sends what was recorded through our protection. */
  async #carry(session: Session, { inner }: OpenedApdu, why: string): Promise<void> {
    if (inner === undefined) return this.#passOver(why);
    await session.request(inner, why);
  }

  #passOver(why: string): void {
    this.#undetermined.push(why);
    this.#at += 1;
    if (this.#apdus[this.#at]?.direction === "received") this.#at += 1;
  }

  #counter(count: number): number {
    if (count === 0) return 0;
    const recorded = this.#apdus[this.#at];
    const { requestFacts } = this.#opened.association;
    if (recorded?.octets[0] === 0x60 && requestFacts !== undefined) return requestFacts.counter;
    if (recorded?.octets[0] === RELEASE_REQUEST) return releaseCounter(recorded.octets) ?? 0;
    if (recorded?.facts !== undefined) return recorded.facts.counter;
    // Mechanism 5 without ciphering: the only counter is the one in the proof, which is our second.
    const proof = proofCounter(this.#apdus.find(({ inner }) => proofCounter(inner) !== undefined)?.inner);
    return typeof proof === "number" ? proof - 1 : 0;
  }

  #invokeId(): InvokeIdAndPriority {
    const request = plainIn(this.#apdus[this.#at]?.inner);
    const value = request?.value as
      | { readonly value?: { readonly invokeIdAndPriority?: InvokeIdAndPriority } }
      | undefined;
    return value?.value?.invokeIdAndPriority ?? { invokeId: 1, confirmed: true, highPriority: true };
  }

  #usesGeneralBlocks(): boolean {
    return this.#apdus.some(({ octets }) => octets[0] === 0xe0);
  }

  #window(): number {
    const first = this.#apdus.find(({ octets, direction }) => octets[0] === 0xe0 && direction === "sent");
    return Math.max(1, (first?.octets[1] ?? 1) & 0x3f);
  }

  #preEstablished(serverSystemTitle: SystemTitle | undefined): Negotiated {
    return {
      conformance: ["get", "set", "action", "selective-access", "multiple-references"],
      maxReceivePduSize: undefined,
      serverSystemTitle,
    };
  }

  #config(): AssociationConfig<KeyObject> {
    const { recording, association, clientTitle, serverTitle } = this.#opened;
    const { aarq, initiate, requestFacts } = association;
    const control = requestFacts?.control ?? this.#apdus.find(({ facts }) => facts !== undefined)?.facts?.control;
    const { encryptionKey, authenticationKey, dedicatedKey } = recording;
    const title = aarq === undefined ? clientTitle : aarq.callingApTitle === undefined ? undefined : clientTitle;
    const dedicated = dedicatedKey === undefined || initiate?.dedicatedKey === undefined ? undefined : dedicatedKey;
    const isCiphered = requestFacts !== undefined || (aarq === undefined && control !== undefined);
    const usesKeys = isCiphered || aarq?.mechanismName === "high-gmac";
    return {
      authentication: this.#authentication(),
      profile: TOLERANT,
      cipheredContext: isCiphered,
      ...(initiate === undefined
        ? {}
        : { conformance: initiate.proposedConformance, maxReceivePduSize: initiate.clientMaxReceivePduSize }),
      ...(title === undefined ? {} : { systemTitle: title }),
      ...(serverTitle === undefined ? {} : { serverSystemTitle: serverTitle }),
      ...(usesKeys && encryptionKey !== undefined && authenticationKey !== undefined
        ? {
            ciphering: {
              ciphers: nodeCiphers,
              suite: suiteOf(control?.suite ?? recording.suite),
              authenticated: control?.authenticated ?? true,
              encrypted: control?.encrypted ?? true,
              form: this.#form(),
              encryptionKey: secretKey(encryptionKey),
              authenticationKey,
              ...(dedicated === undefined ? {} : { dedicatedKey: { octets: dedicated, key: secretKey(dedicated) } }),
            },
          }
        : {}),
    };
  }

  #authentication(): ClientAuthentication {
    const { recording, association } = this.#opened;
    const { mechanismName = "lowest", callingAuthenticationValue: value } = association.aarq ?? {};
    if (value === undefined || mechanismName === "lowest") return { kind: "none" };
    if (mechanismName === "low") return { kind: "lls", password: value };
    if (mechanismName === "high-gmac") return { kind: "gmac", challenge: value };
    const mechanism = mechanismOf(mechanismName, recording, "client");
    if (mechanism === undefined) throw new Error(`the recording does not say what mechanism "${mechanismName}" needs`);
    return { kind: "hls", challenge: value, mechanism };
  }

  /** The form of what follows the association. */
  #form(): CipheringForm {
    const after = this.#apdus.filter(
      ({ inner, direction }) => direction === "sent" && proofCounter(inner) === undefined,
    );
    return after.find(({ facts }) => facts !== undefined)?.facts?.form ?? "global";
  }
}

const REFUSALS: ReadonlySet<string> = new Set([
  "data-access-refused",
  "action-refused",
  "exception-response",
  "service-error",
  "invocation-counter-error",
  "response-unprotected",
]);

function isCiphered(octets: Uint8Array): boolean {
  return protectionFormOf(octets[0] ?? 0) !== undefined;
}

function isAgreed({ conformance }: Negotiated, request: PlainApdu): boolean {
  const service = ({ "get-request": "get", "set-request": "set", "action-request": "action" } as const)[
    request.kind as "get-request"
  ] as "get" | undefined;
  if (service === undefined) return true;
  const list = request.kind === "get-request" && request.value.kind === "with-list";
  return conformance.includes(service) && (!list || conformance.includes("multiple-references"));
}

function addressOf({
  classId,
  instanceId,
  attributeId,
}: {
  classId: number;
  instanceId: Uint8Array;
  attributeId: number;
}) {
  return { classId, logicalName: logicalNameText(instanceId), attributeId };
}

function selectionOf(
  access: { readonly selector: number; readonly parameters: Parameters<typeof data.encode>[1] } | undefined,
) {
  return access && { selector: access.selector, parameters: encode(data, access.parameters) };
}

function suiteOf(suite: number): 0 | 1 | 2 {
  return suite === 1 || suite === 2 ? suite : 0;
}

/** Two AARQs that ask for the same in other words. */
function aarqDifference(recorded: Uint8Array, ours: Uint8Array): string | undefined {
  return recorded.length === ours.length ? undefined : "other optional fields in its AARQ";
}

/** The counter of the ciphered InitiateRequest in a release request: behind its tag, length and security control. */
function releaseCounter(octets: Uint8Array): number | undefined {
  const { value } = decode(acseApdu, octets);
  const { userInformation } = value as { readonly userInformation?: Uint8Array };
  if (userInformation?.[0] !== CIPHERED_INITIATE_REQUEST) return undefined;
  return new DataView(userInformation.buffer, userInformation.byteOffset).getUint32(COUNTER_AT);
}
