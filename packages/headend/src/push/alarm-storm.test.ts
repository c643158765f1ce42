import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { alarmsIn } from "./alarm-code.ts";
import { AlarmStorms } from "./alarm-storm.ts";

const LAST_GASP = { code: "0-0:97.98.1/0", always: false };
const FRAUD = { code: "0-0:97.98.0/13", always: true };
const limits = { perMeterAnHour: 3, perFleetAMinute: 10, maxCounts: 100 };

test("MC-22: a meter that repeats itself is told of until its limit, then once as a storm, then counted, and at the end with a number", () => {
  const storms = new AlarmStorms(limits);
  const kinds = Array.from({ length: 6 }, (_, n) => storms.take("A", LAST_GASP, n * 100_000).kind);
  assert.deepEqual(kinds, ["single", "single", "single", "begins", "counted", "counted"]);
  assert.deepEqual(storms.ended(1_000_000), []);
  assert.deepEqual(storms.ended(3_600_000), [{ code: LAST_GASP.code, meter: "A", since: 0, count: 6 }]);
  assert.deepEqual(storms.ended(3_600_000), []);
  assert.equal(storms.take("A", LAST_GASP, 3_600_001).kind, "single");
});

test("a fleet that loses power together is one storm, and the next minute is counted anew", () => {
  const storms = new AlarmStorms(limits);
  const kinds = Array.from({ length: 30 }, (_, n) => storms.take(`M${n}`, LAST_GASP, n).kind);
  assert.deepEqual(kinds.slice(0, 12), [...Array(10).fill("single"), "begins", "counted"]);
  assert.ok(kinds.slice(12).every((kind) => kind === "counted"));
  assert.equal(storms.take("M0", LAST_GASP, 60_000).kind, "single");
  assert.deepEqual(storms.ended(60_001), [{ code: LAST_GASP.code, meter: undefined, since: 0, count: 30 }]);
});

test("a fleet larger than what is remembered is one storm all the same, and the storm of a meter that is forgotten has its end", () => {
  const storms = new AlarmStorms({ ...limits, maxCounts: 20 });
  for (let n = 0; n < 5; n += 1) storms.take("loud", { code: "other", always: false }, 0);
  const kinds = Array.from({ length: 5_000 }, (_, n) => storms.take(`M${n}`, LAST_GASP, n).kind);
  assert.deepEqual(
    kinds.flatMap((kind, n) => (kind === "counted" ? [] : [`${n} ${kind}`])),
    [...Array.from({ length: 10 }, (_, n) => `${n} single`), "10 begins"],
  );
  assert.deepEqual(storms.ended(5_000), [{ code: "other", meter: "loud", since: 0, count: 5 }]);
});

test("a storm of one meter that began inside a storm of the fleet is told of when that is over", () => {
  const storms = new AlarmStorms(limits);
  for (let n = 0; n < 11; n += 1) storms.take(`M${n}`, LAST_GASP, 0);
  for (let n = 0; n < 9; n += 1) assert.equal(storms.take("A", LAST_GASP, n).kind, "counted");
  assert.deepEqual(storms.take("A", LAST_GASP, 70_000), {
    kind: "begins",
    storm: { code: LAST_GASP.code, meter: "A", since: 0, count: 10 },
  });
  assert.equal(storms.take("A", LAST_GASP, 70_001).kind, "counted");
});

test("MC-22: nothing on the exclusion list is ever only counted, whatever else comes", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.boolean(), fc.nat(5_000))), (alarms) => {
      const storms = new AlarmStorms({ ...limits, maxCounts: 3 });
      let at = 0;
      for (const [meter, isFraud, pause] of alarms) {
        at += pause;
        const verdict = storms.take(`M${meter}`, isFraud ? FRAUD : LAST_GASP, at);
        if (isFraud) assert.equal(verdict.kind, "single");
      }
    }),
  );
});

test("alarms are the bits of alarm registers, and one that nobody knows is on the exclusion list", () => {
  const register = (obis: string, value: number | string) => ({ obis, value }) as never;
  const codes = (...registers: never[]) => alarmsIn(registers, "idis-p2").map(({ code, always }) => [code, always]);
  assert.deepEqual(codes(register("0-0:97.98.0", 2 ** 13 + 1), register("0-0:97.98.1", 2 ** 23)), [
    ["0-0:97.98.0/0", false],
    ["0-0:97.98.0/13", true],
    ["0-0:97.98.1/23", true],
  ]);
  assert.deepEqual(codes(register("1-0:1.8.0", 7), register("0-0:97.98.0", "7")), []);
  // What one companion calls a power failure is something else in another, and nobody's guess.
  const words = (profile: string) =>
    alarmsIn([register("0-0:97.98.1", 1)], profile).map((one) => [one.words, one.always]);
  assert.deepEqual(words("idis-p3"), [["total power failure", false]]);
  for (const other of ["dsmr-5", "is15959"]) assert.deepEqual(words(other), [["alarm 0-0:97.98.1, bit 0", true]]);
});
