import assert from "node:assert/strict";
import { test } from "node:test";
import type { ForeignEntries } from "@meterkeep/ledger";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { withCounterMacs } from "../records/record-mac.ts";
import { GroupCommitter } from "../store/committer.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { asOwner } from "../testing/owned-database.ts";
import { sampleMeter } from "../testing/samples.ts";
import { freshRootKeys, RootKeyRing } from "../vault/root-keys.ts";
import { softwareVault } from "../vault/software-vault.ts";
import { FIRST_COUNTER, SendCounters } from "./send-counters.ts";

const sample = sampleMeter(1);
const { utility, island, systemTitle } = sample.meter;
const place = { utility, island, systemTitle, setup: 0 } as const;
const LAST_COUNTER = 0xffff_ffff;

/** A process over a store that others share with it. */
function processesOver(store: CustodyStore) {
  const vault = softwareVault(new RootKeyRing(freshRootKeys()), store.vaultKeys);
  return {
    store,
    vault,
    begin: () =>
      new SendCounters({ committer: new GroupCommitter(store), files: store, vault, now: () => 1_795_000_000_000 }),
  };
}
/** What can make a line be read again. */
interface LineBench {
  readonly foreign: ForeignEntries;
  readonly fail: () => Promise<void>;
  readonly forget: () => Promise<number>;
}

const processes = () => processesOver(memoryCustodyStore());

/** The rules of counters that we send under, on what is kept in memory and in a database. */
function onBoth(sentence: string, body: (all: ReturnType<typeof processesOver>) => Promise<void>): void {
  const withMeter = async (store: CustodyStore) => {
    await store.commit([{ kind: "add-meter", ...sample }]);
    await body(processesOver(store));
  };
  test(`memory: ${sentence}`, () => withMeter(memoryCustodyStore()));
  test(`PostgreSQL: ${sentence}`, () =>
    withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => withMeter(postgresCustodyStore(pool))));
}

test("counters begin above what a factory may have used, and never at 0", async () => {
  const first = await processes().begin().take(place, 1, 1);
  assert.equal(first, FIRST_COUNTER);
  assert.ok(first > 0);
});

onBoth(
  "whatever version of the key, counters go on above the setup's highest ever, in this process and in those after it",
  async ({ begin }) => {
    const used = new Set<number>();
    let highest = 0;
    for (let process = 0; process < 4; process += 1) {
      const counters = begin();
      for (let keyVersion = 1; keyVersion <= 3; keyVersion += 1)
        for (const count of [1, 3, 100]) {
          const first = await counters.take(place, keyVersion, count);
          for (let counter = first; counter < first + count; counter += 1) {
            assert.ok(!used.has(counter), `${counter} is given out twice`);
            used.add(counter);
          }
          assert.ok(first > highest && first >= FIRST_COUNTER, `${first} after ${highest}`);
          highest = Math.max(highest, first + count - 1);
        }
    }
  },
);

test("many at once get counters of their own, and what two processes reserve from one place only one of them gets", async () => {
  const { begin } = processes();
  const one = begin();
  const taken = await Promise.all(Array.from({ length: 200 }, () => one.take(place, 1, 3)));
  assert.equal(new Set(taken).size, 200);
  const [left, right] = [begin(), begin()];
  const raced = await Promise.allSettled([left.take(place, 1, 64), right.take(place, 1, 64)]);
  const won = raced.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  assert.equal(new Set(won).size, won.length, "no counter is given to both");
  assert.ok(won.every((first) => first > Math.max(...taken)));
});

test("a hint raises counters as far as it is believed, and never lowers them", async () => {
  const counters = processes().begin();
  const first = await counters.take(place, 1, 1);
  assert.deepEqual(await counters.raise(place, first + 50_000, 10_000), { ahead: 49_999, isFollowed: false });
  assert.deepEqual(await counters.raise(place, first, 10_000), { ahead: -1, isFollowed: false });
  assert.deepEqual(await counters.raise(place, first + 5000, 10_000), { ahead: 4999, isFollowed: true });
  assert.ok((await counters.take(place, 1, 1)) >= first + 5000);
});

