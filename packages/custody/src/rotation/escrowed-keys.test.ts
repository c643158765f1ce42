import assert from "node:assert/strict";
import { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { escrowedOctets } from "../testing/escrowed-octets.ts";
import { caller, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

async function withEscrow(body: (custody: TestCustody, folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-escrow-"));
  try {
    await withTestCustody((custody) => body(custody, folder), memoryCustodyStore(), { escrowFolder: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("every key that was ever sent to a meter is in escrow, and opens with the vault alone", () =>
  withEscrow(async (custody, folder) => {
    const meter = new TestMeter({ systemTitle: "5453540000000401" });
    await custody.add(meter);
    await carryTakeover(custody, meter, { faults: ["none", "none", "none", "none", "dies-half-applied"] });
    const all = { meters: [], madeBefore: undefined, purposes: [], cause: "demand", reason: "a test" } as const;
    await custody.custody.service.planRotations(all, caller("operator"));
    await carryTakeover(custody, meter);
    const octets = await escrowedOctets(folder, custody.vault);
    assert.ok(meter.everSent.length >= 12);
    for (const sent of meter.everSent) assert.ok(octets.has(sent), "a key was sent that is not in escrow");
    for (const key of meter.keys) assert.ok(octets.has(Buffer.from(key).toString("hex")));
  }));

test("where the escrow is full no key is sent, and the meter stays as it is", (context) =>
  withEscrow(async (custody, folder) => {
    const probe = await open(join(folder, "keys.escrow"));
    const handles = Object.getPrototypeOf(probe) as typeof probe;
    const { appendFile } = handles;
    const full = async function (this: typeof probe, ...args: Parameters<typeof appendFile>): Promise<void> {
      if (!readlinkSync(`/proc/self/fd/${this.fd}`).endsWith("/keys.escrow")) return appendFile.apply(this, args);
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    };
    context.mock.method(handles, "appendFile", full);
    await probe.close();
    const meter = new TestMeter({ systemTitle: "5453540000000402" });
    await custody.add(meter);
    await assert.rejects(carryTakeover(custody, meter), { code: "escrow-failed", message: /ENOSPC/ });
    assert.deepEqual(meter.everSent, []);
    assert.equal(meter.keys, meter.factoryKeys);
    const title = systemTitle(fromHex(meter.systemTitle));
    const next = await custody.custody.service.nextContact({ meter: title }, HEAD_END);
    assert.notEqual(next.kind, "nothing", "it goes on when there is room again");
  }));
