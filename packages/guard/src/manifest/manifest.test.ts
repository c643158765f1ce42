import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { Operation } from "../operation/operation.ts";
import { planWaves } from "../rule/plan.ts";
import { missingFor, requirementOf } from "../threshold/requirement.ts";
import { DEFAULT_THRESHOLDS } from "../threshold/thresholds.ts";
import { delayOf } from "./dispersion.ts";
import type { ManifestHeader, ManifestTarget } from "./header.ts";
import { earliestOf, readManifest, writeManifest } from "./manifest.ts";

const sha384 = (octets: Uint8Array) => new Uint8Array(createHash("sha384").update(octets).digest());
const DISCONNECT: Operation = { kind: "disconnect", instance: "000060030aff" };
const titleOf = (number: number) => `545354${number.toString(16).toUpperCase().padStart(10, "0")}`;

function header(change: Partial<ManifestHeader> = {}): ManifestHeader {
  const targets = change.targets ?? 3;
  return {
    format: "meterkeep-manifest-1",
    utility: "stadtwerke",
    island: "mainland",
    operation: DISCONNECT,
    targets,
    loadAtRiskW: targets * 400,
    notBefore: 1_795_000_000_000,
    notAfter: 1_795_003_600_000,
    requester: "Rita",
    reason: "RC1: arrears",
    workOrder: "WO-7",
    createdAt: 1_794_999_000_000,
    dispersion: { kind: "geometric", meanSeconds: 300, capSeconds: 1800, seed: "ab".repeat(16) },
    waves: [{ targets, soakSeconds: 600 }],
    doubted: undefined,
    nonce: "01".repeat(16),
    ...change,
  };
}

function targetsOf({ dispersion, targets }: ManifestHeader): ManifestTarget[] {
  return Array.from({ length: targets }, (_, number) => {
    const systemTitle = titleOf(number * 3);
    const delaySeconds = dispersion.kind === "listed" ? number * 20 : delayOf(dispersion, systemTitle, sha384);
    return { systemTitle, wave: 0, delaySeconds, feeder: "F1", transformer: `T${number % 500}`, loadW: 400 };
  });
}

test("a manifest of 300 000 meters is hashed, read and checked, and each of its meters is found", () => {
  const head = header({ targets: 300_000 });
  const octets = writeManifest(head, targetsOf(head));
  const began = performance.now();
  assert.equal(sha384(octets).length, 48);
  const manifest = readManifest(octets, sha384);
  const milliseconds = performance.now() - began;
  assert.equal(manifest.find(titleOf(299_999 * 3))?.loadW, 400);
  assert.equal(manifest.find(titleOf(1)), undefined);
  assert.equal(manifest.page(299_998, 10).length, 2);
  console.log(
    `# 300 000 targets: ${(octets.length / 1e6).toFixed(0)} MB hashed and checked in ${milliseconds.toFixed(0)} ms`,
  );
});

test("MC-12: what does not add up, is out of order, or says what the seed does not, is refused with its line", () => {
  const head = header();
  const targets = targetsOf(head);
  const refused = (change: Partial<ManifestHeader>, lines: readonly ManifestTarget[], message: RegExp) =>
    assert.throws(() => readManifest(writeManifest({ ...head, ...change }, lines), sha384), {
      code: "manifest-refused",
      message,
    });
  const [one, two, three] = targets as [ManifestTarget, ManifestTarget, ManifestTarget];
  refused({ targets: 4, waves: [{ targets: 4, soakSeconds: 0 }] }, targets, /line 1: it announces 4 targets/);
  refused({}, [one, two, two], /line 4: .*each once/);
  refused({ loadAtRiskW: 1 }, targets, /line 1: its load at risk is 1200 W/);
  refused({}, [one, { ...two, wave: 1 }, three], /line 3: wave 1/);
  refused({}, [one, two, { ...three, delaySeconds: 9999 }], /line 4: its delay/);
  refused({ notAfter: head.notBefore }, targets, /ends before it begins/);
  refused({ notAfter: head.notBefore + 8 * 86_400_000 }, targets, /longer than 7 days/);
  refused({ waves: [{ targets: 2, soakSeconds: 0 }] }, targets, /its waves/);
  const key: Operation = {
    kind: "acts",
    acts: [
      { service: "action", classId: 64, instance: "00002b0000ff", member: 2, value: { kind: "exact", octets: "0100" } },
    ],
  };
  refused({ operation: key }, targets, /keys and secrets are changed by the custodian itself/);
});

test("other octets for the same meaning are refused", () => {
  const head = header();
  const written = new TextDecoder().decode(writeManifest(head, targetsOf(head)));
  for (const spoilt of [
    written.replace('{"format"', '{ "format"'),
    written.replace('"wave":0', '"wave":0,"note":"x"'),
    written.replace('"reason":"RC1', '"reason":"\\u0052C1'),
    written.trimEnd(),
    `${written}\n`,
    written.replaceAll("\n", "\r\n"),
  ]) {
    const octets = new TextEncoder().encode(spoilt);
    assert.throws(() => readManifest(octets, sha384), { code: "manifest-refused" }, spoilt.slice(0, 60));
  }
});

test("MC-15: many meters of one transformer are not reconnected in one minute", () => {
  const operation: Operation = { kind: "reconnect", instance: "000060030aff" };
  const head = header({ operation, targets: 40, dispersion: { kind: "none" } });
  const together = targetsOf(head).map((target) => ({ ...target, transformer: "T1" }));
  assert.throws(() => readManifest(writeManifest(head, together), sha384), /disperse/);
  const apart = header({ ...head, dispersion: { kind: "listed", capSeconds: 1800 } });
  const spread = targetsOf(apart).map((target) => ({ ...target, transformer: "T1" }));
  const latest = Math.max(...spread.map((target) => earliestOf(apart, target)));
  assert.ok(readManifest(writeManifest(apart, spread), sha384).header.targets === 40 && latest > apart.notBefore);
});

