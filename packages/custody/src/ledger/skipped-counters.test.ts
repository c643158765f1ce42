import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EMPTY_EDGE,
  type Finding,
  ForeignEntries,
  growthOf,
  type LedgerDraft,
  type LedgerEntry,
} from "@meterkeep/ledger";
import { FIRST_COUNTER, LARGEST_BLOCK, SendCounters } from "../protocol/send-counters.ts";
import type { MeterFile } from "../store/records.ts";
import { sampleMeter } from "../testing/samples.ts";
import { countersOfWindow, MOST_OF_A_LOSS, RESTORED, skippedAfterLoss, UNCLEAN_START } from "./skipped-counters.ts";

const place = { utility: "u", island: "i", systemTitle: "5453540000000007", setup: 0 };
const resumed = (lost: number): LedgerDraft & { readonly at: number } => ({
  at: 1,
  kind: "ledger-resumed",
  principal: "ledger",
  utility: "*",
  island: "*",
  body: { lost },
});

const firstCounter = (...of: Parameters<typeof countersOf>) => countersOf(...of).take(place, 1, 1);

/** What a meter's record says of the counters that whoever had it before has used. */
const boughtWith = (counterFloor: number) => ({ meter: { ...sampleMeter(1).meter, counterFloor } }) as MeterFile;

/** A line that stands at 320, its last mark at a sequence of a ledger; or one of which nothing is stored, of a meter that was bought. */
function countersOf(
  entries: readonly LedgerEntry[],
  markedAt: number | undefined,
  found: readonly Finding[] = [],
  now = 1,
  bought?: MeterFile,
): SendCounters {
  const foreign = new ForeignEntries();
  for (const finding of found) foreign.tell(finding);
  return new SendCounters({
    committer: { submit: async () => undefined },
    files: {
      counterLine: async () => ({
        counters:
          bought === undefined ? [{ ...place, keyVersion: 1, next: FIRST_COUNTER + 64, mac: new Uint8Array(32) }] : [],
        mark: undefined,
        markedAt,
      }),
      load: async () => bought,
    },
    vault: { authenticate: async (texts) => texts.map(() => new Uint8Array(32)) },
    now: () => 1,
    skip: skippedAfterLoss(
      {
        ofItself: async () => entries.filter(({ kind }) => kind.startsWith("ledger-")),
        counted: async (after, limit) => entries.filter(({ sequence }) => sequence > after).slice(0, limit),
        foreign,
      },
      () => now,
    ),
  });
}

test("a line leaves out what lost entries could have reserved, until it has been marked after the loss", async () => {
  const { entries } = growthOf(EMPTY_EDGE, [resumed(3), resumed(2)]);
  assert.equal(await firstCounter([], 9), FIRST_COUNTER + 64);
  assert.equal(await firstCounter(entries, undefined), FIRST_COUNTER + 64 + 5 * LARGEST_BLOCK);
  assert.equal(await firstCounter(entries, 1), FIRST_COUNTER + 64 + 2 * LARGEST_BLOCK);
  assert.equal(await firstCounter(entries, 2), FIRST_COUNTER + 64);
});

test("of a line of which nothing is left the lost entries left out are behind what whoever had the meter before has used, and its next owner is told of them", async () => {
  const said = { ...resumed(0), kind: RESTORED, body: { counters: 100_000 } };
  const { entries } = growthOf(EMPTY_EDGE, [said]);
  const bought = boughtWith(2_000_000);
  assert.equal(await firstCounter([], undefined, [], 1, bought), 2_000_001);
  assert.equal(await firstCounter(entries, undefined, [], 1, bought), 2_100_001);
  using sold = await countersOf(entries, undefined, [], 1, bought).end(place);
  assert.equal(sold.used, 2_100_000);
  assert.equal(await firstCounter(entries, undefined, [], 1, boughtWith(0)), FIRST_COUNTER + 100_000);
});

