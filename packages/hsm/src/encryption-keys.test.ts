import assert from "node:assert/strict";
import { createCipheriv, randomBytes } from "node:crypto";
import { after, describe, test } from "node:test";
import { HsmError } from "./errors.ts";
import type { GcmRequest, WrappedEncryptionKey, WrappedSecret } from "./operations.ts";
import { type Fault, SoftTokens, softTokenMissing } from "./testing/soft-token.ts";
import { Token } from "./token.ts";

const missing = softTokenMissing();
const WRAPPING = "meterkeep-wrapping";
const hex = (octets: Uint8Array | undefined) => octets && Buffer.from(octets).toString("hex");

/** What GCM with a tag of 12 octets gives, by another implementation. */
function expected(key: Uint8Array, { iv, data, text }: Pick<GcmRequest, "iv" | "data" | "text">): string {
  const name = key.length === 16 ? "aes-128-gcm" : "aes-256-gcm";
  const cipher = createCipheriv(name, key, iv, { authTagLength: 12 });
  cipher.setAAD(data);
  return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString("hex");
}

describe("encryption keys in a token", { skip: missing ?? false }, () => {
  const tokens = new SoftTokens();
  const token = new Token(tokens.make("keys", { sessions: 3, deadlineMs: 3_000 }));
  const { calls } = token;
  const plain = [16, 16, 32].map((octets) => new Uint8Array(randomBytes(octets)));
  const places = plain.map((_, at) => new TextEncoder().encode(`place ${at}`));
  let secret: WrappedSecret;
  let keys: WrappedEncryptionKey[];
  const texts = [0, 1, 64, 1000].map((octets) => new Uint8Array(randomBytes(octets)));
  const request = (key: WrappedEncryptionKey, text: Uint8Array) => ({
    key,
    open: false,
    iv: new Uint8Array(randomBytes(12)),
    data: new Uint8Array(randomBytes(17)),
    text,
  });

  after(async () => {
    tokens.fault({ kind: "none" });
    await token[Symbol.asyncDispose]();
    tokens[Symbol.dispose]();
  });

  test("cipher and open as any other GCM does, in lists, for both lengths of keys and for a GMAC", async () => {
    await calls.ensureWrappingKey(WRAPPING);
    secret = await calls.makeSecret(WRAPPING);
    keys = await calls.wrapEncryptionKeys(
      secret,
      plain.map((octets, at) => ({ place: places[at]!, octets })),
    );
    const requests = keys.flatMap((key) => texts.map((text) => request(key, text)));
    const sealed = await calls.gcm(secret, requests);
    const wanted = requests.map((one) => expected(plain[keys.indexOf(one.key)]!, one));
    assert.deepEqual(sealed.map(hex), wanted);
    const opening = requests.map((one, at) => ({ ...one, open: true, text: sealed[at]! }));
    assert.deepEqual(
      (await calls.gcm(secret, opening)).map(hex),
      requests.map(({ text }) => hex(text)),
    );
  });

  test("a tag that does not fit opens nothing, and what stands beside it does", async () => {
    const good = request(keys[0]!, texts[2]!);
    const [sealed] = await calls.gcm(secret, [good]);
    const forged = Uint8Array.from(sealed!);
    forged[0]! ^= 1;
    const open = { ...good, open: true };
    const answers = await calls.gcm(secret, [
      { ...open, text: forged },
      { ...open, text: sealed! },
      { ...open, text: sealed!.subarray(0, 11) },
      { ...open, text: sealed!.subarray(0, 12) },
      { ...open, key: keys[1]!, text: sealed! },
    ]);
    assert.deepEqual(answers.map(hex), [undefined, hex(texts[2]), undefined, undefined, undefined]);
  });

  test("a key that was moved to another place does not open there", async () => {
    for (const change of [{ place: places[1]! }, { octets: keys[1]!.octets }, { checkValue: keys[1]!.checkValue }])
      await assert.rejects(
        calls.gcm(secret, [request({ ...keys[0]!, ...change }, texts[1]!)]),
        (error: unknown) => error instanceof HsmError,
        JSON.stringify(Object.keys(change)),
      );
  });

  test("a key is revealed to what changes it, and only whole", async () => {
    assert.deepEqual((await calls.revealEncryptionKeys(secret, keys)).map(hex), plain.map(hex));
    await assert.rejects(calls.revealEncryptionKeys(secret, [{ ...keys[0]!, place: places[2]! }]));
  });

  for (const fault of [
    { kind: "latency", times: 6, milliseconds: 20 },
    { kind: "device-error", times: 2 },
    { kind: "session-lost", times: 2 },
    { kind: "hang", times: 1 },
    { kind: "gone", times: 2 },
  ] satisfies Fault[])
    test(`under ${fault.kind} it answers right, or not at all, and serves again by itself`, async () => {
      const requests = keys.map((key) => request(key, texts[2]!));
      const wanted = requests.map((one, at) => expected(plain[at]!, one));
      tokens.fault(fault);
      const answers = await calls.gcm(secret, requests).catch((error: unknown) => {
        assert.ok(error instanceof HsmError);
        return undefined;
      });
      if (answers !== undefined) assert.deepEqual(answers.map(hex), wanted);
      assert.notEqual(tokens.left, fault.times, "no call has met it");
      tokens.fault({ kind: "none" });
      assert.deepEqual((await calls.gcm(secret, requests)).map(hex), wanted);
    });
});
