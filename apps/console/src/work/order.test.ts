import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_DRAFT, offered, orderOf } from "./order.ts";
import { initialOf, labelOf, momentOf, momentText, parametersToStartFrom } from "./parameter-shape.ts";

test("a draft becomes an order once its meters can be read, each named once", () => {
  const titles = "4d4b560000000001\n4D4B560000000002, 4D4B560000000001";
  assert.deepEqual(orderOf({ ...EMPTY_DRAFT, titles, note: " two months " }), {
    operation: "disconnect",
    selection: { kind: "list", meters: ["4D4B560000000001", "4D4B560000000002"] },
    reason: "arrears",
    note: "two months",
  });
  assert.deepEqual(orderOf({ ...EMPTY_DRAFT, place: "feeder:F:1" })?.selection, { kind: "feeder", feeder: "F:1" });
  for (const kind of ["transformer", "profile", "model", "firmware", "group"])
    assert.deepEqual(orderOf({ ...EMPTY_DRAFT, place: `${kind}:X` })?.selection, { kind, [kind]: "X" });
  assert.deepEqual(
    orderOf({ ...EMPTY_DRAFT, place: "all", parameters: { powerW: 500, minutes: undefined } })?.parameters,
    {
      powerW: 500,
    },
  );
});

test("what cannot be read cannot be asked for", () => {
  for (const titles of ["", "4D4B56", "4D4B560000000001 x"])
    assert.equal(orderOf({ ...EMPTY_DRAFT, titles }), undefined, titles);
});

test("what the server offers is offered, what people ask for most first, with parameters to start from", () => {
  const one = { changes: true, profiles: [] as string[], shape: { kind: "object", fields: [] } as const };
  const operations = [
    { ...one, name: "attributes", words: "read attributes", example: {} },
    { ...one, name: "clock", words: "correct the clock", example: { mostSeconds: 60 } },
    { ...one, name: "disconnect", words: "disconnect the supply", example: {} },
  ];
  assert.deepEqual(
    offered(operations).map(({ name }) => name),
    ["disconnect", "clock", "attributes"],
  );
  assert.deepEqual(parametersToStartFrom(operations, "clock"), { mostSeconds: 60 });
  assert.deepEqual(parametersToStartFrom(operations, "attributes"), {});
});

test("what is added to a list is what its shape begins with, and moments go to and fro in UTC", () => {
  assert.deepEqual(
    initialOf({
      kind: "object",
      fields: [
        { name: "days", of: { kind: "list", min: 2, most: 7, of: { kind: "whole", min: 1, max: 9 } } },
        { name: "turn", of: { kind: "words", words: ["off", "on"] } },
        { name: "value", of: { kind: "tagged", cases: [{ name: "boolean", of: { kind: "truth" } }] } },
        { name: "note", of: { kind: "optional", of: { kind: "text", most: 9 } } },
      ],
    }),
    { days: [1, 1], turn: "off", value: { boolean: false }, note: undefined },
  );
  assert.equal(labelOf("randomisationSeconds"), "Randomisation seconds");
  assert.equal(momentOf("2026-11-21T12:30", "milliseconds"), Date.UTC(2026, 10, 21, 12, 30));
  assert.equal(momentText(momentOf("2026-11-21T12:30", "text")), "2026-11-21T12:30");
  assert.deepEqual([momentOf("", "text"), momentText("soon")], [undefined, ""]);
});
