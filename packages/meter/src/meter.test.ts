import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, test } from "node:test";
import {
  AssociationLnV1,
  AssociationLnV2,
  Clock,
  DataClass,
  DisconnectControl,
  dateTimeAt,
  ImageTransfer,
  instantOf,
  Limiter,
  OFFERED_CONFORMANCE,
  ProfileGeneric,
  type ProfileRow,
  PushSetup,
  Register,
  readProfile,
  readProfileEntries,
  readProfileRange,
  remote,
  ScriptTable,
  type Session,
  SessionError,
  SingleActionSchedule,
} from "@meterkeep/dlms";
import { firmwareImage } from "./firmware-image.ts";
import { meterObjects } from "./meter-model.ts";
import { COMPANION_PROFILES, companionProfile } from "./profile/companion-profiles.ts";
import { BENCH_MAKER, BENCH_NOW, benchMeter } from "./testing/bench.ts";
import { openBenchSession, openPublicSession } from "./testing/bench-client.ts";
import { INTERVAL_SECONDS, intervalAt } from "./time/calendar.ts";

const PROFILES = Object.keys(COMPANION_PROFILES);
const LOAD_PROFILE = "1.0.99.1.0.255";

async function objectList(session: Session, version: 1 | 2 | 3): Promise<readonly ListedObject[]> {
  const declared = version === 1 ? AssociationLnV1 : AssociationLnV2;
  return remote(session, declared as typeof AssociationLnV1, "0.0.40.0.0.255").get("objectList");
}

interface ListedObject {
  readonly classId: number;
  readonly version: number;
  readonly logicalName: string;
  readonly accessRights: {
    readonly attributeAccess: readonly { readonly attributeId: number; readonly accessMode: number }[];
    readonly methodAccess: readonly { readonly methodId: number; readonly accessMode: number }[];
  };
}

/** Rows with octets as text: views into blocks and copies compare alike. */
const hexRows = (rows: readonly ProfileRow[]): unknown[] =>
  rows.map((row) => row.map(({ value }) => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value)));

const refused = (reason: string) => (error: unknown) => error instanceof SessionError && error.reason === reason;

