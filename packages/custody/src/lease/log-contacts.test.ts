import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import type { Caller } from "../calls/caller.ts";
import { carryTakeover, HEAD_END, type TestCustody } from "../testing/test-custody.ts";
import {
  entriesOf,
  give,
  type Handheld,
  journal,
  lent,
  OPERATOR,
  reportOf,
  TITLES,
  titles,
  visit,
  withField,
} from "../testing/test-field.ts";
import type { TestMeter } from "../testing/test-meter.ts";
import type { LeasedMeter } from "./lease-file.ts";

const OTHER: Caller = { name: "head-end-2", role: "head-end" };
const [first] = titles as [(typeof titles)[0]];
const MINUTE = 60_000;
const SECURITY = "0.0.99.98.9.255";
const STANDARD = "0.0.99.98.0.255";
const ATTEMPTS = "0.0.99.98.5.255";

interface Round {
  readonly custody: TestCustody;
  readonly meters: readonly [TestMeter, TestMeter];
  readonly leased: LeasedMeter;
  /** When the first meter was visited. */
  readonly at: number;
  readonly handIn: (acts?: readonly object[]) => Promise<unknown>;
  /** Rows of the first meter's log, as its clock shows them. */
  readonly write: (logicalName: string, rows: readonly (readonly [at: number, code: number])[]) => void;
  /** The first meter's log tells of the visit, the journal is handed in, its keys have changed, and an hour has gone. */
  readonly backFromVisit: () => Promise<void>;
}

/** Lends both meters and has the first visited at its local interface, which its log does not have yet. */
function withRound(body: (round: Round) => Promise<void>, aheadMilliseconds = 0): Promise<void> {
  return withField(async (custody, meters, handheld: Handheld) => {
    const [meter] = meters;
    for (const one of meters) {
      one.clock = { nowMilliseconds: () => custody.now, aheadMilliseconds };
      // What its takeover has left in its logs.
      one.logs = { [SECURITY]: [row(custody.now - MINUTE, 48)], [STANDARD]: [row(custody.now - MINUTE, 2)] };
    }
    function row(at: number, code: number) {
      return { at: at + aheadMilliseconds, code };
    }
    const { lease, leased, counters } = await lent(custody, handheld, meter);
    custody.now += 60 * MINUTE;
    const at = custody.now;
    await visit(meter, lease, counters);
    custody.now += 60 * MINUTE;
    const act = { meter: leased.meter, at, operation: "read", address: "serial:/dev/optical", outcome: "done" };
    const used = [{ meter: leased.meter, next: counters.next }];
    const handIn = (acts: readonly object[] = [act]) =>
      custody.custody.service.returnLease(
        { journal: journal(handheld, { lease: lease.terms.lease, used, passed: [], acts }) },
        OPERATOR,
      );
    const write: Round["write"] = (logicalName, rows) => {
      meter.logs[logicalName] = [...(meter.logs[logicalName] ?? []), ...rows.map(([when, code]) => row(when, code))];
    };
    const backFromVisit = async () => {
      write(SECURITY, visitRows(at));
      await handIn();
      await carryRotationOnly(custody, meter);
      custody.now += 60 * MINUTE;
    };
    await body({ custody, meters, leased, at, handIn, write, backFromVisit });
  });
}

const visitRows = (at: number) =>
  [
    [at, 28],
    [at + MINUTE, 29],
  ] as const;
const stateOf = async (custody: TestCustody) => {
  const [lease] = (await reportOf(custody)).leases;
  return { lease, logged: lease?.meters.find(({ meter }) => meter === TITLES[0])?.logged };
};
const dueFor = async ({ custody }: TestCustody, caller: Caller) =>
  (await custody.service.contactsDue({ limit: 10 }, caller)).meters.map((title) =>
    Buffer.from(title).toString("hex").toUpperCase(),
  );

