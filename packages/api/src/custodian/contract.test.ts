import assert from "node:assert/strict";
import { test } from "node:test";
import { type Codec, DecodeError, decode, encode, systemTitle } from "@meterkeep/dlms";
import fc from "fast-check";
import { CustodianCallError } from "./call-error.ts";
import { frame, MAX_FRAME_BYTES } from "./frame.ts";
import { FrameCutter, framed } from "./frame-stream.ts";
import { CUSTODIAN_METHODS, type CustodianMethod } from "./methods.ts";
import { commitShipmentResponse } from "./shipment.ts";
import { recipientFile } from "./status.ts";
import { advanceContactResponse, nextContactResponse } from "./takeover.ts";

const octets = (max: number) => fc.uint8Array({ maxLength: max });

test("frames come out as they went in, whatever the chunks they arrive in", () => {
  fc.assert(
    fc.property(
      fc.array(octets(300), { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1 }),
      (frames, cuts) => {
        const stream = framed(frames);
        const cutter = new FrameCutter();
        const got: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const bytes = cuts[turn % cuts.length] as number;
          got.push(...cutter.push(stream.subarray(at, at + bytes)).map((each) => new Uint8Array(each)));
          at += bytes;
        }
        assert.deepEqual(
          got,
          frames.map((each) => new Uint8Array(each)),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test("a frame over the limit is refused by its length alone", () => {
  const header = new Uint8Array(4);
  new DataView(header.buffer).setUint32(0, MAX_FRAME_BYTES + 1);
  for (const cut of [4, 2])
    assert.throws(
      () => {
        const cutter = new FrameCutter();
        cutter.push(header.subarray(0, cut));
        cutter.push(header.subarray(cut));
        cutter.push(new Uint8Array(1));
      },
      (error: unknown) => error instanceof CustodianCallError && error.code === "channel-malformed",
    );
});

test("no octets make a request or a frame do anything but decode or be refused", () => {
  const codecs = [
    frame,
    ...Object.values(CUSTODIAN_METHODS).map(({ request }) => request),
  ] as readonly Codec<unknown>[];
  fc.assert(
    fc.property(fc.constantFrom(...codecs), octets(200), (codec, input) => {
      try {
        const value = decode(codec, input);
        assert.deepEqual(decode(codec, encode(codec, value)), value);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

test("no two methods share a number, and none is open to nobody", () => {
  const methods = Object.keys(CUSTODIAN_METHODS) as CustodianMethod[];
  assert.equal(new Set(methods.map((name) => CUSTODIAN_METHODS[name].number)).size, methods.length);
  for (const name of methods) assert.ok(CUSTODIAN_METHODS[name].roles.length > 0, name);
  assert.deepEqual(
    methods.filter((name) => /key$|wrap|mac|(?<!as)sign|export/i.test(name)),
    [],
    "no method gives a key, a wrap, a MAC or a signature",
  );
});

test("unions carry their kind among their fields", () => {
  const state = {
    meter: systemTitle(new Uint8Array(8).fill(7)),
    phase: "probing",
    step: "probe",
    grade: "none",
    verdict: "unknown",
    steps: [{ step: "probe", at: 1_795_000_000_000, outcome: "refused", detail: "ü" }],
    holders: ["A", "B"],
    sentence: "It is.",
  } as const;
  const apdu = Uint8Array.of(0xc0);
  for (const value of [
    { kind: "nothing", state },
    { kind: "wait", milliseconds: 5, state: { ...state, provenAt: 3 } },
    { kind: "connect", contact: "ab", clientSap: 1, serverSap: 1, step: "probe", apdu },
  ] as const)
    assert.deepEqual(decode(nextContactResponse, encode(nextContactResponse, value)), value);
  const close = { kind: "close", next: "done", milliseconds: 0, state, step: "done" } as const;
  assert.deepEqual(decode(advanceContactResponse, encode(advanceContactResponse, close)), close);
  const refused = { kind: "refused", code: "meter-key-shared", line: 3, message: "m" } as const;
  assert.deepEqual(decode(commitShipmentResponse, encode(commitShipmentResponse, refused)), refused);
});

test("the recipient's file is base64url of its SPKIs", () => {
  const file = recipientFile({ keyId: "ab", ecdh: Uint8Array.of(0xfb, 0xff), mlkem: Uint8Array.of(1) });
  assert.deepEqual(file, { keyId: "ab", ecdhPublicKey: "-_8", mlkemPublicKey: "AQ" });
});

test("no place is taken that the store could not keep, or that is the installation itself", () => {
  const { request } = CUSTODIAN_METHODS.beginShipment;
  const read = (utility: string) => decode(request, encode(request, { utility, island: "main" }));
  assert.deepEqual(read("Stadtwerke Mühlbach"), { utility: "Stadtwerke Mühlbach", island: "main" });
  for (const name of ["", "*", "a\u0000b", "a\nb"]) assert.throws(() => read(name), { code: "invalid-value" });
});
