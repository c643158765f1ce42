import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../bytes.ts";
import { AssociationLn } from "../cosem/classes/association-ln.ts";
import { DisconnectControl } from "../cosem/classes/disconnect-control.ts";
import { Register } from "../cosem/classes/register.ts";
import type { CipheringForm } from "../security/layers.ts";
import {
  CLIENTS,
  CLOCK,
  ECHO,
  Echo,
  ENERGY,
  managementConfig,
  openTestSession,
  PROFILE,
  SWITCH,
  testKey,
  testMeter,
  unsigned32,
} from "../testing/meter.test.ts";
import { readProfile } from "./profile-reader.ts";
import { remote } from "./remote.ts";
import type { Session } from "./session.ts";

const FORMS: readonly CipheringForm[] = ["global", "dedicated", "general-global", "general-dedicated"];

/** Everything a client does, over whatever association it came in with. */
async function exerciseAll(session: Session): Promise<void> {
  const energy = remote(session, Register, ENERGY);
  assert.deepEqual(await energy.get("value"), unsigned32(1234));
  assert.deepEqual(await energy.getAll("value", "scalerUnit"), {
    value: unsigned32(1234),
    scalerUnit: { scaler: 0, unit: 30 },
  });
  const items = await session.getList([
    { classId: 3, logicalName: ENERGY, attributeId: 2 },
    { classId: 3, logicalName: "1.0.9.9.9.255", attributeId: 2 },
    { classId: 8, logicalName: CLOCK, attributeId: 3 },
  ]);
  assert.deepEqual(
    items.map((item) => (item.kind === "data" ? item.value.length : item.reason)),
    [5, "object-undefined", 3],
  );
  const supply = remote(session, DisconnectControl, SWITCH);
  await supply.call("remoteDisconnect");
  assert.equal(await supply.get("controlState"), "disconnected");
  await supply.call("remoteReconnect");
  const echo = remote(session, Echo, ECHO);
  assert.equal((await echo.call("repeat", testKey(1, 3))).length, 6);
  const long = testKey(7, 3000);
  await echo.set("text", long);
  assert.deepEqual(await echo.get("text"), long, "SET and GET in blocks");
  assert.deepEqual(await echo.call("repeat", long), Uint8Array.from([...long, ...long]), "ACTION in blocks, both ways");
  const results = await session.setList([
    { classId: 9000, logicalName: ECHO, attributeId: 2, value: fromHex("090101") },
    { classId: 8, logicalName: CLOCK, attributeId: 3, value: fromHex("100000") },
  ]);
  assert.deepEqual(results, ["success", "read-write-denied"]);
  const called = await session.callList([
    { classId: 9000, logicalName: ECHO, methodId: 1, parameter: fromHex("090105") },
    { classId: 9000, logicalName: ECHO, methodId: 2, parameter: fromHex("0f00") },
  ]);
  assert.deepEqual(called, [
    { result: "success", returned: fromHex("09020505") },
    { result: "hardware-fault", returned: undefined },
  ]);
  assert.equal((await readProfile(session, PROFILE)).length, 96);
  const list = await remote(session, AssociationLn, "0.0.40.0.0.255").get("objectList");
  assert.equal(list.length, 8);
}

for (const suite of [0, 1, 2] as const)
  for (const form of FORMS)
    for (const [authenticated, encrypted] of [
      [true, true],
      [true, false],
      [false, true],
    ] as const) {
      const protection = [authenticated ? "authenticated" : "", encrypted ? "encrypted" : ""].join(" ").trim();
      test(`suite ${suite}, ${form}, ${protection}: a client does everything with a meter that demands it`, async () => {
        const demanded = { authenticatedRequest: authenticated, encryptedRequest: encrypted };
        const answered = { authenticatedResponse: authenticated, encryptedResponse: encrypted };
        const meter = testMeter({ suite, policy: { ...demanded, ...answered } });
        const config = managementConfig({ suite, form, authenticated, encrypted });
        const session = await openTestSession(meter, CLIENTS.management, config);
        await exerciseAll(session);
        await session.release();
        assert.deepEqual(
          meter.events.map(({ kind }) => kind),
          ["associated", "released"],
        );
      });
    }

test("mechanism 5 without ciphering: both prove themselves, APDUs stay plain", async () => {
  const wires: Uint8Array[] = [];
  const meter = testMeter();
  const config = { ...managementConfig(), cipheredContext: false };
  const session = await openTestSession(meter, CLIENTS.management, config, { onExchange: (e) => wires.push(e.wire) });
  await exerciseAll(session);
  await session.release();
  assert.ok(wires.every((wire) => [0x60, 0x61, 0x62, 0x63, 0xc0, 0xc1, 0xc3, 0xc4, 0xc5, 0xc7].includes(wire[0] ?? 0)));
});
