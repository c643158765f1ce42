import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { DisconnectControl } from "../cosem/classes/disconnect-control.ts";
import { Register } from "../cosem/classes/register.ts";
import { dateTimeAt } from "../data/date-time.ts";
import type { AssociationDefinition } from "../server/association-model.ts";
import { OFFERED_SHORT_NAME_CONFORMANCE } from "../server/offer.ts";
import {
  CLIENTS,
  ECHO,
  Echo,
  ENERGY,
  lineTo,
  NAME,
  PROFILE,
  SWITCH,
  testKey,
  testMeter,
  unsigned32,
} from "../testing/meter.test.ts";
import type { ConformanceBit } from "../xdlms/conformance.ts";
import { localAssociator } from "./local-associator.ts";
import { streamProfileRange } from "./profile-range.ts";
import { remote } from "./remote.ts";
import { openShortNameSession } from "./short-name-session.ts";

async function shortSession(definition: Partial<AssociationDefinition> = {}) {
  const meter = testMeter();
  const line = lineTo(meter, CLIENTS.short);
  const associator = localAssociator({
    authentication: { kind: "lls", password: meter.state.password },
    referencing: "short-name",
    maxReceivePduSize: 200,
    ...(definition.conformance === undefined ? {} : { conformance: definition.conformance }),
  });
  return { meter, session: await openShortNameSession({ exchange: line.exchange, line, associator }) };
}
const without = (...bits: ConformanceBit[]) => OFFERED_SHORT_NAME_CONFORMANCE.filter((bit) => !bits.includes(bit));

test("objects under short names are read, written and called as those under logical names", async () => {
  const { meter, session } = await shortSession();
  assert.equal(session.negotiated.associationBaseName, 0xfa00);
  const energy = remote(session, Register, ENERGY);
  assert.deepEqual(await energy.get("value"), unsigned32(1234));
  assert.deepEqual(await energy.getAll("value", "scalerUnit"), {
    value: unsigned32(1234),
    scalerUnit: { scaler: 0, unit: 30 },
  });
  await energy.call("reset");
  assert.equal(meter.state.wattHours, 0);
  await remote(session, DisconnectControl, SWITCH).call("remoteDisconnect");
  assert.equal(meter.state.connected, false);
  await session.release();
});

test("long values go in blocks of READ and WRITE both ways", async () => {
  const { session } = await shortSession();
  const echo = remote(session, Echo, ECHO);
  const text = testKey(1, 3000);
  await echo.set("text", text);
  assert.deepEqual(await echo.get("text"), text);
  assert.deepEqual(await echo.call("repeat", text), Uint8Array.from([...text, ...text]), "a long parameter, too");
  const rows: number[] = [];
  const start = Date.UTC(2026, 10, 21);
  const range = { from: dateTimeAt(start), to: dateTimeAt(start + 40 * 900_000) };
  assert.equal(await streamProfileRange(session, PROFILE, range, (row) => rows.push(row.number(1))), "range");
  assert.equal(rows.length, 41);
});

test("general blocks carry what blocks of the service were not agreed for", async () => {
  const { session } = await shortSession({
    conformance: without("block-transfer-with-get-or-read", "block-transfer-with-set-or-write"),
  });
  const echo = remote(session, Echo, ECHO);
  await echo.set("text", testKey(1, 3000));
  assert.equal((await echo.get("text")).length, 3000);
});

test("variables are read and written by number, those that cannot be say so", async () => {
  const { meter, session } = await shortSession();
  const objects = await session.objects();
  const base = objects.find(({ logicalName }) => logicalName === ECHO)?.baseName ?? 0;
  const name = (value: number) => ({ kind: "variable-name", value }) as const;
  const items = await session.read([name(base + 8), name(0x7f00), name(0xfa00)]);
  assert.deepEqual(
    items.map((item) => (item.kind === "data" ? toHex(item.value).slice(0, 4) : item.reason)),
    ["090a", "object-undefined", "0906"],
  );
  assert.deepEqual(
    await session.write([
      { variable: name(base + 8), value: fromHex("0901aa") },
      { variable: name(0x7f00), value: fromHex("00") },
      { variable: name(base), value: fromHex("00") },
    ]),
    ["success", "object-undefined", "read-write-denied"],
  );
  await session.writeUnconfirmed([{ variable: name(base + 8), value: fromHex("0901bb") }]);
  assert.equal(toHex(meter.state.text), "bb");
  assert.ok(
    objects.some(({ logicalName, baseName }) => logicalName === NAME && baseName === 0x0200),
    "its own name",
  );
});

test("an object that is not in the list, and a method whose place is not known, are named", async () => {
  const { session } = await shortSession();
  await assert.rejects(session.get({ classId: 1, logicalName: "9.9.9.9.9.9", attributeId: 2 }), {
    code: "object-unknown",
  });
  await assert.rejects(session.call({ classId: 3, logicalName: ENERGY, methodId: 1 }), { code: "object-unknown" });
});

test("a server of logical names refuses an association under short ones", async () => {
  const meter = testMeter();
  const line = lineTo(meter, CLIENTS.public);
  const associator = localAssociator({ authentication: { kind: "none" }, referencing: "short-name" });
  await assert.rejects(openShortNameSession({ exchange: line.exchange, associator }), {
    code: "association-rejected",
    reason: "application-context-name-not-supported",
  });
});
