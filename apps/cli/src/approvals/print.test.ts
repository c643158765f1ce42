import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthorityState, ChangeStateView } from "@meterkeep/api/custodian";
import { authorityText, changeText } from "./print.ts";

test("who looks at the approvers sees a thaw that waits, and how to agree to it", () => {
  const state = {
    approvers: [],
    policyServices: [],
    frozen: { since: 0, by: "operator", reason: "a drill" },
    counts: { day: 0, dayCap: 200, tenMinutes: 0, tenMinutesCap: 50 },
    unsettled: 0,
    page: "",
  } as unknown as AuthorityState;
  const thaw = { kind: "thaw", words: "end the freeze", hash: "ab12", people: 2, approvedBy: ["anna"] };
  const change = (is: string) => ({ ...thaw, state: is }) as unknown as ChangeStateView;
  const text = authorityText(state, [change("planned"), change("executed"), change("expired")]);
  assert.match(text, /Frozen since/);
  assert.deepEqual(
    text.match(/Waits for approval, 1 of 2: end the freeze\n {2}npx meterkeep approve ab12/g)?.length,
    1,
  );
});

test("a change says why it was asked for, where anybody said so", () => {
  const change = (reason: string) =>
    changeText({ requester: "operator", reason, approvedBy: [], expiresAt: 0 } as unknown as ChangeStateView);
  assert.match(change("a drill"), /^ {2}asked for by operator: a drill$/m);
  assert.match(change(""), /^ {2}asked for by operator$/m);
});
