import assert from "node:assert/strict";
import { auditStored, postgresLedgerStore } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import { custodianConfigOf } from "./installation-files.ts";

/**
 * Looks into the custodian's database: of every key that was ever made for a meter each version is still there, one of
 * each purpose is active in each security setup and of each client, and the ledger is one tree up to its head.
 */
export async function assertCustodyIsWhole(stateDirectory: string, meters: number): Promise<void> {
  const pool = createPool(custodianConfigOf(stateDirectory).database, { applicationName: "system test" });
  try {
    const { rows } = await pool.query<{ title: string; purposes: number; whole: boolean; active: number }>(
      `select title, count(*)::integer as purposes, bool_and(versions = newest) as whole, sum(active)::integer as active
       from (
         select upper(encode(system_title, 'hex')) as title, purpose, setup, count(*) as versions, max(version) as newest,
           count(*) filter (where state = 'active') as active
         from meter_keys group by 1, 2, 3
       ) as by_purpose group by title`,
    );
    assert.equal(rows.length, meters);
    for (const { title, purposes, whole, active } of rows) {
      assert.ok(whole, `${title} lacks a version`);
      // The four of its security setup, and the secrets of clients where it has some.
      assert.ok(purposes >= 4, `${title} has keys of ${purposes} purposes`);
      assert.equal(active, purposes, title);
    }
    const { head, fault } = await auditStored(postgresLedgerStore(pool));
    assert.equal(fault, undefined);
    assert.ok(head.size > meters);
  } finally {
    await pool.end();
  }
}
