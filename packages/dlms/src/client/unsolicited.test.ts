import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../bytes.ts";
import { logicalNameOctets } from "../cosem/logical-name.ts";
import { dateTimeAt } from "../data/date-time.ts";
import { OFFERED_CONFORMANCE, OFFERED_SHORT_NAME_CONFORMANCE } from "../server/offer.ts";
import { CLIENTS, ENERGY, lineTo, managementConfig, testMeter, unsigned32 } from "../testing/meter.test.ts";
import type { Unsolicited } from "../xdlms/unsolicited.ts";
import { localAssociator } from "./local-associator.ts";
import { frameCountersFrom, risingCountersFrom } from "./protection.ts";
import { openSession } from "./session.ts";
import { openShortNameSession } from "./short-name-session.ts";

const PUSH: Unsolicited = {
  kind: "data-notification",
  value: {
    invokeIdAndPriority: {
      invokeId: 77,
      selfDescriptive: false,
      breakOnError: false,
      confirmed: true,
      highPriority: true,
    },
    dateTime: dateTimeAt(Date.UTC(2026, 10, 21)),
    body: { type: "structure", value: [unsigned32(5)] },
  },
};
const EVENT: Unsolicited = {
  kind: "event-notification-request",
  value: {
    time: dateTimeAt(Date.UTC(2026, 10, 21)),
    attribute: { classId: 3, instanceId: logicalNameOctets(ENERGY), attributeId: 2 },
    value: unsigned32(9),
  },
};
const REPORT: Unsolicited = {
  kind: "information-report-request",
  value: { variables: [{ kind: "variable-name", value: 0x0208 }], values: [unsigned32(9)] },
};

test("events and pushes of a ciphered association come protected, and a push that wants it is confirmed", async () => {
  const meter = testMeter();
  const line = lineTo(meter, CLIENTS.management);
  const session = await openSession({
    exchange: line.exchange,
    line,
    associator: localAssociator(
      { ...managementConfig({ form: "general-global" }), conformance: OFFERED_CONFORMANCE },
      { frameCounters: frameCountersFrom(1), receivedCounters: risingCountersFrom(0) },
    ),
  });
  for (const message of [EVENT, PUSH]) {
    const sent = meter.server.notify(line.connection, message);
    assert.ok(sent !== undefined);
    assert.deepEqual(await session.openUnsolicited(sent), message);
    // What was heard once is heard never again.
    await assert.rejects(session.openUnsolicited(sent), { code: "counter-replayed" });
  }
  await assert.rejects(session.openUnsolicited(fromHex("0f0000000100020101 06000000 05".replaceAll(" ", ""))), {
    code: "response-unprotected",
  });
  assert.ok(PUSH.kind === "data-notification");
  await session.confirm(PUSH.value);
  const confirmed = meter.events.find(({ kind }) => kind === "push-confirmed");
  assert.deepEqual(confirmed, { kind: "push-confirmed", association: "management", invokeId: 77 });
});

test("reports of variables come under short names, and nothing that was not agreed on", async () => {
  const meter = testMeter();
  const line = lineTo(meter, CLIENTS.short);
  const session = await openShortNameSession({
    exchange: line.exchange,
    line,
    associator: localAssociator({
      authentication: { kind: "lls", password: meter.state.password },
      referencing: "short-name",
      conformance: OFFERED_SHORT_NAME_CONFORMANCE,
    }),
  });
  const sent = meter.server.notify(line.connection, REPORT);
  assert.ok(sent !== undefined);
  assert.deepEqual(await session.openUnsolicited(sent), REPORT);
  assert.equal(meter.server.notify(line.connection, EVENT), undefined);
});
