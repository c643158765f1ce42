import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Ledger, memoryLedgerStore } from "@meterkeep/ledger";
import { inTransaction } from "@meterkeep/postgres";
import { ChannelTable } from "../reading/channels.ts";
import { type EvidenceRecord, NOTHING_READ, type ReadResult } from "../reading/result.ts";
import { forgetReadings } from "../reading/retention.ts";
import { writeReadings } from "../reading/write.ts";
import { evidenceHash } from "../session/ladder.ts";
import { openHeadEndDatabase } from "../testing/database.ts";
import { loggedEvents } from "./logged-events.ts";
import { qualityReadings } from "./power-quality.ts";

const NOON = Date.parse("2026-11-21T12:00:00Z");
const TEN_MINUTES = 600_000;
const ALL = { from: undefined, to: undefined, category: undefined, severity: 0, limit: 100 } as const;

function evidenceOf(receivedAt: number): EvidenceRecord {
  const octets = new Uint8Array(randomBytes(32));
  return { hash: evidenceHash(octets), octets, plain: octets, protection: "authenticated", receivedAt };
}

/** A head-end that stores what meters said. */
async function openBench() {
  const database = await openHeadEndDatabase(2);
  const { pool, scope, meters } = database;
  const channels = new ChannelTable(pool, scope);
  const store = async (meter: number, read: Partial<ReadResult>): Promise<void> => {
    await channels.prepare((read.quality ?? []).flatMap(({ values }) => values));
    const of = { meter: meters[meter]!.id, trustHistory: [], read: { ...NOTHING_READ, ...read } };
    await inTransaction(pool, (sql) => writeReadings(sql, scope, channels, [of]));
  };
  return { database, pool, scope, meters, store };
}

test("events are stored once, told in the words of the meter's profile, and found by time, category and gravity", async () => {
  const { database, pool, scope, meters, store } = await openBench();
  await using _ = database;
  const evidence = evidenceOf(NOON);
  const up = { log: "standard", code: 2, category: "power", severity: 0, at: NOON - 3_600_000, evidence } as const;
  const cover = { log: "fraud", code: 40, category: "physical", severity: 3, at: NOON - 60_000, evidence } as const;
  await store(0, { events: [up, cover] });
  await store(0, { events: [{ ...up, evidence: evidenceOf(NOON + 1000) }] });
  await store(1, { events: [{ ...cover, at: NOON }] });
  const all = await loggedEvents(pool, scope, ALL);
  assert.deepEqual(
    all.map(({ meter, words, severity }) => [meter, words, severity]),
    [
      [meters[1]?.title, "terminal cover removed", 3],
      [meters[0]?.title, "terminal cover removed", 3],
      [meters[0]?.title, "power up", 0],
    ],
  );
  const found = async (filter: object): Promise<number> =>
    (await loggedEvents(pool, scope, { ...ALL, ...filter })).length;
  assert.deepEqual(
    [
      await found({ meter: meters[0]?.id }),
      await found({ category: "physical" }),
      await found({ severity: 3, to: new Date(NOON - 1) }),
      await found({ from: new Date(NOON) }),
      await found({ limit: 2 }),
    ],
    [2, 2, 1, 1, 2],
  );
});

test("a code of more than 31 bits is stored with what else came of the meter, and told as it is", async () => {
  const { database, pool, scope, store } = await openBench();
  await using _ = database;
  const event = { log: "standard", category: "other", severity: 0, at: NOON, evidence: evidenceOf(NOON) } as const;
  const codes = [2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1];
  await store(0, { events: codes.map((code) => ({ ...event, code })) });
  const told = await loggedEvents(pool, scope, ALL);
  assert.deepEqual(
    told.map(({ code, words }) => [code, words]),
    codes.map((code) => [code, `event ${code}`]),
  );
});

test("power quality is stored an instant a row, with the channels that the meter has, and goes when its time is over", async () => {
  const { database, pool, scope, meters, store } = await openBench();
  await using _ = database;
  const evidence = evidenceOf(NOON);
  const volts = (phase: number, value: number) => ({ obis: `1-0:${phase}2.24.0`, unit: "V", value });
  const rows = [
    { at: NOON - TEN_MINUTES, values: [volts(3, 231.4), volts(5, 230.1)], evidence },
    { at: NOON, values: [volts(3, 229.9)], evidence },
  ];
  await store(0, { quality: rows });
  await store(0, { quality: rows.map((row) => ({ ...row, values: [volts(3, 1)] })) });
  const window = { from: undefined, to: undefined, limit: 100 } as const;
  const meter = meters[0]!;
  const view = await qualityReadings(pool, scope, meter, window);
  assert.deepEqual(
    view.columns.map(({ obis, unit }) => [obis, unit]),
    [
      ["1-0:32.24.0", "V"],
      ["1-0:52.24.0", "V"],
    ],
  );
  assert.deepEqual(
    view.rows.map(({ values }) => values),
    [
      [231.4, 230.1],
      [229.9, null],
    ],
  );
  assert.equal((await qualityReadings(pool, scope, meter, { ...window, limit: 1 })).rows[0]?.values[0], 229.9);
  const later = { sql: pool, scope, ledger: new Ledger(memoryLedgerStore()), now: () => NOON + 401 * 86_400_000 };
  await forgetReadings(later, 400);
  assert.deepEqual((await qualityReadings(pool, scope, meter, window)).rows, []);
});
