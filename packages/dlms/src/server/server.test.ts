import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import type { AssociationConfig } from "../client/association-config.ts";
import { stepAssociation } from "../client/association-machine.ts";
import { frameCountersFrom, sealApdu } from "../client/protection.ts";
import { remote } from "../client/remote.ts";
import { AssociationLn, AssociationLnV1 } from "../cosem/classes/association-ln.ts";
import type { SoftwareKey } from "../security/software-aes.ts";
import { systemTitle } from "../system-title.ts";
import {
  CLIENT_TITLE,
  CLIENTS,
  ECHO,
  Echo,
  managementConfig,
  NONE,
  openTestSession,
  PROFILE,
  testKey,
  testKeys,
  testMeter,
} from "../testing/meter.test.ts";
import { fullAccess } from "./access.ts";
import { deviceModel, mount } from "./device-model.ts";

const GET_TIME = fromHex("c001c1 0008 0000010000ff 02 00");
const STRICT = { authenticatedRequest: true, encryptedRequest: true };
const SILENCE = "d80105";

function aarqOf(config: AssociationConfig<SoftwareKey>, invocationCounter = 1): Uint8Array {
  const [, effect] = stepAssociation({ kind: "idle", config }, { kind: "associate", invocationCounter });
  assert.ok(effect?.kind === "send");
  return effect.apdu;
}

test("without an association nothing but an AARQ is served", () => {
  const { server, events } = testMeter();
  const connection = server.connect(CLIENTS.public, 1);
  for (const apdu of [GET_TIME, fromHex("6203800100"), fromHex(""), fromHex("ff")])
    assert.equal(toHex(server.handle(connection, apdu) ?? fromHex("")), "d80101");
  assert.ok(events.every((event) => event.kind === "request-refused" && event.reason === "not-associated"));
  assert.equal(toHex(server.handle(server.connect(99, 1), aarqOf(NONE)) ?? fromHex("")), "d80101");
});

test("every security failure gets the same answer, whatever was wrong", async () => {
  const wrong = [
    managementConfig({ keys: { ...testKeys(0), globalUnicastEncryptionKey: testKey(9, 16) } }),
    managementConfig({ keys: { ...testKeys(0), authenticationKey: testKey(9, 16) } }),
    managementConfig({ authenticated: false }),
    managementConfig({ encrypted: false }),
    { ...managementConfig({ suite: 1 }) },
  ];
  for (const config of wrong) {
    const { server } = testMeter({ policy: STRICT });
    const response = server.handle(server.connect(CLIENTS.management, 1), aarqOf(config));
    assert.equal(toHex(response ?? fromHex("")), SILENCE);
  }
  const meter = testMeter({ policy: STRICT });
  const connection = meter.server.connect(CLIENTS.management, 1);
  const exchange = async (apdu: Uint8Array) => meter.server.handle(connection, apdu) ?? fromHex("");
  await openTestSession(meter, CLIENTS.management, managementConfig(), { exchange });
  const { ciphering } = managementConfig();
  assert.ok(ciphering !== undefined);
  const seal = (change: object, form: "global" | "general-global" = "global", client = CLIENT_TITLE) =>
    sealApdu({ ciphering: { ...ciphering, ...change }, client }, GET_TIME, 50, { form });
  const altered = seal({});
  altered[altered.length - 1] = (altered.at(-1) as number) ^ 1;
  for (const apdu of [
    GET_TIME,
    altered,
    seal({ authenticated: false }),
    seal({ encrypted: false }),
    seal({ suite: 2 }),
    seal({}, "general-global", systemTitle(testKey(1, 8))),
    Uint8Array.from([0xd0, ...seal({}).subarray(1)]),
  ])
    assert.equal(toHex(await exchange(apdu)), SILENCE);
  assert.notEqual(toHex(await exchange(seal({}))), SILENCE, "none of them has moved the counter");
});