test("a meter's log is read after its keys have changed, under the new ones, and agrees with an honest journal", () =>
  withRound(async ({ custody, meters, leased, at, handIn, write }) => {
    write(SECURITY, visitRows(at));
    await handIn();
    assert.deepEqual((await stateOf(custody)).logged, {
      outcome: "awaited",
      sentence: "its log is read as soon as its new keys are proven",
    });
    const { steps } = await carryTakeover(custody, meters[0]);
    const begins = steps.indexOf("local-session-log");
    assert.ok(begins > steps.lastIndexOf("refuse-old-keys"), "after the last of the change of keys");
    assert.deepEqual([...new Set(steps.slice(begins))], ["local-session-log"]);
    const { lease, logged } = await stateOf(custody);
    assert.equal(logged?.outcome, "agrees");
    assert.match(
      logged?.sentence ?? "",
      /^its log tells of a local session at 2026-[\d-]+T[\d:]+Z, the journal of visits then$/,
    );
    assert.deepEqual([lease?.state, lease?.disputes], ["returned", []]);
    const [entry, ...others] = await entriesOf(custody, "lease-log-read");
    assert.deepEqual([entry?.meter, others.length], [TITLES[0], 0]);
    const { GUEK } = JSON.parse((await entriesOf(custody, "lease-contact-opened"))[0]?.body ?? "{}") as {
      GUEK: number;
    };
    assert.ok(GUEK > leased.GUEK, "the lent key opens it no more");
    await custody.restart();
    assert.equal((await stateOf(custody)).logged?.outcome, "agrees", "it is in the ledger");
  }));

test("a local session of which the journal does not tell disputes the lease, in the ledger and wherever its disputes are seen", () =>
  withRound(async ({ custody, meters, at, handIn, write }) => {
    write(SECURITY, [...visitRows(at), ...visitRows(at + 20 * MINUTE)]);
    await handIn();
    await carryTakeover(custody, meters[0]);
    const { lease, logged } = await stateOf(custody);
    assert.equal(logged?.outcome, "finding");
    assert.equal(lease?.state, "disputed");
    assert.match(
      lease?.disputes[0] ?? "",
      /^\w{16}: its log tells of a local session at [^,]+, of which the journal does not$/,
    );
    assert.match(
      custody.custody.disputedLeases()[0] ?? "",
      /^Ada \(HH-7\), meter \w+: its log tells of a local session/,
    );
    const [entry, ...others] = await entriesOf(custody, "lease-disputed");
    assert.deepEqual([entry?.meter, others.length], [TITLES[0], 0]);
    const { states } = await custody.custody.service.rotationStates(
      { meters: [titles[1] as (typeof titles)[0]], filter: "all", after: undefined },
      OPERATOR,
    );
    assert.equal(states[0]?.cause, "compromise", "the others of the lease go first");
    const keys = (await custody.store.load(TITLES[1]))?.keys ?? [];
    assert.ok(!keys.some(({ state }) => state === "compromised"), "and keep their trust until then");
  }));

test("an attempt at the local interface within the lease is told of by the journal, or disputes it", () =>
  withRound(async ({ custody, meters, at, handIn, write }) => {
    write(SECURITY, visitRows(at));
    write(ATTEMPTS, [[at - 30 * MINUTE, 158]]);
    await handIn();
    await carryTakeover(custody, meters[0]);
    assert.equal((await stateOf(custody)).logged?.outcome, "finding");
  }));

test("a visit over the handheld's own device of which the meter's log does not tell disputes the lease", () =>
  withRound(async ({ custody, meters, handIn }) => {
    await handIn();
    await carryTakeover(custody, meters[0]);
    const { lease, logged } = await stateOf(custody);
    assert.match(logged?.sentence ?? "", /^the journal tells of a visit at [^,]+, of which its log does not$/);
    assert.equal(lease?.state, "disputed");
  }));

test("a visit over a network, or one that failed, need not stand in the log", () =>
  withRound(async ({ custody, meters, leased, at, handIn }) => {
    await handIn([
      { meter: leased.meter, at, operation: "read", address: "tcp://10.0.0.7:4059", outcome: "done" },
      { meter: leased.meter, at, operation: "read", address: "serial:/dev/optical", outcome: "no answer" },
    ]);
    await carryTakeover(custody, meters[0]);
    assert.deepEqual((await stateOf(custody)).logged, {
      outcome: "agrees",
      sentence: "its log tells of no local session",
    });
  }));

