import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../bytes.ts";
import { DecodeError } from "../errors.ts";
import { encodeGateway, readGateway } from "./gateway.ts";

test("the prefix names the network and the device, and the APDU follows", () => {
  const apdu = fromHex("c001c1000f0000280000ff0200");
  const prefixed = encodeGateway({ kind: "request", networkId: 2, physicalAddress: fromHex("4d454c31"), apdu });
  assert.equal(toHex(prefixed), "e602044d454c31c001c1000f0000280000ff0200");
  assert.deepEqual(readGateway(prefixed), {
    kind: "request",
    networkId: 2,
    physicalAddress: fromHex("4d454c31"),
    apdu,
  });
  assert.equal(readGateway(apdu), undefined);
  assert.throws(() => encodeGateway({ kind: "response", networkId: 256, physicalAddress: apdu, apdu }), {
    code: "out-of-range",
  });
});

test("a prefix that is cut off is refused where it ends", () => {
  for (const bad of ["e6", "e700", "e60004aabbcc"])
    assert.throws(() => readGateway(fromHex(bad)), { code: "truncated" }, bad);
});

test("whatever octets come are no gateway APDU, one that is written again alike, or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), fc.constantFrom(0xe6, 0xe7, 0xc0), (octets, first) => {
      const input = Uint8Array.of(first, ...octets);
      try {
        const read = readGateway(input);
        assert.equal(read === undefined, first === 0xc0);
        if (read !== undefined) assert.deepEqual(encodeGateway(read), input);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
  );
});
