import assert from "node:assert/strict";
import { test } from "node:test";
import { MBusClient, MBusClientV0 } from "../cosem/classes/m-bus-client.ts";
import { type MBus, MBusChannel, serveMBusClient } from "./m-bus-channel.ts";
import { askFor } from "./testing.test.ts";

test("an M-Bus device is installed, read, given its key and taken off", () => {
  const said: string[] = [];
  const device = { isThere: true, status: 0 };
  const bus: MBus = {
    install: (address) =>
      device.isThere && address < 251
        ? { identificationNumber: 12_345_678, manufacturerId: 0x1ce4, version: 2, deviceType: 3 }
        : undefined,
    deinstall: (address) => said.push(`deinstall ${address}`),
    capture: () => (device.isThere ? { accessNumber: 7, status: device.status, configuration: 0x0510 } : undefined),
    synchronizeClock: () => device.isThere,
    send: (_, elements) => elements.length > 0,
    useKey: (_, key) => said.push(key === undefined ? "no key" : `key of ${key.length}`),
    transferKey: (_, key) => key.length === 24,
  };
  const channel = new MBusChannel(bus, { portReference: "0.0.24.6.0.255", captureDefinition: [], capturePeriod: 3600 });
  const ask = askFor(
    MBusClient,
    serveMBusClient<undefined>(1, () => channel),
  );
  assert.equal(ask.call("capture", 0), "other-reason", "there is no device");
  assert.equal(ask.call("slaveInstall", 251), "other-reason");
  assert.equal(ask.call("slaveInstall", 1), "success");
  assert.equal(ask.call("slaveInstall", 2), "other-reason", "the channel is taken");
  assert.equal(ask.get("identificationNumber"), 12_345_678);
  assert.equal(ask.call("setEncryptionKey", new Uint8Array(16)), "success");
  assert.equal(ask.get("encryptionKeyStatus"), "encryptionKeySet");
  assert.equal(ask.call("transferKey", new Uint8Array(16)), "other-reason");
  assert.equal(ask.call("transferKey", new Uint8Array(24)), "success");
  assert.equal(ask.get("encryptionKeyStatus"), "encryptionKeySetAndTransferred");
  device.status = 0x04;
  channel.tick(0);
  assert.equal(ask.get("accessNumber"), 0);
  channel.tick(3_600_000);
  assert.equal(ask.get("accessNumber"), 7);
  assert.equal(ask.get("encryptionKeyStatus"), "encryptionKeyInUse");
  device.status = 0;
  ask.call("capture", 0);
  assert.equal(ask.get("alarm"), 4, "an alarm stays until it is reset");
  ask.call("resetAlarm", 0);
  assert.equal(ask.get("alarm"), 0);
  assert.equal(ask.call("synchronizeClock", 0), "success");
  assert.equal(ask.call("dataSend", []), "other-reason");
  assert.equal(ask.call("slaveDeinstall", 0), "success");
  assert.equal(ask.get("encryptionKeyStatus"), "noEncryptionKey");
  assert.deepEqual(said, ["key of 16", "no key", "deinstall 1"]);
  const older = askFor(
    MBusClientV0,
    serveMBusClient<undefined>(0, () => channel),
  );
  assert.equal(older.get("primaryAddress"), 0);
});
