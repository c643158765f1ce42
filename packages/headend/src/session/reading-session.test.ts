import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import type { Meter } from "../inventory/meter.ts";
import { METER_PROFILES, type MeterProfile } from "../profile/meter-profile.ts";
import { type BenchState, benchMeter, openCustodian } from "../testing/bench-meter.ts";
import { WALL_SOURCE_CLOCK } from "../time/source-clock.ts";
import { evidenceHash } from "./ladder.ts";
import { holdReadingSession, type ReadingOrder } from "./reading-session.ts";
import { ScalerTable } from "./scaler-table.ts";

const QUARTER = 900_000;
const NOON = Date.parse("2026-11-21T12:00:00Z");
const METER = {
  systemTitle: systemTitle(fromHex("4D4B560000000001")),
  title: "4D4B560000000001",
  role: "home",
  kind: "real",
  profile: "bench",
  model: "B",
  firmware: "1",
} as Meter;

const profile = (access: "range" | "entry"): MeterProfile => ({
  ...METER_PROFILES["idis-p2"],
  registers: ["1-0:1.8.0", "1-0:1.7.0"],
  daily: { obis: "1-0:99.2.0", columns: ["clock", { obis: "1-0:1.8.0", kind: "register" }] },
  loadProfile: {
    ...METER_PROFILES["idis-p2"].loadProfile,
    access,
    columns: ["clock", { obis: "1-0:1.8.0", kind: "register" }],
  },
});

/** A meter at noon that holds the last `count` quarter hours, without those that an outage took. */
function state(count: number, absent: readonly number[] = []): BenchState {
  const rows = Array.from({ length: count }, (_, n) => ({
    at: NOON - (count - 1 - n) * QUARTER,
    wattHours: 1_000 + n,
  }));
  return { now: NOON + 60_000, connected: true, rows: rows.filter((_, n) => !absent.includes(n)) };
}

function order(
  access: "range" | "entry",
  gaps: ReadingOrder["gaps"],
  purpose: ReadingOrder["purpose"] = "read",
): ReadingOrder {
  return {
    meter: METER,
    route: { kind: "tcp", host: "", port: 1 },
    profile: profile(access),
    clock: WALL_SOURCE_CLOCK,
    purpose,
    isAwaited: false,
    gaps,
  };
}

function ports(meter: BenchState, calls: string[] = [], onExchange?: (count: number) => void) {
  const connect = benchMeter(meter, onExchange);
  return {
    custodian: openCustodian(calls),
    dial: async () => connect(),
    scalers: new ScalerTable(),
    now: () => NOON + 60_000,
  };
}

const never = new AbortController().signal;

for (const access of ["range", "entry"] as const) {
  test(`by ${access}: only the missing part of the load profile is stored, and all of it is covered`, async () => {
    const gap = { from: NOON - 6 * QUARTER, to: NOON };
    const { session, read, error } = await holdReadingSession(ports(state(40)), order(access, [gap]), never);
    assert.equal(error, undefined);
    assert.equal(session.outcome, "done");
    assert.deepEqual(
      read.intervals.map(({ at, value, unit }) => [(NOON - at) / QUARTER, value, unit]),
      [
        [5, 1_034, "Wh"],
        [4, 1_035, "Wh"],
        [3, 1_036, "Wh"],
        [2, 1_037, "Wh"],
        [1, 1_038, "Wh"],
        [0, 1_039, "Wh"],
      ],
    );
    assert.deepEqual(read.covered, [gap]);
  });

  test(`by ${access}: rows that are not there are covered, for they were asked for`, async () => {
    const gap = { from: NOON - 6 * QUARTER, to: NOON };
    const { read } = await holdReadingSession(ports(state(40, [36, 37])), order(access, [gap]), never);
    assert.deepEqual(
      read.intervals.map(({ value }) => value),
      [1_034, 1_035, 1_038, 1_039],
    );
    assert.deepEqual(read.covered, [gap]);
  });
}

