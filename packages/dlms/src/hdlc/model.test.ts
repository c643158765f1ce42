import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, toHex } from "../bytes.ts";
import { encodeHdlc } from "../link/hdlc.ts";
import { lineFaults } from "../testing/lossy-line.test.ts";
import { HdlcClient } from "./client.ts";
import { HdlcFrameStream } from "./frame-stream.ts";
import { HdlcPair, octets } from "./pair.test.ts";
import type { HdlcParameters } from "./parameters.ts";
import { HdlcServer } from "./server.ts";

const bytes = fc.integer({ min: 1, max: 40 });
const window = fc.integer({ min: 1, max: 7 });
const parameters: fc.Arbitrary<HdlcParameters> = fc.record({
  maxTransmitBytes: bytes,
  maxReceiveBytes: bytes,
  windowTransmit: window,
  windowReceive: window,
});
/** Requests and responses by length: several exchanges on one connection. */
const exchanges = fc.array(fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 200 })), {
  minLength: 1,
  maxLength: 4,
});

test("over a line that loses, damages and repeats, every request and response arrives once, whole and in order", () => {
  fc.assert(
    fc.property(
      parameters,
      parameters,
      exchanges,
      lineFaults(["lost", "damaged", "twice"], 60),
      (ours, theirs, asked, faults) => {
        const taken: string[] = [];
        const pair = new HdlcPair(
          { client: { parameters: ours, retries: 80 }, server: { parameters: theirs }, faults },
          (request) => {
            taken.push(toHex(request));
            return [octets(asked[taken.length - 1]?.[1] ?? 0, 1)];
          },
        );
        pair.connect();
        for (const [request, response] of asked) assert.deepEqual(pair.ask(octets(request)), octets(response, 1));
        assert.deepEqual(
          taken,
          asked.map(([request]) => toHex(octets(request))),
        );
        pair.tell({ kind: "disconnect" });
        pair.run(() => pair.client.deadline === undefined);
        assert.equal(pair.client.isConnected, false);
      },
    ),
    { numRuns: 250 },
  );
});

test("with few retries and frames that overtake each other, it ends with the right octets or a clear error, never a hang", () => {
  fc.assert(
    fc.property(
      parameters,
      parameters,
      exchanges,
      lineFaults(["lost", "damaged", "twice", "late"], 60),
      (ours, theirs, asked, faults) => {
        let turn = 0;
        const pair = new HdlcPair(
          { client: { parameters: ours, retries: 1 }, server: { parameters: theirs }, faults },
          () => [octets(asked[turn]?.[1] ?? 0, 1)],
        );
        pair.connect();
        for (const [request, response] of asked) {
          if (!pair.client.isConnected) break;
          const outcome = pair.ask(octets(request));
          if (typeof outcome === "string") assert.match(outcome, /^line-(silent|rejected|closed)$/);
          else assert.deepEqual(outcome, octets(response, 1));
          turn += 1;
        }
      },
    ),
    { numRuns: 250 },
  );
});

test("a frame is found however the octets are cut, and whatever noise lies between frames", () => {
  const frames = [3, 60, 128].map((length) =>
    encodeHdlc({
      destination: Uint8Array.of(3),
      source: Uint8Array.of(0x21),
      control: 0x10,
      information: octets(length),
    }),
  );
  // Behind a flag, noise that reads as the head of a frame is one until the line falls silent: there is no telling.
  const isHead = (octet: number | undefined) => octet !== undefined && (octet & 0xf0) === 0xa0;
  const noise = fc.uint8Array({ maxLength: 10 }).filter((one) => !one.includes(0x7e) && !isHead(one[0]));
  fc.assert(
    fc.property(fc.array(noise, { minLength: 3, maxLength: 3 }), fc.integer({ min: 1, max: 40 }), (between, chunk) => {
      const whole = concatBytes(...frames.flatMap((one, at) => [between[at]!, one]));
      const stream = new HdlcFrameStream();
      const found: number[] = [];
      for (let at = 0; at < whole.length; at += chunk)
        for (const { information } of stream.push(whole.subarray(at, at + chunk))) found.push(information.length);
      assert.deepEqual(found, [3, 60, 128]);
    }),
    { numRuns: 200 },
  );
});

test("what lies inside a damaged frame is no frame", () => {
  const address = { destination: Uint8Array.of(3), source: Uint8Array.of(0x21) };
  const inner = encodeHdlc({ ...address, control: 0x93 });
  const outer = encodeHdlc({ ...address, control: 0x10, information: concatBytes(octets(5), inner) });
  outer[9]! ^= 1;
  const stream = new HdlcFrameStream();
  assert.deepEqual(stream.push(outer), []);
  assert.equal(stream.damagedFrames, 1);
});

/** Octets that a hostile or broken station may send: noise, and frames with any control octet, address and number. */
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 30 }),
  fc
    .record({
      addresses: fc.constantFrom(["03", "21"], ["21", "03"], ["ff", "21"], ["03", "ff"], ["03", "01"], ["0203", "21"]),
      control: fc.nat(255),
      segmented: fc.boolean(),
      information: fc.option(fc.uint8Array({ maxLength: 60 }), { nil: undefined }),
    })
    .map(({ addresses: [destination, source], control, segmented, information }) =>
      encodeHdlc({
        destination: Uint8Array.from(destination!.match(/../g)!, (digits) => Number.parseInt(digits, 16)),
        source: Uint8Array.from(source!.match(/../g)!, (digits) => Number.parseInt(digits, 16)),
        control,
        segmented,
        ...(information === undefined ? {} : { information }),
      }),
    ),
);

test("whatever comes, neither station throws, and what the server keeps is bounded", () => {
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 40 }), fc.boolean(), (inputs, connected) => {
      const server = new HdlcServer({ logicalDevices: [1], maxApduBytes: 100 });
      const client = new HdlcClient({ clientAddress: 16, server: { logicalDevice: 1 }, maxApduBytes: 100 });
      client.step({ kind: "connect" }, 0);
      if (connected)
        client.step(
          {
            kind: "octets",
            octets: encodeHdlc({ destination: Uint8Array.of(0x21), source: Uint8Array.of(3), control: 0x73 }),
          },
          0,
        );
      if (client.isIdle) client.step({ kind: "send", apdu: octets(50) }, 0);
      for (const [now, input] of inputs.entries()) {
        for (const action of server.step({ kind: "octets", octets: input }, now)) {
          if (action.kind === "apdu") {
            assert.ok(action.apdu.length <= 100);
            if (now % 3 > 0) server.step({ kind: "respond", peer: action.peer, apdus: [octets(now)] }, now);
          }
        }
        client.step({ kind: "octets", octets: input }, now);
        const due = client.deadline;
        if (due !== undefined) assert.ok(due > now);
      }
    }),
    { numRuns: 400 },
  );
});
