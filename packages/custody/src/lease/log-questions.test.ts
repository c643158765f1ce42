import assert from "node:assert/strict";
import { test } from "node:test";
import { apdu, type Data, data, dateTimeAt, dateTimeOctets, decode, encode } from "@meterkeep/dlms";
import { meterFacts } from "../protocol/meter-facts.ts";
import { visitsIn } from "./disputes.ts";
import { localSessionsCompared, type Visits } from "./local-sessions.ts";
import { LogQuestions } from "./log-questions.ts";

const NOW = Date.UTC(2026, 10, 22, 12);
const MINUTE = 60_000;
const INVOKE = { invokeId: 1, confirmed: true, highPriority: true } as const;

const questions = () => {
  const { localLogs } = meterFacts("idis-p2");
  assert.ok(localLogs);
  return new LogQuestions(localLogs);
};
const time = (at: number): Data => ({ type: "octet-string", value: encode(dateTimeOctets, dateTimeAt(at)) });
type LogRow = readonly [at: number, code: number];
const log = (...rows: readonly LogRow[]): Data => ({
  type: "array",
  value: rows.map(([at, code]) => ({ type: "structure", value: [time(at), { type: "long-unsigned", value: code }] })),
});
const whole = (value: Data) =>
  encode(apdu, {
    kind: "get-response",
    value: { kind: "normal", value: { invokeIdAndPriority: INVOKE, result: { kind: "data", value } } },
  });
const block = (blockNumber: number, rawData: Uint8Array, lastBlock = false) =>
  encode(apdu, {
    kind: "get-response",
    value: {
      kind: "with-datablock",
      value: {
        invokeIdAndPriority: INVOKE,
        block: { lastBlock, blockNumber, result: { kind: "raw-data", value: rawData } },
      },
    },
  });

/** Answers a question, whole or in blocks of so many octets, and gives what was asked for them. */
function answer(asked: LogQuestions, value: Data, blockBytes?: number): readonly string[] {
  const requests: string[] = [];
  const ask = () => {
    const request = decode(apdu, asked.next(NOW) as Uint8Array);
    assert.ok(request.kind === "get-request");
    requests.push(request.value.kind);
  };
  ask();
  if (blockBytes === undefined) assert.ok(asked.take(whole(value), NOW));
  else {
    const octets = encode(data, value);
    for (let at = 0, number = 1; at < octets.length; at += blockBytes, number += 1) {
      if (number > 1) ask();
      const isLast: boolean = at + blockBytes >= octets.length;
      assert.ok(asked.take(block(number, octets.subarray(at, at + blockBytes), isLast), NOW));
    }
  }
  return requests;
}

test("a log that comes in blocks is put together, and one that comes newest first is read the other way round", () => {
  const asked = questions();
  answer(asked, time(NOW + 7000));
  const sessions = log([NOW - 10 * MINUTE, 29], [NOW - 12 * MINUTE, 28], [NOW - 90 * MINUTE, 48]);
  const blocks = Math.ceil(encode(data, sessions).length / 20);
  assert.ok(blocks > 2);
  assert.deepEqual(answer(asked, sessions, 20), ["normal", ...new Array<string>(blocks - 1).fill("next")]);
  answer(asked, log([NOW - 31 * MINUTE, 140], [NOW - 30 * MINUTE, 158]));
  answer(asked, log());
  assert.equal(asked.next(NOW), undefined);
  assert.deepEqual(asked.facts(NOW - 60 * MINUTE, NOW), {
    ahead: 7000,
    sessions: [{ from: NOW - 30 * MINUTE - 7000 }, { from: NOW - 12 * MINUTE - 7000, until: NOW - 10 * MINUTE - 7000 }],
    since: NOW - 90 * MINUTE - 7000,
    isMoved: false,
  });
});

test("blocks out of their order, empty ones and ones without end are no answer", () => {
  const octets = encode(data, log([NOW, 28]));
  const first = () => {
    const asked = questions();
    answer(asked, time(NOW));
    asked.next(NOW);
    assert.ok(asked.take(block(1, octets.subarray(0, 5)), NOW));
    asked.next(NOW);
    return asked;
  };
  assert.equal(first().take(block(1, octets.subarray(0, 5)), NOW), false, "repeated");
  assert.equal(first().take(block(3, octets.subarray(5), true), NOW), false, "left out");
  assert.equal(first().take(block(2, new Uint8Array(0)), NOW), false, "empty");
  assert.equal(first().take(whole(log()), NOW), false, "a whole answer to a question for the next block");
  assert.equal(first().take(block(2, new Uint8Array(65_600), true), NOW), false, "too long");
});

