import assert from "node:assert/strict";
import { test } from "node:test";
import { Wrong } from "@meterkeep/guard";
import { meterOperations, type Operation } from "@meterkeep/headend";
import { lineLost, withOperationBench } from "../src/operation-bench.ts";

const OURS = "127.0.0.1:9700";
const PROFILES = ["idis-p2", "dsmr-5", "is15959", "metcom-mcs301", "landis-gyr-e350"];
const operations = meterOperations({
  destinations: () => [OURS],
  shelf: { load: () => Promise.reject(new Error("an empty shelf")) },
});
const operation = (name: string): Operation => {
  const found = operations.get(name);
  assert.ok(found, name);
  return found;
};

const CALENDAR = {
  name: "SUMMER-26",
  seasons: [
    { name: "winter", start: "--01-01", week: "w" },
    { name: "summer", start: "--04-01", week: "s" },
  ],
  weeks: [
    { name: "w", days: [1, 1, 1, 1, 1, 2, 2] },
    { name: "s", days: [2, 2, 2, 2, 2, 2, 2] },
  ],
  days: [
    {
      id: 1,
      schedule: [
        { at: "00:00", script: 2 },
        { at: "06:30", script: 1 },
        { at: "21:00", script: 2 },
      ],
    },
    { id: 2, schedule: [{ at: "00:00", script: 2 }] },
  ],
  activate: true,
};

/** What each operation is asked for. */
const ASKED: Readonly<Record<string, unknown>> = {
  limiter: { what: "normal-threshold", value: 6000 },
  "special-days": {
    days: [
      { index: 1, date: "--12-25", dayId: 2 },
      { index: 2, date: "2027-03-29", dayId: 2 },
    ],
  },
  "activity-calendar": CALENDAR,
  "push-setup": { setup: "alarm", destination: OURS, randomisationSeconds: 20, retries: 3, repetitionSeconds: 45 },
  "m-bus-install": { channel: 1, address: 5 },
  "load-control": { relay: 1, turn: "off" },
  "injection-control": { turn: "off" },
  "grid-limit": {},
  configuration: {
    group: "gas hourly",
    items: [
      {
        name: "capture period",
        classId: 72,
        object: "0-1:24.1.0",
        attribute: 4,
        value: { "double-long-unsigned": 7200 },
      },
    ],
  },
};

for (const profile of PROFILES)
  for (const [name, parameters] of Object.entries(ASKED))
    test(`${name} on a meter of ${profile}: shown by a dry run, done once, read back, and found done over a power cut`, () =>
      withOperationBench({ profile }, async (at) => {
        const before = await at.preview(operation(name), parameters);
        assert.equal(before.changes, true, before.sentence);
        const done = await at.run(operation(name), parameters);
        assert.equal(done.outcome, "done", done.sentence);
        assert.ok(done.readBack.every(({ holds }) => holds));
        assert.ok(done.readBack.some(({ before: was, found }) => was !== undefined && was !== found));
        assert.ok(done.readBack.every(({ evidence }) => evidence.protection === "authenticated"));
        at.restart();
        assert.equal((await at.run(operation(name), parameters)).outcome, "unchanged");
        assert.equal((await at.preview(operation(name), parameters)).changes, false);
      }));

/** 1 402 octets: more than any of the meters takes at a time. */
const MANY_DAYS = {
  days: Array.from({ length: 100 }, (_, at) => ({
    index: at,
    date: `${2027 + Math.floor(at / 28)}-02-${String((at % 28) + 1).padStart(2, "0")}`,
    dayId: 2,
  })),
};
/** The day table alone is longer than any of the meters takes. */
const MANY_DAY_PROFILES = {
  ...CALENDAR,
  days: Array.from({ length: 12 }, (_, at) => ({
    id: at + 1,
    schedule: Array.from({ length: 8 }, (_, hour) => ({ at: `${String(hour).padStart(2, "0")}:15`, script: 1 })),
  })),
};
const isGeneralBlock = (octets: Uint8Array) => octets[0] === 0xe0;