onBoth(
  "a line ends before its last counter, for every version of the key and every process: it never begins anew",
  async ({ begin, store, vault }) => {
    const stored = async (next: number) => {
      const { counters } = await store.counterLine(place);
      const from = Math.max(0, ...counters.map((counter) => counter.next));
      const [counter] = await withCounterMacs(vault, [{ ...place, keyVersion: 1, next }]);
      await store.commit([{ kind: "reserve-counters", from, counter: counter! }]);
    };
    await stored(LAST_COUNTER - 100);
    const first = await begin().take(place, 1, 64);
    assert.equal(first, LAST_COUNTER - 100);
    for (const keyVersion of [1, 2])
      await assert.rejects(begin().take(place, keyVersion, 1), { code: "counter-line-exhausted" });
    const line = begin();
    const { isFollowed } = await line.raise(place, LAST_COUNTER + 1, Number.MAX_SAFE_INTEGER);
    await assert.rejects(line.take(place, 2, 1), { code: "counter-line-exhausted" }, `raised: ${isFollowed}`);
    const { counters } = await store.counterLine(place);
    assert.ok(counters.every(({ next }) => next <= LAST_COUNTER));
  },
);

onBoth(
  "a line that ends tells every counter that may be used, whoever reserved it, and gives out none above that until it goes on",
  async ({ begin, store, vault }) => {
    const other = begin();
    const first = await other.take(place, 1, 1);
    let isFull = false;
    const committer = new GroupCommitter(store);
    const submit: GroupCommitter["submit"] = async (work) =>
      isFull ? Promise.reject(new Error("full")) : committer.submit(work);
    const own = new SendCounters({ committer: { submit }, files: store, vault, now: () => 1_795_000_000_000 });
    await own.take(place, 1, 1);
    const held = own.atHand(place);
    assert.ok(held !== undefined);
    {
      using ended = await own.end(place);
      const { counters } = await store.counterLine(place);
      assert.ok(ended.used >= Math.max(...counters.map(({ next }) => next - 1)) && ended.used > first);
      assert.equal(own.takeAtHand(held, 1, 1), undefined, "whoever had it at hand takes nothing more");
      for (const version of [1, 2]) await assert.rejects(own.take(place, version, 1), { code: "meter-leaving" });
      assert.deepEqual((await store.counterLine(place)).counters, counters);
    }
    const next = await own.take(place, 1, 1);
    isFull = true;
    await assert.rejects(own.take(place, 2, 1000));
    isFull = false;
    using ended = await own.end(place);
    assert.ok(ended.used >= next + 1000, "what may have been written after all counts as used");
  },
);

onBoth("of a meter that has left no counter is given out", async ({ begin, store }) => {
  const own = begin();
  await own.take(place, 1, 1);
  (await own.end(place))[Symbol.dispose]();
  const meter = { utility, island, systemTitle };
  await store.commit([{ kind: "set-standing", meter, standing: "transferred", at: 1 }]);
  for (const counters of [own, begin()]) await assert.rejects(counters.take(place, 1, 1), { code: "meter-left" });
});

