import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { replay } from "./replay.ts";

const shared = process.env["METERKEEP_SHARED"] ?? fileURLToPath(new URL("../../../shared", import.meta.url));
const folder = `${shared}/traces`;
const skip = existsSync(folder) ? false : "the recorded exchanges are not here";
const files = skip === false ? globSync(`${folder}/*.json`).sort() : [];
/** Recordings in which next to nothing was said. */
const SHORT = /-neg-|hls7-ecdsa-ae-suite2|u9n-hdlc|peerbug|hls2-common|authonly-glo$/;

for (const file of files) {
  const name = basename(file, ".json");
  test(`${name} is said again by our client and answered by our server as recorded`, async () => {
    const { complaints, client, server } = await replay(readFileSync(file, "utf8"), name);
    assert.deepEqual(complaints, []);
    assert.ok(client.exact > 0 && (server.exact > 0 || SHORT.test(name)), "something is exact");
  });
}
test("recorded exchanges are replayed", { skip }, () => assert.ok(files.length > 80));

test("what is no recording says so in words", async () => {
  for (const [text, words] of [
    ["", "it is no JSON"],
    ["[]", "it is no JSON object"],
    ["{}", "it has neither"],
    ['{"apdus": [{"dir": "c>s", "apdu": "zz"}, 7, null]}', "it has neither"],
  ] as const) {
    const { ok, complaints } = await replay(text, "x");
    assert.equal(ok, false);
    assert.ok(complaints[0]?.startsWith(words) === true, complaints[0] ?? "nothing");
  }
});

test("a recording of nonsense ends with complaints, not with an exception", async () => {
  const apdus = ["60", "6100", "c4", "e08100010000", "db", "0000", "c001c100080000010000ff0200"];
  const entries = apdus.map((apdu, at) => ({ dir: at % 2 === 0 ? "c>s" : "s>c", apdu }));
  for (let start = 0; start < entries.length; start += 1) {
    const text = JSON.stringify({ apdus: entries.slice(start), keys: { guek: "00", gak: "00" } });
    assert.ok(Array.isArray((await replay(text, "x")).complaints));
  }
});