for (const profile of PROFILES)
  test(`what is longer than the PDU of a meter of ${profile} is sealed whole and goes in general blocks, or not at all`, () =>
    withOperationBench({ profile }, async (at) => {
      const requests: Uint8Array[] = [];
      at.overheard = (request, answer) => {
        requests.push(request);
        return answer;
      };
      const { specialDays } = at.bench.meter.tariff;
      const looks = async () => [
        await at.preview(operation("special-days"), MANY_DAYS),
        await at.preview(operation("activity-calendar"), MANY_DAY_PROFILES),
      ];
      const warned = async (says: RegExp) => {
        for (const { changes, sentence, findings } of await looks()) {
          assert.ok(changes && says.test(sentence), sentence);
          assert.deepEqual(
            findings.map(({ code, severity }) => [code, severity]),
            [["request-too-long", "notice"]],
          );
        }
      };
      await warned(
        /Longer than the \d+ octets that the meter takes at a time: .*, which the first session that writes will show/,
      );
      const before = await at.custody.store.ledger.size();
      if (!at.bench.meter.profile.generalBlockTransfer) {
        await assert.rejects(at.run(operation("special-days"), MANY_DAYS), {
          code: "request-too-long",
          message: /^set 0\.0\.11\.0\.0\.255\/2: the server takes \d+ octets at a time, and nothing longer/,
        });
        assert.equal(requests.some(isGeneralBlock), false);
        assert.deepEqual(at.bench.meter.tariff.specialDays, specialDays);
        const { passive } = at.bench.meter.tariff.calendar;
        const long = at.run(operation("activity-calendar"), MANY_DAY_PROFILES);
        await assert.rejects(long, { code: "request-too-long" });
        await warned(/its last session that wrote agreed on no general blocks/);
        const short = await at.preview(operation("special-days"), ASKED["special-days"]);
        assert.deepEqual([short.changes, short.findings], [true, []]);
        assert.deepEqual(at.bench.meter.tariff.calendar.passive, passive, "of four attributes none was written");
      } else {
        assert.equal((await at.run(operation("limiter"), ASKED["limiter"])).outcome, "done");
        for (const { changes, findings } of await looks()) assert.deepEqual([changes, findings], [true, []]);
        requests.splice(0);
        assert.equal((await at.run(operation("special-days"), MANY_DAYS)).outcome, "done");
        const blocks = requests.filter(isGeneralBlock);
        assert.ok(blocks.length > 1, `${blocks.length} blocks`);
        assert.ok(blocks.every(({ length }) => length <= at.bench.meter.profile.maxReceivePduSizeBytes));
        assert.equal((await at.run(operation("special-days"), MANY_DAYS)).outcome, "unchanged");
        assert.equal((await at.run(operation("activity-calendar"), MANY_DAY_PROFILES)).outcome, "done");
      }
      const entries = await at.custody.store.ledger.read(before, 1000);
      assert.deepEqual(
        entries.filter(({ kind }) => kind === "seal-refused"),
        [],
      );
    }));

for (const profile of PROFILES)
  test(`a meter of ${profile} is read on demand: attributes, profiles, events, and what objects it has`, () =>
    withOperationBench({ profile }, async (at) => {
      const now = at.custody.now;
      const time = (milliseconds: number) => new Date(milliseconds).toISOString();
      const [from, to] = [time(now - 7_200_000), time(now)];
      const values = await at.run(operation("attributes"), {
        attributes: [
          { classId: 3, object: "1-0:1.8.0", attribute: 2 },
          { classId: 3, object: "1-0:99.99.99", attribute: 2 },
        ],
      });
      assert.equal(values.outcome, "not-taken");
      const [energy, none] = values.data as [number, null];
      assert.deepEqual([typeof energy, none], ["number", null]);
      const load = await at.run(operation("profile"), { profile: "load", from, to });
      assert.equal((load.data as { rows: unknown[] }).rows.length, 8);
      await at.run(operation("profile"), { profile: "daily", from: time(now - 3 * 86_400_000), to });
      const events = await at.run(operation("events"), { from: time(0), to: time(now + 1000) });
      const words = (events.data as { words: string }[]).map((event) => event.words);
      assert.ok(
        words.includes("power up") && words.some((each) => /keys changed|configuration changed/.test(each)),
        words.join(),
      );
      const list = await at.run(operation("object-list"), {});
      assert.deepEqual(list.findings, [], list.sentence);
      const registers = await at.run(operation("registers"), {});
      assert.equal(registers.outcome, "unchanged", registers.sentence);
      assert.deepEqual(
        registers.read?.registers?.map(({ obis }) => obis),
        at.profile.registers,
      );
      assert.equal(load.read?.intervals?.length, 8 * at.profile.loadProfile.columns.filter(isValue).length);
      assert.equal(events.read?.events?.length, words.length);
      const quality = at.run(operation("profile"), { profile: "power-quality", from, to });
      if (at.profile.powerQuality === undefined) await assert.rejects(quality, { code: "operation-not-offered" });
      else {
        const rows = (await quality).read?.quality ?? [];
        assert.equal(rows.length, 12);
        for (const { obis, unit, value } of rows.flatMap(({ values }) => values))
          assert.ok(/^1-0:[357]2\.24\.0$/.test(obis) && unit === "V" && value > 190 && value < 260, `${obis} ${value}`);
      }
    }));

