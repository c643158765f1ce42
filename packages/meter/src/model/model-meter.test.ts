import assert from "node:assert/strict";
import { createSecretKey, type KeyObject } from "node:crypto";
import { test } from "node:test";
import {
  AssociationLn,
  AssociationSn,
  type AttributeAddress,
  attributeNumbered,
  Clock,
  DataClass,
  DisconnectControl,
  data,
  dateTime,
  decode,
  type Exchange,
  encode,
  frameCountersFrom,
  ImageTransfer,
  localAssociator,
  openSession,
  openShortNameSession,
  ProfileGeneric,
  readProfileEntries,
  remote,
  risingCountersFrom,
  ShortNameSession,
  systemTitle,
} from "@meterkeep/dlms";
import { nodeCiphers } from "@meterkeep/dlms-node";
import { sharedModels } from "../testing/shared-models.ts";
import { type MeterFile, parseMeterFile } from "./model-file.ts";
import { ModelMeter } from "./model-meter.ts";
import { ModelSecurity } from "./model-security.ts";

const NOW = Date.parse("2026-11-21T06:07:08Z");

function meterOf(json: unknown): ModelMeter {
  return new ModelMeter({ file: parseMeterFile(json), now: () => NOW });
}

function exchangeWith(meter: ModelMeter, clientSap = 16): Exchange {
  const connection = meter.server.connect(clientSap, 1);
  return async (apdu) => {
    const response = meter.server.handle(connection, apdu);
    assert.ok(response !== undefined);
    return response;
  };
}

function sessionWith(meter: ModelMeter) {
  const exchange = exchangeWith(meter);
  const authentication = { kind: "none" } as const;
  return meter.file.referencing === "short-name"
    ? openShortNameSession({ exchange, associator: localAssociator({ authentication, referencing: "short-name" }) })
    : openSession({ exchange, associator: localAssociator({ authentication }) });
}

const SMALL = {
  source: "test",
  client: "public",
  useLN: "true",
  objects: [
    {
      cls: 1,
      type: "Data",
      obis: "0.0.42.0.0.255",
      sn: null,
      version: 0,
      attrs: { "1": [1, "OctetString"], "2": [1, null] },
    },
    {
      cls: 3,
      type: "Register",
      obis: "1.0.1.8.0.255",
      sn: null,
      version: 0,
      attrs: { "1": [1, null], "2": [1, "UInt64"], "3": [1, null] },
    },
    { cls: 8, type: "Clock", obis: "0.0.1.0.0.255", sn: null, version: 0, attrs: { "2": [3, null], "3": [0, null] } },
    {
      cls: 7,
      type: "ProfileGeneric",
      obis: "1.0.99.1.0.255",
      sn: null,
      version: 1,
      attrs: { "2": [1, null], "3": [1, null], "9": [1, "Enum"] },
    },
    { cls: 9000, type: "Strange", obis: "0.0.128.0.0.255", sn: null, version: 4, attrs: { "2": [null, "Float32"] } },
    { cls: 43, type: "MacAddressSetup", obis: "0.0.25.2.0.255", sn: null, version: 0, attrs: { "2": [2, null] } },
    { cls: null, type: "HdlcSetup", obis: "0.0.22.0.0.255", sn: null, version: 1, attrs: {} },
  ],
};

test("a model is served with its objects, classes and rights", async () => {
  const meter = meterOf(SMALL);
  const session = await sessionWith(meter);
  assert.ok(!(session instanceof ShortNameSession));
  const list = await remote(session, AssociationLn, "0.0.40.0.0.255").get("objectList");
  const found = list.map(({ classId, version, logicalName }) => `${classId} v${version} ${logicalName}`).sort();
  assert.deepEqual(found, [
    "1 v0 0.0.42.0.0.255",
    "15 v1 0.0.40.0.0.255",
    "23 v1 0.0.22.0.0.255",
    "3 v0 1.0.1.8.0.255",
    "43 v0 0.0.25.2.0.255",
    "7 v1 1.0.99.1.0.255",
    "8 v0 0.0.1.0.0.255",
    "9000 v4 0.0.128.0.0.255",
  ]);
  const clock = list.find(({ classId }) => classId === 8);
  assert.deepEqual(
    clock?.accessRights.attributeAccess.map(({ attributeId, accessMode }) => [attributeId, accessMode]),
    [
      [1, 1],
      [2, 3],
      [3, 0],
    ],
  );
});

test("what the class does not know is served raw and named", async () => {
  const meter = meterOf(SMALL);
  assert.deepEqual(meter.notices, [
    "1.0.99.1.0.255 (class 7 version 1) attribute 9: undeclared; raw",
    "0.0.128.0.0.255 (class 9000 version 4): the class is not known; all its attributes are raw",
  ]);
  const session = await sessionWith(meter);
  const strange = await session.get({ classId: 9000, logicalName: "0.0.128.0.0.255", attributeId: 2 });
  assert.equal(decode(data, strange).type, "float32");
});

