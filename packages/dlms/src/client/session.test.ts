import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../bytes.ts";
import { encode } from "../codec/codec.ts";
import { AssociationLn } from "../cosem/classes/association-ln.ts";
import { Clock } from "../cosem/classes/clock.ts";
import { Register } from "../cosem/classes/register.ts";
import { d } from "../data/d.ts";
import { dateTime, dateTimeAt } from "../data/date-time.ts";
import {
  CLIENTS,
  CLOCK,
  ECHO,
  Echo,
  ENERGY,
  exchangeWith,
  managementConfig,
  NAME,
  NONE,
  openTestSession,
  PROFILE,
  testKey,
  testMeter,
  unsigned32,
} from "../testing/meter.test.ts";
import { readProfile, readProfileEntries, readProfileRange } from "./profile-reader.ts";
import { remote } from "./remote.ts";

test("the public client sees what it may, and nothing more", async () => {
  const session = await openTestSession(testMeter(), CLIENTS.public, NONE);
  assert.deepEqual(await remote(session, Clock, CLOCK).get("timeZone"), 0);
  const list = await remote(session, AssociationLn, "0.0.40.0.0.255").get("objectList");
  assert.deepEqual(
    list.map(({ logicalName }) => logicalName),
    ["0.0.40.0.0.255", NAME, CLOCK],
  );
  await assert.rejects(remote(session, Register, ENERGY).get("value"), {
    code: "data-access-refused",
    reason: "object-undefined",
  });
  await assert.rejects(remote(session, Clock, CLOCK).set("time", dateTimeAt(0)), {
    code: "data-access-refused",
    reason: "read-write-denied",
  });
  await session.release();
  await assert.rejects(session.get({ classId: 8, logicalName: CLOCK, attributeId: 2 }), { code: "not-associated" });
});

test("a password opens the reader's association, another one does not", async () => {
  const meter = testMeter();
  const lls = (text: string) => ({ authentication: { kind: "lls", password: Buffer.from(text) } }) as const;
  const session = await openTestSession(meter, CLIENTS.reader, lls("12345678"));
  assert.deepEqual(await remote(session, Register, ENERGY).get("value"), unsigned32(1234));
  await assert.rejects(openTestSession(meter, CLIENTS.reader, lls("12345679")), {
    code: "association-rejected",
    reason: "authentication-failure",
  });
  await assert.rejects(openTestSession(meter, CLIENTS.reader, NONE), {
    code: "association-rejected",
    reason: "authentication-mechanism-name-required",
  });
});

test("a profile is read by range and by entry, whole rows or some columns", async () => {
  const session = await openTestSession(testMeter(), CLIENTS.management, managementConfig());
  const start = Date.UTC(2026, 10, 21);
  const range = { from: dateTimeAt(start + 3_600_000), to: dateTimeAt(start + 2 * 3_600_000) };
  const rows = await readProfileRange(session, PROFILE, range);
  assert.deepEqual(
    rows.map((row) => row[1]),
    [1004, 1005, 1006, 1007, 1008].map(unsigned32),
  );
  const energyOnly = [{ classId: 3, logicalName: ENERGY, attributeIndex: 2, dataIndex: 0 }];
  assert.deepEqual((await readProfileRange(session, PROFILE, { ...range, columns: energyOnly }))[0], [
    unsigned32(1004),
  ]);
  const last = await readProfileEntries(session, PROFILE, { fromEntry: 95, toEntry: 0, fromColumn: 2 });
  assert.deepEqual(last, [[unsigned32(1094)], [unsigned32(1095)]]);
  const open = await readProfileRange(session, PROFILE, { from: dateTime({}), to: range.to });
  assert.equal(open.length, 9);
  const missing = [{ classId: 3, logicalName: "1.0.2.8.0.255", attributeIndex: 2, dataIndex: 0 }];
  await assert.rejects(readProfileRange(session, PROFILE, { ...range, columns: missing }), {
    code: "data-access-refused",
    reason: "scope-of-access-violated",
  });
});

test("a long profile streams in blocks that fit the client's PDU size", async () => {
  const meter = testMeter({ rows: 2880 });
  const config = { ...managementConfig(), maxReceivePduSize: 400 };
  const lengths: number[] = [];
  const session = await openTestSession(meter, CLIENTS.management, config, {
    onExchange: ({ direction, wire }) => direction === "received" && lengths.push(wire.length),
  });
  let octets = 0;
  for await (const part of session.getStream({ classId: 7, logicalName: PROFILE, attributeId: 2 }))
    octets += part.length;
  assert.equal(octets, 4 + 2880 * (2 + 14 + 5));
  assert.ok(Math.max(...lengths) <= 400);
  assert.deepEqual(await remote(session, Register, ENERGY).get("value"), unsigned32(1234), "the turn is passed on");
});

test("a response over the session's limit is given up", async () => {
  const meter = testMeter({ rows: 2880 });
  const session = await openTestSession(meter, CLIENTS.management, managementConfig(), { maxResponseBytes: 50_000 });
  await assert.rejects(readProfile(session, PROFILE), { code: "response-too-long" });
  assert.deepEqual(await remote(session, Register, ENERGY).get("value"), unsigned32(1234));
});