for (const profile of ["idis-p2", "is15959"])
  test(`P-8: what a meter of ${profile} gives on demand while its clock is off says so`, () =>
    withOperationBench({ profile }, async (at) => {
      const now = at.custody.now;
      const window = { from: new Date(now - 7_200_000).toISOString(), to: new Date(now).toISOString() };
      const asked = [
        ["registers", {}],
        ["profile", { profile: "load", ...window }],
        ["m-bus-value", { channel: 1 }],
      ] as const;
      await at.run(operation("m-bus-install"), { channel: 1, address: 5 });
      for (const [name, parameters] of asked)
        assert.equal((await at.run(operation(name), parameters)).read?.clockOff, undefined, name);
      at.bench.meter.rollClock(200);
      for (const [name, parameters] of asked) {
        const before = at.custody.now;
        const { read } = await at.run(operation(name), parameters);
        const { offsetSeconds = 0, isIncident, seenAt = 0 } = read?.clockOff ?? {};
        assert.deepEqual([Math.round(offsetSeconds), isIncident], [200, false], name);
        assert.ok(seenAt >= before && seenAt <= at.custody.now, `${name}: by the reference, not by the meter's clock`);
        assert.equal(Math.round(read?.clockOffsetSeconds ?? 0), 200, name);
        assert.ok((read?.registers ?? []).length + (read?.intervals ?? []).length > 0, name);
      }
    }));

const isValue = (column: unknown): boolean => typeof column !== "string";

for (const profile of PROFILES)
  test(`what a device on the M-Bus of a meter of ${profile} has counted is read once it is installed, with its unit and the hour`, () =>
    withOperationBench({ profile }, async (at) => {
      const free = await at.run(operation("m-bus-value"), { channel: 1 });
      assert.deepEqual([free.outcome, free.sentence], ["not-taken", "Channel 1 is free."]);
      await at.run(operation("m-bus-install"), { channel: 1, address: 5 });
      const { outcome, data, read } = await at.run(operation("m-bus-value"), { channel: 1 });
      assert.equal(outcome, "unchanged");
      const [counted] = data as [{ obis: string; value: number; unit: string; at: string }];
      assert.deepEqual([counted.obis, counted.unit], ["0-1:24.2.1", "m³"]);
      assert.ok(counted.value > 0);
      assert.ok(Math.abs(Date.parse(counted.at) - at.custody.now) <= 3_600_000, counted.at);
      assert.equal(read?.registers?.[0]?.evidence.protection, "authenticated");
    }));

test("each operation has an example that it takes, for meters of some profile", () => {
  for (const { name, parameters, example, words } of operations.values()) {
    const read = parameters(example);
    assert.ok(!(read instanceof Wrong), `${name}: ${JSON.stringify(read)}`);
    assert.ok(words(read).length > 0);
  }
});

test("an object that a profile relies on and that is not there, or is another, is an alarm", () =>
  withOperationBench(
    {},
    async (at) => {
      const { findings } = await at.run(operation("object-list"), {});
      assert.deepEqual(
        findings.map(({ code, sentence }) => `${code}: ${sentence}`),
        [
          "object-model-differs: It has no activity calendar (0.0.13.0.9.255).",
          "object-model-differs: Its limiter (0.0.11.0.0.255) is of class 11, not 71.",
        ],
      );
    },
    (profile) => ({
      ...profile,
      activityCalendar: "0-0:13.0.9",
      limiter: { obis: "0-0:11.0.0", type: "double-long-unsigned" },
    }),
  ));