test("a client cannot talk itself out of ciphering, nor into another mechanism", () => {
  const strict = testMeter({ policy: STRICT }).server;
  const plain = { ...managementConfig(), cipheredContext: false };
  const answer = toHex(strict.handle(strict.connect(CLIENTS.management, 1), aarqOf(plain)) ?? fromHex(""));
  assert.match(answer, /a203020101a305a103020102/);
  const lls = { authentication: { kind: "lls", password: fromHex("00") } } as const;
  for (const config of [NONE, lls]) {
    const { server } = testMeter();
    const refused = toHex(server.handle(server.connect(CLIENTS.management, 1), aarqOf(config)) ?? fromHex(""));
    assert.match(refused, config === NONE ? /a203020101a305a10302010c/ : /a203020101a305a10302010b/);
  }
});

test("before the client has proven itself nothing is served, and a wrong proof ends it", () => {
  const { server } = testMeter();
  const plain = { ...managementConfig(), cipheredContext: false };
  const connection = server.connect(CLIENTS.management, 1);
  server.handle(connection, aarqOf(plain));
  assert.equal(toHex(server.handle(connection, GET_TIME) ?? fromHex("")), "d80101");
  const proof = fromHex(`c301c1 000f 0000280000ff 01 01 0911 10 00000005 ${"00".repeat(12)}`);
  assert.equal(toHex(server.handle(connection, proof) ?? fromHex("")), "c701c10300");
  assert.equal(connection.standing.kind, "idle");
});

test("a proof whose counter was used before is refused though it is authentic", () => {
  const meter = testMeter();
  const plain = { ...managementConfig(), cipheredContext: false };
  const connection = meter.server.connect(CLIENTS.management, 1);
  const [requested, sent] = stepAssociation(
    { kind: "idle", config: plain },
    { kind: "associate", invocationCounter: 1 },
  );
  assert.ok(sent?.kind === "send");
  const aare = meter.server.handle(connection, sent.apdu);
  const [, proof] = stepAssociation(requested, { kind: "received", apdu: aare ?? fromHex("") });
  assert.ok(proof?.kind === "send");
  meter.setup.counters.accept(2);
  assert.equal(toHex(meter.server.handle(connection, proof.apdu) ?? fromHex("")), "c701c10300");
});

test("a pre-established association serves from the first APDU, and is not released", () => {
  const { server } = testMeter();
  const { ciphering } = managementConfig();
  assert.ok(ciphering !== undefined);
  const connection = server.connect(CLIENTS.fixed, 1);
  const sealed = sealApdu({ ciphering, client: CLIENT_TITLE }, GET_TIME, 7);
  assert.equal(server.handle(connection, sealed)?.[0], 0xcc);
  assert.equal(toHex(server.handle(connection, GET_TIME) ?? fromHex("")), "c401c1010d", "reading needs authentication");
  assert.equal(toHex(server.handle(connection, fromHex("6203800100")) ?? fromHex("")), "6303800101");
  assert.equal(connection.standing.kind, "associated");
});

test("a fault of the meter's program is an answer to the client and an event to the owner", async () => {
  const meter = testMeter();
  const session = await openTestSession(meter, CLIENTS.management, managementConfig());
  await assert.rejects(remote(session, Echo, ECHO).call("crash"), { code: "action-refused", reason: "other-reason" });
  const failed = meter.events.find(({ kind }) => kind === "handler-failed");
  assert.ok(failed?.kind === "handler-failed" && failed.logicalName === ECHO && failed.error instanceof Error);
});

test("a failing port of the meter is an exception to the client, never a thrown error", () => {
  const meter = testMeter({ policy: STRICT });
  const { server, events } = meter;
  const failing = new Error("disk full");
  meter.setup.counters.accept = () => {
    throw failing;
  };
  const response = server.handle(server.connect(CLIENTS.management, 1), aarqOf(managementConfig()));
  assert.equal(toHex(response ?? fromHex("")), "d80101");
  const [event] = events;
  assert.ok(event?.kind === "request-refused" && event.reason === "failed" && event.error === failing);
});

test("a counter at its end is not accepted, so that the last one cannot be used up by a client", () => {
  const { server } = testMeter({ policy: STRICT });
  const last = aarqOf(managementConfig(), 0xfffffffe);
  assert.equal(server.handle(server.connect(CLIENTS.management, 1), last)?.[0], 0x61);
  const { server: other } = testMeter({ policy: STRICT });
  assert.throws(() => aarqOf(managementConfig(), 0xffffffff));
  assert.equal(other.connect(CLIENTS.management, 1).standing.kind, "idle");
});

