import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import { caller, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

// Somebody who owns the database changes one column after the other, with every trigger out of the way.

const TITLE = "5453540000000007";
const OTHER = "5453540000000008";
const OPERATOR = caller("operator");
const OF_METER = `system_title = '\\x${TITLE}'`;

/** Statements by what they do; each is undone before the next. */
const TAMPERINGS: Readonly<Record<string, string>> = {
  "meters.island": `island = 'elsewhere'`,
  "meters.utility": `utility = 'elsewhere'`,
  "meters.origin": `origin = 'added'`,
  "meters.logical_device_name": `logical_device_name = 'XYZ'`,
  "meters.serial_number": `serial_number = '1'`,
  "meters.model": `model = 'other'`,
  "meters.hardware_revision": `hardware_revision = 'Z'`,
  "meters.firmware": `firmware = '9'`,
  "meters.profile": `profile = 'idis-p1'`,
  "meters.security_suite": `security_suite = 1`,
  "meters.manufacturer_flag": `manufacturer_flag = 'ABC'`,
  "meters.manufacturer_name": `manufacturer_name = 'Another'`,
  "meters.holders": `holders = '{}'`,
  "meters.shipment": `shipment = 'other'`,
  "meters.shipment_line": `shipment_line = 77`,
  "meters.created_ms": `created_ms = created_ms - 1`,
  "meters.counter_floor": `counter_floor = 4000000`,
  "meters.anchors": `anchors = array['00']`,
  "meters.standing": `standing = 'retired'`,
  "meters.mac": `mac = null`,
  "meter_keys.state": `state = 'suspended'`,
  "meter_keys.version": `version = version + 40`,
  "meter_keys.proven_ms": `proven_ms = 1`,
  // Of a key whose states are told whatever it began as.
  "meter_keys.origin": `origin = case purpose when 3 then 'imported' else origin end`,
  "receive_windows.highest": `highest = highest - 1`,
  "receive_windows.seen": `seen = decode(repeat('00', 128), 'hex')`,
  "receive_windows.key_version": `key_version = key_version + 9`,
  "receive_windows.setup": `setup = setup + 1`,
  "receive_windows.mac": `mac = null`,
};

/** Columns that decide nothing: the ledger tells when a meter left, and when a key changed only says when it may be destroyed. */
const WITHOUT_WEIGHT = new Set([
  "meters.system_title",
  "meters.standing_ms",
  "meter_keys.changed_ms",
  "meter_keys.created_ms",
  // Bound by what is sealed: a key opens in its place only.
  "meter_keys.utility",
  "meter_keys.island",
  "meter_keys.system_title",
  "meter_keys.setup",
  "meter_keys.purpose",
  "meter_keys.sealed",
  // Columns of the key by which rows belong to their meter: the row is gone then.
  "receive_windows.utility",
  "receive_windows.island",
  "receive_windows.system_title",
]);

async function withSettledMeter(
  body: (custody: TestCustody, query: (statement: string) => Promise<unknown[]>) => Promise<void>,
): Promise<void> {
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
    const admin = createPool(adminUrl, { applicationName: "owner", maxConnections: 1 });
    try {
      await withTestCustody(async (custody) => {
        for (const title of [TITLE, OTHER]) {
          const meter = new TestMeter({ systemTitle: title });
          await custody.add(meter);
          await carryTakeover(custody, meter);
          await readOnce(custody, meter);
        }
        await admin.query("set session_replication_role = replica");
        await body(custody, async (statement) => (await admin.query(statement)).rows);
      }, postgresCustodyStore(pool));
    } finally {
      await admin.end();
    }
  });
}

/** A session from its beginning to its end, which leaves a window behind. */
async function readOnce({ custody }: TestCustody, meter: TestMeter): Promise<void> {
  const { service } = custody;
  const opened = await service.openSession(
    { meter: systemTitle(fromHex(meter.systemTitle)), purpose: "read" },
    HEAD_END,
  );
  const { session } = opened;
  const line = meter.connect(opened.clientSap, opened.serverSap);
  for (let send: Uint8Array | undefined = opened.apdu; send !== undefined; ) {
    const advance = await service.advanceSession({ session, received: line.exchange(send) as Uint8Array }, HEAD_END);
    assert.notEqual(advance.kind, "failed", JSON.stringify(advance));
    send = advance.kind === "send" ? advance.apdu : undefined;
  }
  await service.closeSession({ session, outcome: "completed" }, HEAD_END);
}

const open = ({ custody }: TestCustody, title = TITLE) =>
  custody.service.openSession({ meter: systemTitle(fromHex(title)), purpose: "read" }, HEAD_END);

async function refusals({ store }: TestCustody): Promise<number> {
  return (await store.ledger.read(0, 100_000)).filter(({ kind, meter }) => kind === "record-refused" && meter === TITLE)
    .length;
}

