import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { test } from "node:test";
import { type Ciphers, equalBytes, fromHex, type SystemTitle } from "@meterkeep/dlms";
import { nodeCiphers } from "@meterkeep/dlms-node";
import { type TokenGcm, TokenKey } from "../vault/vault.ts";
import { type CipherKey, withTokens } from "./token-ciphers.ts";

const originator = fromHex("4D4B560000000001") as SystemTitle;
const vector = (counter: number) => ({ originator, counter });
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");

/** A token in this process, which tells what it was asked with. */
function token(answer: (requests: readonly TokenGcm[]) => void = () => undefined) {
  const key = createSecretKey(randomBytes(16));
  const asked: TokenGcm[] = [];
  const ciphers = nodeCiphers as Ciphers<CipherKey>;
  const inside = new TokenKey(async (requests) => {
    asked.push(...requests);
    await new Promise(setImmediate);
    answer(requests);
    return requests.map(({ open, iv, data, text }) => {
      const of = { originator: iv.subarray(0, 8) as SystemTitle, counter: Buffer.from(iv).readUInt32BE(8) };
      const whole = { control: data[0] ?? 0, authentication: data.subarray(1) };
      if (!open) return ciphers.seal(key, of, whole, text);
      return ciphers.open(key, of, whole, text.subarray(0, -12), text.subarray(-12));
    });
  });
  return { inside, asked, key, ciphers };
}

const isWiped = ({ data }: TokenGcm) => data.every((octet) => octet === 0);

test("what a token ciphers is what is ciphered here, and the authentication key is in no request once it was asked", async () => {
  const authentication = new Uint8Array(randomBytes(16));
  const seen: string[] = [];
  const { inside, asked, key, ciphers } = token((requests) => seen.push(...requests.map(({ data }) => hex(data))));
  const plain = new Uint8Array(randomBytes(40));
  const data = { control: 0x30, authentication };
  const work = (of: Ciphers<CipherKey>, by: CipherKey) => {
    const sealed = of.seal(by, vector(1), data, plain);
    // The same again is one question; what depends on an answer is another round.
    const again = of.seal(by, vector(1), data, plain);
    const opened = of.open(by, vector(1), data, sealed.subarray(0, -12), sealed.subarray(-12));
    return [sealed, again, opened].map((octets) => (octets === undefined ? "" : hex(octets)));
  };
  const answers = await withTokens((of) => work(of, inside));
  assert.deepEqual(answers, work(ciphers, key));
  assert.equal(answers[2], hex(plain));
  assert.ok(seen.length > 1 && seen.every((octets) => octets === `30${hex(authentication)}`));
  assert.ok(asked.every(isWiped), "of all that was asked nothing is left");
  assert.ok(!equalBytes(authentication, new Uint8Array(16)), "the caller's own is the caller's");
});

test("a token that fails, and work that goes wrong, leave no authentication key behind either", async () => {
  const data = { control: 0x30, authentication: new Uint8Array(16).fill(0x5a) };
  const failing = token(() => {
    throw new Error("gone");
  });
  const other = token();
  await assert.rejects(
    withTokens((of) => [failing, other].map(({ inside }) => of.seal(inside, vector(1), data, new Uint8Array(4)))),
    /gone/,
  );
  assert.ok(failing.asked.length === 1 && failing.asked.every(isWiped) && other.asked.every(isWiped));
  const tried = token();
  await assert.rejects(
    withTokens((of) => {
      of.seal(tried.inside, vector(2), data, new Uint8Array(4));
      throw new Error("wrong");
    }),
    /wrong/,
  );
  assert.ok(tried.asked.length === 1 && tried.asked.every(isWiped));
});
