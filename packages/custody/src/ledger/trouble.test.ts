import assert from "node:assert/strict";
import { test } from "node:test";
import { LedgerError } from "@meterkeep/ledger";
import { troubleOf } from "./trouble.ts";

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