for (const profile of PROFILES) {
  for (const [role, phases] of [
    ["home", 1],
    ["home", 3],
    ["transformer", 3],
  ] as const) {
    test(`every object of ${profile} is listed and every attribute it promises can be read (${role}, ${phases} phases)`, async () => {
      const bench = benchMeter({ profile, role, phases });
      const session = await openBenchSession(bench);
      const listed = await objectList(session, companionProfile(profile).associationVersion);
      const names = listed.map(({ logicalName }) => logicalName);
      assert.deepEqual(
        [...names].sort(),
        ["0.0.40.0.0.255", ...meterObjects({ profile, role, phases }).map(({ logicalName }) => logicalName)].sort(),
      );
      assert.ok(names.length > 25, `${names.length} objects`);
      assert.equal(names.includes("0.0.96.3.10.255"), role === "home");
      assert.equal(names.includes("1.0.72.7.0.255"), phases === 3);
      for (const { classId, logicalName, accessRights } of listed) {
        for (const { attributeId, accessMode } of accessRights.attributeAccess) {
          const read = session.get({ classId, logicalName, attributeId });
          if ((accessMode & 1) !== 0) assert.ok((await read).length > 0, `${logicalName} ${attributeId}`);
          else await assert.rejects(read, SessionError);
        }
      }
      await session.release();
    });
  }

  describe(profile, () => {
    const facts = companionProfile(profile);

    test("shows the public client its name, clock and counter and nothing else", async () => {
      const bench = benchMeter({ profile });
      await (await openBenchSession(bench, { firstCounter: 500 })).release();
      const session = await openPublicSession(bench);
      const names = (await objectList(session, facts.associationVersion)).map(({ logicalName }) => logicalName);
      const counters = (facts.furtherSetups ?? []).map(({ setup }) => `0.0.43.1.${setup}.255`);
      const wanted = ["0.0.1.0.0.255", "0.0.40.0.0.255", "0.0.42.0.0.255", "0.0.43.1.0.255", ...counters];
      assert.deepEqual(names.sort(), wanted);
      const counter = await remote(session, DataClass, "0.0.43.1.0.255").get("value");
      assert.ok(counter.type === "double-long-unsigned" && counter.value >= 502, "the last one accepted");
      const name = await remote(session, DataClass, "0.0.42.0.0.255").get("value");
      assert.deepEqual(name, {
        type: "octet-string",
        value: new Uint8Array(Buffer.from(bench.record.logicalDeviceName)),
      });
      await assert.rejects(remote(session, Register, "1.0.1.8.0.255").get("value"), SessionError);
    });

    test("lets its reading clients read and change nothing", async () => {
      for (const clientSap of facts.readingClients) {
        const bench = benchMeter({ profile });
        const session = await openBenchSession(bench, { clientSap });
        await remote(session, Register, "1.0.1.8.0.255").get("value");
        await assert.rejects(
          remote(session, DisconnectControl, "0.0.96.3.10.255").call("remoteDisconnect"),
          SessionError,
        );
        assert.equal(bench.meter.supply?.connected, true);
        await assert.rejects(remote(session, DisconnectControl, "0.0.96.3.10.255").set("controlMode", 0), SessionError);
      }
    });

    test("agrees on the PDU size and services of its companion specification", async () => {
      const { negotiated } = await openBenchSession(benchMeter({ profile }), { conformance: OFFERED_CONFORMANCE });
      assert.equal(negotiated.maxReceivePduSize, facts.maxReceivePduSizeBytes);
      assert.equal(negotiated.conformance.includes("multiple-references"), facts.lists);
      assert.equal(negotiated.conformance.includes("general-protection"), facts.generalProtection);
      assert.equal(negotiated.conformance.includes("general-block-transfer"), facts.generalBlockTransfer);
    });

    test("has registers with the scaler of its specification and a clock in local time", async () => {
      const bench = benchMeter({ profile });
      const session = await openBenchSession(bench);
      const energy = remote(session, Register, "1.0.1.8.0.255");
      const { importWh } = bench.meter.consumption.registers(bench.now);
      const scaler = facts.scalers.energy;
      assert.deepEqual(await energy.get("scalerUnit"), { scaler, unit: 30 });
      assert.deepEqual(await energy.get("value"), {
        type: "double-long-unsigned",
        value: Math.floor(importWh / 10 ** scaler),
      });
      const voltage = await remote(session, Register, "1.0.32.7.0.255").get("value");
      assert.ok(voltage.type === "long-unsigned");
      const volts = voltage.value * 10 ** facts.scalers.voltage;
      assert.ok(volts > 207 && volts < 253, `${volts} V`);
      const time = await remote(session, Clock, "0.0.1.0.0.255").get("time");
      assert.equal(instantOf(time), BENCH_NOW * 1000);
      assert.deepEqual([time.hour, time.deviation], [11, -60]);
    });

    test("lets its management client set the clock, keeps that over a power cut and says so in its log", async () => {
      const bench = benchMeter({ profile });
      const session = await openBenchSession(bench);
      const clock = remote(session, Clock, "0.0.1.0.0.255");
      await clock.set("time", dateTimeAt((BENCH_NOW + 42) * 1000, -60));
      assert.equal(instantOf(await clock.get("time")), (BENCH_NOW + 42) * 1000);
      await clock.call("shiftTime", -2);
      assert.equal(bench.meter.clock.offset, 40_000);
      const moves = facts.logs.flatMap(({ codes: { clockLeft, clockAdjusted } }, log) =>
        bench.meter.events
          .of(log)
          .filter(({ code }) => code === clockLeft || code === clockAdjusted)
          .map(({ at, code }, nth) => [at - BENCH_NOW, code === (nth % 2 === 0 ? clockLeft : clockAdjusted)]),
      );
      assert.deepEqual(moves, [
        [0, true],
        [42, true],
        [42, true],
        [40, true],
      ]);
      await assert.rejects(clock.set("timeZone", 0), /read-write-denied/);
      bench.memory.commit();
      const restarted = bench.restarted();
      assert.equal(restarted.meter.clock.offset, 40_000);
      restarted.meter.rollClock(-100);
      assert.equal(restarted.meter.clock.offset, -60_000);
    });

    test("has a load profile whose rows add up to its registers", async () => {
      const bench = benchMeter({ profile }, "prosumer");
      const session = await openBenchSession(bench);
      const rows = await readProfile(session, LOAD_PROFILE);
      const last = intervalAt(bench.now);
      assert.equal(rows.length, last - bench.meter.firstInterval);
      const columns = await remote(session, ProfileGeneric, LOAD_PROFILE).get("captureObjects");
      const clock = columns.findIndex(({ classId }) => classId === 8);
      const value = (row: (typeof rows)[number] | undefined, obis: string): number => {
        const cell = row?.[columns.findIndex(({ logicalName }) => logicalName === obis)];
        assert.ok(cell !== undefined && typeof cell.value === "number", obis);
        return cell.value;
      };
      assert.equal(rows[0]?.[clock]?.type, "octet-string");
      const step = 10 ** facts.scalers.energy;
      const { importWh } = bench.meter.consumption.registers(last * INTERVAL_SECONDS);
      if (facts.loadProfile.columns.includes("blockImport")) {
        const sum = rows.reduce((total, row) => total + value(row, "1.0.1.29.0.255"), 0);
        assert.equal(sum, Math.floor(importWh / step));
      } else {
        assert.equal(value(rows.at(-1), "1.0.1.8.0.255"), Math.floor(importWh / step));
        for (let n = 1; n < rows.length; n++) {
          assert.ok(value(rows[n], "1.0.1.8.0.255") >= value(rows[n - 1], "1.0.1.8.0.255"));
        }
      }
      const daily = await readProfile(session, facts.dailyProfile.obis);
      assert.equal(daily.length, 2, "two midnights have passed");
    });

    test("gives a part of its load profile in the ways of its specification only", async () => {
      const bench = benchMeter({ profile });
      const session = await openBenchSession(bench);
      const at = (hour: number) => dateTimeAt(Date.UTC(2026, 10, 11, hour), -60);
      const byRange = readProfileRange(session, LOAD_PROFILE, { from: at(10), to: at(12) });
      if (facts.loadProfile.selection.includes("range")) assert.equal((await byRange).length, 9);
      else await assert.rejects(byRange, refused("scope-of-access-violated"));
      const byEntry = readProfileEntries(session, LOAD_PROFILE, { fromEntry: 3, toEntry: 6 });
      if (facts.loadProfile.selection.includes("entry")) {
        const all = await readProfile(session, LOAD_PROFILE);
        assert.deepEqual(hexRows(await byEntry), hexRows(all.slice(2, 6)));
      } else await assert.rejects(byEntry, refused("scope-of-access-violated"));
    });
  });
}

