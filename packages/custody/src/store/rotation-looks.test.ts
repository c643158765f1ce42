import assert from "node:assert/strict";
import { test } from "node:test";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import pg from "pg";
import { addPlannedFleet, ageKeys, useCounters } from "../testing/planned-fleet.ts";
import { enrolmentsIn } from "./postgres-enrolments.ts";
import { rotationsIn } from "./postgres-rotations.ts";
import { CUSTODY_MIGRATIONS } from "./postgres-store.ts";
import { ALL_PURPOSES } from "./rotation-cause.ts";
import type { EnrolmentPlanning, EnrolmentRecords, RotationPlan, RotationRecords } from "./store.ts";

const MADE = 1_795_000_000_000;
const DAY = 86_400_000;
const METERS = 1500;
const DUE = 3;
/** Rows that are looked at for one meter that is due, or is found: its keys, journals, counters and rotations, a few times. */
const ROWS_A_METER = 60;

const PLAN: RotationPlan = {
  meters: [],
  setups: "each",
  madeBefore: undefined,
  countAbove: undefined,
  purposes: ALL_PURPOSES,
  cause: "age",
  risk: 0,
  plannedBy: "policy",
  at: MADE + DAY,
  limit: 5000,
};
const BY_AGE = { ...PLAN, madeBefore: MADE - DAY };
const BY_COUNT: RotationPlan = { ...PLAN, cause: "count", risk: 100, countAbove: 2 ** 31 };
const RENEWAL: EnrolmentPlanning = {
  meters: [],
  cause: "renewal",
  profiles: ["idis-p2"],
  enrolledBefore: MADE - DAY,
  endingBefore: MADE + DAY,
  risk: 0,
  plannedBy: "policy",
  at: MADE + DAY,
  limit: 5000,
};

/** A fleet of two setups each, and how many rows of its tables something looks at. */
async function inFleet(
  body: (
    admin: pg.Client,
    looks: <T>(
      ask: (records: RotationRecords, enrolments: EnrolmentRecords) => Promise<T>,
    ) => Promise<{ readonly said: T; readonly rows: number }>,
  ) => Promise<void>,
): Promise<void> {
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
    const admin = new pg.Client({ connectionString: adminUrl });
    await admin.connect();
    try {
      await addPlannedFleet(admin, { meters: METERS, setups: 2, madeAt: MADE });
      await body(admin, async (ask) => {
        const client = await pool.connect();
        try {
          // The server counts for a session what it reads, and passes it on between transactions alone.
          const read = async (): Promise<number> => {
            const { rows } = await client.query<{ rows: string }>(
              "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) as rows from pg_stat_xact_user_tables",
            );
            return Number(rows[0]?.rows);
          };
          await client.query("begin");
          const before = await read();
          const own = client as unknown as pg.Pool;
          const said = await ask(rotationsIn(own), enrolmentsIn(own));
          const rows = (await read()) - before;
          await client.query("commit");
          return { said, rows };
        } finally {
          client.release();
        }
      });
    } finally {
      await admin.end();
    }
  });
}

test("a look of a policy costs what is due, not what the fleet has", () =>
  inFleet(async (admin, looks) => {
    for (const plan of [BY_AGE, BY_COUNT]) {
      const nobody = await looks((records) => records.plan(plan));
      assert.equal(nobody.said, 0);
      assert.ok(nobody.rows < ROWS_A_METER, `${nobody.rows} rows by ${plan.cause}`);
    }
    await ageKeys(admin, DUE, 60 * DAY);
    const aged = await looks((records) => records.plan(BY_AGE));
    assert.equal(aged.said, DUE);
    assert.ok(aged.rows < 2 * DUE * ROWS_A_METER, `${aged.rows} rows by age`);
    const again = await looks((records) => records.plan(BY_AGE));
    assert.equal(again.said, 0);
    assert.ok(again.rows < 2 * DUE * ROWS_A_METER, `${again.rows} rows by age, again`);
    await admin.query("update rotations set ended_ms = $1, outcome = 'proven' where ended_ms is null", [MADE]);
    await useCounters(admin, DUE, 2 ** 31 + 10_000);
    const used = await looks((records) => records.plan(BY_COUNT));
    assert.equal(used.said, DUE);
    assert.ok(used.rows < 2 * DUE * ROWS_A_METER, `${used.rows} rows by count`);
    const { rows } = await admin.query(
      "select setup, cause, risk from rotations where ended_ms is null order by setup",
    );
    assert.deepEqual(
      rows,
      [0, 0, 0, 1, 1, 1].map((setup) => ({ setup, cause: "count", risk: 102 })),
    );
  }));

test("a look for certificates to renew costs those that end, not what the fleet has", () =>
  inFleet(async (admin, looks) => {
    const renew = () => looks((_, enrolments) => enrolments.plan(RENEWAL));
    const nobody = await renew();
    assert.equal(nobody.said, 0);
    assert.ok(nobody.rows < ROWS_A_METER, `${nobody.rows} rows of nobody`);
    await admin.query(
      `update enrolments set expires_ms = $1 where system_title in (select system_title from meters order by 1 limit ${DUE})`,
      [MADE],
    );
    await admin.query("analyze");
    const ending = await renew();
    assert.equal(ending.said, DUE);
    assert.ok(ending.rows < DUE * ROWS_A_METER, `${ending.rows} rows`);
  }));

test("who is due among all that waits, and how many are, is not counted through", () =>
  inFleet(async (admin, looks) => {
    const demand = { ...PLAN, cause: "demand", risk: 200, limit: Number.MAX_SAFE_INTEGER } as const;
    assert.equal((await looks((records) => records.plan(demand))).said, METERS);
    await admin.query(
      `update rotations set begun_ms = $1 where ended_ms is null and setup = 0
         and system_title = (select min(system_title) from meters)`,
      [MADE],
    );
    await admin.query("analyze");
    const due = await looks((records) => records.due(5000, 10, []));
    assert.equal(due.said.filter(({ begun }) => begun).length, 1);
    assert.ok(due.rows < ROWS_A_METER, `${due.rows} rows for whose turn it is`);
    await ageKeys(admin, DUE, 60 * DAY);
    await admin.query("delete from rotations");
    const counts = await looks((records) => records.counts(MADE - DAY));
    const none = { planned: 0, underWay: 0, proven: 0, failed: 0, unproven: 0, compromised: 0 };
    assert.deepEqual(counts.said, { ...none, overdue: DUE });
    assert.ok(counts.rows < DUE * ROWS_A_METER, `${counts.rows} rows of keys`);
  }));
