import assert from "node:assert/strict";
import { test } from "node:test";
import { migrate } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import fc from "fast-check";
import { auditStored } from "./audit.ts";
import { entryLine, type LedgerEntry } from "./entry.ts";
import { LedgerError } from "./errors.ts";
import { EMPTY_EDGE, growthOf } from "./growth.ts";
import { Ledger } from "./ledger.ts";
import { memoryLedgerStore } from "./memory-store.ts";
import { LEDGER_MIGRATIONS, postgresLedgerStore } from "./postgres-store.ts";
import { draft, ledgerStoreContract } from "./testing/ledger-store-contract.ts";

const migrations = [{ component: "ledger", directory: LEDGER_MIGRATIONS }];

ledgerStoreContract("memory", (body) => body(memoryLedgerStore()));
ledgerStoreContract("PostgreSQL", (body) =>
  withTestDatabase({ migrations }, ({ pool }) => body(postgresLedgerStore(pool))),
);

test("PostgreSQL refuses to change, delete or truncate what is in the ledger", () =>
  withTestDatabase({ migrations }, async ({ pool }) => {
    await postgresLedgerStore(pool).append(growthOf(EMPTY_EDGE, [draft("a"), draft("b")]));
    for (const statement of [
      "update ledger set body = '{}' where sequence = 1",
      "delete from ledger where sequence = 2",
      "truncate ledger",
    ])
      await assert.rejects(pool.query(statement), /append-only/);
    assert.equal(await postgresLedgerStore(pool).size(), 2);
    await migrate(pool, migrations, { version: "test" });
  }));

test("bound ends are found without looking through entries that have none", () =>
  withTestDatabase({ migrations }, async ({ pool }) => {
    await pool.query(
      `insert into ledger (sequence, at_ms, kind, principal, utility, island, body, leaf, end_mac)
       select n, 1, 'seen', 'p', 'u', 'i', '{}', sha256(n::text::bytea), case when n <= 2 then sha256('mac') end
       from generate_series(1, 5000) as n`,
    );
    await pool.query("analyze ledger");
    const ends = await postgresLedgerStore({
      query: async (text, values) => {
        const { rows } = await pool.query<{ "QUERY PLAN": string }>(`explain ${text}`, values);
        assert.match(rows.map((row) => row["QUERY PLAN"]).join("\n"), /ledger_bound_ends/);
        return pool.query(text, values);
      },
    }).ends(5000, 1000);
    assert.deepEqual(
      ends.map(({ size }) => size),
      [2, 1],
    );
  }));

test("what is appended at once is written in one go, in the order it came", async () => {
  const store = memoryLedgerStore();
  let appends = 0;
  const append: typeof store.append = (growth) => {
    appends += 1;
    return store.append(growth);
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
    append: async (growth) => {
      await store.append(growth);
      if (fail) throw new Error("the connection broke after the commit");
    },
  });
  await assert.rejects(ledger.append(draft("lost")), /broke/);
  fail = false;
  assert.equal((await ledger.append(draft("next")))[0]?.sequence, 2);
});

test("any change of any entry is another leaf, and breaks the stored ledger where it was made", async () => {
  const { entries } = growthOf(
    EMPTY_EDGE,
    Array.from({ length: 8 }, (_, at) => draft("entry", { at }, at % 2 === 0 ? "4D4B560000000001" : undefined)),
  );
  const changes: ((entry: LedgerEntry) => LedgerEntry)[] = [
    (entry) => ({ ...entry, at: entry.at + 1 }),
    (entry) => ({ ...entry, kind: `${entry.kind}x` }),
    (entry) => ({ ...entry, principal: "operator" }),
    (entry) => ({ ...entry, utility: "ui", island: "" }),
    (entry) => ({ ...entry, meter: "4D4B560000000002" }),
    (entry) => ({ ...entry, body: `${entry.body} ` }),
    (entry) => ({ ...entry, leaf: new Uint8Array(32) }),
  ];
  await fc.assert(
    fc.asyncProperty(fc.nat(7), fc.constantFrom(...changes), async (at, change) => {
      const changed = entries.with(at, change(entries[at] as LedgerEntry));
      const store = { ...memoryLedgerStore(), read: async (after: number) => changed.slice(after) };
      const { head, fault } = await auditStored(store);
      assert.match(fault ?? "", /is not what was hashed/);
      assert.equal(head.size, at);
    }),
    { numRuns: 60 },
  );
});

test("an entry's line is JSON with its members in their order, whatever texts are in it", () => {
  const texts = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(
      texts,
      texts,
      fc.option(texts, { nil: undefined }),
      fc.jsonValue(),
      (principal, utility, meter, body) => {
        const entry = {
          sequence: 7,
          at: 5,
          kind: "k",
          principal,
          utility,
          island: "i",
          meter,
          body: JSON.stringify(body),
        };
        const line = entryLine(entry);
        assert.ok(!line.includes("\n"));
        const { body: told, meter: of, ...rest } = JSON.parse(line) as Record<string, unknown>;
        assert.deepEqual(rest, { sequence: 7, at: 5, kind: "k", principal, utility, island: "i" });
        assert.deepEqual([of, JSON.stringify(told)], [meter, entry.body]);
      },
    ),
  );
});

test("processes that share a ledger each write on where the others have ended, and one that does not share says so", () =>
  withTestDatabase({ migrations }, async ({ pool }) => {
    const writers = Array.from({ length: 4 }, () => new Ledger(postgresLedgerStore(pool), { shared: true }));
    for (let round = 0; round < 10; round += 1)
      await Promise.all(writers.map((ledger, at) => ledger.append(draft(`entry-${round}`, at))));
    const store = postgresLedgerStore(pool);
    assert.equal(await store.size(), 40);
    const entries = await store.read(0, 100);
    assert.deepEqual(
      entries.map(({ sequence }) => sequence),
      Array.from({ length: 40 }, (_, at) => at + 1),
    );
    // Who audits computes every hash anew.
    assert.equal((await auditStored(store)).fault, undefined);
    const alone = new Ledger(store);
    await alone.head();
    await writers[0]!.append(draft("meanwhile"));
    await assert.rejects(alone.append(draft("late")), { code: "ledger-forked" });
  }));