test("a remote disconnection takes the load away, by method, by script and by schedule", async () => {
  const bench = benchMeter();
  const session = await openBenchSession(bench);
  const control = remote(session, DisconnectControl, "0.0.96.3.10.255");
  const power = remote(session, Register, "1.0.1.7.0.255");
  const loadSide = remote(session, Register, "1.0.32.7.128.255");
  const number = async (register: typeof power): Promise<number> => {
    const { value } = await register.get("value");
    assert.ok(typeof value === "number");
    return value;
  };
  assert.equal(await control.get("outputState"), true);
  assert.ok((await number(power)) > 0 && (await number(loadSide)) > 2000);
  await control.call("remoteDisconnect");
  assert.deepEqual(await control.getAll("outputState", "controlState"), {
    outputState: false,
    controlState: "disconnected",
  });
  assert.deepEqual([await number(power), await number(loadSide)], [0, 0]);
  await control.call("remoteReconnect");
  assert.ok((await number(power)) > 0);
  bench.now += 60;
  await remote(session, ScriptTable, "0.0.10.0.106.255").call("execute", 1);
  assert.equal(await control.get("controlState"), "disconnected");
  await remote(session, ScriptTable, "0.0.10.0.106.255").call("execute", 2);
  await assert.rejects(remote(session, ScriptTable, "0.0.10.0.106.255").call("execute", 3), SessionError);
  const due = dateTimeAt((bench.now + 120) * 1000, -60);
  await remote(session, SingleActionSchedule, "0.0.15.0.1.255").set("executionTime", [{ time: due, date: due }]);
  bench.meter.supply?.tick(bench.now + 119);
  assert.equal(await control.get("outputState"), true);
  bench.meter.supply?.tick(bench.now + 121);
  assert.equal(await control.get("outputState"), false);
  bench.memory.commit();
  assert.equal(bench.restarted().meter.supply?.connected, false);
});

test("a firmware image is transferred, verified, activated and runs after a power cut", async () => {
  const bench = benchMeter();
  const session = await openBenchSession(bench);
  const transfer = remote(session, ImageTransfer, "0.0.44.0.0.255");
  const image = firmwareImage("I120-2.5.0", 1000, BENCH_MAKER.privateKey);
  const size = await transfer.get("imageBlockSize");
  await transfer.set("imageTransferEnabled", true);
  await transfer.call("imageTransferInitiate", { imageIdentifier: new Uint8Array(8), imageSize: image.length });
  for (let at = 0; at * size < image.length; at += 1) {
    const imageBlockValue = image.subarray(at * size, (at + 1) * size);
    await transfer.call("imageBlockTransfer", { imageBlockNumber: at, imageBlockValue });
  }
  assert.equal(await transfer.get("imageFirstNotTransferredBlockNumber"), 4);
  await transfer.call("imageVerify");
  const [info] = await transfer.get("imageToActivateInfo");
  assert.equal(info?.imageToActivateSize, 1000);
  assert.equal(bench.meter.firmware, "I120-2.4.1");
  await transfer.call("imageActivate");
  assert.equal(await transfer.get("imageTransferStatus"), "activationSuccessful");
  bench.memory.commit();
  assert.equal(bench.restarted().meter.firmware, "I120-2.5.0");
});

