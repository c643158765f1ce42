import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { dateTimeAt, remote, SingleActionSchedule } from "@meterkeep/dlms";
import { writeCanonical } from "@meterkeep/guard";
import {
  type FirmwareRelease,
  type FirmwareShelf,
  firmwareRelease,
  meterOperations,
  type Operation,
  signedRelease,
  verifyFirmware,
} from "@meterkeep/headend";
import { firmwareImage } from "@meterkeep/meter";
import { BENCH_MAKER } from "@meterkeep/meter/testing";
import { lineLost, type OperationBench, withOperationBench } from "../src/operation-bench.ts";

const FIRMWARE = "I120-2.5.0";
const BLOCK_BYTES = 256;
const GENERAL_BLOCK_TRANSFER = 0xe0;
const IMAGE = firmwareImage(FIRMWARE, 1_500, BENCH_MAKER.privateKey);

const hashOf = (image: Uint8Array) => createHash("sha384").update(image).digest("hex");

function releaseOf(image: Uint8Array, change: Partial<FirmwareRelease> = {}): FirmwareRelease {
  return {
    format: "meterkeep-firmware-1",
    firmware: FIRMWARE,
    models: ["MKV-I120"],
    imageBytes: image.length,
    sha384: hashOf(image),
    identifier: "I120-250",
    imageSignature: createHash("sha256").update(image).digest("hex"),
    ...change,
  };
}

/** A shelf with one release, signed by the maker, and an image that may be another one. */
function shelfOf(release: FirmwareRelease, image: Uint8Array, key = BENCH_MAKER.privateKey): FirmwareShelf {
  const signature = sign("sha384", signedRelease(release), { key, dsaEncoding: "ieee-p1363" });
  const written = writeCanonical(firmwareRelease, release);
  return { load: async () => verifyFirmware({ release: written, signature, image }, [BENCH_MAKER.publicKey]) };
}

function operationsOf(shelf: FirmwareShelf) {
  const operations = meterOperations({ destinations: () => [], shelf });
  return {
    transfer: operations.get("image-transfer") as Operation,
    activate: operations.get("image-activate") as Operation,
    schedule: operations.get("image-schedule") as Operation,
  };
}

const asked = (release: FirmwareRelease) => {
  const { sha384, identifier, imageBytes } = release;
  return { sha384, identifier, imageBytes, blockBytes: BLOCK_BYTES };
};
const activation = (release: FirmwareRelease) => {
  const { sha384, identifier, imageBytes, firmware } = release;
  return { sha384, identifier, imageBytes, firmware };
};

const { transfer, activate, schedule } = operationsOf(shelfOf(releaseOf(IMAGE), IMAGE));
const RELEASE = releaseOf(IMAGE);
const ON_THE_BENCH = { model: "MKV-I120" };

test("firmware is transferred and verified, runs only when it is activated, and says so itself", () =>
  withOperationBench(ON_THE_BENCH, async (at) => {
    assert.match((await at.preview(transfer, asked(RELEASE))).sentence, /I120-2.4.1 would be given I120-2.5.0/);
    const early = await at.run(activate, activation(RELEASE));
    assert.deepEqual([early.outcome, at.bench.meter.firmware], ["not-taken", "I120-2.4.1"]);
    const given = await at.run(transfer, asked(RELEASE));
    assert.equal(given.outcome, "done", given.sentence);
    assert.equal(at.bench.meter.firmware, "I120-2.4.1");
    assert.equal((await at.preview(activate, activation(RELEASE))).changes, true);
    const active = await at.run(activate, activation(RELEASE));
    assert.equal(active.outcome, "done", active.sentence);
    assert.equal(active.firmware, FIRMWARE);
    assert.deepEqual(
      active.readBack.map(({ name }) => name),
      ["firmware", "firmware signature"],
    );
    assert.equal(at.bench.restarted().meter.firmware, FIRMWARE);
    assert.equal((await at.run(activate, activation(RELEASE))).outcome, "unchanged");
    assert.equal((await at.run(transfer, asked(RELEASE))).outcome, "unchanged");
  }));

test("a call that is longer than what the meter takes at a time is sealed whole, and goes in general blocks", () =>
  withOperationBench(ON_THE_BENCH, async (at) => {
    at.pduBytes = 128;
    const long: Uint8Array[] = [];
    at.overheard = (request, answer) => {
      if (request[0] === GENERAL_BLOCK_TRANSFER) long.push(request);
      return answer;
    };
    assert.equal((await at.run(transfer, asked(RELEASE))).outcome, "done");
    const images = Math.ceil(IMAGE.length / BLOCK_BYTES);
    assert.ok(long.length >= 3 * (images - 1), `${long.length} general blocks for ${images} of the image`);
    assert.ok(long.every(({ length }) => length <= 128));
  }));

