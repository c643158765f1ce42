import assert from "node:assert/strict";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { encodeGateway, encodeWrapper, fromHex, toHex } from "@meterkeep/dlms";
import { type TrunkTarget, WrapperTrunk, type WrapperTrunkSettings } from "./wrapper-trunk.ts";

const NEVER = new AbortController().signal;
const behind = (address: string, more: Partial<TrunkTarget> = {}): TrunkTarget => ({
  clientSap: 1,
  serverSap: 1,
  responseTimeoutMilliseconds: 60_000,
  gateway: { networkId: 0, physicalAddress: fromHex(address) },
  ...more,
});

/** A trunk, and the other end, which answers as it is told. */
function bench(settings: Partial<WrapperTrunkSettings> = {}) {
  const [near, far] = duplexPair() as [Duplex, Duplex];
  far.resume();
  const answer = (address: string, apdu: string): void => {
    const routed = { kind: "response", networkId: 0, physicalAddress: fromHex(address), apdu: fromHex(apdu) } as const;
    far.write(encodeWrapper(1, 1, encodeGateway(routed)));
  };
  const trunk = new WrapperTrunk(near, { where: "dc", ...settings });
  return { trunk, near, far, answer };
}

test("conversations share a stream, and each hears its own device in whatever order the answers come", async () => {
  const { trunk, answer } = bench();
  const [a, b] = [trunk.open(behind("0a")), trunk.open(behind("0b"))];
  const answers = Promise.all([a.exchange(fromHex("c001"), NEVER), b.exchange(fromHex("c002"), NEVER)]);
  answer("0b", "c402");
  answer("0a", "c401");
  assert.deepEqual((await answers).map(toHex), ["c401", "c402"]);
  assert.equal(trunk.lines, 2);
  await a[Symbol.asyncDispose]();
  assert.equal(trunk.lines, 1);
  assert.throws(() => trunk.open(behind("0b")), { code: "exchange-busy" });
});

test("a device that keeps silent ends its own conversation and no other; its late answer is nobody's", async () => {
  const unasked: string[] = [];
  const { trunk, answer } = bench({
    onUnsolicited: (apdu, gateway) => unasked.push(`${toHex(gateway!.physicalAddress)} ${toHex(apdu)}`),
  });
  const [a, b] = [trunk.open(behind("0a", { responseTimeoutMilliseconds: 10 })), trunk.open(behind("0b"))];
  await assert.rejects(a.exchange(fromHex("c0"), NEVER), { code: "response-timeout" });
  answer("0a", "c4");
  const answered = b.exchange(fromHex("c0"), NEVER);
  answer("0b", "c4");
  await answered;
  assert.deepEqual(unasked, ["0a c4"]);
  assert.ok(trunk.isOpen);
});

test("a device that the other end has lost its line to ends its own conversation at once, and is nobody's traffic", async () => {
  const unasked: string[] = [];
  const { trunk, answer } = bench({ onUnsolicited: (apdu) => unasked.push(toHex(apdu)) });
  const [a, b] = [trunk.open(behind("0a")), trunk.open(behind("0b"))];
  const lost = assert.rejects(a.exchange(fromHex("c0"), NEVER), {
    code: "connection-closed",
    message: /device 0a cannot be reached/,
  });
  const answered = b.exchange(fromHex("c0"), NEVER);
  answer("0a", "");
  answer("0f", "");
  answer("0b", "c4");
  await lost;
  assert.equal(toHex(await answered), "c4");
  assert.deepEqual([unasked, trunk.lines], [[], 1]);
  assert.ok(trunk.open(behind("0a")));
});

test("a stream that is lost fails every conversation on it, once, and every later one", async () => {
  const reasons: string[] = [];
  const { trunk, near } = bench({ onClose: ({ code }) => reasons.push(code) });
  const waiting = ["0a", "0b", "0c"].map((address) => trunk.open(behind(address)).exchange(fromHex("c0"), NEVER));
  near.destroy();
  for (const one of await Promise.allSettled(waiting))
    assert.equal(one.status === "rejected" && one.reason.code, "connection-closed");
  assert.throws(() => trunk.open(behind("0d")), { code: "connection-closed" });
  assert.deepEqual([reasons, trunk.lines], [["connection-closed"], 0]);
});

test("what is no wrapper ends the trunk, and so does a frame that is begun and not ended", async () => {
  for (const octets of ["ffffffffffffffff", "0001000100010005e7"]) {
    const closed = Promise.withResolvers<string>();
    const { far } = bench({ onClose: ({ code }) => closed.resolve(code), frameTimeoutMilliseconds: 10 });
    far.write(fromHex(octets));
    assert.match(await closed.promise, /frame-malformed|connection-closed/);
  }
});

test("a prefix that cannot be read, a request, and an answer of a device that nobody asked change nothing", async () => {
  const { trunk, far, answer } = bench();
  const line = trunk.open(behind("0a"));
  const answered = line.exchange(fromHex("c0"), NEVER);
  far.write(encodeWrapper(1, 1, fromHex("e7")));
  far.write(encodeWrapper(1, 1, fromHex("e600010ac4")));
  answer("0f", "c4ff");
  answer("0a", "c401");
  assert.equal(toHex(await answered), "c401");
});
