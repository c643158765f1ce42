import assert from "node:assert/strict";
import { test } from "node:test";
import { data, encode, toHex } from "@meterkeep/dlms";
import type { Operation } from "../operation/operation.ts";
import { facts, HOUR, NOW, RECONNECT, target } from "../testing/guard-facts.ts";
import { DEFAULT_COMMAND_RULES } from "../threshold/command-rules.ts";
import { DEFAULT_THRESHOLDS, isNotLooser, type Thresholds } from "../threshold/thresholds.ts";
import type { GuardFacts, TargetFacts } from "./facts.ts";
import { judge, judgeAtExecution } from "./judge.ts";
import { usualMost } from "./novelty.ts";
import { pickupDelays, planWaves, stopsBecause } from "./plan.ts";

// A test for each rule of docs/rules.md that is decided here, at its very numbers. What else holds to them stands there.

const MINUTE = 60_000;
const MILD = { lowestCelsius: 4, highestCelsius: 12 };
const one = [target(1)];
/** So many homes, each on a transformer and a feeder of its own: nothing but the fleet's caps is about them. */
const apart = (count: number): readonly TargetFacts[] =>
  Array.from({ length: count }, (_, at) => target(at, { feeder: `F${at}`, transformer: `T${at}` }));
const asPlanned = (targets: readonly TargetFacts[]) => ({
  meters: Math.min(10, targets.length),
  loadW: Math.min(10, targets.length) * 400,
});
const found = (of: GuardFacts, plan = asPlanned) => judge(of, plan).findings;
const said = (of: GuardFacts, plan = asPlanned) => found(of, plan).map(({ rule, effect }) => `${rule} ${effect}`);
const withFleet = (of: GuardFacts, change: Partial<GuardFacts["fleet"]>): GuardFacts => ({
  ...of,
  fleet: { ...of.fleet, ...change },
});
const withRules = (of: GuardFacts, change: Partial<typeof DEFAULT_COMMAND_RULES>): GuardFacts => ({
  ...of,
  thresholds: { ...of.thresholds, commands: { ...DEFAULT_COMMAND_RULES, ...change } } as Thresholds,
});
const off = (change: Partial<GuardFacts["fleet"]["off"]>) => ({
  off: { tenMinutes: 0, day: 0, month: 0, loadInTenMinutesW: 0, ...change },
});

test("MC-01: of 300 000 homes 0.1 % a day are said loudly, 0.5 % and 2 % in a month are the most, of a town the floors", () => {
  const fleet = facts(one);
  assert.deepEqual(said(withFleet(fleet, off({ day: 298 }))), []);
  assert.deepEqual(said(withFleet(fleet, off({ day: 299 }))), ["MC-01 warn"]);
  assert.deepEqual(said(withFleet(fleet, off({ day: 1499 }))), ["MC-01 warn"]);
  assert.deepEqual(said(withFleet(fleet, off({ day: 1500 }))), ["MC-01 quarantine", "MC-01 warn"]);
  assert.deepEqual(said(withFleet(fleet, off({ month: 5999 }))), []);
  assert.deepEqual(said(withFleet(fleet, off({ month: 6000 }))), ["MC-01 quarantine"]);
  const town = facts(one, {}, 1000);
  assert.deepEqual(said(withFleet(town, off({ day: 49 }))), ["MC-01 warn"]);
  assert.deepEqual(said(withFleet(town, off({ day: 50 }))), ["MC-01 quarantine", "MC-01 warn"]);
});

test("MC-02: in ten minutes no more than 0.02 % of the fleet or ten, and what would be within it by waiting waits", () => {
  const wave = (meters: number, fleet?: number, tenMinutes = 0) =>
    said(withFleet(facts(apart(meters), {}, fleet), off({ tenMinutes })), () => ({ meters, loadW: 400 })).filter(
      (each) => each.startsWith("MC-02"),
    );
  assert.deepEqual([wave(60), wave(61)], [[], ["MC-02 quarantine"]]);
  assert.deepEqual([wave(1, undefined, 59), wave(1, undefined, 60)], [[], ["MC-02 warn"]]);
  assert.deepEqual([wave(10, 1000), wave(11, 1000)], [[], ["MC-02 quarantine"]]);
});