test("a meter that has captured less than is wanted gives what it has", async () => {
  const gap = { from: NOON - 96 * QUARTER, to: NOON };
  const { read } = await holdReadingSession(ports(state(3)), order("entry", [gap]), never);
  assert.equal(read.intervals.length, 3);
  assert.deepEqual(read.covered, [gap]);
});

test("every value rests on octets that came in, and its evidence is their hash", async () => {
  const { session, read } = await holdReadingSession(
    ports(state(4)),
    order("range", [{ from: NOON - QUARTER, to: NOON }]),
    never,
  );
  const [energy] = read.registers;
  assert.equal(energy?.evidence.protection, "authenticated");
  for (const { evidence } of [...read.registers, ...read.intervals]) {
    assert.deepEqual(evidence.hash, evidenceHash(evidence.octets));
    const steps = session.ladder.filter(
      (step) => step.evidence !== undefined && Buffer.from(step.evidence).equals(evidence.hash),
    );
    assert.deepEqual(Buffer.concat(steps.map(({ octets }) => octets)), Buffer.from(evidence.octets));
  }
  assert.deepEqual(
    read.registers.map(({ obis, value, unit }) => [obis, value, unit]),
    [
      ["1-0:1.8.0", 1_003, "Wh"],
      ["1-0:1.7.0", 420, "W"],
      ["0-0:96.3.10", "connected", undefined],
    ],
  );
  assert.deepEqual([read.powerW, read.energyWh, read.supply], [420, 1_003, "connected"]);
});

