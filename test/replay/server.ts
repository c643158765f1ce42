import type { KeyObject } from "node:crypto";
import {
  type AssociationAuthentication,
  acseApdu,
  type Connection,
  CosemServer,
  type Device,
  decode,
  deviceModel,
  equalBytes,
  logicalNameText,
  type MechanismName,
  mount,
  openLayers,
  protectionFormOf,
  type SecuritySetupPort,
  STANDARD_SECURITY,
  systemTitle,
  toHex,
} from "@meterkeep/dlms";
import { nodeCiphers, nodeKeyWrap } from "@meterkeep/dlms-node";
import type { SideOutcome } from "./client.ts";
import { differenceOf } from "./differences.ts";
import { mechanismOf } from "./mechanisms.ts";
import { layerKeys, type OpenedApdu, type OpenedRecording, plainIn, secretKey } from "./opened.ts";
import { proofCounter, proofIn } from "./proof.ts";
import { answerTo, Script, scriptOf } from "./script.ts";

const SETUP = "0.0.43.0.0.255";
const NAME = "recorded";
const INVOCATION_COUNTER_ERROR = 6;
const TOLERANT = {
  ...STANDARD_SECURITY,
  challengeBytes: { least: 1, leastSigned: 1, most: 255 },
  refuseApduChallenges: false,
};
const UNLIMITED_BYTES = 65_535;

/** Answers the recorded client with our server, whose objects say what the recorded ones said. */
export function replayServer(opened: OpenedRecording): SideOutcome {
  return new ServerReplay(opened).run();
}

class ServerReplay {
  readonly #opened: OpenedRecording;
  readonly #apdus: readonly OpenedApdu[];
  readonly #script = new Script();
  readonly #counters: number[] = [];
  #blockBytes: readonly number[] = [];
  #lowest = 0;
  /** What the recorded server sends at most, where it cut its answer. */
  #sendBytes: number | undefined;
  #exact = 0;
  #understood = 0;
  #refused = 0;
  readonly #undetermined: string[] = [];
  readonly #complaints: string[] = [];

  constructor(opened: OpenedRecording) {
    this.#opened = opened;
    this.#apdus = opened.apdus;
  }