test("MC-03: in an hour 5 % of a transformer's homes, or two, and 2 % of a feeder's", () => {
  const street = (count: number) => Array.from({ length: count }, (_, at) => target(at, { feeder: `F${at}` }));
  assert.deepEqual(said(facts(street(5))), []);
  assert.deepEqual(said(facts(street(6))), ["MC-03 quarantine"]);
  const feeder = (count: number) => Array.from({ length: count }, (_, at) => target(at, { transformer: `T${at}` }));
  const of = (count: number, meters: number): GuardFacts => {
    const base = facts(feeder(count));
    const part = { meters, ratedW: undefined, offInHour: 0, offLoadInTenMinutesW: 0 };
    return withFleet(base, { feeders: new Map([["F0", part]]) });
  };
  assert.deepEqual([said(of(10, 500)), said(of(10, 499))], [[], ["MC-03 quarantine"]]);
  assert.deepEqual([said(of(2, 100)), said(of(3, 100))], [[], ["MC-03 quarantine"]]);
  // No floor: of fifty homes 2 % is one.
  assert.deepEqual([said(of(1, 50)), said(of(2, 50)), said(of(1, 7))], [[], ["MC-03 quarantine"], []]);
});

test("MC-04: in ten minutes 0.1 % of what the island draws, and 20 % of what a transformer is rated for; one home is possible", () => {
  const drawing = (loadW: number, targets = apart(2)) => withFleet(facts(targets), { loadW });
  assert.deepEqual(
    said(drawing(120_000_000), () => ({ meters: 2, loadW: 120_000 })),
    [],
  );
  assert.deepEqual(
    said(drawing(120_000_000), () => ({ meters: 2, loadW: 120_001 })),
    ["MC-04 quarantine"],
  );
  assert.deepEqual(
    said(drawing(120_000_000, one), () => ({ meters: 1, loadW: 200_000 })),
    [],
  );
  // A floor never allows more than a tenth.
  assert.deepEqual(
    said(drawing(10_000), () => ({ meters: 2, loadW: 1_001 })),
    ["MC-04 quarantine"],
  );
  const heavy = [1, 2].map((at) => target(at, { feeder: `F${at}`, loadW: 40_000 }));
  assert.deepEqual(said(facts(heavy)), []);
  const heavier = heavy.map((each) => ({ ...each, loadW: 40_001 }));
  assert.deepEqual(said(facts(heavier)), ["MC-04 quarantine"]);
});

test("MC-05: a home that was switched less than a quarter of an hour ago, or four times in a day, is set aside", () => {
  const home = (more: Partial<TargetFacts>) => said(facts([target(1, more)]));
  assert.deepEqual(home({ lastSwitchedAt: NOW - 15 * MINUTE, switchedToday: 3 }), []);
  assert.deepEqual(home({ lastSwitchedAt: NOW - 15 * MINUTE + 1 }), ["MC-05 stop"]);
  assert.deepEqual(home({ switchedToday: 4 }), ["MC-05 stop"]);
});

test("MC-06: more than twenty changes of direction in five minutes stop everything that switches off, and nobody waives it", () => {
  assert.deepEqual(said(withFleet(facts(one), { signChanges: 20 })), []);
  const swinging = withFleet(facts(one), { signChanges: 21 });
  assert.deepEqual(said(swinging), ["MC-06 stop"]);
  assert.equal(judge(swinging, asPlanned, new Set(["MC-06"])).verdict, "quarantined");
  assert.equal(judgeAtExecution(swinging)?.rule, "MC-06");
});

test("MC-08: nobody is switched off at night, on weekends, on holidays or before the work order's day, and no emergency makes a debt urgent", () => {
  const { workOrder } = facts(one).request;
  assert.ok(workOrder !== undefined);
  const always = { ...workOrder, notBefore: 0, notAfter: 2 * NOW };
  const at = (now: number, more: Partial<GuardFacts["request"]> = {}) =>
    said({ ...facts(one, { workOrder: always, notBefore: now, ...more }), now, weather: { until: 2 * NOW, ...MILD } });
  const day = Date.UTC(2026, 10, 18);
  assert.deepEqual([at(day + 8 * HOUR - 1), at(day + 9 * HOUR)], [["MC-08 stop"], []]);
  assert.deepEqual([at(day + 15 * HOUR - 1), at(day + 15 * HOUR)], [[], ["MC-08 stop"]]);
  assert.deepEqual(at(NOW + 48 * HOUR), ["MC-08 stop"], "Friday");
  assert.deepEqual(at(day + 20 * HOUR, { isEmergency: true }), ["MC-08 stop"]);
  const tomorrow = { ...workOrder, notBefore: NOW + HOUR, notAfter: NOW + 24 * HOUR };
  assert.deepEqual(at(NOW, { workOrder: tomorrow }), ["MC-08 stop"]);
  const holiday = { ...DEFAULT_COMMAND_RULES.calendar, holidays: ["2026-11-18"] };
  assert.deepEqual(said(withRules(facts(one), { calendar: holiday })), ["MC-08 stop"]);
  assert.deepEqual(said(withRules(facts(one), { calendar: { ...holiday, zone: "Moon/Tycho" } })), ["MC-08 stop"]);
  assert.deepEqual(said(withFleet(facts(one), { clockTrouble: "the clock was set" })), ["MC-08 stop"]);
});

