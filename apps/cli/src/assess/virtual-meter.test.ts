// The meters of the town, as a buyer would have them on the bench.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, describe, test } from "node:test";
import { run } from "../program.ts";
import type { MeterRead } from "../read/meter-read.ts";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import type { Assessment } from "./assessment.ts";
import { type ListeningMeter, startVirtualMeter } from "./testing/virtual-meter.ts";

const directory = mkdtempSync(`${tmpdir()}/mk-virtual-`);
after(() => rmSync(directory, { recursive: true }));

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

/** The profiles of the town, how their meters are reached, and what is found in them as the factory makes them. */
const PROFILES = [
  ["idis-p2", "idis-p2", []],
  ["dsmr-5", "dsmr-5", []],
  ["is15959", "standard", ["policy-downgrade fail: The meter served a GET that was authenticated without encryption."]],
] as const;

async function meterkeep(meter: ListeningMeter, profile: string, command: string, ...args: readonly string[]) {
  const file = `${directory}/keys.json`;
  const keys = { key: hex(meter.keys.encryptionKey), authKey: hex(meter.keys.authenticationKey) };
  writeFileSync(file, JSON.stringify(keys), { mode: 0o600 });
  const terminal = scratchTerminal({ XDG_STATE_HOME: directory });
  const status = await run(terminal, [
    command,
    meter.address,
    "--profile",
    profile,
    "--key-file",
    file,
    "--json",
    ...args,
  ]);
  assert.ok(status === 0 || terminal.out() !== "", terminal.err());
  return { status, answer: JSON.parse(terminal.out()) as unknown };
}

describe("a meter of the virtual town", () => {
  for (const [model, profile, found] of PROFILES)
    test(`${model} is read whole, and withstands every check but what it left the factory with`, async () => {
      await using meter = await startVirtualMeter(model);
      const { answer } = await meterkeep(meter, profile, "read", "--rows", "4");
      const read = answer as MeterRead;
      assert.equal(read.meter.systemTitle, "4D4B560100989681");
      const energy = read.readings.find(({ obis }) => obis === "1-0:1.8.0");
      assert.ok(
        typeof energy?.value === "number" && energy.value > 0 && /Wh$/.test(energy.unit ?? ""),
        JSON.stringify(energy),
      );
      const load = read.profiles.find(({ obis }) => obis === "1-0:99.1.0");
      assert.equal(load?.rows.length, 4);
      const [last] = load.rows.slice(-1);
      assert.match(String(last?.[0]), /^2026-11-12T1\d:00:00/);
      const column = load.columns.findIndex(({ obis }) => obis === "1-0:1.8.0");
      if (column !== -1) assert.ok(Number(last?.[column]) <= energy.value, `${String(last?.[column])}`);
      assert.ok(read.profiles.some(({ entries, columns }) => (entries ?? 0) > 0 && columns.length >= 2));
      const pushes = `${directory}/pushes.hex`;
      writeFileSync(pushes, `${hex(meter.meter.buildPush("report"))}\n`);
      const { status, answer: assessed } = await meterkeep(
        meter,
        profile,
        "assess",
        "--push-file",
        pushes,
        "--timeout",
        "2",
      );
      const { results, counts } = assessed as Assessment;
      assert.deepEqual(
        results
          .filter(({ verdict }) => verdict !== "pass")
          .map(({ id, verdict, sentence }) => `${id} ${verdict}: ${sentence}`),
        [...found, "lock-out not-testable: Not done: it may lock the meter for a while. Ask for it with --lock-out."],
      );
      assert.deepEqual([status, counts.fail], [Math.min(found.length, 1), found.length]);
    });

  test("that pushes without a tag is found out", async () => {
    await using meter = await startVirtualMeter("dsmr-5", { pushProtection: "encrypted" });
    const pushes = `${directory}/tagless.hex`;
    writeFileSync(pushes, `${hex(meter.meter.buildPush("report"))}\n`);
    const { status, answer } = await meterkeep(
      meter,
      "dsmr-5",
      "assess",
      "--push-file",
      pushes,
      "--check",
      "tagless-push",
    );
    assert.equal(status, 1);
    assert.match((answer as Assessment).results[0]!.sentence, /encrypted and has no tag/);
  });
});