test("an image that was tampered with, is older, for another kind of meter, or of another maker is refused and never runs", async () => {
  const other = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
  const tampered = firmwareImage("I120-2.5.0", 600, BENCH_MAKER.privateKey);
  tampered[300] = (tampered[300] ?? 0) ^ 1;
  const images = {
    tampered,
    older: firmwareImage("I120-2.3.9", 600, BENCH_MAKER.privateKey),
    "another kind": firmwareImage("I360-2.5.0", 600, BENCH_MAKER.privateKey),
    "another maker": firmwareImage("I120-2.5.0", 600, other),
  };
  for (const [name, image] of Object.entries(images)) {
    const bench = benchMeter();
    const transfer = remote(await openBenchSession(bench), ImageTransfer, "0.0.44.0.0.255");
    await transfer.set("imageTransferEnabled", true);
    await transfer.call("imageTransferInitiate", { imageIdentifier: new Uint8Array(8), imageSize: image.length });
    for (let at = 0; at * 256 < image.length; at += 1) {
      const imageBlockValue = image.subarray(at * 256, (at + 1) * 256);
      await transfer.call("imageBlockTransfer", { imageBlockNumber: at, imageBlockValue });
    }
    await assert.rejects(transfer.call("imageVerify"), /other-reason/, name);
    await assert.rejects(transfer.call("imageActivate"), /other-reason/, name);
    assert.equal(bench.meter.firmware, "I120-2.4.1", name);
  }
});

test("what is no firmware of these meters is refused", async () => {
  const bench = benchMeter();
  const session = await openBenchSession(bench);
  const transfer = remote(session, ImageTransfer, "0.0.44.0.0.255");
  await transfer.set("imageTransferEnabled", true);
  await transfer.call("imageTransferInitiate", { imageIdentifier: new Uint8Array(8), imageSize: 10 });
  await transfer.call("imageBlockTransfer", { imageBlockNumber: 0, imageBlockValue: new Uint8Array(10) });
  await assert.rejects(transfer.call("imageActivate"), /other-reason/);
  assert.equal(await transfer.get("imageTransferStatus"), "verificationFailed");
  assert.equal(bench.meter.firmware, "I120-2.4.1");
});

test("a meter that lies acknowledges what it does not do", async () => {
  const bench = benchMeter();
  const session = await openBenchSession(bench);
  bench.meter.faults.lies = true;
  await remote(session, DisconnectControl, "0.0.96.3.10.255").call("remoteDisconnect");
  await remote(session, Clock, "0.0.1.0.0.255").set("time", dateTimeAt(0));
  assert.equal(bench.meter.supply?.connected, true);
  assert.equal(bench.meter.clock.offset, 0);
  bench.meter.faults.lies = false;
  await remote(session, DisconnectControl, "0.0.96.3.10.255").call("remoteDisconnect");
  assert.equal(bench.meter.supply?.connected, false);
});

test("the limiter and the push destination can be set, and only to what makes sense", async () => {
  const bench = benchMeter();
  const session = await openBenchSession(bench);
  const limiter = remote(session, Limiter, "0.0.17.0.0.255");
  await limiter.set("thresholdNormal", { type: "double-long-unsigned", value: 2500 });
  assert.deepEqual(await limiter.get("thresholdActive"), { type: "double-long-unsigned", value: 2500 });
  await assert.rejects(limiter.set("thresholdNormal", { type: "boolean", value: true }), SessionError);
  const push = remote(session, PushSetup, "0.0.25.9.0.255");
  const destination = await push.get("sendDestinationAndMethod");
  assert.equal(Buffer.from(destination.destination).toString(), "127.0.0.1:9598");
  const to = (text: string) => ({ ...destination, destination: new Uint8Array(Buffer.from(text)) });
  await push.set("sendDestinationAndMethod", to("10.0.0.9:4059"));
  assert.equal(bench.restarted().meter.pushDestination, "10.0.0.9:4059");
  for (const wrong of ["", "10.0.0.9", "a b:1", "host:70000"]) {
    await assert.rejects(push.set("sendDestinationAndMethod", to(wrong)), SessionError);
  }
  const objects = await push.get("pushObjectList");
  assert.equal(objects[0]?.logicalName, "0.0.42.0.0.255");
});
