import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Places } from "./places.ts";

const METER = "4D4B560000000001";
const GRID = {
  utility: "u",
  island: "i",
  substation: { id: "s", name: "S" },
  feeders: [{ id: "f", name: "F", path: "depot", transformer: { id: "t", meter: METER, ratedKva: 250 }, homes: [] }],
};
const addresses = (depotPort: number): string =>
  JSON.stringify({ meters: [{ systemTitle: METER, depotHost: "127.0.0.1", depotPort }] });

test("a broken file is told once, by name and line, and the bench goes on with what it knew until it is repaired", async () => {
  const exchange = mkdtempSync(join(tmpdir(), "meterkeep-depot-"));
  try {
    const broken: string[] = [];
    const places = new Places(exchange, (error) => broken.push((error as Error).message));
    const known = async (): Promise<unknown> => {
      await places.look();
      return Object.fromEntries(places.known);
    };
    assert.deepEqual(await known(), {});
    writeFileSync(join(exchange, "grid.json"), JSON.stringify(GRID));
    writeFileSync(join(exchange, "addresses.json"), addresses(1));
    const there = { [METER]: { host: "127.0.0.1", port: 1 } };
    assert.deepEqual(await known(), there);
    writeFileSync(join(exchange, "addresses.json"), '{"meters": [\n{]}');
    assert.deepEqual([await known(), await known()], [there, there]);
    assert.equal(broken.length, 1);
    assert.match(broken[0] ?? "", /^addresses\.json: line 2, column 2/);
    writeFileSync(join(exchange, "addresses.json"), addresses(2222));
    assert.deepEqual(await known(), { [METER]: { host: "127.0.0.1", port: 2222 } });
    writeFileSync(
      join(exchange, "grid.json"),
      JSON.stringify({ ...GRID, feeders: [{ ...GRID.feeders[0], path: "air" }] }),
    );
    await known();
    assert.match(broken[1] ?? "", /^grid\.json: feeders\[0\]: path is "air"/);
  } finally {
    rmSync(exchange, { recursive: true });
  }
});
