import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decodeView } from "./decode-telegram.ts";
import { readKey, readPasted } from "./hex-input.ts";

const example = (name: string) => readFileSync(new URL(`../../../../examples/${name}`, import.meta.url), "utf8");
const published = JSON.parse(example("keys.json")) as { meters: Record<string, { key: string; authKey: string }> };
const keys = Object.values(published.meters)[0];
const encryptionKey = keys?.key ?? "";
const authenticationKey = keys?.authKey ?? "";

test("hex may have spaces, colons, commas, 0x and line breaks", () => {
  for (const text of ["7EA0 01", "7e:a0:01", "0x7E, 0xA0, 0x01", "7EA0\n01\n", "7E-A0-01"]) {
    const pasted = readPasted(text);
    assert.deepEqual(pasted.kind === "octets" ? [...pasted.bytes] : pasted, [0x7e, 0xa0, 0x01]);
  }
});

test("what is no hex says which sign is wrong or that a digit is missing", () => {
  const strange = readPasted("7EA0 XY");
  assert.match(strange.kind === "unreadable" ? strange.message : "", /"X" is no hex digit/);
  const odd = readPasted("7EA");
  assert.match(odd.kind === "unreadable" ? odd.message : "", /3 hex digits/);
  assert.equal(readPasted("  ").kind, "empty");
});

test("a key has 32 or 64 digits", () => {
  assert.equal(readKey("00 11 22 33 44 55 66 77 88 99 AA BB CC DD EE FF").kind, "key");
  assert.equal(readKey("").kind, "none");
  assert.match(JSON.stringify(readKey("0011")), /4 hex digits/);
});

test("our example decodes with its keys and says that its tag holds", () => {
  const view = decodeView({ octets: example("authenticated.hex"), encryptionKey, authenticationKey });
  assert.equal(view.kind, "decoded");
  if (view.kind !== "decoded") return;
  assert.equal(view.result.telegrams[0]?.security.authentication, "verified");
  assert.ok(view.result.telegrams[0]?.readings.some(({ obis, unit }) => obis === "1-0:1.8.0" && unit === "Wh"));
});

test("a P1 telegram survives that text fields turn CR LF into LF", () => {
  const view = decodeView({
    octets: example("p1.txt").replaceAll("\r\n", "\n"),
    encryptionKey: "",
    authenticationKey: "",
  });
  assert.equal(view.kind === "decoded" ? view.result.telegrams.length : 0, 1);
});

test("the forgery is refused when its genuine sibling stands before it", () => {
  const octets = `${example("tagless.hex")}\n${example("forged.hex")}`;
  const view = decodeView({ octets, encryptionKey, authenticationKey: "" });
  assert.deepEqual(view.kind === "decoded" ? view.result.refusals.map(({ code }) => code) : [], ["counter-reused"]);
});

test("a telegram whose key is not known names what is missing", () => {
  const view = decodeView({ octets: example("authenticated.hex"), encryptionKey: "", authenticationKey: "" });
  assert.deepEqual(view.kind === "decoded" ? view.result.refusals.map(({ code }) => code) : [], ["key-needed"]);
});
