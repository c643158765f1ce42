import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { suggestionsFor } from "./suggestions.ts";

test("commands name the state directory unless it is the one that they look in anyway", () => {
  const commands = (state?: string): string[] => {
    const { tryNext, recover } = suggestionsFor(state);
    return [...tryNext.map(({ command }) => command), recover];
  };
  assert.deepEqual(commands(), [
    "npx meterkeep drill break-in",
    "npx meterkeep meter list",
    "npx meterkeep decode examples/plain.hex",
    "npx meterkeep admin recover",
  ]);
  assert.deepEqual(commands("/srv/mk"), [
    "npx meterkeep drill break-in --state /srv/mk",
    "npx meterkeep meter list --state /srv/mk",
    "npx meterkeep decode examples/plain.hex",
    "npx meterkeep admin recover --state /srv/mk",
  ]);
});

test("a shell reads the state directory as one word, whatever is in it", () => {
  for (const state of ["/a b", "/it's", "/$HOME", "/a;b"]) {
    const { recover } = suggestionsFor(state);
    const said = execFileSync("/bin/sh", ["-c", recover.replace("npx meterkeep", "printf '%s\\n'")], {
      encoding: "utf8",
    });
    assert.deepEqual(said.split("\n").slice(0, 4), ["admin", "recover", "--state", state]);
  }
});
