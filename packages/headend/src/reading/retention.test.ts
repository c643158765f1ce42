import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Ledger, memoryLedgerStore } from "@meterkeep/ledger";
import { inTransaction } from "@meterkeep/postgres";
import { evidenceHash } from "../session/ladder.ts";
import { openHeadEndDatabase } from "../testing/database.ts";
import { ChannelTable } from "./channels.ts";
import type { EvidenceRecord } from "./result.ts";
import { forgetReadings } from "./retention.ts";
import { writeReadings } from "./write.ts";

const DAY = 86_400_000;
const NOW = Date.parse("2026-11-21T12:00:00Z");

test("what is older than the setting goes with its evidence and is ledgered first; what is younger stays", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope, meters } = database;
  const channels = new ChannelTable(pool, scope);
  const evidence = (receivedAt: number): EvidenceRecord => {
    const octets = new Uint8Array(randomBytes(32));
    return { hash: evidenceHash(octets), octets, plain: octets, protection: "authenticated", receivedAt };
  };
  const read = async (meter: number, receivedAt: number, count: number): Promise<void> => {
    const record = evidence(receivedAt);
    const intervals = Array.from({ length: count }, (_, n) => ({
      obis: "1-0:1.8.0",
      unit: "Wh",
      at: receivedAt - n * 900_000,
      value: n,
      status: 0,
      evidence: record,
    }));
    await channels.prepare(intervals);
    await inTransaction(pool, (sql) =>
      writeReadings(sql, scope, channels, [
        {
          meter: meters[meter]!.id,
          trustHistory: [],
          read: {
            registers: [{ obis: "1-0:1.8.0", value: 1, unit: "Wh", at: receivedAt, evidence: record }],
            intervals,
            covered: [],
            periodSeconds: 900,
            powerW: 100,
          },
        },
      ]),
    );
  };
  await read(0, NOW - 500 * DAY, 12);
  await read(1, NOW - 401 * DAY, 5);
  await read(0, NOW - 10 * DAY, 9);
  const ledger = new Ledger(memoryLedgerStore());
  const ports = { sql: pool, scope, ledger, now: () => NOW };
  assert.deepEqual(await forgetReadings(ports, 400), { evidence: 2, intervals: 17, registers: 2 });
  const left = await pool.query(
    `select m.meter_id, l.interval_count::int as counted, l.power_w, l.reading_at is null as blank,
       (select count(*) from interval_readings r where r.meter_id = m.meter_id)::int
         + (select coalesce(sum(value_count), 0) from meter_days r where r.meter_id = m.meter_id)::int as intervals,
       (select count(*) from register_readings r where r.meter_id = m.meter_id)::int as registers,
       (select count(*) from evidence r where r.meter_id = m.meter_id)::int as evidence
     from meters m join meter_latest l using (meter_id) order by 1`,
  );
  assert.deepEqual(
    left.rows.map(({ meter_id: _, ...row }) => row),
    [
      { counted: 9, power_w: 100, blank: false, intervals: 9, registers: 1, evidence: 1 },
      { counted: 0, power_w: null, blank: true, intervals: 0, registers: 0, evidence: 0 },
    ],
  );
  const months = await pool.query("select relname from pg_class where relname ~ '^meter_days_[0-9_]+$' order by 1");
  assert.deepEqual(months.rows, [{ relname: "meter_days_2026_11" }], "months that hold nothing any more are gone");
  const entries = await ledger.read(0, 10);
  assert.deepEqual(
    entries.map(({ kind, body }) => [kind, JSON.parse(body)]),
    [["readings-forgotten", { keepDays: 400, receivedBefore: "2025-10-17T12:00:00.000Z", evidence: 2 }]],
  );
  assert.deepEqual(await forgetReadings(ports, 400), { evidence: 0, intervals: 0, registers: 0 });
  assert.equal((await ledger.read(0, 10)).length, 1);
});
