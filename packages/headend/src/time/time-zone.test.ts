import assert from "node:assert/strict";
import { test } from "node:test";
import { timeZone, UTC } from "./time-zone.ts";

const berlin = timeZone("Europe/Berlin");
const at = (text: string): number => Date.parse(`${text}Z`);

test("local time becomes an instant in summer and in winter, and turns back", () => {
  assert.equal(berlin.instantAt(at("2026-01-15T08:00:00")), at("2026-01-15T07:00:00"));
  assert.equal(berlin.instantAt(at("2026-07-15T08:00:00")), at("2026-07-15T06:00:00"));
  assert.deepEqual(
    [berlin.deviationAt(at("2026-01-15T07:00:00")), berlin.deviationAt(at("2026-07-15T06:00:00"))],
    [-60, -120],
  );
  assert.equal(timeZone("Asia/Kolkata").instantAt(at("2026-07-15T00:00:00")), at("2026-07-14T18:30:00"));
  assert.equal(UTC.instantAt(at("2026-07-15T08:00:00")), at("2026-07-15T08:00:00"));
});

test("an hour that comes twice is told apart by the mark of summer time; one that never comes is taken as before", () => {
  const twice = at("2026-10-25T02:30:00");
  assert.equal(berlin.instantAt(twice, true), at("2026-10-25T00:30:00"));
  assert.equal(berlin.instantAt(twice), at("2026-10-25T01:30:00"));
  assert.equal(berlin.instantAt(at("2026-03-29T02:30:00")), at("2026-03-29T01:30:00"));
});

test("a name that the time zone database does not have is refused", () => {
  assert.throws(() => timeZone("Europe/Atlantis"), RangeError);
});
