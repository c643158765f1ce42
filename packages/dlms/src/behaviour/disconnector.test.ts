import assert from "node:assert/strict";
import { test } from "node:test";
import { DisconnectControl } from "../cosem/classes/disconnect-control.ts";
import {
  CONTROL_MODES,
  type ControlMode,
  type ControlState,
  Disconnector,
  type DisconnectorTrigger,
  serveDisconnector,
  stepDisconnector,
} from "./disconnector.ts";
import { askFor } from "./testing.test.ts";

// The table of transitions of the Blue Book, 4.5.8: for each control mode the letters of those that are enabled.
const ENABLED: Readonly<Record<ControlMode, string>> = {
  0: "",
  1: "bcdefg",
  2: "abcefg",
  3: "bcdeg",
  4: "abceg",
  5: "bcdefgh",
  6: "bcdegh",
};
const TRANSITIONS: Readonly<Record<string, readonly [ControlState, DisconnectorTrigger, ControlState]>> = {
  a: ["disconnected", "remoteReconnect", "connected"],
  b: ["connected", "remoteDisconnect", "disconnected"],
  c: ["readyForReconnection", "remoteDisconnect", "disconnected"],
  d: ["disconnected", "remoteReconnect", "readyForReconnection"],
  e: ["readyForReconnection", "manualReconnect", "connected"],
  f: ["connected", "manualDisconnect", "readyForReconnection"],
  g: ["connected", "localDisconnect", "readyForReconnection"],
  h: ["readyForReconnection", "localReconnect", "connected"],
};

test("each control mode has the transitions of the Blue Book and no others", () => {
  for (const mode of Object.keys(CONTROL_MODES).map(Number) as ControlMode[])
    for (const [letter, [from, trigger, to]] of Object.entries(TRANSITIONS)) {
      const next = stepDisconnector(from, trigger, mode);
      if (ENABLED[mode].includes(letter)) assert.equal(next, to, `mode ${mode} ${letter}`);
      else assert.notEqual(next, to, `mode ${mode} ${letter}`);
    }
});

test("what a client has cut off cannot be closed by hand", () => {
  for (const mode of [1, 2, 3, 4, 5, 6] as const)
    assert.equal(stepDisconnector("disconnected", "manualReconnect", mode), undefined);
});

test("served, it switches, and takes no mode that there is not", () => {
  const moved: ControlState[] = [];
  const switched = new Disconnector({ mode: 2, onState: (state) => moved.push(state) });
  const ask = askFor(
    DisconnectControl,
    serveDisconnector<undefined>(() => switched),
  );
  assert.equal(ask.call("remoteDisconnect"), "success");
  assert.equal(ask.get("outputState"), false);
  assert.equal(ask.call("remoteDisconnect"), "success", "again is no fault");
  assert.equal(ask.call("remoteReconnect"), "success");
  assert.equal(ask.get("controlState"), "connected");
  assert.deepEqual(moved, ["disconnected", "connected"]);
  assert.equal(ask.set("controlMode", 7), "other-reason");
  assert.equal(ask.set("controlMode", 0), "success");
  assert.equal(ask.call("remoteDisconnect"), "other-reason");
});
