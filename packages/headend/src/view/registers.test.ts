import assert from "node:assert/strict";
import { test } from "node:test";
import { openHeadEndDatabase } from "../testing/database.ts";
import { registerReadings } from "./readings.ts";

test("of registers of a long time the evidence of those is read that are shown, and each register once for them and once for the count", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope, meters } = database;
  const [meter] = meters;
  const moments = 1_000;
  await pool.query("update trust set state = 'trusted'");
  await pool.query(
    `insert into evidence (utility_id, island_id, hash, meter_id, octets, plain, protection, received_at, trust_at_capture,
       session_id)
     select $1, $2, sha256(n::text::bytea), $3, '\\x00', '\\x00', 'authenticated', now(), 'trusted', gen_random_uuid()
     from generate_series(1, ${moments}) n`,
    [...scope.place, meter!.id],
  );
  await pool.query(
    `insert into register_readings (utility_id, island_id, meter_id, obis, at, received_at, number_value, unit, source,
       evidence_id, protection, trust_at_capture)
     select $1, $2, $3, '1-0:' || o || '.8.0', '2026-01-01T00:00:00Z'::timestamptz + evidence_id * interval '15 minutes', now(), 5,
       'Wh', 'session', evidence_id, 'authenticated', 'trusted'
     from evidence, generate_series(1, 2) o`,
    [...scope.place, meter!.id],
  );
  let read: readonly { readonly read: number }[] = [];
  const watched = {
    connect: async () => {
      const client = await pool.connect();
      const query = async (text: string, values?: unknown[]) => {
        if (text === "commit") read = (await client.query(ROWS_READ)).rows;
        return client.query(text, values);
      };
      return { query, release: () => client.release() };
    },
  };
  const found = await registerReadings(watched as unknown as typeof pool, scope, meter!, {
    ...{ from: undefined, to: undefined, trust: "trusted", limit: 5 },
  });
  assert.deepEqual([found.readings.length, found.leftOut], [5, 0]);
  const [evidence, registers] = read.map((one) => one.read);
  assert.equal(registers, 2 * 2 * moments);
  assert.ok(evidence! <= 5 * moments, `${evidence} of ${moments} for five values`);
});

const ROWS_READ = `
  select relname, (seq_tup_read + coalesce(idx_tup_fetch, 0))::integer as read from pg_stat_xact_user_tables
  where relname in ('evidence', 'register_readings') order by relname`;
