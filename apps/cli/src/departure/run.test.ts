import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { depart } from "./run.ts";

const TITLE = "4D4B560000000001";

test("who leaves and to whom is said in full before anybody is asked", async () => {
  const terminal = scratchTerminal();
  const reason = "sold";
  await assert.rejects(depart("retired", [], { reason }, terminal), { code: "option-invalid" });
  await assert.rejects(depart("retired", ["4D4B56"], { reason }, terminal), { code: "option-invalid" });
  await assert.rejects(depart("transferred", [TITLE], { reason }, terminal), { code: "option-invalid" });
  const missing = { reason, recipient: "/nonexistent", to: "B", output: "out.mks", sender: "A", flag: "ABC" };
  await assert.rejects(depart("returned", [TITLE], missing, terminal), { code: "input-unreadable" });
});

test("where nothing runs, that is what is said", async () => {
  const options = { reason: "scrapped", state: "/nonexistent" };
  await assert.rejects(depart("retired", [TITLE], options, scratchTerminal()), { code: "not-running" });
});

test("a transfer has the place of both its files before the meters leave, and none is left where they do not", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-departure-"));
  try {
    const recipient = join(folder, "recipient.json");
    writeFileSync(recipient, JSON.stringify({ ecdhPublicKey: "AA", mlkemPublicKey: "AA" }));
    const all = { reason: "sold", state: join(folder, "state"), recipient, to: "B", sender: "A", flag: "ABC" };
    const nowhere = { ...all, output: join(folder, "missing/out.mks") };
    await assert.rejects(depart("transferred", [TITLE], nowhere, scratchTerminal()), {
      code: "input-unreadable",
      message: /out\.mks cannot be written: ENOENT/,
    });
    const output = join(folder, "out.mks");
    writeFileSync(`${output}.sender.json`, "another");
    await assert.rejects(depart("transferred", [TITLE], { ...all, output }, scratchTerminal()), {
      code: "input-unreadable",
      message: /out\.mks\.sender\.json cannot be written: EEXIST/,
    });
    assert.equal(existsSync(output), false);
    rmSync(`${output}.sender.json`);
    await assert.rejects(depart("transferred", [TITLE], { ...all, output }, scratchTerminal()), {
      code: "not-running",
    });
    assert.deepEqual(readdirSync(folder), ["recipient.json"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
