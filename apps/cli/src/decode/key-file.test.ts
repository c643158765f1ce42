import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readKeyFile } from "./key-file.ts";

const directory = mkdtempSync(join(tmpdir(), "meterkeep-key-file-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const KEY = "3f1c9a7e5b2d48c6a1f0e3d29b8c7a65";
const SECRET = "5d0e8b7741f2c39a06d4b81ec7532fa9";

function file(content: unknown, mode = 0o600): string {
  const path = join(directory, "keys.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  chmodSync(path, mode);
  return path;
}

test("keys are found by system title, and others have those outside", () => {
  const { ring, warning } = readKeyFile(
    file({ meters: { "4d4b5000000007e9": { key: KEY, authKey: `0x${KEY}` } }, key: "11".repeat(16) }),
  );
  assert.equal(warning, undefined);
  assert.equal(Buffer.from(ring("4D4B5000000007E9")?.authenticationKey ?? []).toString("hex"), KEY);
  assert.equal(ring("0000000000000000")?.encryptionKey?.[0], 0x11);
  assert.equal(readKeyFile(file({ meters: {} })).ring("0000000000000000"), undefined);
});

test("a file that others can read is used with a warning", () => {
  assert.match(readKeyFile(file({ key: SECRET }, 0o644)).warning ?? "", /chmod 600/);
  const mixed = { meters: { "4d4b5000000007e9": { key: KEY, authKey: SECRET } } };
  assert.match(readKeyFile(file(mixed, 0o644)).warning ?? "", /chmod 600/);
});

test("keys that everybody knows may lie open: a fresh clone has those of the examples", () => {
  assert.equal(readKeyFile(file({ key: KEY, authKey: "00".repeat(16) }, 0o644)).warning, undefined);
});

test("what is wrong is named, and no key is shown", () => {
  const secret = "3f1c9a7e5b2d48c6a1f0e3d29b8c7a6";
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [`{ "key": "${secret}`, /not JSON/],
    [[], /it must be an object/],
    [{ key: secret }, /key in .* has 31 hex digits/],
    [{ key: `${secret}z` }, /is not hex/],
    [{ key: 7 }, /key must be a text/],
    [{ Key: KEY }, /Key is not a field/],
    [{ constructor: KEY }, /constructor is not a field/],
    [{ meters: { abc: {} } }, /meters\.abc is no system title/],
    [{ meters: { "4D4B5000000007E9": { gak: KEY } } }, /meters\.4D4B5000000007E9\.gak is not a field/],
  ];
  for (const [content, message] of bad)
    assert.throws(
      () => readKeyFile(file(content)),
      (error: Error) => message.test(error.message) && !error.message.includes(secret),
      String(message),
    );
  assert.throws(() => readKeyFile(join(directory, "none.json")), { code: "key-file-invalid" });
});
