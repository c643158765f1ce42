import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { simulatedHomes } from "./targets.ts";

const directory = mkdtempSync(join(tmpdir(), "meterkeep-drill-"));
after(() => rmSync(directory, { recursive: true, force: true }));

function town(meters: readonly { systemTitle: string; host: string; port: number }[]): void {
  const homes = ["4D4B560000000001", "4D4B560000000002"].map((meter) => ({ meter }));
  writeFileSync(join(directory, "grid.json"), JSON.stringify({ feeders: [{ homes }] }));
  writeFileSync(join(directory, "addresses.json"), JSON.stringify({ meters }));
}

test("the targets are the homes of the grid that the town runs, and no transformer or other meter", async () => {
  town([
    { systemTitle: "4D4B560000000001", host: "127.0.0.1", port: 1 },
    { systemTitle: "4D4B560000000009", host: "127.0.0.1", port: 9 },
  ]);
  assert.deepEqual(
    (await simulatedHomes(directory)).map(({ meter, port }) => [meter, port]),
    [["4D4B560000000001", 1]],
  );
});

test("one home that is not on this machine's loopback, and nobody is a target", async () => {
  for (const host of ["10.0.0.1", "localhost.example.org", "127.0.0.1.example.org", "192.168.1.1", "::2"]) {
    town([
      { systemTitle: "4D4B560000000001", host: "127.0.0.1", port: 1 },
      { systemTitle: "4D4B560000000002", host, port: 2 },
    ]);
    await assert.rejects(simulatedHomes(directory), /no virtual meter: the drill targets nobody/, host);
  }
});
