import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeWrapper } from "@meterkeep/dlms";
import type { ArrivedPush } from "./arrived-push.ts";
import { listenToGateway } from "./gateway.ts";
import { parseGatewayAddress } from "./gateway-address.ts";
import { SourceBuckets } from "./source-limit.ts";
import { Strangers } from "./strangers.ts";

const GLO = Uint8Array.of(0xdb, 8, 0x4c, 0x47, 0x5a, 0, 0, 0, 0, 1, 5, 0x30, 0, 0, 0, 1);

test("APDUs are found in what a gateway sends, octet by octet, with noise between, over lines that break off", async () => {
  const taken: ArrivedPush[] = [];
  const states: string[] = [];
  const closing = new AbortController();
  let lines = 0;
  await listenToGateway(
    {
      open: async () => {
        lines += 1;
        if (lines === 2) throw new Error("refused");
        return (async function* () {
          for (const octet of [0x11, 0x22, ...encodeWrapper(1, 16, GLO)]) yield Uint8Array.of(octet);
          if (lines === 3) closing.abort();
        })();
      },
      take: (push) => taken.push(push),
      sleep: async () => undefined,
      random: () => 0,
      onState: (_, error) => states.push(error === undefined ? "up" : (error as Error).message),
    },
    { host: "gateway", port: 2001 },
    closing.signal,
  );
  assert.deepEqual(
    taken.map(({ apdu, transport, address }) => [Buffer.from(apdu).equals(GLO), transport, address]),
    [
      [true, "gateway", "gateway:2001"],
      [true, "gateway", "gateway:2001"],
    ],
  );
  assert.deepEqual(states, ["up", "the gateway closed the line", "refused", "up", "the gateway closed the line"]);
});

test("a gateway's address is tcp, a host and a port", () => {
  assert.deepEqual(parseGatewayAddress("tcp://192.168.1.20:2001"), { host: "192.168.1.20", port: 2001 });
  assert.deepEqual(parseGatewayAddress("tcp://[fe80::1]:99/"), { host: "fe80::1", port: 99 });
  for (const text of [
    "http://a:1",
    "tcp://a",
    "tcp://a:0",
    "tcp://a:70000",
    "tcp://a b:1",
    "tcp://a:1/x",
    "tcp://user@a:1",
    "",
  ])
    assert.throws(() => parseGatewayAddress(text), { code: "gateway-address-invalid" }, text);
});

test("strangers are bounded: who was not heard for the longest time is forgotten", () => {
  const strangers = new Strangers(3, () => false);
  const saw = (n: number): boolean =>
    strangers.saw({ address: `10.0.0.${n}`, transport: "tcp" }, "unknown-meter", new Date(n));
  assert.deepEqual([1, 2, 3, 1, 4].map(saw), [true, true, true, false, true]);
  assert.deepEqual(
    strangers.list().map(({ address, refused }) => [address, refused]),
    [
      ["10.0.0.4", 1],
      ["10.0.0.1", 2],
      ["10.0.0.3", 1],
    ],
  );
});

test("a sender's bucket empties, fills with time, and never beyond its size", () => {
  const buckets = new SourceBuckets({ perSecond: 2, burst: 3, maxSources: 2 });
  const allowed = (source: string, at: number): boolean => buckets.allow(source, at);
  assert.deepEqual(
    [0, 0, 0, 0].map((at) => allowed("a", at)),
    [true, true, true, false],
  );
  assert.equal(allowed("b", 0), true);
  assert.deepEqual(
    [500, 500].map((at) => allowed("a", at)),
    [true, false],
  );
  assert.deepEqual(
    [100_000, 100_000, 100_000, 100_000].map((at) => allowed("a", at)),
    [true, true, true, false],
  );
});