test("an image of which the meter shows another signature than its maker said is not activated; where he said none, it is not asked", () =>
  withOperationBench(ON_THE_BENCH, async (at) => {
    const [wrong, silent] = ["ab".repeat(32), undefined].map((imageSignature) =>
      releaseOf(IMAGE, { imageSignature }),
    ) as [FirmwareRelease, FirmwareRelease];
    const given = await at.run(operationsOf(shelfOf(wrong, IMAGE)).transfer, asked(wrong));
    assert.equal(given.outcome, "not-taken");
    assert.match(given.sentence, /did not accept the image: .*signature [0-9a-f]{64}/);
    const early = await at.run(operationsOf(shelfOf(wrong, IMAGE)).activate, activation(wrong));
    assert.deepEqual([early.outcome, at.bench.meter.firmware], ["not-taken", "I120-2.4.1"]);
    assert.equal((await at.run(operationsOf(shelfOf(silent, IMAGE)).transfer, asked(silent))).outcome, "done");
    assert.equal((await at.run(operationsOf(shelfOf(silent, IMAGE)).activate, activation(silent))).outcome, "done");
  }));

test("nothing is sent of a release that no trusted maker signed, of another image, for another model, or beyond what was approved", () =>
  withOperationBench(ON_THE_BENCH, async (at) => {
    const tampered = IMAGE.slice();
    tampered[700] = (tampered[700] ?? 0) ^ 1;
    const other = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
    const elsewhere = releaseOf(IMAGE, { models: ["MKV-I360"] });
    const shelves: Readonly<Record<string, readonly [FirmwareShelf, unknown]>> = {
      "another maker": [shelfOf(RELEASE, IMAGE, other), asked(RELEASE)],
      "another image": [shelfOf(RELEASE, tampered), asked(RELEASE)],
      "another model": [shelfOf(elsewhere, IMAGE), asked(elsewhere)],
      "another identifier": [shelfOf(RELEASE, IMAGE), { ...asked(RELEASE), identifier: "other" }],
    };
    for (const [name, [shelf, parameters]] of Object.entries(shelves))
      await assert.rejects(at.run(operationsOf(shelf).transfer, parameters), { code: "firmware-refused" }, name);
    assert.equal(at.bench.meter.images.enabled, false);
  }));

for (const [name, image] of Object.entries({
  tampered: tamperedAfterSigning(),
  older: firmwareImage("I120-2.3.9", 1_500, BENCH_MAKER.privateKey),
}))
  test(`the meter itself refuses an image that is ${name}, whoever released it, and goes on as it was`, () =>
    withOperationBench(ON_THE_BENCH, async (at) => {
      const release = releaseOf(image);
      const { transfer: give, activate: use } = operationsOf(shelfOf(release, image));
      const given = await at.run(give, asked(release));
      assert.equal(given.outcome, "not-taken", given.sentence);
      assert.deepEqual(
        given.findings.map(({ code }) => code),
        ["firmware-refused"],
      );
      assert.equal((await at.run(use, activation(release))).outcome, "not-taken");
      assert.equal(at.bench.meter.firmware, "I120-2.4.1");
    }));

/** What a maker whose build was broken into would release: its release is right, the image's own signature is not. */
function tamperedAfterSigning(): Uint8Array {
  const image = IMAGE.slice();
  image[700] = (image[700] ?? 0) ^ 1;
  return image;
}

/** Kills the line at exchange `kill` of one session, then lets the next ones end. Gives whether the kill struck. */
async function killed(
  at: OperationBench,
  operation: Operation,
  parameters: unknown,
  kill: number,
  when: "before" | "after",
  between: () => void = () => undefined,
): Promise<boolean> {
  const run = await at.approve(operation, parameters);
  at.mischief = (exchange, moment) => {
    if (exchange === kill && moment === when) throw lineLost();
  };
  const first = await run();
  at.mischief = () => undefined;
  if (first.error === undefined) return false;
  between();
  const again = await run();
  assert.equal(again.error, undefined, `${kill} ${when}: ${String(again.error)}`);
  assert.ok(["done", "unchanged"].includes(again.result?.outcome ?? ""), `${kill}: ${again.result?.sentence}`);
  return true;
}

for (const when of ["before", "after"] as const)
  test(`killed at every exchange (${when} the meter hears it), a transfer goes on at the block where it was`, () =>
    withOperationBench(ON_THE_BENCH, async (at) => {
      for (let kill = 1, struck = true; struck; kill += 1) {
        at.bench.meter.images.enabled = false;
        await at.memoryOf(at.meter).save("image-transfer", undefined);
        let blocks = 0;
        struck = await killed(at, transfer, asked(RELEASE), kill, when, () => {
          blocks = at.bench.meter.images.firstNotTransferred;
        });
        const { images, firmware } = at.bench.meter;
        assert.deepEqual([images.status, firmware], ["verificationSuccessful", "I120-2.4.1"]);
        if (struck && kill > 12) assert.ok(blocks > 0, `${kill}: it began anew`);
      }
    }));

