import assert from "node:assert/strict";
import { test } from "node:test";
import { openHeadEndDatabase } from "../testing/database.ts";
import { meterSummaries } from "../view/meter-summary.ts";
import { refreshStatistics } from "./statistics.ts";

test("after an import meters are found by their number, not by looking at all of them", async () => {
  await using database = await openHeadEndDatabase(400);
  const { pool, scope, meters } = database;
  const plan = async (): Promise<string> => {
    let text = "";
    const explaining = {
      query: async (sql: string, values?: unknown[]) => {
        const { rows } = await pool.query(`explain ${sql}`, values);
        text = JSON.stringify(rows);
        return { rows: [], rowCount: 0 };
      },
    };
    await meterSummaries(explaining, scope, () => assert.fail(), 0, { ids: [meters[0]!.id, meters[9]!.id] });
    return text;
  };
  await refreshStatistics(pool);
  assert.match(await plan(), /meter_latest_pkey[^}]*\},\{[^}]*Index Cond: [^}]*meter_id = /);
});