test("whatever is changed in a manifest, it is refused or its hash is another", () => {
  const head = header();
  const octets = writeManifest(head, targetsOf(head));
  const hash = Buffer.from(sha384(octets));
  fc.assert(
    fc.property(fc.nat(octets.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const other = Uint8Array.from(octets);
      other[at] = (other[at] ?? 0) ^ flip;
      try {
        readManifest(other, sha384);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "manifest-refused");
      }
      assert.ok(!hash.equals(sha384(other)));
    }),
    { numRuns: 2000 },
  );
});

test("MC-07, MC-12, MC-13: how many people a manifest needs follows from what it does and on how many meters", () => {
  const DAY_SECONDS = 86_400;
  const wavesOf = (targets: number, soak = DAY_SECONDS) => [...planWaves(targets, targets, targets, soak)];
  const people = (change: Partial<ManifestHeader>) =>
    requirementOf(header({ waves: wavesOf(change.targets ?? 3), ...change }), DEFAULT_THRESHOLDS).people;
  const clock: Operation = { kind: "clock-shift", instance: "0000010000ff", mostSeconds: 60 };
  const far: Operation = { ...clock, mostSeconds: 61 };
  const activate: Operation = { kind: "firmware-activation", instance: "00002c0000ff", identifier: "1.1", sha384: "" };
  assert.equal(people({ targets: 10 }), 1);
  assert.equal(people({ targets: 11 }), 2);
  // MC-12: who wants many to fall at once, or nearly so, convinces three.
  assert.equal(people({ targets: 2, dispersion: { kind: "none" } }), 3);
  assert.equal(people({ targets: 2, dispersion: { kind: "listed", capSeconds: 1800 } }), 3);
  assert.equal(
    people({ targets: 2, dispersion: { kind: "geometric", meanSeconds: 1, capSeconds: 1800, seed: "ab".repeat(16) } }),
    3,
  );
  assert.equal(people({ targets: 1, dispersion: { kind: "none" } }), 1);
  // MC-10: and who has no work order, be it for one.
  assert.equal(people({ targets: 1, workOrder: "" }), 3);
  // MC-13: and who wants them without waves, or unwatched.
  assert.equal(people({ targets: 2, waves: [{ targets: 2, soakSeconds: 0 }] }), 3);
  assert.equal(people({ targets: 20, waves: [1, 11, 8].map((targets) => ({ targets, soakSeconds: 600 })) }), 3);
  assert.equal(people({ targets: 20, waves: wavesOf(20, 600) }), 2);
  assert.equal(people({ targets: 20, waves: wavesOf(20, 599) }), 3);
  assert.equal(people({ operation: activate, targets: 2, waves: wavesOf(2, 600) }), 3);
  assert.equal(people({ operation: clock, targets: 300_000, dispersion: { kind: "none" } }), 1);
  // What moves a clock by more than a minute is grave.
  assert.equal(people({ operation: far, targets: 1, dispersion: { kind: "none" } }), 1);
  assert.equal(people({ operation: far, targets: 2, dispersion: { kind: "none" } }), 2);
  assert.equal(people({ operation: activate, targets: 1 }), 1);
  assert.equal(people({ operation: activate, targets: 2 }), 2);
  assert.equal(people({ operation: { kind: "reconnect", instance: "000060030aff" }, targets: 5000 }), 1);
  // MC-07: one more where a meter is not believed, for what is grave, and not beyond those who answer for haste.
  const doubted = 1;
  assert.equal(people({ targets: 10, doubted }), 2);
  assert.equal(people({ targets: 11, doubted }), 3);
  assert.equal(people({ operation: activate, targets: 1, doubted }), 2);
  assert.equal(people({ targets: 2, dispersion: { kind: "none" }, doubted }), 3);
  assert.equal(people({ operation: clock, targets: 1, doubted }), 1);
  assert.equal(people({ operation: far, targets: 1, doubted }), 2);
  assert.equal(people({ operation: { kind: "reconnect", instance: "000060030aff" }, targets: 1, doubted }), 1);
});

test("the requester never counts, a person counts once, and two people bring two sets of roles", () => {
  const anna = { name: "Anna", roles: ["operations"] };
  const ben = { name: "Ben", roles: ["security"] };
  const two = { people: 2, differentRoles: true };
  assert.equal(missingFor(two, [anna, ben], "Rita"), undefined);
  assert.match(missingFor(two, [anna, ben], " anna ") ?? "", /1 of 2/);
  assert.match(missingFor(two, [anna, { ...anna, name: "ANNA" }], "Rita") ?? "", /1 of 2/);
  // What looks the same is the same: with something invisible in it, other spaces, or a Cyrillic letter.
  for (const name of ["An\u200bna", "\u202eAnna", "Anna\u2060 ", "\u0410nna", "Ann\u03b1", "\uff21nna"]) {
    assert.match(missingFor(two, [anna, ben], name) ?? "", /1 of 2/, JSON.stringify(name));
    assert.match(missingFor(two, [anna, { ...ben, name }], "Rita") ?? "", /1 of 2/, JSON.stringify(name));
  }
  assert.equal(missingFor(two, [anna, { ...ben, name: "Anne" }], "Rita"), undefined);
  assert.match(missingFor(two, [anna, { ...ben, roles: ["operations"] }], "Rita") ?? "", /same roles/);
});
