import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../codec/codec.ts";
import { Register } from "../cosem/classes/register.ts";
import { d } from "../data/d.ts";
import { OFFERED_CONFORMANCE } from "../server/offer.ts";
import {
  CLIENTS,
  ECHO,
  Echo,
  ENERGY,
  lineTo,
  managementConfig,
  openTestSession,
  PROFILE,
  testKey,
  testMeter,
} from "../testing/meter.test.ts";
import type { ConformanceBit } from "../xdlms/conformance.ts";
import { readProfile } from "./profile-reader.ts";
import { remote } from "./remote.ts";

const without = (...bits: ConformanceBit[]) => OFFERED_CONFORMANCE.filter((bit) => !bits.includes(bit));
/** General block transfer instead of the services' own blocks. */
const GENERAL_ONLY = without(
  "block-transfer-with-get-or-read",
  "block-transfer-with-set-or-write",
  "block-transfer-with-action",
);
const config = (conformance: readonly ConformanceBit[]) => ({
  ...managementConfig({ form: "general-global" }),
  conformance,
  maxReceivePduSize: 300,
});

for (const windowBlocks of [undefined, 1, 5, 63])
  test(`long requests and responses go in general blocks, window ${windowBlocks ?? "without a line"}`, async () => {
    const meter = testMeter({ blockWindow: 4 });
    const line = lineTo(meter, CLIENTS.management);
    const session = await openTestSession(meter, CLIENTS.management, config(GENERAL_ONLY), {
      exchange: line.exchange,
      ...(windowBlocks === undefined ? {} : { line, blockTransfer: { windowBlocks } }),
    });
    const echo = remote(session, Echo, ECHO);
    const text = testKey(7, 200);
    await echo.set("text", text);
    assert.deepEqual(await echo.get("text"), text);
    assert.equal((await readProfile(session, PROFILE)).length, 96);
    if (windowBlocks === undefined) return;
    const long = testKey(3, 1500);
    assert.deepEqual(await echo.call("repeat", long), Uint8Array.from([...long, ...long]));
    assert.equal((await remote(session, Register, ENERGY).get("scalerUnit")).unit, 30);
    await session.release();
  });

test("a window of the server's that needs a line is refused in words where there is none", async () => {
  const meter = testMeter({ blockWindow: 4 });
  const session = await openTestSession(meter, CLIENTS.management, config(GENERAL_ONLY));
  const long = encode(d.octetString, testKey(1, 3000));
  await assert.rejects(session.set({ classId: Echo.id, logicalName: ECHO, attributeId: 2 }, long), {
    code: "line-missing",
  });
});

test("blocks of the service come first where both were agreed, unless the session says otherwise", async () => {
  for (const preferred of [false, true]) {
    const tags = new Set<number>();
    const meter = testMeter();
    const line = lineTo(meter, CLIENTS.management, (apdu) => tags.add(apdu[0] ?? 0));
    const session = await openTestSession(meter, CLIENTS.management, config(OFFERED_CONFORMANCE), {
      exchange: line.exchange,
      blockTransfer: { preferred },
    });
    const echo = remote(session, Echo, ECHO);
    await echo.set("text", testKey(1, 2000));
    assert.equal(tags.has(0xe0), preferred);
  }
});
