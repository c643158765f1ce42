import assert from "node:assert/strict";
import { test } from "node:test";
import { testManufacturer } from "../testing/shipment-writer.ts";
import { HEAD_END, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

test("whether a meter is simulated is said by the trust in its manufacturer; in doubt it is real", async () => {
  const maker = testManufacturer().trusted;
  const virtual = { ...maker, simulated: true };
  const other = { ...virtual, name: "Other Meters" };
  for (const [manufacturers, simulated] of [
    [[virtual], true],
    [[maker], false],
    [[], false],
    [[other], false],
    [[virtual, maker], false],
  ] as const)
    await withTestCustody(
      async (custody) => {
        await custody.add(new TestMeter({ systemTitle: "5453540000000007" }));
        const { meters } = await custody.custody.service.shipmentMeters(
          { utility: "stadtwerke", island: "mainland", shipment: "00".repeat(16), from: 0 },
          HEAD_END,
        );
        assert.deepEqual(
          meters.map((meter) => meter.simulated),
          [simulated],
        );
      },
      undefined,
      { manufacturers },
    );
});