test("a request longer than agreed is refused, and a list cannot make an endless answer", async () => {
  const meter = testMeter({ rows: 6000 });
  const connection = meter.server.connect(CLIENTS.management, 1);
  const config = { ...managementConfig(), cipheredContext: false };
  const exchange = async (apdu: Uint8Array) => meter.server.handle(connection, apdu) ?? fromHex("");
  const session = await openTestSession(meter, CLIENTS.management, config, { exchange });
  const long = fromHex(`c101c1 2328 0000600109ff 02 00 09820200 ${"00".repeat(512)}`);
  assert.equal(toHex(await exchange(long)), "d80104");
  const profile = { classId: 7, logicalName: PROFILE, attributeId: 2 };
  const items = await session.getList(Array.from({ length: 45 }, () => profile));
  assert.equal(items.filter(({ kind }) => kind === "data").length, 34);
  assert.deepEqual(items.at(-1), { kind: "refused", reason: "other-reason" });
});

test("unconfirmed SET and ACTION are carried out without an answer", async () => {
  const meter = testMeter();
  const connection = meter.server.connect(CLIENTS.management, 1);
  const config = { ...managementConfig(), cipheredContext: false };
  const exchange = async (apdu: Uint8Array) => meter.server.handle(connection, apdu) ?? fromHex("");
  await openTestSession(meter, CLIENTS.management, config, { exchange });
  assert.equal(meter.server.handle(connection, fromHex("c10181 2328 0000600109ff 02 00 0901aa")), undefined);
  assert.deepEqual(meter.state.text, fromHex("aa"));
  assert.equal(meter.server.handle(connection, fromHex("c30181 0003 0100010800ff 01 01 0f00")), undefined);
  assert.equal(meter.state.wattHours, 0);
});

test("the object list says what each version of association LN can say", async () => {
  const session = await openTestSession(testMeter(), CLIENTS.management, managementConfig(), {
    frameCounters: frameCountersFrom(10),
  });
  const v3 = await remote(session, AssociationLn, "0.0.40.0.0.255").getAll("objectList", "associatedPartnersId");
  assert.deepEqual(v3.associatedPartnersId, { clientSap: 1, serverSap: 1 });
  const profile = v3.objectList.find(({ classId }) => classId === 7);
  assert.deepEqual(profile?.accessRights.attributeAccess[1], {
    attributeId: 2,
    accessMode: 1,
    accessSelectors: [1, 2],
  });
  const echo = v3.objectList.find(({ classId }) => classId === 9000);
  assert.deepEqual(echo?.accessRights.attributeAccess[1], { attributeId: 2, accessMode: 3, accessSelectors: [1] });
  const open = await openTestSession(testMeter(), CLIENTS.public, NONE);
  const v1 = remote(open, AssociationLnV1, "0.0.40.0.0.255");
  const context = await v1.get("xdlmsContextInfo");
  assert.equal(context.maxReceivePduSize, 1024);
  assert.deepEqual(await v1.get("applicationContextName"), {
    type: "octet-string",
    value: fromHex("60857405080101"),
  });
});

test("a model with two objects of one name, or two associations of one client, is refused", () => {
  const object = mount(ECHO, Echo.serve({}));
  const association = { name: "a", clientSap: 1, authentication: { kind: "none" }, access: fullAccess } as const;
  assert.throws(() => deviceModel({ objects: [object, object], associations: [association] }), {
    code: "invalid-value",
  });
  assert.throws(() => deviceModel({ objects: [], associations: [association, association] }), {
    code: "invalid-value",
  });
  assert.throws(() => mount("1.2.3", Echo.serve({})), { code: "invalid-value" });
});

test("an association that is locked out is not even looked at", async () => {
  let locked = true;
  const meter = testMeter({ lockedOut: (association) => locked && association === "reader" });
  const lls = { authentication: { kind: "lls", password: meter.state.password } } as const;
  await assert.rejects(openTestSession(meter, CLIENTS.reader, lls), { code: "exception-response" });
  await openTestSession(meter, CLIENTS.public, NONE);
  locked = false;
  await openTestSession(meter, CLIENTS.reader, lls);
  assert.ok(meter.events.some((event) => event.kind === "request-refused" && event.reason === "locked-out"));
});