test("MC-08: no meter's clock is moved to the time of a head-end whose own clock was set", () => {
  const shift: Operation = { kind: "clock-shift", instance: "0000010000ff", mostSeconds: 60 };
  const asked = (operation: Operation, clockTrouble?: string) => withFleet(facts(one, { operation }), { clockTrouble });
  assert.ok(!said(asked(shift)).includes("MC-08 stop"));
  assert.ok(said(asked(shift, "the clock was set")).includes("MC-08 stop"));
  assert.deepEqual(
    [judgeAtExecution(asked(shift))?.rule, judgeAtExecution(asked(shift, "the clock was set"))?.rule],
    [undefined, "MC-08"],
  );
  const set: Operation = { kind: "clock", instance: "0000010000ff", toleranceSeconds: 5 };
  assert.equal(judgeAtExecution(asked(set, "the clock was set"))?.rule, "MC-08");
});

test("MC-08: nobody is switched off in frost or great heat, nor while nobody says how cold it is; safety and the grid wait for no weather", () => {
  const day = NOW + 24 * HOUR;
  const weather = (lowestCelsius: number, highestCelsius: number, more: Partial<GuardFacts["request"]> = {}) => ({
    ...facts(one, more),
    weather: { until: day, lowestCelsius, highestCelsius },
  });
  const silent: GuardFacts = { ...facts(one), weather: undefined };
  assert.deepEqual(
    [said(weather(0, 35)), said(weather(-0.1, 20)), said(weather(10, 35.1))],
    [[], ["MC-08 stop"], ["MC-08 stop"]],
  );
  assert.deepEqual(said(silent), ["MC-08 stop"]);
  for (const refused of [weather(-0.1, 20), silent]) {
    assert.equal(judgeAtExecution(refused)?.rule, "MC-08");
    assert.equal(judge(refused, asPlanned, new Set(["MC-08"])).verdict, "quarantined", "nobody waives it");
  }
  assert.deepEqual(said({ ...facts(one, { operation: RECONNECT }), weather: undefined }), []);
  const { workOrder } = facts(one).request;
  assert.ok(workOrder !== undefined);
  const unsafe = { reason: "safety", workOrder: { ...workOrder, reason: "safety" } };
  assert.deepEqual(said({ ...facts(one, unsafe), weather: undefined }), []);
  // What is for a day of which nobody knows the weather yet is asked for again when it is done.
  const later = { workOrder: { ...workOrder, notAfter: day + 24 * HOUR }, notBefore: day };
  assert.deepEqual(said(weather(4, 12, later)), ["MC-08 warn"]);
  // People can decide that no temperature matters: then nobody is asked.
  const any = { temperature: { leastCelsius: -100, mostCelsius: 100 } };
  assert.deepEqual(said(withRules(silent, any)), []);
  assert.deepEqual(said(withRules(silent, { temperature: { leastCelsius: -100, mostCelsius: 35 } })), ["MC-08 stop"]);
});

test("MC-08: temperatures come closer at once, and neither goes further away without two people and a day", () => {
  const of = (temperature: { leastCelsius: number; mostCelsius: number } | undefined): Thresholds => ({
    ...DEFAULT_THRESHOLDS,
    commands: { ...DEFAULT_COMMAND_RULES, temperature },
  });
  assert.ok(isNotLooser(of({ leastCelsius: 5, mostCelsius: 30 }), of(undefined)));
  for (const temperature of [
    { leastCelsius: -1, mostCelsius: 35 },
    { leastCelsius: 0, mostCelsius: 36 },
  ])
    assert.ok(!isNotLooser(of(temperature), of(undefined)));
  assert.ok(!isNotLooser(of(undefined), of({ leastCelsius: 5, mostCelsius: 30 })));
});