test("a clock that is two hours off is reckoned with, by what it showed when the log was read", () =>
  withRound(async ({ custody, meters, at, handIn, write }) => {
    write(SECURITY, visitRows(at));
    await handIn();
    await carryTakeover(custody, meters[0]);
    assert.equal((await stateOf(custody)).logged?.outcome, "agrees");
    const { ahead } = JSON.parse((await entriesOf(custody, "lease-log-read"))[0]?.body ?? "{}") as { ahead: number };
    assert.ok(Math.abs(ahead + 120 * MINUTE) < 1000, String(ahead));
  }, -120 * MINUTE));

test("where the clock was moved by more than is allowed for nothing is disputed, and that is said", () =>
  withRound(async ({ custody, meters, at, handIn, write }) => {
    write(SECURITY, visitRows(at - 40 * MINUTE));
    write(STANDARD, [
      [at, 4],
      [at + 40 * MINUTE, 5],
    ]);
    await handIn();
    await carryTakeover(custody, meters[0]);
    const { lease, logged } = await stateOf(custody);
    assert.equal(logged?.outcome, "untold");
    assert.match(logged?.sentence ?? "", /of which the journal does not; .*its clock was moved meanwhile/);
    assert.equal(lease?.state, "returned");
  }));

test("a small move of the clock, which a visit to set it makes, changes nothing", () =>
  withRound(async ({ custody, meters, at, handIn, write }) => {
    write(SECURITY, visitRows(at));
    write(STANDARD, [
      [at, 4],
      [at + MINUTE, 5],
    ]);
    await handIn();
    await carryTakeover(custody, meters[0]);
    assert.equal((await stateOf(custody)).logged?.outcome, "agrees");
  }));

test("a log that no longer has the time of the lease says neither that somebody came nor that nobody did", () =>
  withRound(async ({ custody, meters, at, handIn }) => {
    meters[0].logs[SECURITY] = [{ at: at + 30 * MINUTE, code: 46 }];
    await handIn();
    await carryTakeover(custody, meters[0]);
    const { lease, logged } = await stateOf(custody);
    assert.equal(logged?.outcome, "untold");
    assert.match(logged?.sentence ?? "", /; its log goes back to 2026-[\d-]+T[\d:]+Z only$/);
    assert.equal(lease?.state, "returned");
  }));

test("a session after the handheld was reported lost is a finding, and one before it is told", () =>
  withRound(async ({ custody, meters, at, write }) => {
    write(SECURITY, visitRows(at));
    await custody.custody.service.loseHandheld({ handheld: "HH-7", reason: "left on a roof" }, OPERATOR);
    custody.now += 30 * MINUTE;
    write(SECURITY, visitRows(custody.now - 10 * MINUTE));
    await carryTakeover(custody, meters[0]);
    const { lease, logged } = await stateOf(custody);
    assert.match(
      logged?.sentence ?? "",
      /^its log tells of a local session at [^,]+, after the handheld was reported lost$/,
    );
    assert.deepEqual([lease?.state, lease?.disputes.length], ["lost", 1]);
  }));

test("a journal that comes after the log was read is compared with it then", () =>
  withRound(async ({ custody, meters, at, handIn, write }) => {
    write(SECURITY, [...visitRows(at), ...visitRows(at + 20 * MINUTE)]);
    custody.now += 8 * 60 * MINUTE;
    await custody.custody.sweep();
    await carryTakeover(custody, meters[0]);
    const before = await stateOf(custody);
    assert.deepEqual([before.logged?.outcome, before.lease?.state], ["untold", "expired"]);
    assert.match(before.logged?.sentence ?? "", /^no journal came; its log tells of 2 local sessions/);
    await handIn();
    const after = await stateOf(custody);
    assert.deepEqual([after.logged?.outcome, after.lease?.state], ["finding", "disputed"]);
  }));

test("a meter that has no such log is said to have none, and is not asked again", () =>
  withRound(async ({ custody, meters, handIn }) => {
    meters[0].clock = { nowMilliseconds: () => Number.NaN, aheadMilliseconds: 0 };
    await handIn();
    await carryTakeover(custody, meters[0]);
    assert.deepEqual((await stateOf(custody)).logged, {
      outcome: "untold",
      sentence: "the meter gave no log of local sessions, or no time of its own",
    });
    assert.ok(!(await dueFor(custody, HEAD_END)).includes(TITLES[0]));
  }));

