import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "@meterkeep/dlms";
import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR } from "../testing/authority-world.ts";
import { withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");

const titleOf = (number: number) => `545354${number.toString(16).toUpperCase().padStart(10, "0")}`;

test("meters that were only added, or whose takeover is not proven, raise no cap", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const [first, second] = [await world.meter(1), await world.meter(2)] as const;
    for (let number = 10; number < 60; number += 1)
      await custody.add(
        new TestMeter({ systemTitle: titleOf(number) }),
        number % 2 === 0 ? { origin: "added" } : { utility: "stadtwerke" },
      );
    custody.now += 600_000;
    assert.equal(await custody.store.meterCount(), 52);
    assert.equal(await custody.store.provenMeterCount(), 2);
    const { counts } = await world.service.authorityState({}, OPERATOR);
    assert.deepEqual([counts.dayCap, counts.tenMinutesCap], [1, 1]);
    const hoard = async (meter: TestMeter) => {
      const hash = await world.approved(DISCONNECT, [meter.systemTitle]);
      return world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle), false);
    };
    assert.equal((await hoard(first)).kind, "sealed");
    const beyond = await hoard(second);
    assert.ok(beyond.kind === "refused" && /no more than 1 /.test(beyond.message), JSON.stringify(beyond));
  }));

test("rows that somebody writes into the database are no meters: what counts is drawn from and looked at whole", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
    const admin = createPool(adminUrl, { applicationName: "owner", maxConnections: 1 });
    try {
      await withTestCustody(async (custody) => {
        const world = await AuthorityWorld.open(custody);
        const meter = await world.meter(1);
        const hash = await world.approved(DISCONNECT, [meter.systemTitle]);
        const switchOff = () => world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle), false);
        assert.equal(await custody.store.provenMeterCount("stadtwerke"), 1);
        assert.deepEqual(await custody.store.provenMeterSample(10), [meter.systemTitle]);
        await admin.query("set session_replication_role = replica");
        const copied = (table: string, columns: string) =>
          admin.query(
            `insert into ${table} select (jsonb_populate_record(null::${table}, to_jsonb(t)
               || jsonb_build_object('system_title', '\\x' || '54535400000000' || lpad(to_hex(n), 2, '0') ${columns}))).*
             from ${table} t, generate_series(16, 65) n where t.system_title = $1`,
            [Buffer.from(fromHex(meter.systemTitle))],
          );
        await copied("meters", ", 'shipment_line', n");
        await copied("meter_keys", "");
        assert.equal(await custody.store.provenMeterCount(), 51);
        custody.now += 10_000;
        assert.equal((await switchOff()).kind, "refused");
        assert.match(await world.lastRefusal(), /command-token-not-accepted: .*not as it was written/);
        assert.equal((await world.service.authorityState({}, OPERATOR)).trouble?.code, "authority-spoilt");
        // Taken away again, they do no more harm.
        for (const table of ["meter_keys", "meters"])
          await admin.query(`delete from ${table} where system_title <> $1`, [Buffer.from(fromHex(meter.systemTitle))]);
        await custody.restart();
        custody.now += 10_000;
        assert.equal((await switchOff()).kind, "sealed");
      }, postgresCustodyStore(pool));
    } finally {
      await admin.end();
    }
  }));