test("a log in blocks of an octet each is no answer after as many as a meter may need: each costs a counter", () => {
  const asked = questions();
  answer(asked, time(NOW));
  let blocks = 0;
  do {
    asked.next(NOW);
    blocks += 1;
  } while (blocks < 5000 && asked.take(block(blocks, Uint8Array.of(0)), NOW));
  assert.equal(blocks, 1025);
  const next = questions();
  answer(next, time(NOW));
  const rows = Array.from({ length: 3000 }, (_, nth): LogRow => [NOW - (3000 - nth) * 1000, 28]);
  assert.ok(answer(next, log(...rows), 64).length > 800, "a long log in short blocks is one");
});

test("a clock that comes in blocks is as old as the time from its first question on", () => {
  const [asked, clock] = [questions(), encode(data, time(NOW))];
  asked.next(NOW);
  assert.ok(asked.take(block(1, clock.subarray(0, 13)), NOW + 1000));
  asked.next(NOW + 90 * MINUTE);
  assert.equal(asked.take(block(2, clock.subarray(13), true), NOW + 90 * MINUTE + 1000), false);
});

test("a log of nothing but rows that cannot be read is not copied for each of them", () => {
  const asked = questions();
  answer(asked, time(NOW));
  const none: Data = { type: "null-data", value: null };
  answer(asked, { type: "array", value: Array.from({ length: 60_000 }, () => none) });
  answer(asked, log());
  answer(asked, log());
  const own = Object.getOwnPropertyDescriptor(Array.prototype, "slice") as PropertyDescriptor;
  let copies = 0;
  const counted = function (this: unknown[], ...range: readonly number[]): unknown[] {
    copies += 1;
    return own.value.apply(this, range);
  };
  Object.defineProperty(Array.prototype, "slice", { ...own, value: counted });
  try {
    assert.equal(asked.facts(NOW - 60 * MINUTE, NOW).undated, 60_000);
  } finally {
    Object.defineProperty(Array.prototype, "slice", own);
  }
  assert.ok(copies < 100, `${copies} copies`);
});

test("a session without its begin, or without its end, is one with what there is", () => {
  const asked = questions();
  answer(asked, time(NOW));
  answer(
    asked,
    log([NOW - 50 * MINUTE, 29], [NOW - 40 * MINUTE, 28], [NOW - 30 * MINUTE, 28], [NOW - 29 * MINUTE, 29]),
  );
  answer(asked, log());
  answer(asked, log());
  assert.deepEqual(asked.facts(NOW - 60 * MINUTE, NOW).sessions, [
    { until: NOW - 50 * MINUTE },
    { from: NOW - 40 * MINUTE },
    { from: NOW - 30 * MINUTE, until: NOW - 29 * MINUTE },
  ]);
});

test("a row whose time or code is null has those of the row before", () => {
  const asked = questions();
  const none: Data = { type: "null-data", value: null };
  const row = (...value: Data[]): Data => ({ type: "structure", value });
  const code = (value: number): Data => ({ type: "long-unsigned", value });
  answer(asked, time(NOW));
  answer(asked, {
    type: "array",
    value: [row(time(NOW - 9 * MINUTE), code(28)), row(time(NOW - 8 * MINUTE), none), row(none, code(29))],
  });
  answer(asked, log());
  answer(asked, log());
  assert.deepEqual(asked.facts(NOW - 60 * MINUTE, NOW).sessions, [
    { from: NOW - 9 * MINUTE },
    { from: NOW - 8 * MINUTE, until: NOW - 8 * MINUTE },
  ]);
});