/** Brings a meter's keys to their change and stops there: its log is still to be read. */
async function carryRotationOnly(custody: TestCustody, meter: TestMeter): Promise<void> {
  await assert.rejects(carryTakeover(custody, meter, { until: "local-session-log" }), /stopped before/);
}

/** Carries one contact for the log, with whatever `tamper` makes of each answer. */
async function carryLog(
  custody: TestCustody,
  meter: TestMeter,
  by: Caller,
  tamper: (answer: Uint8Array, nth: number) => Uint8Array | undefined | Promise<Uint8Array | undefined>,
) {
  const next = await custody.custody.service.nextContact({ meter: systemTitle(fromHex(meter.systemTitle)) }, by);
  if (next.kind !== "connect") return next;
  const line = meter.connect(next.clientSap, next.serverSap);
  let { apdu } = next;
  for (let nth = 0; ; nth += 1) {
    const answer = await tamper(line.exchange(apdu) as Uint8Array, nth);
    const event =
      answer === undefined
        ? ({ kind: "lost", reason: "closed" } as const)
        : ({ kind: "received", apdu: answer } as const);
    const advanced = await custody.custody.service.advanceContact({ contact: next.contact, event }, by);
    if (advanced.kind === "close") return advanced;
    ({ apdu } = advanced);
  }
}

test("a head-end that alters, replays, delays or withholds answers brings nothing to be believed, and rests alone", () =>
  withRound(async ({ custody, meters, at, handIn, write }) => {
    const [meter] = meters;
    write(SECURITY, [...visitRows(at), ...visitRows(at + 20 * MINUTE)]);
    await handIn();
    await carryRotationOnly(custody, meter);
    const heard: Uint8Array[] = [];
    const tricks: readonly ((answer: Uint8Array, nth: number) => Promise<Uint8Array | undefined>)[] = [
      // Another octet in the log.
      async (answer, nth) => {
        heard.push(answer);
        return nth === 3 ? answer.with(-20, (answer.at(-20) ?? 0) ^ 1) : answer;
      },
      // The answer to the question before.
      async (answer, nth) => (nth === 3 ? heard[2] : answer),
      // The answer to the clock, two minutes late: its time would seem another.
      async (answer, nth) => {
        if (nth === 2) custody.now += 2 * MINUTE - 1;
        return answer;
      },
      // Somebody else's turn on the line, whose answers might be taken for these.
      async (answer, nth) => {
        if (nth === 2) await custody.custody.service.openSession({ meter: first, purpose: "read" }, OTHER);
        return answer;
      },
      async (answer, nth) => (nth === 4 ? undefined : answer),
    ];
    for (const [nth, trick] of tricks.entries()) {
      const by = { name: `liar-${nth}`, role: "head-end" } as const;
      const ended = await carryLog(custody, meter, by, trick);
      assert.deepEqual([nth, ended.kind, "next" in ended && ended.next], [nth, "close", "wait"]);
      assert.equal((await custody.custody.service.nextContact({ meter: first }, by)).kind, "nothing", "it rests");
      assert.ok(!(await dueFor(custody, by)).includes(TITLES[0]));
    }
    assert.deepEqual(await entriesOf(custody, "lease-log-read"), []);
    assert.equal((await stateOf(custody)).logged?.outcome, "awaited");
    assert.ok((await dueFor(custody, HEAD_END)).includes(TITLES[0]), "for others its turn is what it was");
    await carryLog(custody, meter, HEAD_END, async (answer) => answer);
    assert.equal((await stateOf(custody)).logged?.outcome, "finding");
  }));

test("who is interrupted in its reading by another's session rests no longer each time, and the ledger says what it was", () =>
  withRound(async ({ custody, meters, backFromVisit }) => {
    await backFromVisit();
    const { service } = custody.custody;
    const interrupted = async (answer: Uint8Array, nth: number) => {
      if (nth === 3) await service.openSession({ meter: first, purpose: "read" }, OTHER);
      return answer;
    };
    for (let time = 0; time < 3; time += 1) {
      const ended = await carryLog(custody, meters[0], HEAD_END, interrupted);
      assert.deepEqual([ended.kind, "milliseconds" in ended && ended.milliseconds], ["close", MINUTE / 2]);
      custody.now += MINUTE / 2;
    }
    // It has lost one line before.
    const lost = await carryLog(custody, meters[0], HEAD_END, async () => undefined);
    assert.deepEqual([lost.kind, "milliseconds" in lost && lost.milliseconds], ["close", MINUTE]);
    custody.now += MINUTE;
    await carryLog(custody, meters[0], HEAD_END, async (answer) => answer);
    assert.equal((await stateOf(custody)).logged?.outcome, "agrees");
    const closings = (await entriesOf(custody, "lease-contact-closed")).map(({ body }) => JSON.parse(body));
    assert.deepEqual(
      closings.slice(-5).map(({ isInterrupted, isRead }) => [isInterrupted, isRead]),
      [
        [true, false],
        [true, false],
        [true, false],
        [undefined, false],
        [undefined, true],
      ],
    );
  }));

