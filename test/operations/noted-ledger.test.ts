import assert from "node:assert/strict";
import { test } from "node:test";
import type { CustodianRequest } from "@meterkeep/api/custodian";
import { HEAD_END, type TestCustody, withTestCustody } from "@meterkeep/custody/testing";
import { toHex } from "@meterkeep/dlms";
import { HEADEND_MIGRATIONS, NotedLedger } from "@meterkeep/headend";
import { edgeOf, Ledger, type LedgerStore, postgresLedgerStore, rootOf } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import type { Pool } from "pg";

const UTILITY = "stadtwerke";

/** The head-end's own ledger in its real database, shown to a custodian. */
interface Bench {
  readonly custody: TestCustody;
  readonly store: LedgerStore;
  /** The superuser of the head-end's database: who has stolen everything there. */
  readonly thief: Pool;
  /** Entries of the head-end, so many. */
  grow(count: number): Promise<void>;
  /** The process that shows the ledger, as it starts anew. */
  start(): NotedLedger;
  root(): Promise<string>;
  /** What the custodian's ledger has of it. */
  entries(): Promise<readonly { readonly kind: string; readonly body: Readonly<Record<string, unknown>> }[]>;
}

function withBench(body: (bench: Bench) => Promise<void>): Promise<void> {
  return withTestDatabase({ migrations: HEADEND_MIGRATIONS }, ({ pool, adminUrl }) =>
    withTestCustody(async (custody) => {
      const store = postgresLedgerStore(pool);
      const thief = createPool(adminUrl, { applicationName: "thief" });
      const about = { principal: "Anna", utility: UTILITY, island: "*" };
      try {
        await body({
          custody,
          store,
          thief,
          grow: async (count) => {
            const ledger = new Ledger(store);
            for (let at = 0; at < count; at += 1)
              await ledger.append({ at: custody.now, kind: "command-planned", ...about, body: { at } });
            await ledger.close();
          },
          start: () =>
            new NotedLedger({
              ledger: store,
              scope: { utility: UTILITY },
              custodian: {
                noteHeadEndLedger: (request) => custody.custody.service.noteHeadEndLedger(request, HEAD_END),
              },
            }),
          root: async () => toHex(rootOf((await edgeOf(store)).frontier)),
          entries: async () => {
            const all = await custody.store.ledger.ofKinds(["head-end-ledger-noted", "head-end-ledger-broken"]);
            return all.map(({ kind, body: text }) => ({ kind, body: JSON.parse(text) as Record<string, unknown> }));
          },
        });
      } finally {
        await thief.end();
      }
    }),
  );
}

test("the head of the head-end's ledger is an entry of the custodian's whenever it has grown, also across restarts of both", () =>
  withBench(async ({ custody, grow, start, root, entries }) => {
    const first = start();
    await first.look();
    assert.deepEqual(await entries(), [], "nothing is there yet");
    await grow(3);
    await first.look();
    await first.look();
    const three = { kind: "head-end-ledger-noted", body: { size: 3, root: await root() } };
    assert.deepEqual(await entries(), [three]);
    await custody.restart();
    await grow(300);
    const second = start();
    await second.look();
    const more = { kind: "head-end-ledger-noted", body: { size: 303, root: await root() } };
    assert.deepEqual(await entries(), [three, more]);
    assert.deepEqual([...first.warnings, ...second.warnings], []);
  }));

for (const [what, spoil] of [
  ["shortened", "delete from ledger where sequence > 5"],
  ["emptied", "delete from ledger"],
  ["rewritten, leaf and all,", "update ledger set leaf = sha256('another'::bytea) where sequence = 2"],
] as const)
  test(`a head-end's ledger that was ${what} is told by the custodian's, for ever, and what follows is noted again`, () =>
    withBench(async ({ custody, thief, grow, start, root, entries }) => {
      await grow(7);
      await start().look();
      await thief.query("alter table ledger disable trigger all");
      await thief.query(spoil);
      const noted = start();
      await noted.look();
      const [before, broken] = await entries();
      assert.equal(broken?.kind, "head-end-ledger-broken");
      assert.deepEqual([broken.body["former"], broken.body["root"]], [before?.body, await root()]);
      assert.match(noted.warnings.map(({ text }) => text).join("\n"), /not grown from the 7 the custodian has noted/);
      await grow(1);
      await custody.restart();
      await start().look();
      const kinds = (await entries()).map(({ kind }) => kind);
      assert.deepEqual(kinds, ["head-end-ledger-noted", "head-end-ledger-broken", "head-end-ledger-noted"]);
    }));

test("an entry whose words were changed under its leaf is found by computing all of them anew", () =>
  withBench(async ({ thief, grow, start }) => {
    await grow(4);
    await thief.query("alter table ledger disable trigger all");
    await thief.query("update ledger set principal = 'nobody' where sequence = 3");
    const noted = start();
    await noted.look();
    assert.match(noted.warnings[0]?.text ?? "", /not whole after entry 2: entry 3 is not what was hashed/);
  }));

test("a head-end that makes heads up is held to what it has said, and fills no disk", () =>
  withBench(async ({ custody, grow, start, store, entries }) => {
    await grow(5);
    await start().look();
    const { frontier } = await edgeOf(store);
    const note = (change: Partial<CustodianRequest<"noteHeadEndLedger">>) => {
      const request = { utility: UTILITY, size: 5, root: rootOf(frontier), former: 5, proof: [], ...change };
      return custody.custody.service.noteHeadEndLedger(request, HEAD_END);
    };
    assert.deepEqual(await note({ former: 0 }), { kind: "elsewhere", size: 5 });
    assert.deepEqual(await note({ former: 3 }), { kind: "elsewhere", size: 5 });
    assert.equal((await note({})).kind, "noted");
    assert.equal((await note({ size: 9, proof: [new Uint8Array(32)] })).kind, "broken");
    for (let at = 0; at < 600; at += 1)
      await note({ size: 9, former: 9, root: new Uint8Array(32).fill(at) }).catch(({ code }) =>
        assert.equal(code, "too-many-open"),
      );
    assert.ok((await entries()).length < 300);
  }));
