import { createHash, type KeyObject } from "node:crypto";
import {
  type AdditionalData,
  additionalDataOctets,
  type Ciphers,
  NO_BYTES,
  TAG_BYTES,
  type Vector,
  vectorOctets,
} from "@meterkeep/dlms";
import { octetKeyCiphers } from "@meterkeep/dlms-node";
import { type TokenGcm, TokenKey } from "../vault/vault.ts";

/** An encryption key as a conversation has it: in this process, lent for one step as octets, or in a token. */
export type CipherKey = KeyObject | Uint8Array | TokenKey;

/** As many questions as a conversation's step may come to, one after the other. */
const MOST_ROUNDS = 8;

/**
 * Carries out what ciphers, though a token may be asked for some of it and answers later.
 *
 * The library's functions are pure and answer at once. So `work` is done with what is known: where a token would have to be
 * asked it gets a stand-in, the token is asked for all of it together, and the work is done again with the answers. What
 * it came to before is thrown away. Additional data holds the authentication key: it is wiped as soon as it has been asked with.
 */
export async function withTokens<T>(work: (ciphers: Ciphers<CipherKey>) => T): Promise<T> {
  const known = new Map<TokenKey, Map<string, Uint8Array | undefined>>();
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const asked = new Map<TokenKey, Map<string, TokenGcm>>();
    const ask = (key: TokenKey, request: TokenGcm, standIn: Uint8Array | undefined): Uint8Array | undefined => {
      const name = nameOf(request);
      const answers = known.get(key);
      const questions = asked.get(key) ?? new Map<string, TokenGcm>();
      const isAnswered = answers?.has(name) === true;
      if (isAnswered || questions.has(name)) request.data.fill(0);
      else asked.set(key, questions.set(name, request));
      return isAnswered ? answers.get(name) : standIn;
    };
    const [result, failure] = attempt(() => work(ciphersWith(ask)));
    if (asked.size === 0) {
      if (failure !== undefined) throw failure.error;
      return result as T;
    }
    try {
      for (const [key, questions] of asked) {
        const gcm = await key.gcm([...questions.values()]);
        const answers = known.get(key) ?? new Map<string, Uint8Array | undefined>();
        for (const [at, name] of [...questions.keys()].entries()) answers.set(name, gcm[at]);
        known.set(key, answers);
      }
    } finally {
      for (const questions of asked.values()) for (const { data } of questions.values()) data.fill(0);
    }
  }
  throw new RangeError(`a step asks a token more than ${MOST_ROUNDS} times in a row`);
}

type Ask = (key: TokenKey, request: TokenGcm, standIn: Uint8Array | undefined) => Uint8Array | undefined;

function ciphersWith(ask: Ask): Ciphers<CipherKey> {
  return {
    seal: (key, vector, data, plain) =>
      key instanceof TokenKey
        ? ask(key, gcm(vector, data, plain), new Uint8Array(plain.length + TAG_BYTES))!
        : octetKeyCiphers.seal(key, vector, data, plain),
    open: (key, vector, data, cipher, tag) => {
      if (!(key instanceof TokenKey)) return octetKeyCiphers.open(key, vector, data, cipher, tag);
      if (tag.length !== TAG_BYTES) return undefined;
      const text = new Uint8Array(cipher.length + TAG_BYTES);
      text.set(cipher);
      text.set(tag, cipher.length);
      return ask(key, { ...gcm(vector, data, text), open: true }, undefined);
    },
    // The counter mode inside GCM is its own inverse; the tag that comes with it is of no use.
    crypt: (key, vector, octets) =>
      key instanceof TokenKey
        ? ask(key, gcm(vector, undefined, octets), new Uint8Array(octets.length + TAG_BYTES))!.subarray(
            0,
            octets.length,
          )
        : octetKeyCiphers.crypt(key, vector, octets),
  };
}

function gcm(vector: Vector, data: AdditionalData | undefined, text: Uint8Array): TokenGcm {
  const octets = data === undefined ? NO_BYTES : additionalDataOctets(data);
  return { open: false, iv: vectorOctets(vector), data: octets, text };
}

/** By a digest: a text with the octets in it could not be wiped. */
function nameOf({ open, iv, data, text }: TokenGcm): string {
  const lengths = Uint32Array.of(Number(open), iv.length, data.length);
  return createHash("sha256").update(lengths).update(iv).update(data).update(text).digest("base64");
}

function attempt<T>(work: () => T): readonly [T | undefined, { readonly error: unknown } | undefined] {
  try {
    return [work(), undefined];
  } catch (error) {
    return [undefined, { error }];
  }
}