test("MC-07: a meter that is not believed takes one person more for what is grave, and one of which that shows later is left alone", () => {
  const doubted = [target(1, { isDoubted: true, account: undefined })];
  const firmware: Operation = { kind: "firmware-activation", instance: "00002c0000ff", identifier: "I", sha384: "" };
  const clock: Operation = { kind: "clock-shift", instance: "0000010000ff", mostSeconds: 60 };
  const of = (operation: Operation, isDoubtSigned = false) =>
    facts(doubted, { operation, reason: "maintenance", isDoubtSigned });
  const warned = found(of(firmware)).filter(({ rule }) => rule === "MC-07");
  assert.deepEqual(
    warned.map(({ effect, meters }) => [effect, meters.length]),
    [["warn", 1]],
  );
  assert.deepEqual([judgeAtExecution(of(firmware))?.rule, judgeAtExecution(of(firmware, true))], ["MC-07", undefined]);
  for (const harmless of [clock, RECONNECT]) {
    assert.ok(!said(of(harmless)).some((each) => each.startsWith("MC-07")), harmless.kind);
    assert.equal(judgeAtExecution(of(harmless)), undefined);
  }
  assert.deepEqual(said(facts(one)), []);
});

test("MC-09: a protected site is set aside, whoever waives what", () => {
  const facing = facts([target(1), target(2, { protectedAs: "hospital" })]);
  const { targets, findings } = judge(facing, asPlanned, new Set(["MC-09"]));
  assert.deepEqual([targets.length, findings[0]?.rule, findings[0]?.effect], [1, "MC-09", "stop"]);
  assert.equal(judgeAtExecution(facts([target(2, { protectedAs: "hospital" })]))?.rule, "MC-09");
});

test("MC-10: no work order, another reason, one that does not name the meter, no arrears any more, or silence: nothing is switched off", () => {
  const { workOrder } = facts(one).request;
  assert.ok(workOrder !== undefined);
  const stops: readonly Partial<GuardFacts["request"]>[] = [
    { workOrderId: "" },
    { workOrder: undefined },
    { workOrder: { ...workOrder, cancelled: true } },
    { workOrder: { ...workOrder, meters: new Set() } },
    { reason: "move-out" },
    { billingAnswered: false },
    // The grid's own call needs no order; whoever names one has it looked at.
    { reason: "grid", isEmergency: true, workOrder: undefined },
    { reason: "grid", workOrderId: "" },
  ];
  for (const change of stops) {
    assert.ok(said(facts(one, change)).includes("MC-10 stop"), JSON.stringify(change));
    assert.equal(judgeAtExecution(facts(one, change))?.rule, "MC-10");
  }
  const paid = target(1, { account: { inArrears: false, notifiedAt: NOW - 48 * HOUR, contractW: undefined } });
  assert.deepEqual(said(facts([paid])), ["MC-10 stop"]);
  // What a meter says that is not believed is no ground for a debt, and a ground for anything else it need not be.
  for (const more of [{ isDoubted: true }, { isDisputed: true }]) {
    const disputed = [target(1, more)];
    const refused = judgeAtExecution(facts(disputed, { isDoubtSigned: true }));
    assert.deepEqual([judge(facts(disputed), asPlanned).verdict, refused?.rule], ["nothing-left", "MC-10"]);
    const unsafe = facts(disputed, { reason: "safety", workOrder: { ...workOrder, reason: "safety" } });
    assert.equal(judge(unsafe, asPlanned).verdict, "goes-on");
  }
  assert.deepEqual(said(facts(one, { reason: "grid", isEmergency: true, workOrderId: "", workOrder: undefined })), []);
});

test("MC-11: who was not told a day before keeps supply, unless it is about safety or the grid", () => {
  const told = (hours: number | undefined): TargetFacts => {
    const notifiedAt = hours === undefined ? undefined : NOW - hours * HOUR;
    return target(1, { account: { inArrears: true, notifiedAt, contractW: undefined } });
  };
  assert.deepEqual([said(facts([told(24)])), said(facts([told(23)]))], [[], ["MC-11 stop"]]);
  assert.deepEqual(said(facts([told(undefined)])), ["MC-11 stop"]);
  const order = facts(one).request.workOrder;
  assert.ok(order !== undefined);
  const unsafe = facts([told(undefined)], { reason: "safety", workOrder: { ...order, reason: "safety" } });
  assert.deepEqual(said(unsafe), []);
});

