import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { suggestionsFor } from "./suggestions.ts";

const DECODE = "npx meterkeep decode examples/authenticated.hex --key-file examples/keys.json";

test("what a start says to try next is what the README says", () => {
  const readme = readFileSync(new URL("../../../../README.md", import.meta.url), "utf8");
  const block = /## Try next\n\n```sh\n(.*?)```/s.exec(readme)?.[1] ?? "";
  assert.deepEqual(
    block
      .trim()
      .split("\n")
      .map((line) => line.split(/ +# /)),
    suggestionsFor(undefined).tryNext.map(({ command, meaning }) => [command, meaning]),
  );
});

test("commands name the state directory unless it is the one that they look in anyway", () => {
  const commands = (state?: string): string[] => {
    const { tryNext, recover } = suggestionsFor(state);
    return [...tryNext.map(({ command }) => command), recover];
  };
  assert.deepEqual(commands(), [
    "npx meterkeep drill break-in",
    "npx meterkeep meter list",
    DECODE,
    "npx meterkeep admin recover",
  ]);
  assert.deepEqual(commands("/srv/mk"), [
    "npx meterkeep drill break-in --state /srv/mk",
    "npx meterkeep meter list --state /srv/mk",
    DECODE,
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