test("a meter that lost its power in the middle is given the image anew, under the same manifest", () =>
  withOperationBench(ON_THE_BENCH, async (at) => {
    assert.ok(await killed(at, transfer, asked(RELEASE), 12, "after", () => at.restart()));
    assert.equal(at.bench.meter.images.status, "verificationSuccessful");
  }));

for (const when of ["before", "after"] as const)
  test(`killed at every exchange (${when} the meter hears it), an activation ends with the new firmware, once`, () =>
    withOperationBench(ON_THE_BENCH, async (at) => {
      for (let kill = 1, struck = true; struck; kill += 1) {
        const version = `I120-2.${kill + 5}.0`;
        const image = firmwareImage(version, 600, BENCH_MAKER.privateKey);
        const release = releaseOf(image, { firmware: version });
        const { transfer: give, activate: use } = operationsOf(shelfOf(release, image));
        assert.equal((await at.run(give, asked(release))).outcome, "done");
        struck = await killed(at, use, activation(release), kill, when);
        assert.equal(at.bench.meter.firmware, version);
      }
    }));

test("a meter that was given another image by somebody else is not activated, nor continued", () =>
  withOperationBench(ON_THE_BENCH, async (at) => {
    await at.run(transfer, asked(RELEASE));
    const foreign = firmwareImage("I120-9.9.9", 600, BENCH_MAKER.privateKey);
    const { images } = at.bench.meter;
    images.initiate(new Uint8Array(8), foreign.length);
    for (let block = 0; block * BLOCK_BYTES < foreign.length; block += 1)
      images.block(block, foreign.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES));
    images.verify();
    const result = await at.run(activate, activation(RELEASE));
    assert.equal(result.outcome, "not-taken");
    assert.match(result.sentence, /it would activate/);
    assert.equal(at.bench.meter.firmware, "I120-2.4.1");
  }));

test("MC-12: a meter activates firmware by itself at its own moment, which the custodian seals and no other", () =>
  withOperationBench(ON_THE_BENCH, async (at) => {
    const windowMinutes = 60;
    const { meter } = at.bench;
    const offsetMinutes = -(meter.clockTime(meter.now()).deviation ?? 0);
    const planned = { ...activation(RELEASE), windowMinutes, offsetMinutes };
    const early = await at.run(schedule, planned);
    assert.deepEqual([early.outcome, meter.settings.activateAt], ["not-taken", undefined]);
    assert.equal((await at.run(transfer, asked(RELEASE))).outcome, "done");
    // What people signed of its clock is not what the meter has.
    const elsewhere = await at.run(schedule, { ...planned, offsetMinutes: offsetMinutes + 60 });
    assert.deepEqual([elsewhere.outcome, meter.settings.activateAt], ["not-taken", undefined]);
    assert.match(elsewhere.sentence, /minutes ahead of UTC/);
    const done = await at.run(schedule, planned);
    assert.equal(done.outcome, "done", done.sentence);
    const due = meter.settings.activateAt ?? 0;
    const { now } = at.custody;
    assert.ok(due * 1000 > now && due * 1000 < now + 2 * windowMinutes * 60_000);
    assert.ok(done.readBack.every(({ holds }) => holds));
    meter.tick(due - 1);
    assert.equal(meter.firmware, "I120-2.4.1");
    meter.tick(due);
    assert.deepEqual([meter.firmware, meter.settings.activateAt], [FIRMWARE, undefined]);
    at.custody.now = due * 1000;
    assert.equal((await at.run(schedule, planned)).outcome, "unchanged");
    assert.equal((await at.run(activate, activation(RELEASE))).outcome, "unchanged");
  }));

test("MC-20: a head-end that was taken over brings no meter to activate firmware at a moment that it chose", () =>
  withOperationBench(ON_THE_BENCH, async (at) => {
    assert.equal((await at.run(transfer, asked(RELEASE))).outcome, "done");
    const deviation = at.bench.meter.clockTime(at.bench.meter.now()).deviation ?? 0;
    const chosen: Operation = {
      ...schedule,
      run: async (on) => {
        const { hundredths: _, ...moment } = dateTimeAt(on.now() + 600_000, deviation);
        const time = { ...moment, hundredths: undefined };
        await remote(on.session, SingleActionSchedule, "0.0.15.0.2.255").set("executionTime", [{ time, date: time }]);
        return { outcome: "done", sentence: "", readBack: [], findings: [] };
      },
    };
    await assert.rejects(at.run(chosen, { ...activation(RELEASE), windowMinutes: 60, offsetMinutes: -deviation }), {
      code: "seal-refused",
    });
    assert.equal(at.bench.meter.settings.activateAt, undefined);
  }));
