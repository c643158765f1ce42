import assert from "node:assert/strict";
import { test } from "node:test";
import { SecretKey } from "@meterkeep/dlms-node";
import { GroupCommitter } from "../store/committer.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { softwareVault } from "../vault/software-vault.ts";
import { FIRST_COUNTER, SendCounters } from "./send-counters.ts";

const place = { utility: "u", island: "i", systemTitle: "5453540000000001", setup: 0 } as const;

/** A process over a store that others share with it. */
function processes() {
  const store = memoryCustodyStore();
  const vault = softwareVault(SecretKey.random(32), store.vaultKeys);
  return {
    store,
    begin: () =>
      new SendCounters({ committer: new GroupCommitter(store), files: store, vault, now: () => 1_795_000_000_000 }),
  };
}

test("counters begin above what a factory may have used, and never at 0", async () => {
  const first = await processes().begin().take(place, 1, 1);
  assert.equal(first, FIRST_COUNTER);
  assert.ok(first > 0);
});

test("a new version of the key goes on above the setup's highest ever, in this process and in those after it", async () => {
  const { begin } = processes();
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
        // Versions take turns: within one, blocks may be begun before others end, but never below one that ended.
        assert.ok(first > highest || keyVersion === 1, `${first} after ${highest}`);
        highest = Math.max(highest, first + count - 1);
      }
  }
});

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