test("values have the type that the model found", async () => {
  const session = await sessionWith(meterOf(SMALL));
  const energy = await session.get({ classId: 3, logicalName: "1.0.1.8.0.255", attributeId: 2 });
  assert.equal(decode(data, energy).type, "long64-unsigned");
});

test("what is written is kept, of the right type only and where the model allows it", async () => {
  const session = await sessionWith(meterOf(SMALL));
  const mac: AttributeAddress = { classId: 43, logicalName: "0.0.25.2.0.255", attributeId: 2 };
  await session.set(mac, encode(data, { type: "octet-string", value: new Uint8Array(6) }));
  await assert.rejects(session.set(mac, encode(data, { type: "unsigned", value: 1 })), /type-unmatched/);
  await assert.rejects(session.get(mac), /read-write-denied/);
  const energy: AttributeAddress = { classId: 3, logicalName: "1.0.1.8.0.255", attributeId: 2 };
  await assert.rejects(session.set(energy, encode(data, { type: "unsigned", value: 1 })), /read-write-denied/);
});

test("its clock can be set, and its profiles have rows of the time before", async () => {
  const meter = meterOf(SMALL);
  const session = await sessionWith(meter);
  assert.ok(!(session instanceof ShortNameSession));
  const rows = await readProfileEntries(session, "1.0.99.1.0.255", { fromEntry: 24, toEntry: 24 });
  assert.equal(rows[0]?.length, 2);
  const columns = await remote(session, ProfileGeneric, "1.0.99.1.0.255").get("captureObjects");
  assert.deepEqual(
    columns.map(({ classId }) => classId),
    [8, 3],
  );
  const clock = remote(session, Clock, "0.0.1.0.0.255");
  await clock.set(
    "time",
    dateTime({ year: 2027, month: 1, dayOfMonth: 1, hour: 0, minute: 0, second: 0, deviation: 0 }),
  );
  assert.equal((await clock.get("time")).year, 2027);
});

test("short names that would run into the next object are left out, and said so", async () => {
  const object = (obis: string, sn: number) => ({ cls: 3, type: "Register", obis, sn, version: 0, attrs: {} });
  const meter = meterOf({
    useLN: "false",
    objects: [object("1.0.1.8.0.255", 0x1000), object("1.0.2.8.0.255", 0x1010), object("1.0.3.8.0.255", 0xfff8)],
  });
  assert.equal(meter.notices.length, 3);
  const session = await sessionWith(meter);
  assert.ok(session instanceof ShortNameSession);
  const list = await session.objects();
  assert.deepEqual(
    list.map(({ baseName }) => baseName).sort((a, b) => a - b),
    [0x1000, 0x1010, 0xfa00, 0xfff8],
  );
});

test("under short names attributes can be read by their logical names, several at once", async () => {
  const registers = ["1.0.1.8.0.255", "1.0.2.8.0.255"].map((obis, at) => ({
    cls: 3,
    obis,
    sn: 0x1000 + at * 0x100,
    version: 0,
  }));
  const session = await sessionWith(meterOf({ useLN: "false", objects: registers }));
  assert.ok(session instanceof ShortNameSession);
  const wanted = ["1.0.1.8.0.255", "1.0.9.8.0.255", "1.0.2.8.0.255"].map((logicalName) => ({
    classId: 3,
    logicalName,
    attributeIndex: 2,
  }));
  const { id: classId, methods, methodOffset } = AssociationSn;
  const { index: methodId, parameter } = methods.readByLogicalName;
  const read = await session.call(
    { classId, logicalName: "0.0.40.0.0.255", methodId, methodOffset },
    encode(parameter, wanted),
  );
  const values = decode(data, read ?? assert.fail());
  assert.ok(values.type === "structure");
  assert.deepEqual(
    values.value.map(({ type }) => type),
    ["double-long-unsigned", "null-data", "double-long-unsigned"],
  );
});

test("objects whose names say that they hold a time or a date hold one", async () => {
  const named = ["1.0.0.9.1.255", "1.0.0.9.2.255", "1.0.0.1.2.255", "1.0.0.9.4.255"];
  const meter = meterOf({ objects: named.map((obis) => ({ cls: 1, obis, version: 0, attrs: { 2: [1, null] } })) });
  const session = await sessionWith(meter);
  assert.ok(!(session instanceof ShortNameSession));
  const lengths = named.map(async (logicalName) => {
    const value = await remote(session, DataClass, logicalName).get("value");
    return value.type === "octet-string" ? value.value.length : value.type;
  });
  assert.deepEqual(await Promise.all(lengths), [4, 5, 12, "double-long-unsigned"]);
});