test("MC-13: waves are one, ten, then shares of the fleet, none above the cap, each watched; more than 2 % failed or 0.5 % lost stop the rest", () => {
  const sizes = (...plan: Parameters<typeof planWaves>) => planWaves(...plan).map(({ targets }) => targets);
  assert.deepEqual(sizes(40_000, 300_000, 300_000, 600), [1, 10, 300, 3_000, 30_000, 6_689]);
  const waves = planWaves(200, 300_000, 60, 600);
  assert.deepEqual(
    waves.map(({ targets, soakSeconds }) => [targets, soakSeconds]),
    [1, 10, 60, 60, 60, 9].map((size, at) => [size, at === 5 ? 0 : 600]),
  );
  const { autoStop } = DEFAULT_COMMAND_RULES;
  const stops = (failed: number, lost: number) => stopsBecause({ tried: 1000, failed, lost, unexpected: 0 }, autoStop);
  assert.equal(stops(20, 5), undefined);
  assert.deepEqual([stops(21, 0)?.rule, stops(0, 6)?.rule], ["MC-13", "MC-13"]);
});

test("MC-14: the first relay that stands otherwise than it should stops the wave", () => {
  const { autoStop } = DEFAULT_COMMAND_RULES;
  const seen = (unexpected: number) => stopsBecause({ tried: 10_000, failed: 0, lost: 0, unexpected }, autoStop)?.rule;
  assert.deepEqual([seen(0), seen(1)], [undefined, "MC-14"]);
});

test("MC-15: giving back passes MC-01 to MC-04 and comes a tenth of a transformer a minute", () => {
  const back = facts(
    Array.from({ length: 5_000 }, (_, at) => target(at)),
    {
      operation: RECONNECT,
      reason: "restore",
      billingAnswered: false,
      workOrderId: "",
    },
  );
  const used = withFleet(back, { ...off({ day: 9_999, month: 9_999, tenMinutes: 99 }), signChanges: 99 });
  assert.deepEqual(
    said(used, () => ({ meters: 5_000, loadW: 2_000_000 })),
    [],
  );
  const delays = pickupDelays(100);
  for (let minute = 0; minute < 10; minute += 1)
    assert.equal(delays.filter((delay) => Math.floor(delay / 60) === minute).length, 10);
});

test("MC-16: more than mean and six deviations of one's own hours, or another kind of thing on several meters, is looked at by somebody else", () => {
  const hours = [8, 9, 10, 9, 8, 9];
  const most = Math.floor(usualMost(hours, 6));
  const asking = (
    thisHour: number,
    operations: readonly string[] = ["disconnect"],
    targets: readonly TargetFacts[] = one,
  ) => ({
    ...facts([...targets]),
    principal: { ...facts(one).principal, hours, thisHour, operations: new Set(operations) },
  });
  assert.deepEqual(said(asking(most - 1)), []);
  assert.deepEqual(said(asking(most)), ["MC-16 quarantine"]);
  assert.deepEqual(said(asking(0, ["clock"])), ["MC-16 warn"]);
  assert.deepEqual(said(asking(0, ["clock"], apart(2))), ["MC-16 quarantine"]);
});

test("MC-18: the very same is refused while it is under way", () => {
  assert.deepEqual(said(facts(one, { sameAs: "campaign-7" })), ["MC-18 stop"]);
});

test("MC-19: what is frozen stays so, also what gives back, and at the moment in which it is done", () => {
  const frozen = withFleet(facts(one), { frozen: "drill" });
  assert.deepEqual(said(frozen), ["MC-19 stop"]);
  const back = withFleet(facts(one, { operation: RECONNECT }), { frozen: "drill" });
  assert.deepEqual([said(back), judgeAtExecution(back)?.rule], [["MC-19 stop"], "MC-19"]);
  // Somebody has to look, and what configures goes on at the custodian as well.
  const shift = (mostSeconds: number): Operation => ({ kind: "clock-shift", instance: "0000010000ff", mostSeconds });
  const rulesOf = (operation: Operation) => {
    const asked = withFleet(facts(one, { operation, reason: "maintenance" }), { frozen: "drill" });
    return [said(asked).filter((each) => each.startsWith("MC-19")), judgeAtExecution(asked)?.rule];
  };
  for (const harmless of [{ kind: "acts", acts: [] } as const, shift(60)])
    assert.deepEqual(rulesOf(harmless), [[], undefined], harmless.kind);
  assert.deepEqual(rulesOf(shift(61)), [["MC-19 stop"], "MC-19"]);
});

