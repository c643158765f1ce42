import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { GATHER_MILLISECONDS } from "../ledger/open-ledger.ts";
import { carryTakeover, HEAD_END, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { TITLE } from "../testing/test-session.ts";

test("a session that somebody waits for is opened and closed without waiting for others to share its commits", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    const { service } = custody.custody;
    const request = { meter: systemTitle(fromHex(TITLE)), purpose: "read" } as const;
    const opened = (awaited: boolean) => service.openSession({ ...request, awaited }, HEAD_END);
    // So many that openings wait for each other.
    for (let open = 0; open < 9; open += 1) await opened(false);
    const timeouts = mock.method(globalThis, "setTimeout");
    const gatherings = (): number =>
      timeouts.mock.calls.filter(({ arguments: [, milliseconds] }) => milliseconds === GATHER_MILLISECONDS).length;
    const held = await opened(true);
    await service.closeSession({ session: held.session, outcome: "completed" }, HEAD_END);
    assert.equal(gatherings(), 0);
    const ordinary = await opened(false);
    await service.closeSession({ session: ordinary.session, outcome: "completed" }, HEAD_END);
    assert.notEqual(gatherings(), 0, "an ordinary one gathers");
    timeouts.mock.restore();
  }));
