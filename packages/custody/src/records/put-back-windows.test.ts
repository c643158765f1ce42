import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { LedgerError } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { MARK_COUNTERS, MARK_MILLISECONDS } from "../protocol/receive-windows.ts";
import { getRequest } from "../protocol/requests.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import { carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

const TITLE = "5453540000000009";
const OF_METER = `system_title = '\\x${TITLE}'`;
const REQUEST = getRequest({ classId: 1, logicalName: "0.0.42.0.0.255", attributeId: 2 });

/** A session with so many answers. */
async function session({ custody: { service } }: TestCustody, meter: TestMeter, reads: number): Promise<void> {
  const opened = await service.openSession({ meter: systemTitle(fromHex(TITLE)), purpose: "read" }, HEAD_END);
  const line = meter.connect(opened.clientSap, opened.serverSap);
  const of = { session: opened.session };
  for (let send: Uint8Array | undefined = opened.apdu; send !== undefined; ) {
    const advance = await service.advanceSession({ ...of, received: line.exchange(send) as Uint8Array }, HEAD_END);
    assert.notEqual(advance.kind, "failed", JSON.stringify(advance));
    send = advance.kind === "send" ? advance.apdu : undefined;
  }
  for (let read = 0; read < reads; read += 1) {
    const [sealed] = await service.seal({ ...of, items: [{ apdu: REQUEST }] }, HEAD_END);
    assert.ok(sealed?.kind === "sealed");
    const [answer] = await service.open({ ...of, apdus: [line.exchange(sealed.apdu) as Uint8Array] }, HEAD_END);
    assert.equal(answer?.kind, "opened");
  }
  await service.closeSession({ ...of, outcome: "completed" }, HEAD_END);
}

async function withMeter(
  body: (
    custody: TestCustody,
    meter: TestMeter,
    query: (statement: string, values?: unknown[]) => Promise<Record<string, unknown>[]>,
    told: readonly string[],
  ) => Promise<void>,
): Promise<void> {
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
    const admin = createPool(adminUrl, { applicationName: "owner", maxConnections: 1 });
    const told: string[] = [];
    const onFailure = (error: unknown): void => {
      if (!(error instanceof LedgerError)) throw error;
      told.push(error.code);
    };
    try {
      await withTestCustody(
        async (custody) => {
          const meter = new TestMeter({ systemTitle: TITLE });
          await custody.add(meter);
          await carryTakeover(custody, meter);
          await session(custody, meter, 1);
          await admin.query("set session_replication_role = replica");
          const query = async (statement: string, values?: unknown[]) => (await admin.query(statement, values)).rows;
          await body(custody, meter, query, told);
        },
        postgresCustodyStore(pool),
        { onFailure },
      );
    } finally {
      await admin.end();
    }
  });
}

const marksOf = async ({ store }: TestCustody) =>
  (await store.ledger.ofMeters([TITLE], ["counters-accepted"])).map(
    ({ body }) => (JSON.parse(body) as { readonly highest: number }).highest,
  );

test("a window of accepted counters that is put back, or taken away, is refused: the ledger knows how far it had gone", () =>
  withMeter(async (custody, meter, query, told) => {
    const present = `select key_version, highest, seen, mac from receive_windows where ${OF_METER} and key_version > 0 order by key_version desc`;
    const [former] = await query(present);
    assert.ok(former);
    const before = await marksOf(custody);
    assert.equal(before.length > 0, true, "the first that is taken is marked at once");
    for (let count = 0; count < MARK_COUNTERS; count += 16) await session(custody, meter, 16);
    const marks = await marksOf(custody);
    assert.ok(marks.length > before.length);
    assert.ok(marks.length <= before.length + 3, `${marks.length - before.length} marks for some hundred counters`);
    await custody.restart();
    await session(custody, meter, 1);
    const [newest] = await query(present);

    const put = (row: Record<string, unknown>) =>
      query(`update receive_windows set highest = $1, seen = $2, mac = $3 where ${OF_METER} and key_version = $4`, [
        row["highest"],
        row["seen"],
        row["mac"],
        row["key_version"],
      ]);
    const refuses = async (why: RegExp) => {
      await custody.restart();
      await assert.rejects(session(custody, meter, 1), { code: "record-refused" });
      const said = (await custody.store.ledger.ofMeters([TITLE], ["record-refused"])).at(-1);
      assert.match(said!.body, why);
    };
    await put(former);
    await refuses(/record-put-back.*window of counters.*stands at \d+, by the ledger it had gone to \d+/);
    await put(newest!);
    await custody.restart();
    await session(custody, meter, 1);
    const [kept] = await query(`select * from receive_windows where ${OF_METER} and key_version = $1`, [
      former["key_version"],
    ]);
    await query(`delete from receive_windows where ${OF_METER} and key_version = $1`, [former["key_version"]]);
    await refuses(/record-put-back.*window of counters.*is gone/);
    assert.ok(kept);
    // The owner of the database writes himself a mark.
    await query(
      `insert into receive_windows (utility, island, system_title, setup, key_version, highest, seen, mac)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      ["utility", "island", "system_title", "setup", "key_version", "highest", "seen", "mac"].map((name) => kept[name]),
    );
    await query(`update ledger set body = replace(body, '"highest":', '"highest":1') where meter = $1 and kind = $2`, [
      TITLE,
      "counters-accepted",
    ]);
    assert.deepEqual(told, []);
    await refuses(/record-not-authentic.*entry \d+ of the ledger about it/);
    assert.deepEqual(told, ["ledger-altered"], "the start reads what was written last, and tells of it at once");
  }));

test("a window that moves little is marked after some hours, and not at each session", () =>
  withMeter(async (custody, meter) => {
    const before = (await marksOf(custody)).length;
    await session(custody, meter, 1);
    await session(custody, meter, 1);
    assert.equal((await marksOf(custody)).length, before);
    custody.now += MARK_MILLISECONDS;
    await session(custody, meter, 1);
    assert.equal((await marksOf(custody)).length, before + 1);
    // A start does not begin anew.
    await custody.restart();
    await session(custody, meter, 1);
    assert.equal((await marksOf(custody)).length, before + 1);
  }));