test("the ladder tells the session from association to release in words", async () => {
  const { session } = await holdReadingSession(ports(state(4)), order("range", []), never);
  assert.deepEqual([...new Set(session.ladder.map(({ step }) => step))].at(0), "associate");
  assert.equal(session.ladder.at(-1)?.step, "release");
  for (const [at, step] of session.ladder.entries())
    assert.equal(step.toMeter, at % 2 === 0 || step.toMeter, step.summary);
  assert.match(session.ladder[0]?.summary ?? "", /Asks to associate \(AARQ/);
});

for (const [times, outcome] of [
  [1, "done"],
  [2, "refused"],
] as const)
  test(`a session that another one overtakes is opened again over the same line: overtaken ${times === 1 ? "once, it reads" : "twice, it is over"}`, async () => {
    const calls: string[] = [];
    const bench = ports(state(4), calls);
    let [lines, left] = [0, times as number];
    const { session, read } = await holdReadingSession(
      {
        ...bench,
        dial: async () => {
          lines += 1;
          return bench.dial();
        },
        custodian: {
          ...bench.custodian,
          advanceSession: async (request) => {
            if (left === 0) return bench.custodian.advanceSession(request);
            left -= 1;
            return { kind: "failed", code: "session-overtaken", message: "another session was begun" };
          },
        },
      },
      order("range", []),
      never,
    );
    assert.equal(session.outcome, outcome);
    assert.deepEqual([lines, calls.filter((call) => call === "open").length], [1, 2]);
    assert.equal(read.registers.length > 0, outcome === "done");
  });

test("scalers are asked for once for all meters of a kind", async () => {
  const shared = ports(state(4));
  const first = await holdReadingSession(shared, order("range", []), never);
  const second = await holdReadingSession(shared, order("range", []), never);
  assert.ok(second.session.ladder.length < first.session.ladder.length);
  assert.deepEqual(
    second.read.registers.map(({ unit }) => unit),
    first.read.registers.map(({ unit }) => unit),
  );
});

for (const access of ["range", "entry"] as const)
  test(`by ${access}: the registers as they stood at the ends of days come with the events`, async () => {
    const day = 86_400_000;
    const midnight = NOON - day / 2;
    const meter = { ...state(4), midnights: [3, 2, 1, 0].map((n) => ({ at: midnight - n * day, wattHours: 900 - n })) };
    const { read, session } = await holdReadingSession(
      ports(meter),
      { ...order(access, []), eventsFrom: "whole", daysFrom: midnight - day },
      never,
    );
    assert.equal(session.outcome, "done");
    assert.deepEqual(
      read.registers.filter(({ at }) => at < NOON).map(({ obis, value, unit, at }) => [obis, value, unit, at]),
      [
        ["1-0:1.8.0", 899, "Wh", midnight - day],
        ["1-0:1.8.0", 900, "Wh", midnight],
      ],
    );
  });

for (const access of ["range", "entry"] as const)
  test(`by ${access}: a meter whose clock is slow has not stored what its clock has not reached: it stays a gap until then`, async () => {
    const minute = 60_000;
    const gap = { from: NOON - 2 * QUARTER, to: NOON };
    // At 12:01 by everybody else's clock it is 11:51 there, and the row of noon will be stored in nine minutes.
    const slow = { ...state(40), now: NOON - 9 * minute };
    slow.rows = slow.rows.filter(({ at }) => at <= slow.now);
    const early = await holdReadingSession(ports(slow), order(access, [gap]), never);
    assert.deepEqual(
      [early.read.intervals.map(({ at }) => at), early.read.covered, early.read.lacking],
      [[NOON - QUARTER], [{ from: gap.from, to: NOON - QUARTER }], undefined],
    );
    slow.now = NOON + minute;
    slow.rows = state(40).rows;
    const later = await holdReadingSession(ports(slow), order(access, [{ from: NOON - QUARTER, to: NOON }]), never);
    assert.deepEqual(
      [later.read.intervals.map(({ at }) => at), later.read.covered],
      [[NOON], [{ from: NOON - QUARTER, to: NOON }]],
    );
  });

test("what a meter answers without a row is told as lacking, channel by channel", async () => {
  const gap = { from: NOON - 6 * QUARTER, to: NOON };
  const { read } = await holdReadingSession(ports(state(40, [36, 37])), order("range", [gap]), never);
  assert.deepEqual(read.lacking, [{ obis: "1-0:1.8.0", from: NOON - 4 * QUARTER, to: NOON - 2 * QUARTER }]);
});

test("a meter that keeps to itself how far it is from UTC is read by the time zone of its kind", async () => {
  const gap = { from: NOON - 2 * QUARTER, to: NOON };
  const indian = { ...state(40), silentDeviation: -330 };
  const entry = order("entry", [gap]);
  const { timeZone } = METER_PROFILES.is15959;
  const { read, error } = await holdReadingSession(
    ports(indian),
    { ...entry, profile: { ...entry.profile, timeZone } },
    never,
  );
  assert.equal(error, undefined);
  assert.deepEqual(
    [read.clockOffsetSeconds, read.covered, read.intervals.map(({ at }) => at)],
    [0, [gap], [NOON - QUARTER, NOON]],
  );
  const unknown = await holdReadingSession(ports(indian), entry, never);
  assert.deepEqual([unknown.session.code, unknown.read.covered], ["meter-answer-unusable", []]);
});

/** A log whose lines stand behind each other as they were written, whatever the clock showed then. */
const LOG = [
  { at: NOON - 30 * 86_400_000, code: 9 },
  { at: Date.parse("2000-01-01T00:05:00Z"), code: 40 },
  { at: NOON + 40 * 86_400_000, code: 44 },
  { at: NOON - 600_000, code: 2 },
];

for (const access of ["range", "entry"] as const) {
  const eventsFrom = NOON - 86_400_000;
  const codes = (meter: BenchState) =>
    holdReadingSession(ports(meter), { ...order(access, []), eventsFrom }, never).then(({ read }) =>
      read.events?.map(({ code }) => code),
    );

  test(`by ${access}: a log is read from where it was read to, while the clock is right`, async () => {
    assert.deepEqual(await codes({ ...state(4), events: LOG }), [2]);
  });

  test(`by ${access}: the log of a meter whose clock is off, or was moved, is read whole: its lines may bear any time`, async () => {
    const all = LOG.map(({ code }) => code);
    assert.deepEqual(await codes({ ...state(4), now: Date.parse("2000-01-01T00:10:00Z"), events: LOG }), all);
    const moved = [...LOG, { at: NOON, code: 5 }];
    assert.deepEqual(await codes({ ...state(4), events: moved }), [...all, 5]);
  });
}

test("verifying asks for the relay and stores nothing of the profile", async () => {
  const dark = { ...state(4), connected: false };
  const { session, read } = await holdReadingSession(
    ports(dark),
    order("range", [{ from: 0, to: NOON }], "verify"),
    never,
  );
  assert.equal(read.supply, "disconnected");
  assert.deepEqual([read.intervals.length, read.registers.length, session.purpose], [0, 1, "verify"]);
});

test("a day's session is one request, and all that it brings rests on one answer", async () => {
  const shared = ports({ ...state(96), midnights: [{ at: NOON - (NOON % 86_400_000), wattHours: 900 }] });
  const day = {
    ...order("range", [{ from: NOON - 96 * QUARTER, to: NOON }]),
    eventsFrom: NOON - 86_400_000,
    daysFrom: NOON - 86_400_000,
    pushSetUps: { listed: [], asksForList: false },
  };
  await holdReadingSession(shared, day, never);
  const { session, read } = await holdReadingSession(shared, day, never);
  assert.deepEqual(
    [...new Set(session.ladder.map(({ step }) => step.replace(/\d+/, "n")))],
    ["associate", "get n attributes", "release"],
  );
  assert.ok(session.ladder.some(({ summary }) => /^Asks for \d+ attributes /.test(summary)));
  assert.deepEqual([read.intervals.length, read.covered, read.registers.length], [96, day.gaps, 4]);
  assert.equal(new Set([...read.intervals, ...read.registers].map(({ evidence }) => evidence)).size, 1);
});

test("every push set-up of the meter's own list is looked at, not only those that its profile names", async () => {
  const pushTo = { 0: "192.0.2.1:4059", 3: "198.51.100.7:4059" };
  const meter = { ...state(4), pushTo };
  const looks = (pushSetUps: NonNullable<ReadingOrder["pushSetUps"]>) =>
    holdReadingSession(ports(meter), { ...order("range", []), pushSetUps }, never);
  const first = await looks({ listed: [], asksForList: true });
  assert.deepEqual(first.read.pushSetUps, ["0-0:25.9.0", "0-3:25.9.0"]);
  const both = [
    { obis: "0-0:25.9.0", destination: pushTo[0] },
    { obis: "0-3:25.9.0", destination: pushTo[3] },
  ];
  assert.deepEqual(first.destinations, both);
  const next = await looks({ listed: ["0-0:25.9.0", "0-3:25.9.0"], asksForList: false });
  assert.deepEqual([next.destinations, next.read.pushSetUps], [both, undefined]);
  const unlisted = await looks({ listed: [], asksForList: false });
  assert.deepEqual(unlisted.destinations, [both[0]]);
});

test("a meter whose own list has instrument transformers is asked what they are with the list, and not every day", async () => {
  const looks = (meter: BenchState, asksForList: boolean) =>
    holdReadingSession(ports(meter), { ...order("range", []), pushSetUps: { listed: [], asksForList } }, never);
  const ratiosOf = async (meter: BenchState, asksForList: boolean) =>
    (await looks(meter, asksForList)).read.registers.flatMap(({ obis, value }) =>
      obis.startsWith("1-0:0.") ? [[obis, value]] : [],
    );
  const behind = [
    ["1-0:0.4.2", 250],
    ["1-0:0.4.5", 5],
  ];
  assert.deepEqual(await ratiosOf({ ...state(4), ratio: [250, 5] }, true), behind);
  assert.deepEqual(await ratiosOf({ ...state(4), ratio: [250, 5] }, false), []);
  assert.deepEqual(await ratiosOf(state(4), true), []);
});

test("a meter that takes no lists is asked one thing after the other, so that what came stays when the line breaks", async () => {
  const single = order("range", [{ from: NOON - QUARTER, to: NOON }]);
  const plain = { ...single, profile: { ...single.profile, lists: false }, eventsFrom: 0, daysFrom: 0 };
  const breaking = ports(state(40), [], (count) => {
    if (count === 5) throw Object.assign(new Error("the meter closed the connection"), { code: "connection-closed" });
  });
  const { session, read } = await holdReadingSession(breaking, plain, never);
  assert.deepEqual([session.code, read.covered, read.events], ["connection-closed", plain.gaps, undefined]);
});

test("a profile that the meter does not give beside other things is asked for alone", async () => {
  const meter = ports(state(4));
  const gap = { from: NOON - QUARTER, to: NOON };
  const { seal } = meter.custodian;
  let lists = 0;
  const custodian = {
    ...meter.custodian,
    // The list with the profile in it is answered as if its name were unknown.
    seal: (request: Parameters<typeof seal>[0]) =>
      seal({
        ...request,
        items: request.items.map((item) => {
          const isList = item.apdu[1] === 3 && Buffer.from(item.apdu).includes(Buffer.from("0100630100ff", "hex"));
          lists += isList ? 1 : 0;
          const octets = Buffer.from(item.apdu);
          if (isList) octets[octets.indexOf(Buffer.from("0100630100ff", "hex")) + 4] = 9;
          return { ...item, apdu: new Uint8Array(octets) };
        }),
      }),
  };
  const { read, error } = await holdReadingSession({ ...meter, custodian }, order("range", [gap]), never);
  assert.deepEqual([error, lists, read.intervals.length, read.covered], [undefined, 1, 1, [gap]]);
});

test("a line that breaks off keeps what was read before, and the custodian is told", async () => {
  const calls: string[] = [];
  const breaking = ports(state(40), calls, (count) => {
    if (count === 4) throw Object.assign(new Error("the meter closed the connection"), { code: "connection-closed" });
  });
  const { session, read, error } = await holdReadingSession(
    breaking,
    order("range", [{ from: NOON - 300 * QUARTER, to: NOON }]),
    never,
  );
  assert.notEqual(error, undefined);
  assert.deepEqual([session.outcome, session.code], ["lost", "connection-closed"]);
  assert.ok(read.registers.length > 0);
  assert.deepEqual(read.covered, [{ from: NOON - 300 * QUARTER, to: NOON - 100 * QUARTER }]);
  assert.deepEqual(calls, ["open", "release and close lost"]);
});

test("a session that went well is closed in one call with its release, and the meter hears that", async () => {
  const calls: string[] = [];
  const { session, error } = await holdReadingSession(ports(state(4), calls), order("range", []), never);
  assert.equal(error, undefined);
  assert.deepEqual(calls, ["open", "release and close completed"]);
  assert.deepEqual(
    session.ladder.slice(-2).map(({ toMeter, step }) => [toMeter, step]),
    [
      [true, "release"],
      [false, "release"],
    ],
  );
});

test("a meter that cannot be reached costs a session row and nothing else", async () => {
  const calls: string[] = [];
  const unreachable = {
    ...ports(state(1), calls),
    dial: () => Promise.reject(Object.assign(new Error("refused"), { code: "connection-failed" })),
  };
  const { session, read } = await holdReadingSession(unreachable, order("range", []), never);
  assert.deepEqual([session.outcome, session.ladder.length, read.registers.length], ["lost", 0, 0]);
  assert.deepEqual(calls, ["open", "close lost"]);
});

test("rows that are not as the companion profile says are refused with a code, and nothing of them is kept", async () => {
  const wrong = order("range", [{ from: NOON - QUARTER, to: NOON }]);
  const { columns } = METER_PROFILES["dsmr-5"].loadProfile;
  const { session, read } = await holdReadingSession(
    ports(state(4)),
    {
      ...wrong,
      profile: { ...wrong.profile, loadProfile: { ...wrong.profile.loadProfile, columns: columns.slice(0, 3) } },
    },
    never,
  );
  assert.deepEqual([session.outcome, session.code, read.intervals.length], ["failed", "meter-answer-unusable", 0]);
});

test("a clock that is off is said, and how far", async () => {
  const late = { ...state(4), now: NOON - 7_200_000 };
  const { session, read } = await holdReadingSession(ports(late), order("range", []), never);
  assert.equal(read.clockOffsetSeconds, -7_260);
  assert.match(session.sentence, /The clock is 7260 s slow: more than 900 s is an incident/);
  const right = await holdReadingSession(ports(state(4)), order("range", []), never);
  assert.doesNotMatch(right.session.sentence, /clock/);
});

test("P-8: that a clock is off by more than is let be is told with what came by it, and when that showed", async () => {
  const seenAt = NOON + 60_000;
  const read = async (offset: number) => {
    const meter = { ...state(40), now: seenAt + offset };
    const gap = { from: NOON - 6 * QUARTER, to: NOON };
    return (await holdReadingSession(ports(meter), order("range", [gap]), never)).read;
  };
  assert.equal((await read(59_000)).clockOff, undefined);
  assert.deepEqual((await read(-200_000)).clockOff, { offsetSeconds: -200, isIncident: false, seenAt });
  assert.deepEqual((await read(3_600_000)).clockOff, { offsetSeconds: 3_600, isIncident: true, seenAt });
});

const TEN_MINUTES = 600_000;

test("what is missing of power quality is read with the rest, and what was answered without a row is told", async () => {
  const gap = { from: NOON - 6 * TEN_MINUTES, to: NOON };
  const voltages = [6, 5, 4, 2, 1, 0].map((n) => ({ at: NOON - n * TEN_MINUTES, volts: 230 + n }));
  const { read, session } = await holdReadingSession(
    ports({ ...state(4), voltages }),
    { ...order("range", []), qualityGaps: [gap] },
    never,
  );
  assert.equal(session.outcome, "done");
  assert.deepEqual(
    read.quality?.map(({ at, values }) => [(NOON - at) / TEN_MINUTES, ...values]),
    [5, 4, 2, 1, 0].map((n) => [n, { obis: "1-0:32.24.0", unit: "V", value: 230 + n }]),
    "the row that ends where the gap begins is held",
  );
  const without = { from: NOON - 4 * TEN_MINUTES, to: NOON - 3 * TEN_MINUTES };
  assert.deepEqual(read.qualityAnswered, { covered: [gap], lacking: [without], periodSeconds: 600 });
  for (const { evidence } of read.quality ?? []) assert.deepEqual(evidence.hash, evidenceHash(evidence.octets));
});

test("a long gap of power quality is asked for in parts, and a line that breaks keeps the parts before", async () => {
  const gap = { from: NOON - 250 * TEN_MINUTES, to: NOON };
  const voltages = Array.from({ length: 251 }, (_, n) => ({ at: NOON - n * TEN_MINUTES, volts: 230 })).reverse();
  const held = async (breaksAt: number) => {
    let exchanges = 0;
    const meter = ports({ ...state(4), voltages }, [], () => {
      exchanges += 1;
      if (exchanges === breaksAt) throw Object.assign(new Error("gone"), { code: "connection-lost" });
    });
    const { read, error } = await holdReadingSession(meter, { ...order("range", []), qualityGaps: [gap] }, never);
    return { read, error, exchanges };
  };
  const whole = await held(Number.POSITIVE_INFINITY);
  assert.deepEqual([whole.error, whole.read.quality?.length], [undefined, 250]);
  // The last of all is the release.
  const broken = await held(whole.exchanges - 1);
  assert.notEqual(broken.error, undefined);
  const { covered = [] } = broken.read.qualityAnswered ?? {};
  assert.deepEqual(covered, [{ from: gap.from, to: gap.from + 200 * TEN_MINUTES }]);
  assert.equal(broken.read.quality?.length, 200);
});

test("a meter that does not give its power quality has answered without rows, and its session is whole", async () => {
  const gap = { from: NOON - 6 * TEN_MINUTES, to: NOON };
  const asked = order("range", [{ from: NOON - QUARTER, to: NOON }]);
  const { read, error } = await holdReadingSession(
    ports(state(4)),
    {
      ...asked,
      profile: { ...asked.profile, powerQuality: { obis: "1-0:99.77.0", periodSeconds: 600 } },
      qualityGaps: [gap],
    },
    never,
  );
  assert.deepEqual([error, read.intervals.length], [undefined, 1]);
  assert.deepEqual(read.qualityAnswered, { covered: [gap], lacking: [gap], periodSeconds: 600 });
});