test("however much is lost, a line is not used up: no more is left out than the budgets allow in that time", async () => {
  const day = 86_400_000;
  const lost = { ...resumed(1_100_000), at: day, body: { lost: 1_100_000, since: 0 } };
  const { entries } = growthOf(EMPTY_EDGE, [lost]);
  const skipped = (await firstCounter(entries, undefined)) - FIRST_COUNTER - 64;
  assert.ok(skipped > 32 * 86_400 && skipped < 2 ** 24, String(skipped));
});

test("a start after a crash leaves out what a line may have used since the last witnessed moment", async () => {
  const counters = countersOfWindow({ budget: { burst: 100, perSecond: 2 }, settings: { everySeconds: 30 } });
  assert.equal(counters, 4 * 160 + LARGEST_BLOCK);
  const entry = { ...resumed(0), kind: UNCLEAN_START, body: { counters } };
  const { entries } = growthOf(EMPTY_EDGE, [entry, entry]);
  assert.equal(await firstCounter(entries, undefined), FIRST_COUNTER + 64 + 2 * counters);
  assert.equal(await firstCounter(entries, 1), FIRST_COUNTER + 64 + counters);
  assert.equal(await firstCounter(entries, 2), FIRST_COUNTER + 64);
});

test("no loss leaves out more than a sixteenth of a line, whatever an entry says of it", async () => {
  const said = { ...resumed(0), kind: RESTORED, body: { counters: 2 ** 40 } };
  const { entries } = growthOf(EMPTY_EDGE, [said, said]);
  assert.equal(await firstCounter(entries, undefined), FIRST_COUNTER + 64 + 2 * MOST_OF_A_LOSS);
});

const named = (body: Finding & { readonly mended?: boolean }, at = 1): LedgerDraft => ({
  ...resumed(0),
  at,
  kind: "ledger-altered",
  body,
});

test("a line leaves out what changed entries may have reserved, until it has been marked after they were named", async () => {
  const three: Finding = { from: 40, to: 42, fault: "missing" };
  const one: Finding = { from: 7, to: 7, fault: "altered" };
  const { entries } = growthOf(EMPTY_EDGE, [resumed(0), named(three), named(one), named({ ...one, mended: true })]);
  const base = FIRST_COUNTER + 64;
  assert.equal(await firstCounter(entries, undefined), base + 4 * LARGEST_BLOCK);
  // A mark that is newer than what is missing was written before anybody knew, and may rest on an older row.
  assert.equal(await firstCounter(entries, 2), base + LARGEST_BLOCK);
  assert.equal(await firstCounter(entries, 3), base);
  const { entries: met } = growthOf(EMPTY_EDGE, [resumed(0), named(three), named({ ...three, to: 45 })]);
  assert.equal(await firstCounter(met, undefined), base + 6 * LARGEST_BLOCK, "findings that met are one");
  const asWritten: Finding = { from: 1, to: 256, fault: "rehashed" };
  assert.equal(await firstCounter(growthOf(EMPTY_EDGE, [named(asWritten)]).entries, undefined, [asWritten]), base);
  // What is found and not named yet is behind no mark.
  const hidden: Finding = { from: 1, to: 1, fault: "hidden" };
  const strange: Finding = { from: 5, to: 999, fault: "appended" };
  assert.equal(await firstCounter(entries, 3, [hidden, three, strange]), base + LARGEST_BLOCK);
});

test("whoever changes a million entries uses up no line: what they may have reserved is bounded by the time in which they were written", async () => {
  const day = 86_400_000;
  const first = { ...resumed(0), at: 10 * day, kind: "seen" };
  const { entries } = growthOf(EMPTY_EDGE, [first, named({ from: 2, to: 1_100_001, fault: "altered" }, 11 * day)]);
  const skipped = (await firstCounter(entries, undefined)) - FIRST_COUNTER - 64;
  assert.ok(skipped > 32 * 86_400 && skipped < 2 ** 24, String(skipped));
  const found: Finding = { from: 3, to: 1_100_001, fault: "missing" };
  const unnamed = (await firstCounter(entries.slice(0, 1), undefined, [found], 11 * day)) - FIRST_COUNTER - 64;
  assert.equal(unnamed, skipped);
});
