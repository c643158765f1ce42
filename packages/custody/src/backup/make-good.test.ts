import assert from "node:assert/strict";
import { test } from "node:test";
import { PkiError } from "@meterkeep/pki";
import { type MakeGoodDependencies, MakingGood } from "./make-good.ts";
import { DEPARTED, type Withdrawal } from "./withdrawals.ts";

const LOSSES = [{ name: "backup 1", words: "backup 1", since: 1_000, sequence: undefined, isTold: false }];

/** Makes good what stands in the journal over a custody that has nobody enrolled, and tells which meters departed again. */
async function departedAgain(
  kinds: readonly string[],
  hadLeft: (meter: string) => boolean = () => true,
  isBroken = false,
) {
  const lines = kinds.map((kind, at): Withdrawal => {
    const entry = { at: 2_000 + at, kind, principal: "anna", utility: "u", island: "i", meter: "M1" };
    return { kind: "entry", at: entry.at, entry: { ...entry, body: '{"how":"transferred","reason":"sold"}' } };
  });
  const [departed, told]: [string[], { again: number; left: readonly string[]; broken?: true }[]] = [[], []];
  const dependencies = {
    ledger: { ofKinds: async () => [] },
    documents: { spoilt: undefined, isBefore: () => false },
    authority: { document: { approvers: [] } },
    departures: {
      hadLeft: async (meter: string) => {
        departed.push(meter);
        return hadLeft(meter);
      },
    },
    committer: { submit: async ({ entries }: { entries: readonly { body: never }[] }) => told.push(entries[0]!.body) },
    now: () => 9_000,
  } as unknown as MakeGoodDependencies;
  const read = async function* () {
    yield* lines;
  };
  await new MakingGood({ read, append: async () => undefined }, LOSSES, dependencies, { isBroken }).begin();
  return { departed, told: told.at(-1) };
}

test("where a meter was in the end counts: one that left and came back stays, one that left again leaves again", async () => {
  assert.deepEqual((await departedAgain([DEPARTED])).departed, ["M1"]);
  assert.deepEqual((await departedAgain([DEPARTED, "meter-readmitted"])).departed, []);
  assert.deepEqual((await departedAgain([DEPARTED, "meter-readmitted", DEPARTED])).departed, ["M1"]);
});

test("where lines are gone no return is believed, whatever is left of the journal", async () => {
  const { departed, told } = await departedAgain([DEPARTED, "meter-readmitted"], () => true, true);
  assert.deepEqual([departed, told?.broken], [["M1"], true]);
});

test("what cannot be withdrawn keeps nobody from starting, and is told", async () => {
  const { told } = await departedAgain([DEPARTED], () => {
    throw new PkiError("certificate-unknown", "no certificate of that number");
  });
  assert.deepEqual([told?.again, told?.left], [0, [`${DEPARTED}: no certificate of that number`]]);
});
