import assert from "node:assert/strict";
import { test } from "node:test";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { listeningOf } from "./listening.ts";
import { type RunningFacts, textReporter } from "./reporter.ts";
import { resolveOptions } from "./start-config.ts";

test("what a start listens on is what its options have switched on", () => {
  assert.deepEqual(listeningOf(resolveOptions({}, {})), []);
  const given = {
    fieldPort: "8422",
    keyService: "[2001:db8::1]:8423",
    callTlsPort: "4061",
    workerGate: "192.0.2.1:8425",
  };
  assert.deepEqual(
    listeningOf(resolveOptions(given, {})).map(({ address }) => address),
    ["http://localhost:8422", "[2001:db8::1]:8423", "127.0.0.1:4061", "192.0.2.1:8425", "192.0.2.1:8424"],
  );
  const behind = { fieldPort: "8422", fieldOrigin: "https://field.example", callPort: "4060", listen: "::" };
  assert.deepEqual(
    listeningOf(resolveOptions(behind, {})).map(({ address }) => address),
    ["https://field.example", "[::]:4060"],
  );
});

test("who starts it reads where else somebody comes in, and who", () => {
  const facts = { seconds: 1, tryNext: [], openToNetwork: false } as unknown as RunningFacts;
  const said = (listening: RunningFacts["listening"]): string => {
    const terminal = scratchTerminal();
    textReporter(terminal.stdout, false).running({ ...facts, listening });
    return terminal.out();
  };
  const config = resolveOptions({ fieldPort: "8422", keyService: "127.0.0.1:8423" }, {});
  assert.match(
    said(listeningOf(config)),
    /^It listens, too, at\n {2}http:\/\/localhost:8422 +technicians .*\n {2}127\.0\.0\.1:8423 +head-ends of other vendors/m,
  );
  assert.doesNotMatch(said([]), /listens/);
});