  run(): SideOutcome {
    const server = this.#server();
    const { clientSap, serverSap } = this.#opened.recording;
    const connection = server.connect(clientSap, serverSap);
    for (const [at, recorded] of this.#apdus.entries())
      if (recorded.direction === "sent" && !this.#continues(at)) this.#serve(server, connection, at);
    return {
      exact: this.#exact,
      undetermined: this.#undetermined,
      understood: this.#understood,
      refused: this.#refused,
      complaints: this.#complaints,
    };
  }

  /** Whether our server has said all of this transfer already: the recorded one cut in more pieces. */
  #continues(at: number): boolean {
    const request = plainIn(this.#apdus[at]?.inner);
    const isNext = request?.kind === "get-request" && request.value.kind === "next";
    if (!isNext || this.#transfer !== "over") return false;
    this.#undetermined.push("it cuts short answers in blocks");
    return true;
  }

  #transfer: "over" | "going-on" | "none" = "none";

  #serve(server: CosemServer<KeyObject, undefined>, connection: Connection<KeyObject, undefined>, at: number): void {
    const recorded = this.#apdus[at] as OpenedApdu;
    const expected = answerTo(this.#apdus, at);
    const isNext = this.#isNext(recorded);
    if (!isNext) {
      const script = scriptOf(this.#apdus, at);
      this.#script.load(script);
      this.#blockBytes = script.blockBytes;
    }
    this.#sendBytes = isInBlocks(expected)
      ? (expected?.octets.length ?? 0) + this.#roomBesideBlock(expected)
      : undefined;
    this.#prepareCounters(expected);
    const answers = this.#handle(server, connection, recorded.octets);
    const [answer, ...following] = answers;
    this.#blockBytes = this.#blockBytes.slice(1);
    this.#noteTransfer(answer);
    if (following.length > 0) this.#undetermined.push("blocks in a row");
    if (expected === undefined) {
      if (answer !== undefined) this.#undetermined.push("the recorded server says nothing");
      return;
    }
    this.#compare(recorded, expected, answer);
  }

  #handle(server: CosemServer<KeyObject, undefined>, connection: Connection<KeyObject, undefined>, octets: Uint8Array) {
    const answer = server.handle(connection, octets);
    return answer === undefined ? [] : [answer, ...server.following(connection)];
  }

  #compare(recorded: OpenedApdu, expected: OpenedApdu, answer: Uint8Array | undefined): void {
    const refusal = isRefusal(expected);
    if (answer !== undefined && equalBytes(answer, expected.octets)) {
      this.#exact += 1;
      this.#understood += 1;
      if (refusal) this.#refused += 1;
      return;
    }
    const inner = answer === undefined ? undefined : this.#openOurs(answer);
    const difference = differenceOf({
      recorded,
      expected,
      answer,
      inner,
      failed: this.#failed(recorded.message),
      conformance: this.#opened.association.accepted?.negotiatedConformance ?? [],
    });
    if (difference === undefined) {
      const ours = toHex(inner ?? answer ?? new Uint8Array(0)).slice(0, 100);
      const theirs = toHex(expected.inner ?? expected.octets).slice(0, 100);
      this.#complaints.push(`server, message ${recorded.message}: ${ours || "nothing"} where ${theirs} was recorded`);
      return;
    }
    this.#undetermined.push(difference);
    this.#understood += 1;
    if (refusal) this.#refused += 1;
  }

  /** The same block takes no more room in ours; general blocks are cut to the octet. */
  #roomBesideBlock(expected: OpenedApdu | undefined): number {
    return expected?.octets[0] === 0xe0 ? 0 : 16;
  }

  #failed(message: number): boolean {
    return this.#opened.recording.decoded.some(
      ({ firstMessage, lastMessage, error }) =>
        error !== undefined &&
        firstMessage !== undefined &&
        message >= firstMessage &&
        message <= (lastMessage ?? firstMessage),
    );
  }

  #openOurs(answer: Uint8Array): Uint8Array {
    const keys = layerKeys(this.#opened.recording);
    if (keys === undefined || protectionFormOf(answer[0] ?? 0) === undefined) return answer;
    try {
      return openLayers(keys, { originator: this.#opened.serverTitle }, answer).plain;
    } catch {
      return answer;
    }
  }

  #isNext({ inner }: OpenedApdu): boolean {
    const request = plainIn(inner);
    return request?.kind === "get-request" && request.value.kind === "next";
  }

  #noteTransfer(answer: Uint8Array | undefined): void {
    const inner = answer === undefined ? undefined : this.#openOurs(answer);
    const response = plainIn(inner);
    if (response?.kind !== "get-response") return;
    const goesOn = response.value.kind === "with-datablock" && !response.value.value.block.lastBlock;
    this.#transfer = goesOn ? "going-on" : "over";
  }

  /** The counters that the recorded server drew for this answer. */
  #prepareCounters(expected: OpenedApdu | undefined): void {
    this.#counters.length = 0;
    if (expected === undefined) return;
    const inner = proofCounter(expected.inner);
    if (typeof inner === "number") this.#counters.push(inner);
    const own = expected.facts?.counter ?? expected.gatheredFacts?.counter ?? acseCounter(expected, this.#opened);
    if (own !== undefined) this.#counters.push(own);
    const { octets } = expected;
    if (octets[0] === 0xd8 && octets[2] === INVOCATION_COUNTER_ERROR)
      this.#lowest = new DataView(octets.buffer, octets.byteOffset).getUint32(3);
  }

  #server(): CosemServer<KeyObject, undefined> {
    const { recording, association } = this.#opened;
    const { aarq, accepted } = association;
    const setup = this.#setup();
    const replay = this;
    const mechanismName = aarq?.mechanismName ?? "lowest";
    const model = deviceModel<undefined>({
      objects: this.#objects(),
      associations: [
        {
          name: NAME,
          clientSap: recording.clientSap,
          authentication: authenticationOf(mechanismName),
          ...(setup === undefined ? {} : { securitySetup: SETUP }),
          ...(aarq === undefined ? { preEstablished: true } : {}),
          conformance: accepted?.negotiatedConformance ??
            (this.#refusesInitiate() ? ["reserved-zero"] : undefined) ?? [
              "get",
              "set",
              "action",
              "selective-access",
              "multiple-references",
            ],
          maxReceivePduSize: accepted?.serverMaxReceivePduSize || UNLIMITED_BYTES,
          get responseBlockBytes() {
            return replay.#blockBytes[0];
          },
          get maxSendPduSize() {
            return replay.#sendBytes;
          },
          prefersGeneralBlocks: this.#apdus.some(
            ({ octets, direction }) => octets[0] === 0xe0 && direction === "received",
          ),
          access: () => ({ read: "all", write: "all", call: "all" }),
        },
      ],
    });
    const device: Device<KeyObject, undefined> = {
      state: undefined,
      ciphers: nodeCiphers,
      keyWrap: nodeKeyWrap,
      importKey: secretKey,
      random: () => association.aare?.respondingAuthenticationValue ?? new Uint8Array(16).fill(1),
      securitySetup: (logicalName) => (logicalName === SETUP ? setup : undefined),
      checkPassword: (_, password) =>
        this.#accepts() && equalBytes(password, aarq?.callingAuthenticationValue ?? password),
      setPassword: () => false,
      hlsMechanism: () => mechanismOf(mechanismName, this.#believed(), "server"),
      securityProfile: TOLERANT,
    };
    return new CosemServer(model, device);
  }

  /** Whether the recorded server refused what the InitiateRequest proposes. */
  #refusesInitiate(): boolean {
    return plainIn(this.#opened.association.aare?.userInformation)?.kind === "confirmed-service-error";
  }

  /** Whether the recorded server let the client in. */
  #accepts(): boolean {
    return this.#opened.association.aare?.result === "accepted";
  }

  /** The recording with the secret that its server had: another one than the client's, where it did not believe it. */
  #believed() {
    const { recording } = this.#opened;
    const refused = this.#apdus.some(
      ({ inner, direction }, at) =>
        direction === "sent" && proofIn(inner) !== undefined && isRefusedProof(answerTo(this.#apdus, at)?.inner),
    );
    return refused ? { ...recording, password: new TextEncoder().encode("what the server knows") } : recording;
  }

  #setup(): SecuritySetupPort<KeyObject> | undefined {
    const { recording, association, clientTitle, serverTitle } = this.#opened;
    const { encryptionKey, authenticationKey } = recording;
    if (encryptionKey === undefined || authenticationKey === undefined) return undefined;
    const control =
      association.requestFacts?.control ?? this.#apdus.find(({ facts }) => facts !== undefined)?.facts?.control;
    // Keys that the recorded server did not believe are not its own.
    const wrong = this.#refusedAtOnce();
    const server = secretKey(wrong ? new Uint8Array(encryptionKey.length).fill(0x5a) : encryptionKey);
    const keys = { globalUnicastEncryptionKey: server, authenticationKey, keyEncryptionKey: server };
    const protects = control !== undefined;
    return {
      suite: control?.suite === 1 || control?.suite === 2 ? control.suite : 0,
      policy: {
        authenticatedRequest: protects && control.authenticated,
        encryptedRequest: protects && control.encrypted,
        authenticatedResponse: false,
        encryptedResponse: false,
      },
      systemTitle: serverTitle ?? systemTitle(new Uint8Array(8).fill(0x53)),
      clientSystemTitle: clientTitle,
      keys: { current: () => keys, install: () => true },
      counters: {
        next: () => this.#counters.shift() ?? 0,
        lowestAcceptable: () => this.#lowest,
        accept: () => {},
      },
    };
  }

  /** The AARQ was answered with a deciphering error. */
  #refusedAtOnce(): boolean {
    const first = answerTo(this.#apdus, 0)?.octets;
    return first?.[0] === 0xd8 && first[2] === 5;
  }

  #objects() {
    const classes = new Map<string, { readonly logicalName: string; readonly classId: number }>();
    for (const { inner, direction } of this.#apdus)
      for (const { classId, instanceId } of direction === "sent" ? descriptorsIn(plainIn(inner)) : []) {
        const logicalName = logicalNameText(instanceId);
        classes.set(`${classId} ${logicalName}`, { logicalName, classId });
      }
    return [...classes.values()].map(({ logicalName, classId }) => mount(logicalName, this.#script.served(classId)));
  }
}

function authenticationOf(mechanism: MechanismName): AssociationAuthentication {
  switch (mechanism) {
    case "low":
      return { kind: "lls" };
    case "high-gmac":
      return { kind: "gmac" };
    case "high":
    case "high-md5":
    case "high-sha1":
    case "high-sha256":
    case "high-ecdsa":
      return { kind: "hls", mechanism };
    default:
      return { kind: "none" };
  }
}

interface Descriptor {
  readonly classId: number;
  readonly instanceId: Uint8Array;
}

/** Every object that a request names. */
function descriptorsIn(value: unknown): Descriptor[] {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  const { classId, instanceId } = value as Partial<Descriptor>;
  if (typeof classId === "number" && instanceId instanceof Uint8Array) return [{ classId, instanceId }];
  return Object.values(value).flatMap(descriptorsIn);
}

function isInBlocks(expected: OpenedApdu | undefined): boolean {
  if (expected?.octets[0] === 0xe0) return true;
  const response = plainIn(expected?.inner);
  return response?.kind === "get-response" && response.value.kind === "with-datablock";
}

function isRefusal({ octets, inner }: OpenedApdu): boolean {
  if (octets[0] === 0xd8 || octets[0] === 0x0e) return true;
  if (octets[0] === 0x61)
    return (decode(acseApdu, octets) as { readonly value: { readonly result?: string } }).value.result !== "accepted";
  const response = plainIn(inner);
  if (response?.kind === "get-response" && response.value.kind === "normal")
    return response.value.value.result.kind !== "data";
  if (response?.kind === "set-response" && response.value.kind === "normal")
    return response.value.value.result !== "success";
  return (
    response?.kind === "action-response" &&
    response.value.kind === "normal" &&
    response.value.value.outcome.result !== "success"
  );
}

function isRefusedProof(inner: Uint8Array | undefined): boolean {
  const response = plainIn(inner);
  if (response?.kind !== "action-response" || response.value.kind !== "normal") return false;
  return response.value.value.outcome.result !== "success" && proofIn(inner) === undefined;
}

/** The counter of the ciphered InitiateResponse in an AARE or RLRE. */
function acseCounter({ octets }: OpenedApdu, { association }: OpenedRecording): number | undefined {
  if (octets[0] === 0x61) return association.responseFacts?.counter;
  if (octets[0] !== 0x63) return undefined;
  // Some servers get the lengths around it wrong: it is found by its tag, length and control.
  const at = octets.findIndex((octet, index) => octet === 0x28 && octets[index + 1] === octets.length - index - 2);
  return at < 0 ? undefined : new DataView(octets.buffer, octets.byteOffset).getUint32(at + 3);
}
