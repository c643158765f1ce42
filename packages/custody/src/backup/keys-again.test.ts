import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeterFile } from "../store/records.ts";
import { keysAgain } from "./keys-again.ts";
import { keyPages } from "./lost-lines.ts";
import { type MakeGoodDependencies, MakingGood } from "./make-good.ts";
import { KEY_STATES, type Withdrawal } from "./withdrawals.ts";

const LOSSES = [{ name: "backup 1", words: "backup 1", since: 1_000, sequence: undefined, isTold: false }];
const METERS = 5_100;

function lineOf(meter: string, from: string, to: string, at = 2_000): Withdrawal {
  const changes = [{ purpose: "GUEK", setup: 0, version: 1, from, to }];
  const body = JSON.stringify({ changes, reason: "seen" });
  const entry = { at, kind: KEY_STATES, principal: "anna", utility: "u", island: "i", meter, body };
  return { kind: "entry", at, entry };
}

/** A custody of meters with one key each, in the state it was last put to; it tells what it wrote. */
function fleet() {
  const states = new Map<string, string>();
  const commits: {
    readonly kind: string;
    readonly body: { readonly restored?: boolean; readonly again?: number };
  }[][] = [];
  const dependencies = {
    files: {
      loadPage: async (titles: readonly string[]) =>
        titles.map((systemTitle) => ({
          meter: { systemTitle },
          keys: [
            {
              utility: "u",
              island: "i",
              systemTitle,
              setup: 0,
              purpose: 0,
              version: 1,
              state: states.get(systemTitle) ?? "active",
            },
          ],
        })) as unknown as MeterFile[],
    },
    rotations: { plan: async ({ meters }: { readonly meters: readonly string[] }) => meters.length },
    committer: {
      submit: async ({ writes = [], entries = [] }: { writes?: readonly never[]; entries?: readonly never[] }) => {
        commits.push([...entries]);
        for (const { place, state } of writes as unknown as readonly {
          place: { systemTitle: string };
          state: string;
        }[])
          states.set(place.systemTitle, state);
      },
    },
    ledger: { ofKinds: async () => [] },
    documents: { spoilt: undefined, isBefore: () => false },
    authority: { document: { approvers: [] } },
    now: () => 9_000,
  } as unknown as MakeGoodDependencies;
  return { states, commits, dependencies };
}

test("the compromise of a large fleet holds up no start: it goes on page by page, and ends with its entry once", async () => {
  const { states, commits, dependencies } = fleet();
  const lines = Array.from({ length: METERS }, (_, n) => lineOf(`M${n}`, "active", "compromised"));
  const read = async function* () {
    yield* lines;
  };
  const good = new MakingGood({ read, append: async () => undefined }, LOSSES, dependencies);
  await good.begin();
  const atStart = states.size;
  assert.ok(atStart > 0 && atStart < METERS, `${atStart} meters at the start`);
  const kinds = () => commits.flat().map(({ kind }) => kind);
  assert.ok(kinds().includes("ledger-making-good") && !kinds().includes("ledger-made-good"));
  for (let sweeps = 0; sweeps < 10; sweeps += 1) await good.tend();
  assert.equal([...states.values()].filter((state) => state === "compromised").length, METERS);
  assert.equal(kinds().filter((kind) => kind === "ledger-made-good").length, 1);
  assert.equal(commits.flat().at(-1)?.body.again, METERS);
  assert.ok(commits.flat().every(({ kind, body }) => kind !== KEY_STATES || body.restored === true));
});

test("a key that was resumed is not suspended again, one that lines are missing about is, and none comes back from a compromise", async () => {
  const lines = [
    lineOf("A", "active", "suspended"),
    lineOf("A", "suspended", "active"),
    lineOf("B", "active", "suspended"),
    lineOf("C", "active", "suspended"),
    lineOf("C", "suspended", "compromised"),
  ];
  const after = async (isBroken: boolean) => {
    const { states, dependencies } = fleet();
    const read = async function* () {
      yield* lines;
    };
    for await (const page of keyPages(read(), isBroken)) await keysAgain(dependencies, page);
    return ["A", "B", "C"].map((title) => states.get(title));
  };
  assert.deepEqual(await after(false), [undefined, "suspended", "compromised"]);
  assert.deepEqual(await after(true), ["suspended", "suspended", "compromised"]);
});
