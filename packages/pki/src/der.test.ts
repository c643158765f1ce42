import assert from "node:assert/strict";
import { test } from "node:test";
import { der } from "./der.ts";
import { PkiError } from "./errors.ts";

const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");

test("integers are written without needless octets and never negative", () => {
  assert.equal(hex(der.integer(0)), "020100");
  assert.equal(hex(der.integer(127)), "02017f");
  assert.equal(hex(der.integer(128)), "02020080");
  assert.equal(hex(der.integer(65_537)), "0203010001");
  assert.equal(hex(der.integer(Uint8Array.of(0, 0, 0x80))), "02020080");
});

test("an object identifier is written in base 128", () => {
  assert.equal(hex(der.objectIdentifier("1.2.840.10045.2.1")), "06072a8648ce3d0201");
  assert.equal(hex(der.objectIdentifier("2.5.29.15")), "0603551d0f");
});

test("lengths take their shortest form", () => {
  assert.equal(hex(der.octetString(new Uint8Array(127))).slice(0, 4), "047f");
  assert.equal(hex(der.octetString(new Uint8Array(128))).slice(0, 6), "048180");
  assert.equal(hex(der.octetString(new Uint8Array(65_536))).slice(0, 10), "0483010000");
});

test("times turn from UTCTime to GeneralizedTime in 2050", () => {
  assert.equal(Buffer.from(der.time(new Date("2049-12-31T23:59:59Z"))).toString("latin1", 2), "491231235959Z");
  assert.equal(Buffer.from(der.time(new Date("2050-01-01T00:00:00Z"))).toString("latin1", 2), "20500101000000Z");
});

test("the elements of a set are put in order", () => {
  assert.equal(hex(der.setOf(der.integer(2), der.integer(1))), "3106020101020102");
});

test("what is not an object identifier is refused", () => {
  for (const wrong of ["", "1", "3.1", "1.2.x", "1..2", "1.02"])
    assert.throws(
      () => der.objectIdentifier(wrong),
      (error: unknown) => error instanceof PkiError && error.code === "der-value-invalid",
    );
});
