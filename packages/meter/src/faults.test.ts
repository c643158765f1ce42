import assert from "node:assert/strict";
import { test } from "node:test";
import { Faults, flipped } from "./faults.ts";

test("an armed fault lets requests pass, strikes so often in its scope, and is gone", () => {
  const faults = new Faults("none");
  faults.arm({ fault: { kind: "drop" }, scope: "association", after: 1, times: 2 });
  const struck = ["association", undefined, "association", "key-transfer", "association", "association"] as const;
  assert.deepEqual(
    struck.map((scope) => faults.strike(scope)?.kind),
    [undefined, undefined, "drop", undefined, "drop", undefined],
  );
});

test("a fault without an end strikes until it is disarmed, in every scope when it names none", () => {
  const faults = new Faults("none");
  faults.arm({ fault: { kind: "reset" }, scope: "any" });
  for (let n = 0; n < 5; n++) assert.equal(faults.strike(undefined)?.kind, "reset");
  assert.equal(faults.strike("key-transfer")?.kind, "reset");
  faults.arm(undefined);
  assert.equal(faults.strike(undefined), undefined);
});

test("a wrong bit is one bit, wherever it is said to be, and what was is left as it was", () => {
  const octets = Uint8Array.of(0, 0xff, 0);
  assert.deepEqual(flipped(octets, 9), Uint8Array.of(0, 0xfd, 0));
  assert.deepEqual(flipped(octets, 24 + 9), Uint8Array.of(0, 0xfd, 0), "counted over again");
  assert.deepEqual(octets, Uint8Array.of(0, 0xff, 0));
  assert.deepEqual(flipped(new Uint8Array(0), 3), new Uint8Array(0));
});
