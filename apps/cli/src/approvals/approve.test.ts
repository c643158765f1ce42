import assert from "node:assert/strict";
import { test } from "node:test";
import { CustodianCallError } from "@meterkeep/api/custodian";
import { described } from "./approve.ts";

/** A custodian without changes, which refuses to show a manifest in that way. */
const refusing = (code: CustodianCallError["code"]): Parameters<typeof described>[0] => ({
  changes: async () => ({ changes: [] }),
  manifest: async () => {
    throw new CustodianCallError(code, "refused");
  },
});

test("a hash that the custodian knows nothing of is its refusal, and one that it could not be asked about is told as such", async () => {
  await assert.rejects(described(refusing("manifest-refused"), "ab12"), {
    code: "custodian-refused",
    exitStatus: 1,
    message: /no manifest or change of the hash ab12: .*change list/,
  });
  await assert.rejects(described(refusing("custodian-unreachable"), "ab12"), { code: "custodian-unreachable" });
});