test("whichever column of a meter, its keys' states or its windows somebody changes, the meter is refused and the ledger has it", () =>
  withSettledMeter(async (custody, query) => {
    const columns = (await query(
      `select table_name || '.' || column_name as name from information_schema.columns
       where table_schema = 'public' and table_name in ('meters', 'meter_keys', 'receive_windows')`,
    )) as readonly { readonly name: string }[];
    for (const { name } of columns)
      assert.ok(name in TAMPERINGS || WITHOUT_WEIGHT.has(name), `${name} is a column that nobody thought of`);
    for (const [name, change] of Object.entries(TAMPERINGS)) {
      const [table = ""] = name.split(".");
      await query(`drop table if exists kept; create table kept as select * from ${table} where ${OF_METER}`);
      const before = await refusals(custody);
      await query(`update ${table} set ${change} where ${OF_METER}`);
      await custody.restart();
      await assert.rejects(open(custody), { code: /record-refused|unknown-meter/ }, name);
      if (!/meters\.(island|utility)/.test(name))
        assert.ok((await refusals(custody)) > before, `${name}: the ledger has it`);
      await query(`delete from ${table} where ${OF_METER}; insert into ${table} select * from kept`);
      custody.now += 60_000;
      await custody.restart();
      await open(custody);
    }
    await open(custody, OTHER);
  }));

test("a key that its meter has never proven does not become proven by its row", () =>
  withSettledMeter(async (custody, query) => {
    const unproven = (await query(
      `select purpose, version from meter_keys where ${OF_METER} and proven_ms is null order by purpose, version`,
    )) as readonly { readonly purpose: number; readonly version: number }[];
    // The factory's, which were taken out of use, and broadcast keys, which a meter only acknowledges.
    const names = unproven.map(({ purpose, version }) => `${purpose}/${version}`);
    for (const name of ["0/1", "1/1", "1/2", "2/1", "3/1"]) assert.ok(names.includes(name), `${name} of ${names}`);
    for (const { purpose, version } of unproven) {
      const key = `${OF_METER} and purpose = ${purpose} and version = ${version}`;
      await query(`update meter_keys set proven_ms = 1 where ${key}`);
      await custody.restart();
      await assert.rejects(open(custody), { code: "record-refused" }, `${purpose}, version ${version}`);
      await query(`update meter_keys set proven_ms = null where ${key}`);
      custody.now += 60_000;
    }
    await custody.restart();
    await open(custody);
  }));

test("a key that is compromised, or a meter that has left, is not brought back by changing a row", () =>
  withSettledMeter(async (custody, query) => {
    const meter = systemTitle(fromHex(TITLE));
    await custody.custody.service.changeKeyState(
      { meter, purpose: "GAK", version: 2, client: undefined, command: "compromise", reason: "a test" },
      OPERATOR,
    );
    await query(`update meter_keys set state = 'active' where ${OF_METER} and state = 'compromised' and purpose = 2`);
    await custody.restart();
    await assert.rejects(open(custody), { code: "record-refused" });

    // Of a whole fleet as well.
    await custody.custody.service.planRotations(
      { meters: [], madeBefore: undefined, purposes: [], cause: "compromise", reason: "a test" },
      OPERATOR,
    );
    const ofOther = `system_title = '\\x${OTHER}'`;
    await query(`create table kept as select * from meter_keys where ${ofOther}`);
    await query(`update meter_keys set state = 'active' where ${ofOther} and state = 'compromised' and purpose = 2`);
    await custody.restart();
    await assert.rejects(open(custody, OTHER), { code: "record-refused" });
    await query(`delete from meter_keys where ${ofOther}; insert into meter_keys select * from kept`);

    const other = systemTitle(fromHex(OTHER));
    await custody.custody.service.departMeters(
      { meters: [other], how: "retired", reason: "a test", sender: { flag: "TST", name: "us" }, recipient: undefined },
      OPERATOR,
    );
    await query(`update meters set standing = 'in-service' where ${ofOther}`);
    await query(`update meter_keys set state = 'active' where ${ofOther} and version = 2`);
    await custody.restart();
    await assert.rejects(open(custody, OTHER), { code: "record-refused" });
  }));

test("a session that is open when its meter's record is found changed goes on no longer", () =>
  withSettledMeter(async (custody, query) => {
    const { session } = await open(custody);
    const { session: other } = await open(custody, OTHER);
    await query(`update meters set firmware = 'another' where ${OF_METER}`);
    await assert.rejects(open(custody), { code: "record-refused" });
    const advance = (handle: string) =>
      custody.custody.service.advanceSession({ session: handle, received: Uint8Array.of(0) }, HEAD_END);
    await assert.rejects(advance(session), { code: "session-unknown" });
    assert.equal((await advance(other)).kind, "failed");
    const closed = (await custody.store.ledger.read(0, 100_000)).filter(({ kind }) => kind === "session-closed");
    assert.ok(closed.some(({ meter, body }) => meter === TITLE && body.includes("its record was refused")));
  }));
