import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_DRAFT, offered, orderOf, parametersToStartFrom } from "./order.ts";

test("a draft becomes an order once its meters can be read, each named once", () => {
  const titles = "4d4b560000000001\n4D4B560000000002, 4D4B560000000001";
  assert.deepEqual(orderOf({ ...EMPTY_DRAFT, titles, note: " two months " }), {
    operation: "disconnect",
    selection: { kind: "list", meters: ["4D4B560000000001", "4D4B560000000002"] },
    reason: "arrears",
    note: "two months",
  });
  assert.deepEqual(orderOf({ ...EMPTY_DRAFT, place: "feeder:F:1" })?.selection, { kind: "feeder", feeder: "F:1" });
  assert.deepEqual(orderOf({ ...EMPTY_DRAFT, place: "all", parameters: '{"powerW":500}' })?.parameters, {
    powerW: 500,
  });
});

test("what cannot be read cannot be asked for", () => {
  for (const titles of ["", "4D4B56", "4D4B560000000001 x"])
    assert.equal(orderOf({ ...EMPTY_DRAFT, titles }), undefined, titles);
  for (const parameters of ["{", "[]", "null", "7"])
    assert.equal(orderOf({ ...EMPTY_DRAFT, place: "all", parameters }), undefined, parameters);
});

test("what the server offers is offered, what people ask for most first, with parameters to start from", () => {
  const one = { changes: true, profiles: [] };
  const operations = [
    { ...one, name: "attributes", words: "read attributes", example: {} },
    { ...one, name: "clock", words: "correct the clock", example: { mostSeconds: 60 } },
    { ...one, name: "disconnect", words: "disconnect the supply", example: {} },
  ];
  assert.deepEqual(
    offered(operations).map(({ name }) => name),
    ["disconnect", "clock", "attributes"],
  );
  assert.equal(parametersToStartFrom(operations, "clock"), '{"mostSeconds":60}');
  assert.equal(parametersToStartFrom(operations, "attributes"), "");
});
