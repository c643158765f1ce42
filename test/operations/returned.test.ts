import assert from "node:assert/strict";
import { test } from "node:test";
import { HEAD_END, sold, type TrustedManufacturer } from "@meterkeep/custody/testing";
import { withOperationBench } from "../src/operation-bench.ts";

for (const securitySuite of [1, 2] as const)
  test(`a virtual meter of suite ${securitySuite} that was sold and comes back is taken over anew and enrolled anew, under higher counters`, async () => {
    const trusted: TrustedManufacturer[] = [];
    await withOperationBench(
      { profile: "idis-p3", securitySuite },
      async ({ custody, world, meter, bench, takenOver, enrolled }) => {
        const title = meter.systemTitle;
        const { service } = custody.custody;
        const before = (await service.enrolmentStates({ meters: [title], after: undefined }, HEAD_END)).states[0];
        const used = bench.meter.security.lastReceived;
        const to = { name: "New Utility", custody, trusted };
        const file = await sold(title, { name: "Old Utility", flag: "OLD", world }, to);
        assert.equal((await service.nextContact({ meter: title }, HEAD_END)).kind, "nothing", "it has left");
        const outcome = await world.agreed(() => world.offer(file));
        assert.equal(outcome.kind, "imported");
        await custody.restart();
        const state = await takenOver();
        assert.ok(state.holders.includes("Old Utility"));
        const { signs, certificates } = await enrolled();
        assert.ok(signs);
        const serials = new Set(before?.certificates.map(({ serial }) => serial));
        assert.equal(serials.size, 3);
        assert.ok(certificates.every(({ serial }) => !serials.has(serial)));
        assert.ok(bench.meter.security.lastReceived > used);
      },
      undefined,
      trusted,
    );
  });
