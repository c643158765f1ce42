import assert from "node:assert/strict";
import { test } from "node:test";
import { systemTitle } from "@meterkeep/dlms";
import { meterComponent } from "./document.ts";

test("whose takeover was exposed to a recording says so, and no other", () => {
  const meter = systemTitle(Uint8Array.of(0x4d, 0x4b, 0x30, 0x30, 0, 0, 0, 1));
  const found = (grade: string) => ({ state: { meter, grade, verdict: "kept" }, suite: 1, keys: [], certificates: [] });
  const said = (grade: string) =>
    meterComponent(found(grade) as unknown as Parameters<typeof meterComponent>[0], 0).properties?.find(({ name }) =>
      name.endsWith("harvest-now"),
    )?.value;
  assert.deepEqual(["exposed", "agreed", "private"].map(said), ["true", "false", "false"]);
});
