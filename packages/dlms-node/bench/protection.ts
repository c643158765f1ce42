import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import {
  apdu,
  type CipheredParties,
  concatBytes,
  decode,
  encode,
  fromHex,
  openApdu,
  protectApdu,
  sealApdu,
  systemTitle,
} from "@meterkeep/dlms";
import { nodeCiphers } from "@meterkeep/dlms-node";

// What protection costs: a get-request encoded and sealed and its response opened and decoded, beside the two AES-GCM
// operations in it by node:crypto alone. Short rounds of both take turns, so that both meet the same machine: each ratio is
// of two neighbours, and the median of them is what counts.

const PAIRS = 1000;
const WARM_ROUNDS = 40;
const client = systemTitle(fromHex("4d4b480000000001"));
const server = systemTitle(fromHex("4d4b4d0000000001"));
const TAG_BYTES = 12;
const REGISTER = fromHex("0100010800ff");
let counter = 0;

/** Prints what protection costs in suites 0 and 2, over so many rounds. */
export function benchProtection(rounds: number): void {
  for (const [suite, keyBytes, algorithm] of [
    [0, 16, "aes-128-gcm"],
    [2, 32, "aes-256-gcm"],
  ] as const) {
    const encryptionKey = createSecretKey(randomBytes(keyBytes));
    const authenticationKey = new Uint8Array(randomBytes(keyBytes));
    const parties: CipheredParties<KeyObject> = {
      ciphering: {
        ciphers: nodeCiphers,
        suite,
        authenticated: true,
        encrypted: true,
        form: "global",
        encryptionKey,
        authenticationKey,
      },
      client,
      server,
    };
    const answer = encode(apdu, {
      kind: "get-response",
      value: {
        kind: "normal",
        value: {
          invokeIdAndPriority: { invokeId: 1, confirmed: true, highPriority: true },
          result: { kind: "data", value: { type: "double-long-unsigned", value: 123_456_789 } },
        },
      },
    });
    const control = { suite, authenticated: true, encrypted: true, broadcast: false, compressed: false };
    const keys = { encryption: encryptionKey, authentication: authenticationKey };
    const response = protectApdu(
      nodeCiphers,
      keys,
      { form: "global", control, originator: server, counter: 7 },
      answer,
    );
    const whole = (counter: number): void => {
      const plain = encode(apdu, {
        kind: "get-request",
        value: {
          kind: "normal",
          value: {
            invokeIdAndPriority: { invokeId: 1, confirmed: true, highPriority: true },
            attribute: { classId: 3, instanceId: REGISTER, attributeId: 2 },
            access: undefined,
          },
        },
      });
      sealApdu(parties, plain, counter);
      if (decode(apdu, openApdu(parties, response).plain).kind !== "get-response") throw new Error("not the response");
    };
    const bare = bareOperations(algorithm, encryptionKey, authenticationKey, 0x30 | suite, answer);
    const ratios: number[] = [];
    const bareTimes: number[] = [];
    const wholeTimes: number[] = [];
    for (let round = 0; round < WARM_ROUNDS + rounds; round += 1) {
      const one = nanosecondsEach(bare);
      const other = nanosecondsEach(whole);
      if (round < WARM_ROUNDS) continue;
      bareTimes.push(one);
      wholeTimes.push(other);
      ratios.push(other / one);
    }
    console.log(
      `suite ${suite}: get-request encoded and sealed, response opened and decoded ${perSecond(median(wholeTimes))}/s; ` +
        `the same two AES-GCM operations alone ${perSecond(median(bareTimes))}/s; ` +
        `ratio ${median(ratios).toFixed(2)}, the median of ${rounds} rounds (target 1.50)`,
    );
  }
}

/** One encryption of a get-request and one decryption of its response, and nothing else. */
function bareOperations(
  algorithm: "aes-128-gcm" | "aes-256-gcm",
  key: KeyObject,
  authenticationKey: Uint8Array,
  control: number,
  answer: Uint8Array,
): (counter: number) => void {
  const aad = concatBytes(Uint8Array.of(control), authenticationKey);
  const request = fromHex("c001c100030100010800ff0200");
  const options = { authTagLength: TAG_BYTES };
  const iv = concatBytes(client, new Uint8Array(4));
  const view = new DataView(iv.buffer);
  const made = createCipheriv(algorithm, key, concatBytes(server, new Uint8Array(4)), options).setAAD(aad);
  const sealed = concatBytes(made.update(answer), made.final());
  const tag = made.getAuthTag();
  const answerIv = concatBytes(server, new Uint8Array(4));
  return (counter) => {
    view.setUint32(8, counter);
    const cipher = createCipheriv(algorithm, key, iv, options).setAAD(aad);
    cipher.update(request);
    cipher.final();
    cipher.getAuthTag();
    const decipher = createDecipheriv(algorithm, key, answerIv, options).setAAD(aad).setAuthTag(tag);
    decipher.update(sealed);
    decipher.final();
  };
}

function nanosecondsEach(work: (counter: number) => void): number {
  const started = process.hrtime.bigint();
  for (let pair = 0; pair < PAIRS; pair += 1) {
    counter += 1;
    work(counter);
  }
  return Number(process.hrtime.bigint() - started) / PAIRS;
}

function perSecond(nanoseconds: number): string {
  return Math.round(1e9 / nanoseconds).toLocaleString("en");
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
