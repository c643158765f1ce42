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
    const { complaints, client, server, link } = await replay(readFileSync(file, "utf8"), name);
    assert.deepEqual(complaints, []);
    assert.ok(client.exact > 0 && (server.exact > 0 || SHORT.test(name)), "something is exact");
    if (name.includes("-hdlc-")) assert.ok(link.exact > 5, "the frames are exact as well");
  });
}
test("recorded exchanges are replayed", { skip }, () => assert.ok(files.length > 80));

/** Recordings of other shapes say the same as the whole ones, as far as they go. */
const SHAPES: Readonly<Record<string, (file: Record<string, unknown>) => void>> = {
  "without APDUs taken out of their frames": (file) => delete file["apdus"],
  "without frames": (file) => delete file["messages"],
  "without addresses": (file) => [delete file["clientAddress"], delete file["serverAddress"]],
  "without a suite": (file) => [delete file["suite"], delete file["mechanism"], delete file["security"]],
  "that begin with what others end with": (file) => {
    for (const [name, value] of Object.entries(file).reverse()) {
      delete file[name];
      file[name] = value;
    }
  },
};
for (const [shape, change] of Object.entries(SHAPES))
  test(`recordings ${shape} are replayed`, { skip }, async () => {
    for (const path of files.filter((_, at) => at % 4 === 0)) {
      const file = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
      change(file);
      assert.deepEqual((await replay(JSON.stringify(file), basename(path))).complaints, [], path);
    }
  });

test("ciphered APDUs without keys are one complaint that says what is missing", { skip }, async () => {
  const path = files.find((file) => file.includes("hls5-gmac-ae-glo")) ?? assert.fail();
  const { keys: _, ...file } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  const { complaints } = await replay(JSON.stringify(file), "x");
  assert.match(complaints[0] ?? "", /APDUs are ciphered, and it has no `keys.guek`/);
});

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