test("its switches and its image transfer do what they should", async () => {
  const meter = meterOf({
    objects: [
      { cls: 70, obis: "0.0.96.3.10.255", version: 0, attrs: {} },
      { cls: 18, obis: "0.0.44.0.0.255", version: 0, attrs: {} },
    ],
  });
  const session = await sessionWith(meter);
  assert.ok(!(session instanceof ShortNameSession));
  const relay = remote(session, DisconnectControl, "0.0.96.3.10.255");
  await relay.call("remoteDisconnect");
  assert.equal(await relay.get("controlState"), "disconnected");
  const transfer = remote(session, ImageTransfer, "0.0.44.0.0.255");
  await transfer.set("imageTransferEnabled", true);
  await transfer.call("imageTransferInitiate", { imageIdentifier: new Uint8Array(1), imageSize: 3 });
  await transfer.call("imageBlockTransfer", { imageBlockNumber: 0, imageBlockValue: new Uint8Array(3) });
  await transfer.call("imageActivate");
  assert.equal(await transfer.get("imageTransferStatus"), "activationSuccessful");
});

test("it knows clients with a password and with keys, and no others", async () => {
  const key = (octet: number) => new Uint8Array(16).fill(octet);
  const keys = { globalUnicastEncryptionKey: key(1), authenticationKey: key(2), keyEncryptionKey: key(3) };
  const security = new ModelSecurity(systemTitle(new Uint8Array(8).fill(7)), keys);
  const meter = new ModelMeter({
    file: parseMeterFile(SMALL),
    now: () => NOW,
    password: "12345678",
    security,
    clients: [
      { sap: 1, authentication: "gmac" },
      { sap: 32, authentication: "lls" },
    ],
  });
  const open = (sap: number, config: Parameters<typeof localAssociator<KeyObject>>[0]) =>
    openSession({
      exchange: exchangeWith(meter, sap),
      associator: localAssociator<KeyObject>(config, {
        frameCounters: frameCountersFrom(1),
        receivedCounters: risingCountersFrom(0),
      }),
    });
  const energy: AttributeAddress = { classId: 3, logicalName: "1.0.1.8.0.255", attributeId: 2 };
  const password = (text: string) => ({ kind: "lls", password: new TextEncoder().encode(text) }) as const;
  assert.ok(await (await open(32, { authentication: password("12345678") })).get(energy));
  await assert.rejects(open(32, { authentication: password("87654321") }));
  await assert.rejects(open(16, { authentication: { kind: "none" } }));
  const secured = await open(1, {
    authentication: { kind: "gmac", challenge: new Uint8Array(16).fill(9) },
    systemTitle: systemTitle(new Uint8Array(8).fill(8)),
    ciphering: {
      ciphers: nodeCiphers,
      suite: 0,
      authenticated: true,
      encrypted: true,
      form: "global",
      encryptionKey: createSecretKey(keys.globalUnicastEncryptionKey),
      authenticationKey: keys.authenticationKey,
    },
  });
  assert.ok(await secured.get(energy));
  security.rollCounter(1);
  await assert.rejects(secured.get(energy), { code: "counter-replayed" });
});

test("what is no model is refused, and parts that are not understood are left out", () => {
  for (const json of [null, [], { objects: 3 }, { objects: [] }, { objects: [{ obis: "1.2" }] }])
    assert.throws(() => parseMeterFile(json), { code: "meter-model-invalid" });
  const { objects, notices } = parseMeterFile({
    objects: [
      { cls: 1, obis: "0.0.1.0.0.255", attrs: { "0": [1], x: [1], "2": [1, "Nonsense"] } },
      { cls: null, type: "Unheard", obis: "0.0.2.0.0.255" },
      7,
    ],
  });
  assert.equal(objects.length, 1);
  assert.equal(notices.length, 6);
});

const models = sharedModels();

test("every model of a real meter is read whole", { skip: models === undefined && "no shared models" }, async (t) => {
  for (const { name, read } of models ?? [])
    await t.test(name, async () => {
      const meter = meterOf(read());
      await readWhole(meter, meter.file);
    });
});

async function readWhole(meter: ModelMeter, file: MeterFile): Promise<void> {
  const session = await sessionWith(meter);
  const listed = new Set(
    !(session instanceof ShortNameSession)
      ? (await remote(session, AssociationLn, "0.0.40.0.0.255").get("objectList")).map(
          ({ classId, version, logicalName }) => `${classId} v${version} ${logicalName}`,
        )
      : (await session.objects()).map(
          ({ classId, version, logicalName, baseName }) => `${classId} v${version} ${logicalName} ${baseName}`,
        ),
  );
  for (const { classId, version, logicalName, baseName } of file.objects) {
    const name = `${classId} v${version} ${logicalName}`;
    assert.ok(listed.has(!(session instanceof ShortNameSession) ? name : `${name} ${baseName}`), `${name} is listed`);
  }
  for (const { object, declared, attributes } of meter.objects) {
    const { classId, logicalName } = object;
    for (const { index, readable, type } of attributes) {
      const address = { classId, logicalName, attributeId: index };
      if (!readable) {
        await assert.rejects(session.get(address));
        continue;
      }
      const octets = await session.get(address);
      const value = decode(data, octets);
      const own = declared === undefined ? undefined : attributeNumbered(declared, index);
      if (type !== undefined) assert.equal(value.type, type, `${logicalName} ${index}`);
      const isRaw = meter.notices.some((notice) => notice.startsWith(`${logicalName} (class ${classId} `));
      if (own !== undefined && !isRaw) decode(own.codec, octets);
    }
  }
}
