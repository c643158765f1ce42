import assert from "node:assert/strict";
import { type LedgerEntry, postgresLedgerStore, verifyChain } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import { custodianConfigOf } from "./installation-files.ts";

const PAGE = 1_000;

/**
 * Looks into the custodian's database: of every key that was ever made for a meter each version is still there, one of
 * each purpose is active, and the ledger is one chain up to its head.
 */
export async function assertCustodyIsWhole(stateDirectory: string, meters: number): Promise<void> {
  const pool = createPool(custodianConfigOf(stateDirectory).database, { applicationName: "system test" });
  try {
    const { rows } = await pool.query<{ title: string; purposes: number; whole: boolean; active: number }>(
      `select title, count(*)::integer as purposes, bool_and(versions = newest) as whole, sum(active)::integer as active
       from (
         select upper(encode(system_title, 'hex')) as title, purpose, count(*) as versions, max(version) as newest,
           count(*) filter (where state = 'active') as active
         from meter_keys group by 1, 2
       ) as by_purpose group by title`,
    );
    assert.equal(rows.length, meters);
    for (const { title, ...keys } of rows) assert.deepEqual(keys, { purposes: 4, whole: true, active: 4 }, title);
    const store = postgresLedgerStore(pool);
    const head = await store.head();
    const report = await verifyChain(allEntries(store), { expectedHead: head });
    assert.equal(report.fault?.message, undefined);
    assert.ok(report.verified >= head.sequence && head.sequence > meters);
  } finally {
    await pool.end();
  }
}

async function* allEntries(store: ReturnType<typeof postgresLedgerStore>): AsyncGenerator<LedgerEntry> {
  for (let after = 0; ; ) {
    const entries = await store.read(after, PAGE);
    yield* entries;
    const last = entries.at(-1);
    if (last === undefined) return;
    after = last.sequence;
  }
}
