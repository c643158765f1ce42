import assert from "node:assert/strict";
import { test } from "node:test";
import { migrate } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import fc from "fast-check";
import { chain, EMPTY_LEDGER, type LedgerEntry } from "./entry.ts";
import { LedgerError } from "./errors.ts";
import { Ledger } from "./ledger.ts";
import { memoryLedgerStore } from "./memory-store.ts";
import { LEDGER_MIGRATIONS, postgresLedgerStore } from "./postgres-store.ts";
import { draft, ledgerStoreContract } from "./testing/ledger-store-contract.ts";
import { verifyChain } from "./verify.ts";

const migrations = [{ component: "ledger", directory: LEDGER_MIGRATIONS }];

ledgerStoreContract("memory", (body) => body(memoryLedgerStore()));
ledgerStoreContract("PostgreSQL", (body) =>
  withTestDatabase({ migrations }, ({ pool }) => body(postgresLedgerStore(pool))),
);

test("PostgreSQL refuses to change, delete or truncate what is in the ledger", () =>
  withTestDatabase({ migrations }, async ({ pool }) => {
    await postgresLedgerStore(pool).append(chain(EMPTY_LEDGER, [draft("a"), draft("b")]));
    for (const statement of [
      "update ledger set body = '{}' where sequence = 1",
      "delete from ledger where sequence = 2",
      "truncate ledger",
    ])
      await assert.rejects(pool.query(statement), /append-only/);
    assert.equal((await postgresLedgerStore(pool).head()).sequence, 2);
    await migrate(pool, migrations, { version: "test" });
  }));

test("what is appended at once is written in one go, in the order it came", async () => {
  const store = memoryLedgerStore();
  let appends = 0;
  const append: typeof store.append = (entries) => {
    appends += 1;
    return store.append(entries);
  };
  const ledger = new Ledger({ ...store, append });
  const written = await Promise.all(Array.from({ length: 50 }, (_, at) => ledger.append(draft("entry", at))));
  assert.deepEqual(
    written.map(([entry]) => [entry?.sequence, entry?.body]),
    Array.from({ length: 50 }, (_, at) => [at + 1, String(at)]),
  );
  assert.ok(appends <= 2, `${appends} appends`);
  await ledger.close();
  await assert.rejects(ledger.append(draft("late")), { code: "ledger-closed" });
});

test("an entry that cannot be written spoils no other", async () => {
  const ledger = new Ledger(memoryLedgerStore());
  const [good, bad] = await Promise.allSettled([ledger.append(draft("good")), ledger.append(draft("Not a kind"))]);
  assert.equal(good.status, "fulfilled");
  assert.ok(
    bad.status === "rejected" && bad.reason instanceof LedgerError && bad.reason.code === "ledger-entry-invalid",
  );
});

test("a failed append fails its callers and the next one starts from the stored head", async () => {
  const store = memoryLedgerStore();
  let fail = true;
  const ledger = new Ledger({
    ...store,
    append: async (entries) => {
      await store.append(entries);
      if (fail) throw new Error("the connection broke after the commit");
    },
  });
  await assert.rejects(ledger.append(draft("lost")), /broke/);
  fail = false;
  assert.equal((await ledger.append(draft("next")))[0]?.sequence, 2);
});

test("any change of any entry breaks the chain where it was made", async () => {
  const entries = chain(
    EMPTY_LEDGER,
    Array.from({ length: 8 }, (_, at) => draft("entry", { at }, at % 2 === 0 ? "4D4B560000000001" : undefined)),
  );
  const changes: ((entry: LedgerEntry) => LedgerEntry)[] = [
    (entry) => ({ ...entry, at: entry.at + 1 }),
    (entry) => ({ ...entry, kind: `${entry.kind}x` }),
    (entry) => ({ ...entry, principal: "operator" }),
    (entry) => ({ ...entry, utility: "ui", island: "" }),
    (entry) => ({ ...entry, meter: "4D4B560000000002" }),
    (entry) => ({ ...entry, body: `${entry.body} ` }),
    (entry) => ({ ...entry, hash: new Uint8Array(32) }),
    (entry) => ({ ...entry, previousHash: new Uint8Array(32).fill(1) }),
  ];
  await fc.assert(
    fc.asyncProperty(fc.nat(7), fc.constantFrom(...changes), async (at, change) => {
      const report = await verifyChain(entries.with(at, change(entries[at] as LedgerEntry)));
      assert.equal(report.fault?.sequence, at + 1);
      assert.equal(report.verified, at);
    }),
    { numRuns: 60 },
  );
});

test("a missing entry, a cut end and a rewritten past are each told apart", async () => {
  const entries = chain(EMPTY_LEDGER, [draft("a"), draft("b"), draft("c")]);
  const head = entries[2] as LedgerEntry;
  assert.equal((await verifyChain(entries.toSpliced(1, 1))).fault?.problem, "gap");
  assert.equal(
    (await verifyChain(entries.slice(0, 2))).fault,
    undefined,
    "a cut end is seen only by a remembered head",
  );
  assert.equal((await verifyChain(entries.slice(0, 2), { expectedHead: head })).fault?.problem, "head");
  const rewritten = chain(EMPTY_LEDGER, [draft("a"), draft("x"), draft("c")]);
  assert.equal((await verifyChain(rewritten)).fault, undefined);
  assert.equal((await verifyChain(rewritten, { expectedHead: head })).fault?.problem, "head");
});
