import assert from "node:assert/strict";
import { test } from "node:test";
import type { Warning } from "@meterkeep/api";
import { WarningWatch } from "./warning-watch.ts";

const unreachable: Warning = { code: "custodian-unreachable", text: "It does not answer.", fix: "Wait." };

test("a warning that comes or goes is told once, with how the custodian is", () => {
  const told: unknown[] = [];
  let warnings: readonly Warning[] = [];
  const custodian = { summary: { reachable: true, asOf: "2026-11-21T12:00:00Z" } };
  const watch = new WarningWatch(() => warnings, custodian, {
    publish: (type, data) => void told.push([type, data]),
  });
  watch.look();
  watch.look();
  assert.deepEqual(told, []);

  warnings = [unreachable];
  custodian.summary = { reachable: false, asOf: "2026-11-21T12:00:01Z" };
  watch.look();
  watch.look();
  assert.deepEqual(told, [["warnings", { warnings: [unreachable], custodian: custodian.summary }]]);

  warnings = [];
  watch.look();
  assert.equal(told.length, 2);
});
