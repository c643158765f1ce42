import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "@meterkeep/dlms";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { AuthorityWorld, DISCONNECT } from "../testing/authority-world.ts";
import { withTestCustody } from "../testing/test-custody.ts";

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");
/** Of 25 million meters half a percent is more than a small utility has. */
const FLEETS: Readonly<Record<string, number>> = { stadtwerke: 40 };
const ALL = 25_000_000;

test("what is little for all utilities together is refused where it is too much for one of them, however long it lies about", () =>
  withTestCustody(
    async (custody) => {
      const world = await AuthorityWorld.open(custody);
      const results: string[] = [];
      for (let number = 1; number <= 6; number += 1) {
        const meter = await world.meter(number);
        const hash = await world.approved(DISCONNECT, [meter.systemTitle]);
        // Not carried to the meter: it counts without end.
        const result = await world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle), false);
        results.push(result.kind === "refused" ? result.code : result.kind);
        custody.now += 3_600_000;
      }
      // A tenth of forty is four, whatever the caps of all together are.
      assert.deepEqual(results, ["sealed", "sealed", "sealed", "sealed", "cap-reached", "cap-reached"]);
      const refusals = (await custody.store.ledger.read(0, 100_000)).filter(({ kind }) => kind === "seal-refused");
      assert.match(refusals.at(-1)?.body ?? "", /to stadtwerke count/);
    },
    {
      ...memoryCustodyStore(),
      provenMeterCount: async (utility) => (utility === undefined ? ALL : (FLEETS[utility] ?? 0)),
    },
  ));
