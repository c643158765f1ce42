import { createSecretKey, type KeyObject } from "node:crypto";
import {
  type Aarq,
  acseApdu,
  type ClientCiphering,
  type Connection,
  CosemServer,
  concatBytes,
  DlmsError,
  decode,
  ecdsaMechanism,
  equalBytes,
  fromHex,
  fullAccess,
  gmacReply,
  hashMechanism,
  openApdu,
  parseProtectedApdu,
  protectApdu,
  protectionFormOf,
  type SystemTitle,
  sealApdu,
  systemTitle,
} from "@meterkeep/dlms";
import {
  listenHdlc,
  listenWrapper,
  nodeCiphers,
  nodeCurves,
  nodeHashes,
  nodeKeyWrap,
  nodeRandom,
  type Transmit,
} from "@meterkeep/dlms-node";
import { aareIn } from "../answer.ts";
import { FULL_POLICY, type Misbehaviour } from "./misbehaviour.ts";
import { PASSWORD, SAMPLE_CLIENTS, type SampleState, SETUP, sampleModel, sampleState } from "./sample-model.ts";

/** A meter on a real TCP port of loopback. */
export interface SampleMeter extends AsyncDisposable {
  readonly address: string;
  readonly keys: SampleKeys;
  readonly title: SystemTitle;
  readonly state: SampleState;
}

/** The keys of the management client; with key pairs it proves itself by mechanism 7. */
export interface SampleKeys {
  readonly encryptionKey: Uint8Array;
  readonly authenticationKey: Uint8Array;
  readonly signing?: { readonly own: KeyObject; readonly client: Uint8Array };
}

const TITLE = systemTitle(fromHex("4D4B530000000001"));
const AARQ_TAG = 0x60;
/** Clients of this maker are known to it: "MKC". */
const KNOWN_MAKER = fromHex("4D4B43");
const PROOFS_BEFORE_LOCK = 5;
const OTHER_WORDS = fromHex("D80102");
const LATER_MS = 60;
/** Get-Response-Normal with "12345678". */
const SECRET_SHOWN = fromHex("C401C10009083132333435363738");
const SECRET_ASKED = fromHex("C001C1000F000028");

type Served = Connection<KeyObject, SampleState>;

/** One client of the sample: the meter's own connection, and what the misbehaviour remembers of it. */
interface Client {
  readonly strict: Served;
  readonly lax: Served;
  aarq: Aarq | undefined;
  serverChallenge: Uint8Array | undefined;
}

