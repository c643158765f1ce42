import assert from "node:assert/strict";
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
