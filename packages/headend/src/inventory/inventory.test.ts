import assert from "node:assert/strict";
import { test } from "node:test";
import { openHeadEndDatabase, testMeter } from "../testing/database.ts";

test("a meter that has left comes back with another shipment, and not with the one it once came with, however often that is read", async () => {
  await using database = await openHeadEndDatabase(3);
  const { pool, inventory, meters } = database;
  const [retired, sold] = meters as [(typeof meters)[number], (typeof meters)[number]];
  await pool.query("update takeovers set phase = 'left' where meter_id = any($1)", [[retired.id, sold.id]]);
  const first = [0, 1, 2].map((n) => testMeter(n));
  assert.deepEqual(await inventory.left(first), []);
  const back = testMeter(1, { shipment: "6".repeat(32), holders: ["Maker", "Other"] });
  assert.deepEqual(await inventory.left([back]), [sold.id]);
  await inventory.reship([back]);
  const { rows } = await pool.query("select meter_id, holders from meters where shipment = $1", [back.shipment]);
  assert.deepEqual(rows, [{ meter_id: sold.id, holders: ["Maker", "Other"] }]);
});
