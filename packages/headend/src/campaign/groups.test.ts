import assert from "node:assert/strict";
import { test } from "node:test";
import type { Selection } from "@meterkeep/api";
import { openHeadEndDatabase, testMeter, testTitle } from "../testing/database.ts";
import { WALL_SOURCE_CLOCK } from "../time/source-clock.ts";
import { expand } from "./expansion.ts";
import { MeterGroups } from "./groups.ts";

const NOW = Date.UTC(2026, 10, 22, 4);

test("meters are selected by profile, model, firmware and group, as they are when a command is asked for", async () => {
  await using database = await openHeadEndDatabase(0);
  const { pool, scope, inventory } = database;
  const made = Array.from({ length: 6 }, (_, n) =>
    testMeter(n, { model: n % 2 === 0 ? "even" : "odd", firmware: n % 3 === 0 ? "2.0" : "1.0" }),
  );
  await inventory.add(made, new Date(NOW));
  await pool.query("update meters set role = 'home'");
  const groups = new MeterGroups({ pool, scope, now: () => NOW });
  const at = { now: NOW, clockOf: () => WALL_SOURCE_CLOCK };
  const count = async (selection: Selection) => (await expand(pool, scope, selection, "off", at)).length;
  const put = (meters: readonly number[], more = false) =>
    groups.put({ name: "hill", meters: meters.map(testTitle), note: "steep", more, by: "Rita" });
  assert.equal((await put([0, 1])).meters, 2);
  assert.equal(await count({ kind: "group", group: "hill" }), 2);
  await put([1, 2], true);
  assert.deepEqual(
    (await groups.list()).map(({ name, meters, setBy }) => [name, meters, setBy]),
    [["hill", 3, "Rita"]],
  );
  assert.equal((await put([5])).meters, 1);
  assert.equal(await count({ kind: "group", group: "dale" }), 0);
  const kinds = (await groups.kinds()).map(({ kind, id, meters }) => [kind, id, meters]);
  assert.deepEqual(
    kinds.filter(([kind]) => kind === "model" || kind === "firmware"),
    [
      ["firmware", "1.0", 4],
      ["firmware", "2.0", 2],
      ["model", "even", 3],
      ["model", "odd", 3],
    ],
  );
  assert.equal(await count({ kind: "model", model: "even" }), 3);
  assert.equal(await count({ kind: "firmware", firmware: "2.0" }), 2);
  const { rows } = await pool.query<{ profile: string }>("select profile from meters limit 1");
  assert.equal(await count({ kind: "profile", profile: rows[0]?.profile ?? "" }), 6);
  assert.equal(await count({ kind: "all" }), 6);
  assert.equal(await count({ kind: "list", meters: [testTitle(3)] }), 1);
});

test("a group with a meter that is not there is not made, and one that is forgotten is gone", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope } = database;
  const groups = new MeterGroups({ pool, scope, now: () => NOW });
  const one = { name: "hill", note: "", more: false, by: "Rita" };
  await assert.rejects(groups.put({ ...one, meters: [testTitle(0), testTitle(77)] }), { code: "meter-unknown" });
  assert.deepEqual(await groups.list(), []);
  await groups.put({ ...one, meters: [testTitle(0)] });
  await groups.remove("hill");
  await assert.rejects(groups.remove("hill"), { code: "group-unknown" });
});
