import assert from "node:assert/strict";
import { test } from "node:test";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { group } from "./run.ts";

test("a group is not emptied by forgetting to name its meters", async () => {
  const state = "/nonexistent";
  for (const more of [false, true])
    await assert.rejects(group("hill", [], { state, more }, scratchTerminal()), {
      code: "option-invalid",
      message: /group hill, or give --remove/,
    });
  await assert.rejects(group("hill", [], { state, remove: true }, scratchTerminal()), { code: "not-running" });
});
