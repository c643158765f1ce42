import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { Overview, RecentEvent } from "@meterkeep/api";
import { sampleMeter } from "../town/sample.ts";
import { withoutName } from "./about.ts";
import { condense } from "./condense.ts";
import { eventLine, joinLines } from "./event-line.ts";
import { INITIAL_LIVE_STATE, SILENCE_LIMIT_MS, step } from "./live-state.ts";
import { mergeMeters, mergeWarnings, standsOutside } from "./merge.ts";
import { PerKeyRate } from "./rate.ts";
import { clockBase, clockLabel, townTime } from "./town-clock.ts";

test("silence for longer than two heartbeats is a lost stream, and the page knows as of when", () => {
  let state = step(INITIAL_LIVE_STATE, { kind: "heard", at: 1000 });
  state = step(state, { kind: "checked", at: 1000 + SILENCE_LIMIT_MS });
  assert.equal(state.connection, "live");
  state = step(state, { kind: "checked", at: 1001 + SILENCE_LIMIT_MS });
  assert.deepEqual(state, { connection: "lost", heardAt: 1000 });
  assert.equal(step(state, { kind: "heard", at: 99_000 }).connection, "live");
});

test("a broken stream is lost at once and keeps the time it was last heard", () => {
  const heard = step(INITIAL_LIVE_STATE, { kind: "heard", at: 5 });
  const lost = step(heard, { kind: "broken" });
  assert.deepEqual(lost, { connection: "lost", heardAt: 5 });
  assert.equal(step(lost, { kind: "broken" }), lost);
});

test("nothing that was never live calls itself live", () => {
  assert.equal(step(INITIAL_LIVE_STATE, { kind: "checked", at: 9e9 }).connection, "connecting");
});

test("town time runs at its factor from when the server said it, whatever this machine's clock shows", () => {
  const base = clockBase({ now: "2026-11-21T12:00:00Z", factor: 60, simulated: true }, 500);
  assert.equal(new Date(townTime(base, 2500)).toISOString(), "2026-11-21T12:02:00.000Z");
  assert.equal(townTime(base, 0), base.townMs);
  assert.equal(clockLabel(base), "simulated, time runs 60x");
  assert.equal(clockLabel({ simulated: false, factor: 1 }), "wall clock");
});

const overview = { asOf: "2026-11-21T12:00:00Z", meters: [sampleMeter("A"), sampleMeter("B")] } as unknown as Overview;

test("a meter's new line replaces its old one, a new meter is added, the rest stays the same object", () => {
  const a = sampleMeter("A", { powerW: 5 });
  const c = sampleMeter("C");
  const merged = mergeMeters(
    overview,
    new Map([
      ["A", a],
      ["C", c],
    ]),
    "2026-11-21T12:00:01Z",
  );
  assert.deepEqual(merged.meters, [a, overview.meters[1], c]);
  assert.equal(merged.meters[1], overview.meters[1]);
  assert.equal(mergeMeters(overview, new Map(), "x"), overview);
});

test("a warning comes and goes without the page being read again", () => {
  const warnings = [{ code: "custodian-unreachable", text: "It does not answer.", fix: "Wait." }];
  const custodian = { reachable: false, asOf: "2026-11-21T12:00:01Z" };
  const warned = mergeWarnings(overview, { warnings, custodian });
  assert.deepEqual([warned.warnings, warned.custodian], [warnings, custodian]);
  assert.equal(warned.meters, overview.meters);
});

test("a town that came in is a line of its own, and one that was refused a warning", () => {
  const event = { at: "2026-11-21T12:00:00Z", file: "shipments/a.mks", imported: true, meters: 204, added: 204 };
  const line = eventLine("import", { ...event, sentence: "204 meters came in." }, "1");
  assert.equal(line?.sentence, "204 meters came in.");
  assert.equal(line?.severity, "notice");
  assert.equal(eventLine("import", { ...event, imported: false, sentence: "No." }, "2")?.severity, "warning");
});

