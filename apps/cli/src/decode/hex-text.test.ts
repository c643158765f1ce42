import assert from "node:assert/strict";
import { test } from "node:test";
import { HexText, hexOctets, looksLikeHex } from "./hex-text.ts";

const ascii = (text: string) => new TextEncoder().encode(text);
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");

test("hex is read as people keep it", () => {
  const ways = [
    "7EA00f",
    "7e a0 0f",
    "7E:A0:0F",
    "0x7E,0xA0, 0x0F",
    "\\x7e\\xa0\\x0f",
    "7E\nA0\r\n0F\n",
    "# first\n7EA0 # two octets\n0F",
  ];
  for (const way of ways) assert.equal(hex(hexOctets(way, "it")), "7ea00f", way);
});

test("octets may be cut anywhere between chunks", () => {
  const text = ascii("7E A0 0F 0x68");
  for (let cut = 0; cut <= text.length; cut += 1) {
    const reader = new HexText("it");
    const octets = [reader.push(text.subarray(0, cut)), reader.push(text.subarray(cut))];
    reader.end();
    assert.equal(octets.map(hex).join(""), "7ea00f68", `cut at ${cut}`);
  }
});

test("what is no hex is named with line and column", () => {
  assert.throws(() => hexOctets("7EA0\n0Fg1", "my.hex"), {
    code: "input-not-hex",
    message: /my\.hex .* line 2, column 3 "g"/,
  });
  assert.throws(() => hexOctets("7EA", "my.hex"), { code: "input-not-hex", message: /odd/ });
  assert.throws(() => hexOctets("7x", "my.hex"), { code: "input-not-hex" });
});

test("binary telegrams and P1 text do not look like hex", () => {
  for (const telegram of ["/ABC5x\r\n", "~\xa0v", "h\xfa\xfah", ""])
    assert.equal(looksLikeHex(ascii(telegram)), false, telegram);
  for (const text of ["7EA0", "0x7e", "# comment\n7e", " 7e a0\n"]) assert.equal(looksLikeHex(ascii(text)), true, text);
});
