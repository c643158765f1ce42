import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { type ScratchTerminal, scratchTerminal } from "../testing/scratch-terminal.ts";
import { recoverAdmin } from "./commands.ts";

/** Somebody at the terminal who answers that and closes it. */
function answering(text: string): ScratchTerminal {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  stdin.end(text);
  return { ...scratchTerminal(), stdin };
}

test("a new link that ends sessions and deletes passkeys is made for a yes alone, or for --yes where nobody can be asked", async () => {
  const state = mkdtempSync(join(tmpdir(), "meterkeep-recover-"));
  try {
    await assert.rejects(recoverAdmin({ state }, scratchTerminal()), { code: "option-invalid", message: /--yes/ });
    for (const no of ["n\n", "\n", "", "yesterday\n"]) {
      const terminal = answering(no);
      await recoverAdmin({ state }, terminal);
      assert.equal(terminal.exitStatus, 1, JSON.stringify(no));
      assert.match(terminal.err(), /deletes the administrator's passkeys.*\[y\/N\].*Nothing was changed/s);
    }
    // Whoever is asked no more is told that nothing runs here: that is the next thing looked at.
    await assert.rejects(recoverAdmin({ state }, answering("y\n")), { code: "not-running" });
    await assert.rejects(recoverAdmin({ state, yes: true }, scratchTerminal()), { code: "not-running" });
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
});