test("of more sessions than are kept the newest are, and the log goes back to those only", () => {
  const comparedWith = (filling: number) => {
    const asked = questions();
    const rows = Array.from({ length: filling }, (_, nth): readonly LogRow[] => [
      [NOW - 30 * MINUTE + nth * 1000, 28],
      [NOW - 30 * MINUTE + nth * 1000 + 500, 29],
    ]);
    answer(asked, time(NOW));
    // Somebody fills the log while a technician is there, and comes again when nobody is.
    answer(asked, log([NOW - 90 * MINUTE, 48], ...rows.flat(), [NOW - 5 * MINUTE, 28], [NOW - 4 * MINUTE, 29]), 5000);
    answer(asked, log());
    answer(asked, log());
    const from = NOW - 60 * MINUTE;
    const read = { lease: "a", meter: "m", ...asked.facts(from, NOW), rotatedAt: NOW };
    const journal = (...visits: readonly number[]) => ({
      visits: visits.map((at) => ({ meter: "m", at })),
    });
    const outcomeOf = (...visits: readonly number[]) =>
      localSessionsCompared({
        ...{ meter: "m", read, standing: "awaited", lostAt: undefined, from },
        journal: journal(NOW - 28 * MINUTE, ...visits),
      }).outcome;
    return [outcomeOf(), outcomeOf(NOW - 5 * MINUTE), read.sessions?.length];
  };
  assert.deepEqual(comparedWith(199), ["finding", "agrees", 200]);
  assert.deepEqual(comparedWith(250), ["finding", "untold", 200]);
});

test("a row that cannot be read is told of where its neighbours say that it may be of the lease's time, and nothing agrees then", () => {
  const lost: Data = { type: "octet-string", value: new Uint8Array(12).fill(0xff) };
  const rowOf = ([at, code]: readonly [number | undefined, number]): Data => ({
    type: "structure",
    value: [at === undefined ? lost : time(at), { type: "long-unsigned", value: code }],
  });
  const from = NOW - 60 * MINUTE;
  const read = (rows: readonly (readonly [number | undefined, number])[], moves: Data = log()) => {
    const asked = questions();
    answer(asked, time(NOW));
    answer(asked, { type: "array", value: rows.map(rowOf) });
    answer(asked, log());
    answer(asked, moves);
    return { lease: "a", meter: "m", ...asked.facts(from, NOW), rotatedAt: NOW };
  };
  const [visit, before] = [NOW - 30 * MINUTE, [NOW - 90 * MINUTE, 48]] as const;
  const told = [[visit, 28] as const, [visit + MINUTE, 29] as const];
  const compared = (of: ReturnType<typeof read>, ...visits: readonly number[]) =>
    localSessionsCompared({
      ...{ meter: "m", read: of, standing: "awaited", lostAt: undefined, from },
      journal: { visits: visits.map((at) => ({ meter: "m", at, isLocal: true })) },
    });
  const hidden = [[undefined, 28] as const, [undefined, 29] as const];
  const within = read([before, ...hidden, ...told]);
  assert.equal(within.undated, 2);
  assert.equal(compared(within, visit).outcome, "untold");
  assert.match(compared(within, visit).sentence, /; 2 of its rows cannot be read$/);
  assert.equal(compared(within).outcome, "finding", "a session that can be read has no visit all the same");
  assert.equal(compared(within, visit, visit + 20 * MINUTE).outcome, "untold", "a visit may be in one that cannot");
  assert.equal(compared(read([before, ...told]), visit, visit + 20 * MINUTE).outcome, "finding");
  const earlier = read([...hidden, [NOW - 80 * MINUTE, 47], ...told]);
  assert.deepEqual([earlier.undated, compared(earlier, visit).outcome], [undefined, "agrees"]);
  const others = read([before, [undefined, 46], ...told]);
  assert.deepEqual([others.undated, compared(others, visit).outcome], [undefined, "agrees"]);
  assert.equal(read([before, ...told], { type: "array", value: [rowOf([undefined, 5])] }).isMoved, true);
});

test("a visit over a network, or one that failed, is not all that there is to say of a local session", () => {
  const from = NOW - 60 * MINUTE;
  const at = NOW - 30 * MINUTE;
  const compared = (session: object, how?: "network" | "failed") =>
    localSessionsCompared({
      ...{ meter: "m", standing: "awaited", lostAt: undefined, from },
      read: { lease: "a", meter: "m", sessions: [{ from: at, ...session }], since: 0, rotatedAt: NOW },
      journal: { visits: [{ meter: "m", at, ...(how && { how }) }] },
    });
  const whole = { until: at + MINUTE };
  assert.equal(compared(whole).outcome, "agrees");
  for (const how of ["network", "failed"] as const) {
    assert.equal(compared(whole, how).outcome, "untold");
    assert.match(
      compared(whole, how).sentence,
      /^its log tells of a local session at .*Z, the journal then of a visit over a network/,
    );
  }
  assert.equal(compared({}, "failed").outcome, "agrees", "an attempt is what a visit that failed leaves");
});

