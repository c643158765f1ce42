import assert from "node:assert/strict";
import { createHash, createHmac, createPublicKey, randomBytes, verify } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { HsmError, type HsmErrorCode } from "./errors.ts";
import type { WrappedSecret } from "./operations.ts";
import { type Fault, SoftTokens, softTokenMissing } from "./testing/soft-token.ts";
import { Token } from "./token.ts";

const missing = softTokenMissing();
const WRAPPING = "meterkeep-wrapping";
const TRANSPORT = "meterkeep-transport";
const TEXT = new TextEncoder().encode("a text");
const SPKI_P384 = Buffer.from("3076301006072a8648ce3d020106052b8104002203620004", "hex");
const hex = (octets: Uint8Array | undefined): string => Buffer.from(octets ?? []).toString("hex");
const code = (wanted: HsmErrorCode) => (error: unknown) => error instanceof HsmError && error.code === wanted;

describe("what a token makes while it is in trouble", { skip: missing ?? false }, () => {
  const [here, there] = missing === undefined ? [new SoftTokens(), new SoftTokens()] : [];
  const first = new Token(here!.make("first", { sessions: 1, deadlineMs: 4_000 }));
  const second = new Token(there!.make("second", { sessions: 1, deadlineMs: 4_000 }));
  /** Nothing that was opened before is open any more. */
  const restarted = async ({ pid, calls }: Token) => {
    process.kill(pid!, "SIGKILL");
    await calls.describe();
  };
  const macOf = async ({ calls }: Token, secret: WrappedSecret) => hex((await calls.macs(secret, [TEXT]))[0]);

  before(async () => {
    for (const { calls } of [first, second]) await calls.ensureWrappingKey(WRAPPING);
  });
  after(async () => {
    for (const tokens of [here!, there!]) tokens.fault({ kind: "none" });
    for (const token of [first, second]) await token[Symbol.asyncDispose]();
    for (const tokens of [here!, there!]) tokens[Symbol.dispose]();
  });

  test("a secret that was wrapped under another key than the named one is noticed, and made anew", async () => {
    await first.calls.ensureWrappingKey(WRAPPING);
    here!.fault({ kind: "wrong-wrapping", times: 1 });
    const secret = await first.calls.makeSecret(WRAPPING);
    const truth = await macOf(first, secret);
    await restarted(first);
    assert.equal(await macOf(first, secret), truth);
    await first.calls.checkSecret(secret);
    here!.fault({ kind: "wrong-wrapping", times: -1 });
    await assert.rejects(first.calls.makeSecret(WRAPPING), code("hsm-key-wrong"));
    here!.fault({ kind: "none" });
  });

  test("a token that says CKR_GENERAL_ERROR to all it is to unwrap has a copy that is dead only where it opens others", async () => {
    const secret = await first.calls.makeSecret(WRAPPING);
    here!.fault({ kind: "general-error", times: -1 });
    await assert.rejects(first.calls.checkSecret(secret), code("hsm-failed"));
    here!.fault({ kind: "none" });
    await first.calls.checkSecret(secret);
    const dead = { ...secret, octets: Uint8Array.from(secret.octets, (octet) => octet ^ 1) };
    await assert.rejects(first.calls.checkSecret(dead), code("hsm-key-wrong"));
  });

  test("a copy that a second token wrapped wrongly never counts", async () => {
    const secret = await first.calls.makeSecret(WRAPPING);
    await second.calls.ensureWrappingKey(WRAPPING);
    const envelope = await first.calls.exportSecret(secret, await second.calls.transportKey(TRANSPORT));
    const take = () => second.calls.importSecret(TRANSPORT, envelope, WRAPPING, secret.checkValue);
    there!.fault({ kind: "wrong-wrapping", times: 1 });
    const taken = await take();
    await restarted(second);
    assert.equal(await macOf(second, taken), await macOf(first, secret));
    there!.fault({ kind: "wrong-wrapping", times: -1 });
    await assert.rejects(take(), code("hsm-key-wrong"));
    there!.fault({ kind: "none" });
    const dead = { ...taken, octets: (await second.calls.makeSecret(WRAPPING)).octets };
    await assert.rejects(second.calls.checkSecret(dead), code("hsm-key-wrong"));
    await assert.rejects(second.calls.checkSecret({ ...taken, octets: randomBytes(40) }), code("hsm-key-wrong"));
    await second.calls.checkSecret(taken);
  });

  test("another secret's handle for a fresh one, or for one from outside, is noticed", async () => {
    const others = [await first.calls.makeSecret(WRAPPING), await first.calls.makeSecret(WRAPPING)];
    const open = async () => Promise.all(others.map((other) => macOf(first, other)));
    const known = new Set(await open());
    const octets = new Uint8Array(randomBytes(32));
    const truth = createHmac("sha256", octets).update(TEXT).digest("hex");
    for (let round = 0; round < 4; round += 1) {
      await open();
      here!.fault({ kind: "wrong-handle", times: 1 });
      const fresh = await first.calls.makeSecret(WRAPPING);
      here!.fault({ kind: "none" });
      assert.ok(!known.has(await macOf(first, fresh)), "it is a secret of its own");
      await open();
      here!.fault({ kind: "wrong-handle", times: 1 });
      const given = await first.calls.makeSecret(WRAPPING, octets);
      here!.fault({ kind: "none" });
      assert.equal(await macOf(first, given), truth);
    }
    assert.deepEqual(new Set(await open()), known);
  });

  test("a public key that was read of another object is never given out", async () => {
    here!.fault({ kind: "wrong-handle", times: 1 });
    const point = await first.calls.keyPair("authority", "P-384");
    const signature = await first.calls.sign("authority", "P-384", createHash("sha384").update(TEXT).digest());
    const key = createPublicKey({ key: Buffer.concat([SPKI_P384, point]), format: "der", type: "spki" });
    assert.ok(verify("sha384", TEXT, { key, dsaEncoding: "ieee-p1363" }, signature));
    here!.fault({ kind: "wrong-handle", times: -1 });
    await assert.rejects(first.calls.keyPair("another", "P-384"), code("hsm-key-wrong"));
    here!.fault({ kind: "none" });
    assert.notEqual(hex(await first.calls.keyPair("another", "P-384")), hex(point));
  });

  const FAULTS: readonly Exclude<Fault, { readonly kind: "none" }>[] = [
    { kind: "latency", times: 40, milliseconds: 3 },
    { kind: "device-error", times: 2 },
    { kind: "session-lost", times: 2 },
    { kind: "gone", times: 2 },
    { kind: "wrong-handle", times: 1 },
    { kind: "wrong-wrapping", times: 1 },
  ];
  for (const fault of FAULTS)
    test(`under ${fault.kind} secrets and pairs are made, handed over and signed with as ever`, async () => {
      const trouble = () => {
        here!.fault(fault);
        there!.fault(fault);
      };
      trouble();
      const secret = await first.calls.makeSecret(WRAPPING);
      assert.notEqual(here!.left, fault.times, "no call has met it");
      const handed = async (left: number): Promise<WrappedSecret> => {
        for (const tokens of [here!, there!]) tokens.fault({ kind: "none" });
        if (left > 0) trouble();
        const transport = await second.calls.transportKey(TRANSPORT);
        if (left > 0) trouble();
        const envelope = await first.calls.exportSecret(secret, transport);
        if (left > 0) trouble();
        // An envelope of another secret, or for another key, is refused by who takes it, and asked for again.
        return second.calls.importSecret(TRANSPORT, envelope, WRAPPING, secret.checkValue).catch((error: unknown) => {
          if (left === 0) throw error;
          return handed(left - 1);
        });
      };
      const taken = await handed(3);
      trouble();
      const pair = await first.calls.keyPair(`under ${fault.kind}`, "P-256");
      for (const tokens of [here!, there!]) tokens.fault({ kind: "none" });
      for (const token of [first, second]) await restarted(token);
      assert.equal(await macOf(second, taken), await macOf(first, secret));
      assert.equal(hex(await first.calls.keyPair(`under ${fault.kind}`, "P-256")), hex(pair));
    });

  test("a library that hangs while it makes something costs its process, and the next one makes it", async () => {
    const { pid } = first;
    here!.fault({ kind: "hang", times: 1 });
    await first.calls.checkSecret(await first.calls.makeSecret(WRAPPING));
    assert.notEqual(first.pid, pid);
  });

  test("a login that fails for a moment is tried again by itself; one that is refused for its PIN waits for people", async () => {
    await using another = new Token(here!.make("another", { sessions: 1, deadlineMs: 4_000 }));
    await another.calls.describe();
    here!.fault({ kind: "device-error", times: 2 });
    await restarted(another);
    here!.fault({ kind: "pin-incorrect", times: 1 });
    process.kill(another.pid!, "SIGKILL");
    await assert.rejects(another.calls.describe(), code("hsm-pin-refused"));
    assert.equal(another.state.kind, "pin-refused");
    another.retryPin();
    assert.equal((await another.calls.describe()).label, "another");
  });

  test("a PIN that may be the last is tried only if somebody says so, as the token tells or two refusals let fear; a right one opens", async () => {
    await using third = new Token(here!.make("third", { sessions: 1, deadlineMs: 4_000 }));
    await third.calls.describe();
    const died = () => process.kill(third.pid!, "SIGKILL");
    const refused = (wanted: HsmErrorCode) => assert.rejects(third.calls.describe(), code(wanted));
    // The token's own word: not even a start of its process tries.
    here!.fault({ kind: "pin-last-try", times: -1 });
    died();
    await refused("hsm-pin-last-try");
    third.retryPin();
    await refused("hsm-pin-last-try");
    third.retryPin(true);
    assert.equal((await third.calls.describe()).label, "third");
    here!.fault({ kind: "pin-locked", times: -1 });
    died();
    await refused("hsm-pin-refused");
    here!.fault({ kind: "none" });
    third.retryPin();
    assert.equal((await third.calls.describe()).label, "third");
    // One that tells nothing.
    here!.fault({ kind: "pin-incorrect", times: -1 });
    died();
    await refused("hsm-pin-refused");
    third.retryPin();
    await refused("hsm-pin-refused");
    here!.fault({ kind: "none" });
    third.retryPin();
    await refused("hsm-pin-last-try");
    third.retryPin(true);
    assert.equal((await third.calls.describe()).label, "third");
    // It took one: what was refused before is over.
    here!.fault({ kind: "pin-incorrect", times: 1 });
    died();
    await refused("hsm-pin-refused");
    third.retryPin();
    assert.equal((await third.calls.describe()).label, "third");
  });
});
