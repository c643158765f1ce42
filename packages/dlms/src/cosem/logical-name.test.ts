import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { logicalNameOctets, logicalNameText } from "./logical-name.ts";

test("a logical name is read with dots and as people write OBIS codes", () => {
  const octets = Uint8Array.of(1, 0, 99, 1, 0, 255);
  assert.deepEqual(logicalNameOctets("1.0.99.1.0.255"), octets);
  assert.deepEqual(logicalNameOctets("1-0:99.1.0*255"), octets);
  assert.deepEqual(logicalNameOctets("001.000.099.001.000.255"), octets);
});

test("what is not six numbers from 0 to 255 is refused", () => {
  for (const name of ["", "1.0.99.1.0", "1.0.99.1.0.255.", "1.0.99.1.0.255.1", "1..99.1.0.255", ".1.0.99.1.0.255"])
    assert.throws(() => logicalNameOctets(name), { code: "invalid-value" }, name);
  for (const name of [
    "1.0.99.1.0.256",
    "1.0.99.1.0.0255",
    "1.0.99.1.0.-1",
    "1.0.99.1.0.2 5",
    "1.0.99.1.0.٣",
    "1/0/99/1/0/255",
  ])
    assert.throws(() => logicalNameOctets(name), { code: "invalid-value" }, name);
});

test("every name comes back from its text", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (octets) => {
      assert.deepEqual(logicalNameOctets(logicalNameText(octets)), octets);
    }),
  );
});
