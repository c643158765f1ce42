import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { migrate } from "@meterkeep/postgres";
import { openTestDatabase } from "@meterkeep/postgres/testing";
import { sessionDetail } from "../view/sessions.ts";
import { HEADEND_MIGRATIONS } from "./migrations.ts";
import { openScope } from "./scope.ts";

const MIGRATIONS = fileURLToPath(new URL("../../migrations/", import.meta.url));

test("ladders from before they were packed are read as ever", async () => {
  const before = mkdtempSync(join(tmpdir(), "meterkeep-migrations-"));
  try {
    for (const name of readdirSync(MIGRATIONS)) if (name < "0007") cpSync(join(MIGRATIONS, name), join(before, name));
    const [ledger] = HEADEND_MIGRATIONS;
    await using database = await openTestDatabase({
      migrations: [ledger!, { component: "headend", directory: before }],
    });
    const { pool } = database;
    const scope = await openScope(pool, "utility", "island");
    const session = randomUUID();
    const {
      rows: [meter],
    } = await pool.query(
      `insert into meters (utility_id, island_id, system_title, kind, role, label, profile, security_suite, manufacturer,
         imported_at)
       values ($1, $2, '\\x4d4b560000000001', 'simulated', 'home', 'Home', 'idis-p2', 0, 'Maker', now()) returning meter_id`,
      [...scope.place],
    );
    await pool.query(
      `insert into sessions (utility_id, island_id, session_id, meter_id, purpose, outcome, sentence, started_at, step_count)
       values ($1, $2, $3, $4, 'read', 'done', 'Read.', now(), 2)`,
      [...scope.place, session, meter.meter_id],
    );
    await pool.query(
      `insert into ladders (utility_id, island_id, session_id, at, to_meter, step, summary, octets, plain, protection, evidence)
       values ($1, $2, $3, array['2026-11-21T12:00:00.123Z', '2026-11-21T12:00:01Z']::timestamptz[], '{t,f}', '{a,b}',
         array['Asks "it"', 'Gives'], array['\\xc0ff', '\\xdb01']::bytea[], array[null, '\\xc401']::bytea[],
         '{none,authenticated}', array[null, '\\xabcd']::bytea[])`,
      [...scope.place, session],
    );
    await migrate(pool, HEADEND_MIGRATIONS, { version: "test" });
    const detail = await sessionDetail(pool, scope, session);
    assert.deepEqual(detail?.ladder, [
      {
        at: "2026-11-21T12:00:00.123Z",
        direction: "to-meter",
        step: "a",
        summary: 'Asks "it"',
        octets: "C0FF",
        protection: "none",
      },
      {
        at: "2026-11-21T12:00:01.000Z",
        direction: "from-meter",
        step: "b",
        summary: "Gives",
        octets: "DB01",
        plain: "C401",
        protection: "authenticated",
        evidence: "abcd",
      },
    ]);
  } finally {
    rmSync(before, { recursive: true });
  }
});
