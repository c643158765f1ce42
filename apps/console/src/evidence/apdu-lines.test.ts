import assert from "node:assert/strict";
import { test } from "node:test";
import { apduLines } from "./apdu-lines.ts";

test("a GET request reads as a tree with the OBIS code in words", () => {
  const lines = apduLines("C001C100030100010800FF0200");
  assert.equal(lines?.[0]?.name, "get-request");
  assert.equal(lines?.[0]?.value, "normal");
  const text = lines?.map(({ depth, name, value }) => `${depth} ${name} ${value ?? ""}`).join("\n") ?? "";
  assert.match(text, /1-0:1\.8\.0 \(Active energy import/);
});

test("octets that are no APDU have no tree", () => {
  assert.equal(apduLines("FFFF"), undefined);
  assert.equal(apduLines("C001"), undefined);
});