test("what somebody else has set is drift: it is shown, alarmed, and set right by the same document", () =>
  withOperationBench({}, async (at) => {
    const wanted = ASKED["configuration"];
    assert.deepEqual((await at.run(operation("configuration-drift"), {})).findings, []);
    await at.run(operation("configuration"), wanted);
    assert.deepEqual((await at.run(operation("configuration-drift"), {})).findings, []);
    at.bench.meter.mBus.settings = { ...at.bench.meter.mBus.settings, capturePeriod: 60 };
    const drift = await at.run(operation("configuration-drift"), {});
    assert.deepEqual(
      drift.findings.map(({ code, severity }) => [code, severity]),
      [["configuration-drift", "alert"]],
    );
    assert.match(drift.sentence, /not as "gas hourly" says: capture period/);
    assert.deepEqual(
      drift.readBack.map(({ wanted: should, found }) => [should, found]),
      [["7200", "60"]],
    );
    assert.equal((await at.run(operation("configuration"), wanted)).outcome, "done");
    assert.deepEqual((await at.run(operation("configuration-drift"), {})).findings, []);
  }));

test("a push destination that is not ours, a script that is no tariff's, and a document that is more than configuration are refused", () =>
  withOperationBench({}, async (at) => {
    const elsewhere = { ...(ASKED["push-setup"] as object), destination: "10.9.8.7:9700" };
    await assert.rejects(at.run(operation("push-setup"), elsewhere), { code: "operation-invalid" });
    const grave = {
      group: "x",
      items: [{ name: "limit", classId: 71, object: "0-0:17.0.0", attribute: 4, value: { "double-long-unsigned": 1 } }],
    };
    await assert.rejects(at.run(operation("configuration"), grave), /more than configuration/);
    const unknown = { ...(ASKED["push-setup"] as object), setup: "daily" };
    await assert.rejects(at.run(operation("push-setup"), unknown), { code: "operation-not-offered" });
    const beyond = { channel: 3, address: 5 };
    await assert.rejects(at.run(operation("m-bus-install"), beyond), { code: "operation-not-offered" });
  }));

test("an operation that writes more than its manifest says is refused at the first such act, and has changed nothing", () =>
  withOperationBench({}, async (at) => {
    const limiter = operation("limiter");
    const greedy: Operation = { ...limiter, run: (on) => limiter.run(on, { what: "normal-threshold", value: 1 }) };
    await assert.rejects(at.run(greedy, { what: "normal-threshold", value: 6000 }), {
      code: "seal-refused",
      message: /command-token-missing/,
    });
    assert.equal(at.bench.meter.settings.limiterThresholdW, undefined);
  }));

test("each parameter of a limiter can be set, one after the other as the caps on commands allow", () =>
  withOperationBench({}, async (at) => {
    const parameters = { "emergency-threshold": 2000, "seconds-over": 90, "seconds-under": 30 };
    for (const [what, value] of Object.entries(parameters)) {
      assert.equal((await at.run(operation("limiter"), { what, value })).outcome, "done");
      await assert.rejects(at.run(operation("limiter"), { what, value: value + 1 }), { message: /cap-reached/ });
      // One meter is the whole fleet here, and a month's cap is one.
      at.custody.now += 31 * 24 * 3_600_000;
    }
    const { limiterEmergencyW, limiterSeconds, limiterUnderSeconds } = at.bench.meter.settings;
    assert.deepEqual([limiterEmergencyW, limiterSeconds, limiterUnderSeconds], [2000, 90, 30]);
  }));

test("a calendar that is cut off at any exchange is whole after the next run, and never half active", () =>
  withOperationBench({}, async (at) => {
    for (const moment of ["before", "after"] as const)
      for (let kill = 3; kill < 40; kill += 1) {
        const asked = { ...CALENDAR, name: `${moment}-${kill}` };
        const run = await at.approve(operation("activity-calendar"), asked);
        at.mischief = (exchange, when) => {
          if (exchange === kill && when === moment) throw lineLost();
        };
        const { result: first } = await run();
        at.mischief = () => undefined;
        const name = Buffer.from(at.bench.meter.tariff.calendar.active.calendarName).toString();
        if (first !== undefined) {
          assert.equal(first.outcome, "done");
          assert.equal(name, asked.name);
          break;
        }
        const { result } = await run();
        assert.ok(result?.outcome === "done" || result?.outcome === "unchanged", `${kill}: ${result?.sentence}`);
        const active = Buffer.from(at.bench.meter.tariff.calendar.active.calendarName).toString();
        assert.equal(active, asked.name);
      }
  }));