test("a server that agrees on lists and refuses them is read one by one from then on", async () => {
  const meter = testMeter();
  const exchange = exchangeWith(meter, CLIENTS.public);
  const requests: number[] = [];
  const refusing = async (apdu: Uint8Array, signal: Parameters<typeof exchange>[1]) => {
    requests.push(apdu[1] ?? 0);
    if (apdu[0] === 0xc0 && apdu[1] === 3) return fromHex("d80202");
    return exchange(apdu, signal);
  };
  const session = await openTestSession(meter, CLIENTS.public, NONE, { exchange: refusing });
  const items = [2, 3, 99].map((attributeId) => ({ classId: 8, logicalName: CLOCK, attributeId }));
  for (let round = 0; round < 2; round += 1) {
    const read = await session.getList(items);
    assert.deepEqual(
      read.map((item) => (item.kind === "data" ? item.value.length : item.reason)),
      [14, 3, "object-undefined"],
    );
  }
  assert.deepEqual(requests.slice(1), [3, 1, 1, 1, 1, 1, 1]);
});

test("values in blocks among those read one by one are read whole", async () => {
  const meter = testMeter();
  const config = { ...managementConfig(), maxReceivePduSize: 200, conformance: withoutLists() };
  const session = await openTestSession(meter, CLIENTS.management, config);
  const profile = { classId: 7, logicalName: PROFILE, attributeId: 2 };
  const energy = { classId: 3, logicalName: ENERGY, attributeId: 2 };
  const items = await session.getList([profile, energy, profile]);
  assert.deepEqual(
    items.map((item) => (item.kind === "data" ? item.value.length : item.reason)),
    [2018, 5, 2018],
  );
});

function withoutLists() {
  return ["get", "selective-access", "block-transfer-with-get-or-read"] as const;
}

test("services that were not agreed are refused here and by the server", async () => {
  const meter = testMeter();
  const session = await openTestSession(meter, CLIENTS.management, { ...managementConfig(), conformance: ["get"] });
  await assert.rejects(remote(session, Echo, ECHO).set("text", testKey(0, 3)), { code: "service-not-negotiated" });
  const set = fromHex("c101c1 2328 0000600109ff 02 00 090101");
  await assert.rejects(session.request(set, "set"), {
    code: "exception-response",
    reason: "service-unknown/service-not-supported",
  });
  const nothingInCommon = { ...managementConfig(), conformance: ["read"] } as const;
  await assert.rejects(openTestSession(testMeter(), CLIENTS.management, nothingInCommon), {
    code: "association-rejected",
    reason: "initiate-error/initiate/incompatible-conformance",
  });
});

test("requests of one session take turns, however many are asked at once", async () => {
  const session = await openTestSession(testMeter(), CLIENTS.management, managementConfig());
  const energy = remote(session, Register, ENERGY);
  const answers = await Promise.all([energy.get("value"), readProfile(session, PROFILE), energy.get("scalerUnit")]);
  assert.equal(answers[1].length, 96);
});

test("the observer sees each APDU as it travels and what it says", async () => {
  const steps: string[] = [];
  const session = await openTestSession(testMeter(), CLIENTS.management, managementConfig(), {
    onExchange: ({ direction, step, plain, wire }) =>
      steps.push(`${direction} ${step} ${plain?.[0]?.toString(16) ?? "-"} ${wire[0]?.toString(16)}`),
  });
  await remote(session, Register, ENERGY).get("value");
  await session.release();
  assert.deepEqual(steps, [
    "sent associate 60 60",
    "received associate - 61",
    "sent authenticate c3 cb",
    "received authenticate - cf",
    "sent get 1.0.1.8.0.255/2 c0 c8",
    "received get 1.0.1.8.0.255/2 c4 cc",
    "sent release 62 62",
    "received release 63 63",
  ]);
});

test("an attribute value may be followed by octets that are none of it", async () => {
  const meter = testMeter();
  const exchange = exchangeWith(meter, CLIENTS.public);
  const session = await openTestSession(meter, CLIENTS.public, NONE, {
    exchange: async (apdu, signal) => {
      const response = await exchange(apdu, signal);
      return apdu[0] === 0xc0 ? Uint8Array.from([...response, 9, 12, 9, 15]) : response;
    },
  });
  const time = await remote(session, Clock, CLOCK).get("time");
  assert.deepEqual(
    encode(Clock.attributes.time.codec, time),
    encode(Clock.attributes.time.codec, dateTimeAt(Date.UTC(2026, 10, 21))),
  );
});

test("octets behind the confirmation of a block belong to nobody, as behind a value", async () => {
  const meter = testMeter();
  const exchange = exchangeWith(meter, CLIENTS.writer);
  const lls = { authentication: { kind: "lls", password: Buffer.from("12345678") } } as const;
  const session = await openTestSession(meter, CLIENTS.writer, lls, {
    async exchange(apdu, signal) {
      const answer = await exchange(apdu, signal);
      return answer[0] === 0xc5 ? Uint8Array.from([...answer, 0, 0, 0]) : answer;
    },
  });
  const long = encode(d.octetString, testKey(1, 1500));
  await session.set({ classId: Echo.id, logicalName: ECHO, attributeId: 2 }, long);
  assert.deepEqual(meter.state.text, testKey(1, 1500));
});
