import assert from "node:assert/strict";
import { test } from "node:test";
import { applyChange, suspended } from "./apply-change.ts";
import { type AuthorityDocument, approverOf, NO_AUTHORITY } from "./document.ts";

const SINCE = { since: 1, by: "head-end", reason: "has left" };

function withPeople(...names: readonly string[]): AuthorityDocument {
  const approvers = names.map((name, at) => ({
    id: name.toLowerCase(),
    name,
    roles: ["operations"],
    key: { kind: "signature", publicKey: String(at).repeat(182) } as const,
    enrolledAt: 0,
    suspended: undefined,
  }));
  return { ...NO_AUTHORITY, approvers };
}

function after(document: AuthorityDocument, id: string): AuthorityDocument {
  const applied = suspended(document, id, SINCE);
  assert.ok(applied !== "elsewhere" && "next" in applied, JSON.stringify(applied));
  return applied.next;
}

test("whoever is suspended approves nothing, and once more changes nothing", () => {
  const document = after(withPeople("Anna", "Ben", "Cleo"), "anna");
  assert.equal(approverOf(document, "anna"), undefined);
  assert.equal(approverOf(document, "ben")?.name, "Ben");
  assert.equal(after(document, "anna"), document);
});

test("nobody can suspend so many that two people are not left, nor remove them afterwards", () => {
  const two = withPeople("Anna", "Ben");
  assert.deepEqual(suspended(two, "anna", SINCE), {
    problem: "fewer than 2 people would be left: enrol another one first",
  });
  const document = after(withPeople("Anna", "Ben", "Cleo"), "anna");
  for (const kind of ["ben", "cleo"]) {
    assert.ok("problem" in (suspended(document, kind, SINCE) as object));
    const removal = applyChange(document, { kind: "remove-approver", body: { approver: kind } }, "", 2);
    assert.ok("problem" in (removal as object), "two who count have to be left");
  }
  const gone = applyChange(document, { kind: "remove-approver", body: { approver: "anna" } }, "", 2);
  assert.ok("next" in (gone as object), "who is suspended can be removed for good");
});

test("two people reinstate who was suspended, and nobody else", () => {
  const document = after(withPeople("Anna", "Ben", "Cleo"), "anna");
  const back = applyChange(document, { kind: "reinstate-approver", body: { approver: "anna" } }, "", 2);
  assert.ok(back !== "elsewhere" && "next" in back);
  assert.equal(approverOf(back.next, "anna")?.name, "Anna");
  assert.ok(
    "problem" in (applyChange(document, { kind: "reinstate-approver", body: { approver: "ben" } }, "", 2) as object),
  );
});