/** Puts a meter on the line that does wrong what it is told to. */
export async function startSampleMeter(
  wrong: Misbehaviour = {},
  keys: SampleKeys = { encryptionKey: nodeRandom(16), authenticationKey: nodeRandom(16) },
  link: "wrapper" | "hdlc" = "wrapper",
): Promise<SampleMeter> {
  const sample = new Sample(wrong, keys);
  const transmit: Transmit = (apdu, line) => {
    if (!sample.isLate) return line.send(apdu);
    setTimeout(() => line.send(apdu), LATER_MS);
  };
  const options = { server: sample, maxConnections: 64, transmit };
  const listener = await (link === "wrapper"
    ? listenWrapper(options)
    : listenHdlc({ ...options, logicalDevices: [1] }));
  return {
    address: `tcp://${listener.host}:${listener.port}`,
    keys,
    title: TITLE,
    state: sample.state,
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}

class Sample {
  readonly state: SampleState;
  /** Whether the answer under way comes later than others. */
  isLate = false;
  readonly #wrong: Misbehaviour;
  readonly #keys: SampleMeter["keys"];
  readonly #strict: CosemServer<KeyObject, SampleState>;
  readonly #lax: CosemServer<KeyObject, SampleState>;
  readonly #counters = { sent: 1, lowest: 0 };
  #isGarbage = false;
  #isStopped = false;
  #wrongProofs = 0;
  #lockedUntil = 0;
  #accepted: { readonly aare: Uint8Array; readonly challenge: Uint8Array } | undefined;

  constructor(wrong: Misbehaviour, keys: SampleMeter["keys"]) {
    this.#wrong = wrong;
    this.#keys = keys;
    this.state = sampleState(() => Math.max(0, this.#counters.lowest - 1));
    const publicAccess = wrong.publicMayAll === true ? fullAccess : undefined;
    const kind = { shortNames: wrong.shortNames === true, signed: keys.signing !== undefined };
    this.#strict = new CosemServer(sampleModel(publicAccess, false, kind), this.#device());
    this.#lax = new CosemServer(sampleModel(publicAccess, true), this.#device());
  }

  connect(clientSap: number, serverSap: number): Client {
    return {
      strict: this.#strict.connect(clientSap, serverSap),
      lax: this.#lax.connect(clientSap, serverSap),
      aarq: undefined,
      serverChallenge: undefined,
    };
  }

  disconnect({ strict, lax }: Client): void {
    this.#strict.disconnect(strict);
    this.#lax.disconnect(lax);
  }

  handle(client: Client, apdu: Uint8Array): Uint8Array | undefined {
    this.isLate = false;
    this.#isGarbage = false;
    if (this.#isStopped || Date.now() < this.#lockedUntil) return undefined;
    const answer = apdu[0] === AARQ_TAG ? this.#associate(client, apdu) : this.#request(client, apdu);
    if (this.#isGarbage && this.#wrong.stopsAtGarbage === true) this.#isStopped = true;
    return answer;
  }

  #associate(client: Client, apdu: Uint8Array): Uint8Array | undefined {
    const wrong = this.#wrong;
    const aarq = aarqIn(apdu);
    client.aarq = aarq;
    const title = titleIn(aarq);
    const isManagement = client.strict.clientSap === SAMPLE_CLIENTS.management;
    if (wrong.letsInWithoutProof === true && isManagement && aarq?.mechanismName === undefined)
      return this.#lax.handle(client.lax, apdu);
    if (wrong.takesOwnTitle === true && title !== undefined && equalBytes(title, TITLE)) return this.#accepted?.aare;
    if (wrong.oracle !== undefined && isManagement && title !== undefined && !startsWith(title, KNOWN_MAKER)) {
      if (wrong.oracle === "words") return OTHER_WORDS;
      this.isLate = true;
    }
    if (wrong.takesForgedCounters === true) this.#rememberCounter(aarq?.userInformation);
    const answer = this.#challenged(client, this.#strict.handle(client.strict, apdu));
    const challenge = answer === undefined ? undefined : challengeIn(answer);
    client.serverChallenge = challenge;
    if (answer !== undefined && challenge !== undefined) {
      this.#accepted = { aare: answer, challenge };
    }
    return answer;
  }

  /** The AARE with the client's challenge in the place of its own, where that is what is wrong. */
  #challenged({ aarq }: Client, answer: Uint8Array | undefined): Uint8Array | undefined {
    const theirs = aarq?.callingAuthenticationValue;
    if (this.#wrong.echoesChallenge !== true || answer === undefined || theirs === undefined) return answer;
    const ours = challengeIn(answer);
    const at = ours === undefined ? -1 : Buffer.from(answer).indexOf(ours);
    if (at === -1) return answer;
    const changed = Uint8Array.from(answer);
    changed.set(theirs, at);
    return changed;
  }

  #request(client: Client, apdu: Uint8Array): Uint8Array | undefined {
    const wrong = this.#wrong;
    const { kind } = client.strict.standing;
    const isPlain = protectionFormOf(apdu[0] ?? 0) === undefined;
    if (wrong.showsSecret === true && startsWith(apdu, SECRET_ASKED)) return SECRET_SHOWN;
    const isLaxHere =
      (kind === "idle" && (wrong.servesUnassociated === true || wrong.letsInWithoutProof === true)) ||
      (kind === "authenticating" && wrong.servesBeforeProof === true);
    if (isLaxHere && isPlain) return this.#lax.handle(client.lax, apdu);
    if (wrong.takesForgedCounters === true) this.#rememberCounter(apdu);
    if (kind === "authenticating") return this.#prove(client, apdu);
    const answer = this.#strict.handle(client.strict, apdu);
    return wrong.answersInClear === true && answer !== undefined
      ? (this.#openAnswer(client, answer) ?? answer)
      : answer;
  }

  /** Pass 3. */
  #prove(client: Client, apdu: Uint8Array): Uint8Array | undefined {
    const wrong = this.#wrong;
    const answer = this.#strict.handle(
      client.strict,
      wrong.believesAnyProof === true ? this.#corrected(client, apdu) : apdu,
    );
    if (client.strict.standing.kind === "associated") return answer;
    this.#wrongProofs += 1;
    if (wrong.locksMilliseconds !== undefined && this.#wrongProofs >= PROOFS_BEFORE_LOCK) {
      this.#lockedUntil = Date.now() + wrong.locksMilliseconds;
      this.#wrongProofs = 0;
    }
    return wrong.answersStrangers === true ? this.#answerTo(client) : answer;
  }

  /** The same request with the right proof in the place of the one it has. */
  #corrected(client: Client, apdu: Uint8Array): Uint8Array {
    const title = titleIn(client.aarq);
    const { content } = parseProtectedApdu(apdu);
    if (title === undefined || client.serverChallenge === undefined) return apdu;
    const counter = counterIn(content);
    const header = { suite: 0, originator: title, counter };
    const proof = gmacReply(nodeCiphers, this.#keySet(), header, client.serverChallenge);
    const plain = concatBytes(fromHex("C301C1000F0000280000FF010109"), Uint8Array.of(proof.length), proof);
    return sealApdu({ ciphering: this.#ciphering(), client: title }, plain, counter);
  }

  /** Action-Response-Normal that refuses and gives the answer to the client's challenge all the same. */
  #answerTo({ aarq }: Client): Uint8Array {
    const challenge = aarq?.callingAuthenticationValue ?? new Uint8Array();
    const header = { suite: 0, originator: TITLE, counter: this.#counters.sent++ };
    const proof = gmacReply(nodeCiphers, this.#keySet(), header, challenge);
    const plain = concatBytes(fromHex("C701C103010009"), Uint8Array.of(proof.length), proof);
    const control = { suite: 0, authenticated: true, encrypted: true, broadcast: false, compressed: false };
    return protectApdu(
      nodeCiphers,
      this.#keySet(),
      { form: "global", control, originator: TITLE, counter: this.#counters.sent++ },
      plain,
    );
  }

  #openAnswer({ aarq }: Client, answer: Uint8Array): Uint8Array | undefined {
    const client = titleIn(aarq);
    if (client === undefined || protectionFormOf(answer[0] ?? 0) === undefined) return undefined;
    try {
      return openApdu({ ciphering: this.#ciphering(), client, server: TITLE }, answer).plain;
    } catch (error) {
      if (error instanceof DlmsError) return undefined;
      throw error;
    }
  }

  #rememberCounter(apdu: Uint8Array | undefined): void {
    if (apdu === undefined || protectionFormOf(apdu[0] ?? 0) === undefined) return;
    const counter = counterIn(parseProtectedApdu(apdu).content);
    // Not its own, which the server judges itself.
    if (counter > this.#counters.lowest + PROOFS_BEFORE_LOCK) this.#counters.lowest = counter;
  }

  #keySet() {
    const { encryptionKey, authenticationKey } = this.#keys;
    return { encryption: createSecretKey(encryptionKey), authentication: authenticationKey };
  }

  #ciphering(): ClientCiphering<KeyObject> {
    const { encryption, authentication } = this.#keySet();
    const how = { suite: 0, form: "global", authenticated: true, encrypted: true } as const;
    return { ciphers: nodeCiphers, ...how, encryptionKey: encryption, authenticationKey: authentication };
  }

  #device(): ConstructorParameters<typeof CosemServer<KeyObject, SampleState>>[1] {
    const wrong = this.#wrong;
    const counters = this.#counters;
    const { signing } = this.#keys;
    const keySet = {
      globalUnicastEncryptionKey: createSecretKey(this.#keys.encryptionKey),
      authenticationKey: this.#keys.authenticationKey,
      keyEncryptionKey: createSecretKey(nodeRandom(16)),
    };
    const setup = {
      suite: this.#keys.signing === undefined ? 0 : 1,
      policy: wrong.policy ?? FULL_POLICY,
      systemTitle: TITLE,
      keys: { current: () => keySet, install: () => false },
      counters: {
        next: () => counters.sent++,
        lowestAcceptable: () => (wrong.takesOldCounters === true ? 0 : counters.lowest),
        accept: (counter: number) => {
          counters.lowest = Math.max(counters.lowest, counter + 1);
        },
      },
    } as const;
    return {
      state: this.state,
      ciphers: nodeCiphers,
      keyWrap: nodeKeyWrap,
      importKey: (octets) => createSecretKey(octets),
      random: (length) => this.#challenge(length),
      securitySetup: (logicalName) => (logicalName === SETUP ? setup : undefined),
      checkPassword: (association, password) =>
        association === "reading" && equalBytes(password, new TextEncoder().encode(PASSWORD)),
      hlsMechanism: (association) =>
        signing !== undefined && association === "management"
          ? ecdsaMechanism({ curves: nodeCurves, suite: 1, signing: signing.own, otherSigning: () => signing.client })
          : hashMechanism(nodeHashes, "high-sha1", new TextEncoder().encode(PASSWORD)),
      setPassword: () => false,
      onEvent: (event) => {
        if (event.kind === "request-refused" && event.reason === "not-decodable") this.#isGarbage = true;
      },
    };
  }

  #challenge(length: number): Uint8Array {
    if (this.#wrong.forgetsChallenges === true && this.#accepted !== undefined) return this.#accepted.challenge;
    return this.#wrong.challenge?.() ?? nodeRandom(length);
  }
}

function aarqIn(octets: Uint8Array): Aarq | undefined {
  try {
    const apdu = decode(acseApdu, octets);
    return apdu.kind === "aarq" ? apdu.value : undefined;
  } catch (error) {
    if (error instanceof DlmsError) return undefined;
    throw error;
  }
}

function challengeIn(octets: Uint8Array): Uint8Array | undefined {
  const aare = aareIn(octets);
  return aare?.result === "accepted" ? aare.respondingAuthenticationValue?.slice() : undefined;
}

function titleIn(aarq: Aarq | undefined): SystemTitle | undefined {
  const title = aarq?.callingApTitle;
  return title?.length === 8 ? systemTitle(title.slice()) : undefined;
}

/** After the security control. */
function counterIn(content: Uint8Array): number {
  return new DataView(content.buffer, content.byteOffset).getUint32(1);
}

function startsWith(octets: Uint8Array, beginning: Uint8Array): boolean {
  return equalBytes(octets.subarray(0, beginning.length), beginning);
}