for (const [why, again] of [
  ["something was found in the ledger", ({ foreign }) => foreign.tell({ from: 1, to: 1, fault: "replaced" })],
  ["a reservation failed", ({ fail }) => fail()],
  ["it was forgotten among others", ({ forget }) => forget()],
] as const satisfies readonly (readonly [string, (bench: LineBench) => unknown])[])
  test(`a line that is read again, since ${why}, gives out nothing twice, though its row was put back and its mark is hidden`, () =>
    withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
      const store = postgresCustodyStore(pool);
      const other = sampleMeter(2);
      for (const meter of [sample, other]) await store.commit([{ kind: "add-meter", ...meter }]);
      const { vault } = processesOver(store);
      const { foreign } = store.ledger;
      const committer = new GroupCommitter(store);
      let isFull = false;
      const counters = new SendCounters({
        committer: {
          ...committer,
          submit: async (work) => (isFull ? Promise.reject(new Error("full")) : committer.submit(work)),
        },
        files: store,
        vault,
        now: () => 1_795_000_000_000,
        foreign,
        mostLines: 1,
      });
      let last = 0;
      const take = async (count: number) => {
        const first = await counters.take(place, 1, count);
        assert.ok(first > last, `${first} after ${last}`);
        last = first + count - 1;
      };
      await take(1);
      const { rows } = await pool.query("select next, mac from send_counters");
      await take(5000);
      await take(1);
      // Whoever has the line by reference takes what is left of it at once, and nothing once it is forgotten.
      const atHand = counters.atHand(place);
      assert.ok(atHand);
      last = counters.takeAtHand(atHand, 1, 1) ?? 0;
      assert.ok(last > 5000);
      await again({
        foreign,
        fail: async () => {
          isFull = true;
          await assert.rejects(counters.take(place, 1, 5000), /full/);
          isFull = false;
        },
        forget: () => counters.take({ ...other.meter, setup: 0 }, 1, 1),
      });
      assert.equal(counters.takeAtHand(atHand, 1, 1), undefined);
      await asOwner(adminUrl, async (owner) => {
        const where = "where system_title = (select system_title from send_counters order by next desc limit 1)";
        await owner.query(`update send_counters set next = $1, mac = $2 ${where}`, [rows[0].next, rows[0].mac]);
        await owner.query(
          "update ledger set kind = 'seen' where sequence = (select max(sequence) from ledger where kind = 'counters-reserved' and meter = $1)",
          [systemTitle],
        );
      });
      await take(1);
      assert.equal(counters.takeAtHand(atHand, 1, 1), undefined, "what is read again is another line");
    }));

/** Counters whose commits wait until they are let through, and how to come to where all that can has been submitted. */
async function heldCommits(mostLines?: number) {
  const store = memoryCustodyStore();
  const other = sampleMeter(2);
  for (const meter of [sample, other]) await store.commit([{ kind: "add-meter", ...meter }]);
  const { vault } = processesOver(store);
  let held: Promise<void> | undefined;
  const committer = new GroupCommitter({
    ...store,
    commit: async (...change) => {
      await held;
      return store.commit(...change);
    },
  });
  const counters = new SendCounters({
    committer,
    files: store,
    vault,
    now: () => 1_795_000_000_000,
    ...(mostLines === undefined ? {} : { mostLines }),
  });
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    held = promise;
    return () => {
      held = undefined;
      resolve();
    };
  };
  const settled = async () => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  return { counters, committer, hold, settled, other: { ...other.meter, setup: 0 } };
}

test("a line that is forgotten while it reserves gives counters to who waits, though the line read after it shares the commit", async () => {
  const { counters, committer, hold, settled, other } = await heldCommits(1);
  const last = (await counters.take(place, 1, 64)) + 63;
  const release = hold();
  const busy = committer.submit({});
  await settled();
  const first = counters.take(place, 1, 5);
  await settled();
  const between = counters.take(other, 1, 1);
  await settled();
  const second = counters.take(place, 1, 5);
  await settled();
  release();
  await Promise.all([busy, between]);
  assert.ok((await first) > last, `${await first} after ${last}`);
  assert.ok((await second) >= (await first) + 5, `${await second} after ${await first}`);
  assert.ok((await counters.take(place, 1, 1)) >= (await second) + 5);
});

for (const [what, by] of [
  ["within the block", 20],
  ["beyond the block", 5000],
] as const)
  test(`a hint that comes while counters are reserved, ${what}, holds for whoever waits for them, and when its line is forgotten`, async () => {
    const { counters, hold, settled, other } = await heldCommits(1);
    const hint = (await counters.take(place, 1, 64)) + 64 + by;
    const release = hold();
    const waiting = counters.take(place, 1, 1);
    await settled();
    assert.equal((await counters.raise(place, hint, 10_000)).isFollowed, true);
    release();
    assert.equal(await waiting, hint);
    assert.equal(await counters.next(place), hint + 1);
    assert.equal((await counters.raise(place, hint + 9000, 10_000)).isFollowed, true);
    await counters.take(other, 1, 1);
    assert.equal(await counters.take(place, 1, 1), hint + 9000);
  });
