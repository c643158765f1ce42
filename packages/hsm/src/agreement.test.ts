import assert from "node:assert/strict";
import { createECDH, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { HsmError, type HsmErrorCode } from "./errors.ts";
import type { AgreementPair, WrappedSecret } from "./operations.ts";
import { type Fault, SoftTokens, softTokenMissing } from "./testing/soft-token.ts";
import { Token } from "./token.ts";

const missing = softTokenMissing();
const WRAPPING = "meterkeep-wrapping";
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
const code = (wanted: HsmErrorCode) => (error: unknown) => error instanceof HsmError && error.code === wanted;

/** Somebody who seals to a point, by another implementation: its own point, and what both come to. */
function peerOf(point: Uint8Array): { readonly point: Uint8Array; readonly shared: string } {
  const peer = createECDH("secp384r1");
  const own = peer.generateKeys().subarray(1);
  return {
    point: new Uint8Array(own),
    shared: peer.computeSecret(Buffer.concat([Buffer.of(4), point]), undefined, "hex"),
  };
}

describe("agreement with a private key that stays in tokens", { skip: missing ?? false }, () => {
  const [here, there] = missing === undefined ? [new SoftTokens(), new SoftTokens()] : [];
  const first = new Token(here!.make("first", { sessions: 1, deadlineMs: 4_000 }));
  const second = new Token(there!.make("second", { sessions: 1, deadlineMs: 4_000 }));
  let secret: WrappedSecret;
  let pair: AgreementPair;

  before(async () => {
    for (const { calls } of [first, second]) await calls.ensureWrappingKey(WRAPPING);
    secret = await first.calls.makeSecret(WRAPPING);
    pair = await first.calls.makeAgreementPair(secret);
  });
  after(async () => {
    for (const tokens of [here!, there!]) tokens.fault({ kind: "none" });
    for (const token of [first, second]) await token[Symbol.asyncDispose]();
    for (const tokens of [here!, there!]) tokens[Symbol.dispose]();
  });

  test("it comes to what the peer comes to, and each pair is another one", async () => {
    assert.equal(pair.point.length, 96);
    for (let round = 0; round < 8; round += 1) {
      const peer = peerOf(pair.point);
      assert.equal(hex(await first.calls.agree(secret, pair, peer.point)), peer.shared);
    }
    const another = await first.calls.makeAgreementPair(secret);
    assert.notEqual(hex(another.point), hex(pair.point));
    const peer = peerOf(another.point);
    assert.equal(hex(await first.calls.agree(secret, another, peer.point)), peer.shared);
  });

  test("another token agrees with it once it has the secret", async () => {
    const envelope = await first.calls.exportSecret(secret, await second.calls.transportKey("transport"));
    const copy = await second.calls.importSecret("transport", envelope, WRAPPING, secret.checkValue);
    const peer = peerOf(pair.point);
    assert.equal(hex(await second.calls.agree(copy, pair, peer.point)), peer.shared);
  });

  test("a private half under another secret, an altered one, and one beside another's public half agree on nothing", async () => {
    const peer = peerOf(pair.point);
    const other = await first.calls.makeSecret(WRAPPING);
    const another = await first.calls.makeAgreementPair(secret);
    const altered = Uint8Array.from(pair.wrapped, (octet, at) => (at === 40 ? octet ^ 1 : octet));
    await assert.rejects(first.calls.agree(other, pair, peer.point), code("hsm-key-wrong"));
    for (const wrong of [
      { ...pair, wrapped: altered },
      { ...pair, wrapped: pair.wrapped.subarray(0, 32) },
      { ...pair, point: another.point },
      { ...pair, point: new Uint8Array(randomBytes(96)) },
    ])
      await assert.rejects(first.calls.agree(secret, wrong, peer.point), code("hsm-key-wrong"));
    assert.equal(hex(await first.calls.agree(secret, pair, peer.point)), peer.shared);
  });

  test("the trial that a token is put to before it is relied on says that it can", async () => {
    const trials = await first.calls.probe("opening shipments");
    assert.deepEqual(
      trials.map(({ name, refused }) => [name, refused]),
      [["ECDH P-384, private key wrapped (RFC 5649)", undefined]],
    );
  });

  const FAULTS: readonly Exclude<Fault, { readonly kind: "none" }>[] = [
    { kind: "latency", times: 10, milliseconds: 5 },
    { kind: "device-error", times: 2 },
    { kind: "general-error", times: 1 },
    { kind: "session-lost", times: 2 },
    { kind: "wrong-handle", times: 1 },
    { kind: "wrong-handle", times: 2 },
    { kind: "hang", times: 1 },
    { kind: "gone", times: 2 },
  ];
  for (const fault of FAULTS)
    test(`under ${fault.kind}, ${fault.times} times, it comes to the same`, async () => {
      const peer = peerOf(pair.point);
      here!.fault(fault);
      assert.equal(hex(await first.calls.agree(secret, pair, peer.point)), peer.shared);
      assert.notEqual(here!.left, fault.times, "no call has met it");
      here!.fault({ kind: "none" });
    });

  for (const fault of [...FAULTS, { kind: "wrong-wrapping", times: 1 } as const])
    test(`under ${fault.kind}, ${fault.times} times, a pair is made that opens`, async () => {
      here!.fault(fault);
      const made = await first.calls.makeAgreementPair(secret);
      assert.notEqual(here!.left, fault.times, "no call has met it");
      here!.fault({ kind: "none" });
      const peer = peerOf(made.point);
      assert.equal(hex(await first.calls.agree(secret, made, peer.point)), peer.shared);
    });

  test("under a fault that does not end it comes to nothing, and no pair is given out", async () => {
    const peer = peerOf(pair.point);
    here!.fault({ kind: "wrong-handle", times: -1 });
    await assert.rejects(first.calls.agree(secret, pair, peer.point), HsmError);
    await assert.rejects(first.calls.makeAgreementPair(secret), HsmError);
    here!.fault({ kind: "wrong-wrapping", times: -1 });
    await assert.rejects(first.calls.makeAgreementPair(secret), HsmError);
    here!.fault({ kind: "general-error", times: -1 });
    await assert.rejects(first.calls.agree(secret, pair, peer.point), code("hsm-failed"));
    here!.fault({ kind: "none" });
    assert.equal(hex(await first.calls.agree(secret, pair, peer.point)), peer.shared);
  });
});
