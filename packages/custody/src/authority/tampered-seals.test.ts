import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR } from "../testing/authority-world.ts";
import { withTestCustody } from "../testing/test-custody.ts";
import type { TestMeter } from "../testing/test-meter.ts";

// A head-end that was taken over, with the policy service's key, has a friend who owns the database.

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");

/** Columns of a seal and what somebody would make of them. */
const TAMPERINGS: Readonly<Record<string, string>> = {
  utility: "'elsewhere'",
  island: "'elsewhere'",
  nonce: `'\\x${"11".repeat(16)}'`,
  manifest: `'\\x${"11".repeat(48)}'`,
  system_title: "'\\x5453540000000099'",
  setup: "1",
  key_version: "9",
  counter: "1",
  act: "3",
  once: "false",
  direction: "'none'",
  load_w: "0",
  sealed_ms: "1",
  sealed_lived_ms: "1",
  outcome: "'refused', settled_ms = 1, settled_lived_ms = 1",
  settled_ms: "2, outcome = 'executed', settled_lived_ms = 2",
  settled_lived_ms: "3, outcome = 'superseded', settled_ms = 3",
  mac: "null",
  signed: "true",
};

test("whichever column of a seal is changed, or a seal taken away, nothing critical is sealed any more; under a running custodian it counts all the same", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
    const admin = createPool(adminUrl, { applicationName: "owner", maxConnections: 1 });
    try {
      await withTestCustody(async (custody) => {
        const world = await AuthorityWorld.open(custody);
        const meters: TestMeter[] = [];
        for (const number of [7, 8]) meters.push(await world.meter(number));
        const [first, second] = meters as [TestMeter, TestMeter];
        const hash = await world.approved(
          DISCONNECT,
          meters.map(({ systemTitle }) => systemTitle),
          // The delays of both are over.
          { notBefore: custody.now - 31 * 60_000 },
        );
        const switchOff = (meter: TestMeter) =>
          world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle), false);
        assert.equal((await switchOff(first)).kind, "sealed");
        await admin.query("set session_replication_role = replica");

        // The custodian runs, and has seen the seal.
        await admin.query("create table kept as select * from critical_seals; delete from critical_seals");
        assert.equal((await switchOff(second)).kind, "refused");
        assert.match(await world.lastRefusal(), /cap-reached/);
        const restore = () => admin.query("delete from critical_seals; insert into critical_seals select * from kept");
        await restore();

        const { rows } = await admin.query<{ name: string }>(
          "select column_name as name from information_schema.columns where table_name = 'critical_seals'",
        );
        assert.deepEqual(new Set(rows.map(({ name }) => name)), new Set(Object.keys(TAMPERINGS)));
        const refusedAfter = async (what: string) => {
          await custody.restart();
          assert.equal((await world.service.authorityState({}, OPERATOR)).trouble?.code, "authority-spoilt", what);
          custody.now += 10_000;
          assert.equal((await switchOff(second)).kind, "refused", what);
          assert.match(await world.lastRefusal(), /command-token-not-accepted: .*(?:was changed|are kept)/, what);
          await restore();
        };
        for (const [column, value] of Object.entries(TAMPERINGS)) {
          await admin.query(`update critical_seals set ${column} = ${value}`);
          await refusedAfter(column);
        }
        await admin.query("delete from critical_seals");
        await refusedAfter("taken away");
        await custody.restart();
        assert.equal((await world.service.authorityState({}, OPERATOR)).trouble, undefined);
      }, postgresCustodyStore(pool));
    } finally {
      await admin.end();
    }
  }));

test("what people agreed to once is not done twice, whoever puts its row back", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
    const admin = createPool(adminUrl, { applicationName: "owner", maxConnections: 1 });
    try {
      await withTestCustody(async (custody) => {
        const world = await AuthorityWorld.open(custody);
        const meter = await world.meter(7);
        const retire = () =>
          world.service.departMeters(
            {
              meters: [systemTitle(fromHex(meter.systemTitle))],
              how: "retired",
              reason: "a test",
              sender: { flag: "TST", name: "us" },
              recipient: undefined,
            },
            OPERATOR,
          );
        await assert.rejects(retire(), { code: "approval-required" });
        const { changes } = await world.service.changes({ limit: 10 }, OPERATOR);
        const hash = changes.find(({ kind }) => kind === "retire-meter")?.hash ?? "";
        await world.approve(hash, world.anna);
        await world.approve(hash, world.ben);
        await retire();
        await admin.query("update change_requests set executed_ms = null where kind = 'retire-meter'");
        await admin.query("set session_replication_role = replica");
        await admin.query("update meters set standing = 'in-service'");
        await assert.rejects(world.approve(hash, world.anna), { code: "record-refused" });
        const entries = await custody.store.ledger.read(0, 10_000);
        assert.ok(entries.some(({ kind, body }) => kind === "record-refused" && body.includes(hash)));
      }, postgresCustodyStore(pool));
    } finally {
      await admin.end();
    }
  }));
