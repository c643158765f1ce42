import assert from "node:assert/strict";
import { test } from "node:test";
import { LedgerError } from "@meterkeep/ledger";
import { MOST_CHARACTERS, troubleOf } from "./trouble.ts";

const AWAY = { witnesses: [{ name: "tower", state: "away", problem: "witness tower is away" }] } as unknown as Pick<
  Parameters<typeof troubleOf>[0],
  "witnesses"
>;
const BROKEN = { code: "withdrawals-broken", message: "the journal is not what was written" };

test("a witness that is away hides nothing that is wrong on second storage, and a halt comes before both", () => {
  const both = troubleOf({ halt: undefined, late: undefined, ...AWAY }, BROKEN);
  assert.deepEqual(both, {
    code: "withdrawals-broken",
    message: "the journal is not what was written; besides, witness tower is away",
  });
  assert.equal(troubleOf({ halt: undefined, late: undefined, ...AWAY }, undefined)?.code, "ledger-witness-away");
  assert.deepEqual(troubleOf({ halt: undefined, late: undefined, witnesses: [] }, BROKEN), BROKEN);
  assert.equal(troubleOf({ halt: undefined, late: undefined, witnesses: [] }, undefined), undefined);
  const late = new LedgerError("ledger-checkpoint-late", "entries wait");
  assert.equal(
    troubleOf({ halt: undefined, late, ...AWAY }, undefined)?.message,
    "entries wait; besides, witness tower is away",
  );
  const halt = new LedgerError("ledger-rewritten", "it is not what a witness saw");
  assert.equal(troubleOf({ halt, late: undefined, ...AWAY }, BROKEN)?.code, "ledger-rewritten");
});

test("a long message leaves every other its room: each is told, and none is cut while there is some", () => {
  const none = { halt: undefined, late: undefined, witnesses: [] };
  const long = { code: "ledger-altered", message: "entry 1, ".repeat(500) };
  const short = { code: "withdrawals-broken", message: "the journal is not what was written" };
  const told = troubleOf({ ...none, ...AWAY }, long, short, { ...long, message: "entry 2, ".repeat(500) });
  assert.equal(told?.code, "ledger-altered");
  const { message = "" } = told ?? {};
  const parts = message.split("; besides, ");
  assert.ok(message.length > MOST_CHARACTERS - 4 && message.length <= MOST_CHARACTERS, String(message.length));
  assert.deepEqual([parts[1], parts[3]], ["the journal is not what was written", "witness tower is away"]);
  assert.match(parts[0] ?? "", /^entry 1, .*…$/);
  assert.match(parts[2] ?? "", /^entry 2, .*…$/);
  assert.ok(Math.abs((parts[0]?.length ?? 0) - (parts[2]?.length ?? 0)) <= 1);
  const whole = { ...long, message: "x".repeat(MOST_CHARACTERS) };
  assert.deepEqual(troubleOf(none, whole), whole);
});