test("however many acts a journal has, each meter's own are held against its log, up to what is kept of it", () => {
  const lent = { meter: "5453540000000801" };
  const terms = { from: NOW - 8 * 60 * MINUTE, meters: [lent, { meter: "5453540000000802" }] } as never;
  const act = (at: number, change: object = {}) => ({
    ...lent,
    at,
    address: "serial:/dev/probe",
    outcome: "done",
    ...change,
  });
  const kept = (acts: readonly object[]) => visitsIn(JSON.stringify({ acts }), terms, NOW);
  const honest = act(NOW - 30 * MINUTE);
  const filling = Array.from({ length: 5000 }, (_, nth) => nth);
  // Of other meters, of other times, and of what says nothing new.
  const acts = [
    ...filling.map((nth) =>
      act(NOW - 30 * MINUTE, { meter: `54535400000F${nth.toString(16).toUpperCase().padStart(4, "0")}` }),
    ),
    ...filling.map((nth) => act(NOW - 30 * 24 * 60 * MINUTE + nth * MINUTE)),
    ...filling.map((nth) => act(NOW - 2 * 60 * MINUTE + nth, { outcome: "no answer" })),
    ...filling.map((nth) => act(NOW - 4 * 60 * MINUTE + nth * 2000, { meter: "5453540000000802" })),
    honest,
  ];
  const all = kept(acts);
  assert.equal(all.cuts, undefined);
  assert.ok(all.visits.length < 100, String(all.visits.length));
  const compared = (journal: Visits, ...at: readonly number[]) =>
    localSessionsCompared({
      ...{ ...lent, standing: "awaited", lostAt: undefined, from: 0, journal },
      read: { lease: "a", ...lent, sessions: at.map((one) => ({ from: one })), since: 0, rotatedAt: NOW },
    }).outcome;
  assert.equal(compared(all, honest.at), "agrees");
  assert.equal(compared(all, honest.at, NOW - 6 * 60 * MINUTE), "finding");
  // What explains an attempt explains it whatever was left out.
  const failed = { outcome: "no answer" };
  const dense = kept(filling.map((nth) => act(NOW - 3 * 60 * MINUTE + nth * 1000, failed)));
  for (let at = NOW - 3 * 60 * MINUTE; at < NOW - 100 * MINUTE; at += 7 * MINUTE)
    assert.equal(compared(dense, at), "agrees");
  // One that comes back after months may name more than is kept: what came before that is judged all the same.
  const began = NOW - 90 * 24 * 60 * MINUTE;
  const many = filling.map((nth) => act(began + 60 * MINUTE + nth * 6 * MINUTE, failed));
  const cut = visitsIn(JSON.stringify({ acts: many }), { ...(terms as object), from: began } as never, NOW);
  const cutAt = cut.cuts?.[lent.meter] ?? 0;
  assert.equal(cut.visits.length, 1000);
  assert.equal(compared(cut, began + 60 * MINUTE, cutAt + 60 * MINUTE), "untold");
  assert.equal(compared(cut, began + 30 * MINUTE, cutAt + 60 * MINUTE), "finding");
});

test("half a move of the clock counts as a move, and one from before the lease does not", () => {
  const movedBy = (...rows: readonly LogRow[]) => {
    const asked = questions();
    answer(asked, time(NOW));
    answer(asked, log());
    answer(asked, log());
    answer(asked, log(...rows));
    return asked.facts(NOW - 60 * MINUTE, NOW).isMoved;
  };
  assert.equal(movedBy([NOW - 5 * MINUTE, 4], [NOW - 4 * MINUTE, 5]), false);
  assert.equal(movedBy([NOW - 25 * MINUTE, 4], [NOW - 4 * MINUTE, 5]), true);
  assert.equal(movedBy([NOW - 5 * MINUTE, 5]), true);
  assert.equal(movedBy([NOW - 90 * MINUTE, 4], [NOW - 70 * MINUTE, 5], [NOW - 3 * MINUTE, 47]), false);
  assert.equal(movedBy([NOW - 9 * MINUTE, 4], [NOW - 8 * MINUTE, 5], [NOW - 2 * MINUTE, 4], [NOW - MINUTE, 5]), false);
});
