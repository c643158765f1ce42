import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../bytes.ts";
import { apduLines } from "./apdu-lines.ts";

test("an APDU reads as a tree of names and values, objects by their OBIS code and in words", () => {
  const lines = apduLines(fromHex("C301C10046000060030AFF01010F00"))?.map(
    ({ depth, name, value }) => `${" ".repeat(depth)}${name}${value === undefined ? "" : ` ${value}`}`,
  );
  assert.deepEqual(lines, [
    "action-request normal",
    " invoke id and priority",
    "  invoke id 1",
    "  confirmed true",
    "  high priority true",
    " method",
    "  class id 70",
    "  instance id 0-0:96.3.10 (Disconnect control)",
    "  method id 1",
    " parameters integer 0",
  ]);
});

test("what is no APDU has no tree", () => {
  assert.equal(apduLines(fromHex("00112233")), undefined);
  assert.equal(apduLines(new Uint8Array(0)), undefined);
});

test("an association request is read too", () => {
  const aarq =
    "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738BE10040E01000000065F1F0400007E1F04B0";
  const [first] = apduLines(fromHex(aarq)) ?? [];
  assert.equal(first?.name, "aarq");
});