test("two that would read a log at once do not end each other's contact, and one that is left begins anew later", () =>
  withRound(async ({ custody, backFromVisit }) => {
    await backFromVisit();
    const { service } = custody.custody;
    assert.equal((await service.nextContact({ meter: first }, OTHER)).kind, "connect");
    assert.equal((await service.nextContact({ meter: first }, HEAD_END)).kind, "wait");
    assert.equal((await service.nextContact({ meter: first }, OTHER)).kind, "nothing", "who begins anew rests");
    assert.equal((await service.nextContact({ meter: first }, HEAD_END)).kind, "connect");
  }));

test("who may not be let into a contact is told of no meter whose log is to be read", () =>
  withRound(async ({ custody, meters, handIn }) => {
    await handIn();
    await carryRotationOnly(custody, meters[0]);
    custody.now += 60 * MINUTE;
    const reader: Caller = { ...OTHER, rights: { sessions: 1, permits: (_, purpose) => purpose === "read" } };
    await assert.rejects(custody.custody.service.nextContact({ meter: first }, reader), { code: "unknown-meter" });
    assert.ok(!(await dueFor(custody, reader)).includes(TITLES[0]));
    assert.ok((await dueFor(custody, HEAD_END)).includes(TITLES[0]));
  }));

test("a meter that leaves takes the contact with it: nothing more is sealed for its log", () =>
  withRound(async ({ custody, meters, handIn }) => {
    await handIn();
    await carryRotationOnly(custody, meters[0]);
    custody.now += 60 * MINUTE;
    const { service } = custody.custody;
    const next = await service.nextContact({ meter: first }, HEAD_END);
    assert.ok(next.kind === "connect");
    const line = meters[0].connect(next.clientSap, next.serverSap);
    await service.departMeters(
      {
        meters: [first],
        how: "retired",
        reason: "scrapped",
        sender: { flag: "OLD", name: "Old" },
        recipient: undefined,
      },
      OPERATOR,
    );
    const event = { kind: "received", apdu: line.exchange(next.apdu) as Uint8Array } as const;
    await assert.rejects(service.advanceContact({ contact: next.contact, event }, HEAD_END), {
      code: "contact-unknown",
    });
    assert.equal((await service.nextContact({ meter: first }, HEAD_END)).kind, "nothing");
  }));

test("a log that nobody brings within thirty days is given up, and so it is said", () =>
  withRound(async ({ custody, meters, handIn }) => {
    await handIn();
    await carryRotationOnly(custody, meters[0]);
    custody.now += 31 * 24 * 60 * MINUTE;
    assert.match((await stateOf(custody)).logged?.sentence ?? "", /^its log was not read in time/);
    assert.equal((await custody.custody.service.nextContact({ meter: first }, HEAD_END)).kind, "nothing");
  }));

test("a meter that is lent anew is left alone until it is back, and its log then tells of both leases", () =>
  withRound(async ({ custody, meters, backFromVisit }) => {
    await backFromVisit();
    await give(custody, { meters: [first] });
    assert.ok(!(await dueFor(custody, HEAD_END)).includes(TITLES[0]));
    custody.now += 9 * 60 * MINUTE;
    await custody.custody.sweep();
    await carryTakeover(custody, meters[0]);
    assert.equal((await entriesOf(custody, "lease-log-read")).length, 2);
    const outcomes = (await reportOf(custody)).leases.map(
      ({ meters: all }) => all.find(({ meter }) => meter === TITLES[0])?.logged?.outcome,
    );
    assert.deepEqual(outcomes, ["untold", "agrees"]);
  }));
