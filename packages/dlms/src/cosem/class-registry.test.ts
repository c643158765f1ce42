import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { arbitraryFor, assertRoundTrip } from "../codec/arbitrary.test.ts";
import { Reader } from "../codec/reader.ts";
import { DecodeError } from "../errors.ts";
import { attributeNumbered, methodNumbered } from "./any-interface-class.ts";
import { classVersions, INTERFACE_CLASSES, interfaceClassOf } from "./class-registry.ts";
import { rawClass } from "./raw-class.ts";

test("every class of the list stands in the registry under its number and version, once", () => {
  for (const declared of INTERFACE_CLASSES) assert.equal(interfaceClassOf(declared.id, declared.version), declared);
  const numbers = INTERFACE_CLASSES.map(({ id, version }) => `${id} v${version}`);
  assert.deepEqual([...new Set(numbers)], numbers);
  const sorted = [...INTERFACE_CLASSES].sort((a, b) => a.id - b.id || a.version - b.version);
  assert.deepEqual(INTERFACE_CLASSES, sorted);
});

test("all classes are there that meters in the field have", () => {
  const wanted = [
    1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 17, 18, 19, 20, 21, 22, 23, 25, 27, 28, 29, 30, 40, 41, 42, 43, 44, 45, 46,
    47, 48, 62, 63, 64, 65, 66, 67, 68, 70, 71, 72, 73, 74, 80, 81, 82, 83, 84, 85, 86, 90, 91, 92, 100, 111, 112, 113,
    115, 122, 123, 124,
  ];
  for (const id of wanted) assert.notEqual(classVersions(id).length, 0, `class ${id}`);
  for (const id of [15, 40])
    assert.deepEqual(
      classVersions(id).map(({ version }) => version),
      [0, 1, 2, 3],
    );
  assert.deepEqual(
    classVersions(64).map(({ version }) => version),
    [0, 1],
  );
});

test("the numbers of attributes and methods are those of their places: without gaps, from 1", () => {
  for (const { id, version, attributes, methods } of INTERFACE_CLASSES) {
    const indexes = Object.values(attributes).map(({ index }) => index);
    assert.deepEqual(
      indexes,
      indexes.map((_, at) => at + 1),
      `attributes of ${id} v${version}`,
    );
    const calls = Object.values(methods).map(({ index }) => index);
    assert.deepEqual(
      calls,
      [...new Set(calls)].sort((a, b) => a - b),
      `methods of ${id} v${version}`,
    );
  }
});

test("methods have short names behind the attributes, none of them shared", () => {
  for (const { id, version, attributes, methods, methodOffset } of INTERFACE_CLASSES) {
    if (methodOffset === undefined) {
      assert.deepEqual(methods, {});
      continue;
    }
    // Association SN leaves the places of old methods to later attributes.
    const taken = Object.values(attributes).map(({ index }) => (index - 1) * 8);
    for (const { index } of Object.values(methods))
      assert.ok(!taken.includes(methodOffset + (index - 1) * 8), `method ${index} of ${id} v${version}`);
  }
});

test("what is written to any attribute, parameter or result of any class is read back", () => {
  for (const { attributes, methods } of INTERFACE_CLASSES) {
    for (const { codec, selection } of Object.values(attributes)) {
      assertRoundTrip(codec, 6);
      for (const part of Object.values(selection)) assertRoundTrip(part.codec, 6);
    }
    for (const { parameter, result } of Object.values(methods)) {
      assertRoundTrip(parameter, 6);
      if (result !== undefined) assertRoundTrip(result, 6);
    }
  }
});

test("octets that are no value of an attribute are refused with an error that says where, never worse", () => {
  const codecs = INTERFACE_CLASSES.flatMap(({ attributes }) => Object.values(attributes).map(({ codec }) => codec));
  const anyCodec = fc.integer({ min: 0, max: codecs.length - 1 });
  fc.assert(
    fc.property(anyCodec, fc.uint8Array({ maxLength: 60 }), (at, octets) => {
      try {
        codecs[at]?.decode(new Reader(octets));
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }),
    { numRuns: 3000 },
  );
});

test("members are found by their number", () => {
  const register = interfaceClassOf(3, 0);
  assert.ok(register !== undefined);
  assert.equal(attributeNumbered(register, 3)?.name, "scalerUnit");
  assert.equal(methodNumbered(register, 1)?.name, "reset");
  assert.equal(attributeNumbered(register, 9), undefined);
});

test("a class that nobody declared is served and read by its numbers", () => {
  const unknown = rawClass(8193, 7, { attributes: [1, 2, 5], methods: [3] });
  assert.deepEqual(Object.keys(unknown.attributes), ["logicalName", "attribute2", "attribute5"]);
  assert.deepEqual(
    Object.values(unknown.methods).map(({ index }) => index),
    [3],
  );
  assert.equal(interfaceClassOf(8193, 7), undefined);
  assert.ok(arbitraryFor(unknown.attributes["attribute2"]?.codec.shape ?? { type: "nothing" }));
});