test("events read as sentences, and those that only move the picture make no line", () => {
  const reading = eventLine("reading", { meter: "A", at: "2026-11-21T12:00:00Z", intervals: 1, registers: 5 }, "7");
  assert.equal(reading?.sentence, "Stored 1 interval and 5 registers");
  assert.equal(eventLine("heartbeat", { at: "2026-11-21T12:00:00Z" }, "8"), undefined);
  const caught = eventLine(
    "takeover",
    { meter: "A", at: "x", step: "y", sentence: "It kept a key.", grade: "exposed", verdict: "keeps-master-key" },
    "9",
  );
  assert.equal(caught?.severity, "warning");
});

const line = (id: string, seconds: number, changes: Partial<RecentEvent> = {}): RecentEvent => ({
  id,
  at: new Date(1e12 - seconds * 1000).toISOString(),
  type: "reading",
  meter: id,
  sentence: `Stored ${id} intervals`,
  severity: "info",
  ...changes,
});

test("lines seen twice stand once, newest first, and the list is bounded", () => {
  assert.deepEqual(
    joinLines([line("3", 0), line("2", 1)], [line("2", 1), line("1", 2)], 3).map(({ id }) => id),
    ["3", "2", "1"],
  );
  assert.equal(joinLines([], [line("2", 0), line("1", 1)], 1).length, 1);
});

test("equal calm lines become one that counts; a warning always stands alone", () => {
  const warning = { severity: "warning", sentence: "Refused 1 push" } as const;
  const groups = condense(
    [line("9", 0), line("8", 1, warning), line("7", 2), line("6", 3, warning), line("5", 90)],
    () => undefined,
  );
  assert.deepEqual(
    groups.map(({ event, count }) => [event.id, count]),
    [
      ["9", 2],
      ["8", 1],
      ["6", 1],
      ["5", 1],
    ],
  );
});

test("what two meters did alike is one line, whatever they are called", () => {
  const names: Record<string, string> = { "2": "Feldweg 4", "1": "Am Anger, transformer" };
  const says = (id: string) => ({ type: "push", sentence: `${names[id]} pushed 3 readings over TCP.` }) as const;
  const groups = condense([line("2", 0, says("2")), line("1", 1, says("1"))], (meter) => names[meter]);
  assert.deepEqual(
    groups.map(({ count }) => count),
    [2],
  );
  assert.equal(withoutName("Feldweg 4: Nothing read.", "Feldweg 4"), "Nothing read.");
  assert.equal(withoutName("Pushes opened.", undefined), "Pushes opened.");
});

test("a meter of a feeder that the page has not seen makes it read the grid again", () => {
  const grid = {
    substation: { id: "S", name: "North" },
    feeders: [
      { id: "F1", name: "One", path: "wan", transformer: { id: "T1", meter: "T", ratedKva: 160 }, homes: ["A"] },
    ],
  } as const;
  const seen = { ...overview, grid } as unknown as Overview;
  assert.ok(!standsOutside(seen, [sampleMeter("A"), sampleMeter("T", { role: "transformer" })]));
  assert.ok(!standsOutside(seen, [sampleMeter("R", { kind: "real", role: "attached" })]));
  assert.ok(standsOutside(seen, [sampleMeter("B")]));
  assert.ok(standsOutside(seen, [sampleMeter("A", { feeder: "F2" })]));
  assert.ok(standsOutside(overview, [sampleMeter("A")]));
  // A fleet that is counted instead of listed takes no lines, and is not asked for again by each of them.
  const large = { ...overview, meters: [], feeders: [] } as unknown as Overview;
  assert.ok(!standsOutside(large, [sampleMeter("B")]));
  assert.equal(mergeMeters(large, new Map([["B", sampleMeter("B")]]), "x"), large);
});

test("an answer is read again at once, and once more after a burst, not for each event of it", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const calls: string[] = [];
    const rate = new PerKeyRate((key) => calls.push(key), 2000);
    for (let event = 0; event < 9; event += 1) rate.ask("a");
    rate.ask("b");
    assert.deepEqual(calls, ["a", "b"]);
    mock.timers.tick(2000);
    assert.deepEqual(calls, ["a", "b", "a"]);
    mock.timers.tick(4000);
    assert.deepEqual(calls, ["a", "b", "a"]);
    rate.ask("a");
    rate.ask("a");
    rate.close();
    mock.timers.tick(4000);
    assert.deepEqual(calls, ["a", "b", "a", "a"]);
  } finally {
    mock.timers.reset();
  }
});