test("MC-21: a limiter lets 500 W pass and no more than the contract, a clock is set within a minute, data goes where it may; spelled out or not", () => {
  const limiter = (threshold: number): Operation => ({
    kind: "limiter-threshold",
    instance: "0000110000ff",
    which: "normal",
    type: "double-long-unsigned",
    threshold,
  });
  const spelled = (classId: number, member: number, octets: Uint8Array): Operation => ({
    kind: "acts",
    acts: [
      { service: "set", classId, instance: "0000110000ff", member, value: { kind: "exact", octets: toHex(octets) } },
    ],
  });
  const of = (operation: Operation, rules: Partial<typeof DEFAULT_COMMAND_RULES> = {}) =>
    said(withRules(facts(one, { operation }), rules)).filter((each) => each.startsWith("MC-21"));
  assert.deepEqual([of(limiter(500)), of(limiter(499))], [[], ["MC-21 stop"]]);
  assert.deepEqual([of(limiter(10_000)), of(limiter(10_001))], [[], ["MC-21 stop"]]);
  const number = (value: number) => encode(data, { type: "double-long-unsigned", value });
  assert.deepEqual([of(spelled(71, 4, number(500))), of(spelled(71, 5, number(499)))], [[], ["MC-21 stop"]]);
  assert.deepEqual(of(spelled(71, 4, encode(data, { type: "boolean", value: true }))), ["MC-21 stop"]);

  const clock = (toleranceSeconds: number): Operation => ({
    kind: "clock",
    instance: "0000010000ff",
    toleranceSeconds,
  });
  assert.deepEqual([of(clock(60)), of(clock(61))], [[], ["MC-21 stop"]]);

  const pushDestinations = ["push.utility.example:4059"];
  const setup = (kind: "push-destination" | "push-setup", destination: string): Operation => ({
    ...{ instance: "0000190900ff", transport: 0, destination, message: 0 },
    ...{ randomisationSeconds: undefined, retries: undefined, repetitionSeconds: undefined },
    kind,
  });
  for (const kind of ["push-destination", "push-setup"] as const) {
    assert.deepEqual(of(setup(kind, "push.utility.example:4059"), { pushDestinations }), []);
    assert.deepEqual(of(setup(kind, "elsewhere.example:4059"), { pushDestinations }), ["MC-21 stop"]);
  }
  const elsewhere = encode(data, {
    type: "structure",
    value: [
      { type: "enum", value: 0 },
      { type: "octet-string", value: new TextEncoder().encode("elsewhere.example:4059") },
      { type: "enum", value: 0 },
    ],
  });
  assert.deepEqual(of(spelled(40, 3, elsewhere), { pushDestinations }), ["MC-21 stop"]);
});

test("MC-21: a list of destinations is made and shortened at once, and neither grows nor goes away without two people and a day", () => {
  const of = (...pushDestinations: readonly string[]): Thresholds => ({
    ...DEFAULT_THRESHOLDS,
    commands: { ...DEFAULT_COMMAND_RULES, pushDestinations },
  });
  assert.ok(isNotLooser(of("a", "b"), of()));
  assert.ok(isNotLooser(of("a"), of("a", "b")));
  for (const next of [of(), of("a", "b", "c"), of("c")]) assert.ok(!isNotLooser(next, of("a", "b")));
});

test("MC-16: from a network they never asked from, or hours away from their own, somebody else looks at many", () => {
  const habit = { ...facts(one).principal, networks: new Set(["10.1.2.0/24"]), hoursOfDay: new Set([9, 10, 11]) };
  const at = (hour: number, network: string, targets: readonly TargetFacts[]) => {
    const now = new Date(NOW).setUTCHours(hour);
    const all = facts(targets);
    return said({ ...all, now, principal: { ...habit, network } }).filter((each) => each.startsWith("MC-16"));
  };
  assert.deepEqual(at(10, "10.1.2.0/24", one), []);
  assert.deepEqual(at(10, "10.9.9.0/24", one), ["MC-16 warn"]);
  assert.deepEqual(at(10, "10.9.9.0/24", [target(1), target(2)]), ["MC-16 quarantine"]);
  assert.deepEqual(at(13, "10.1.2.0/24", one), []);
  assert.deepEqual(at(23, "", one), ["MC-16 warn"]);
});
