import assert from "node:assert/strict";
import { test } from "node:test";
import { apdu, type Data, data, dateTimeAt, dateTimeOctets, decode, encode } from "@meterkeep/dlms";
import { meterFacts } from "../protocol/meter-facts.ts";
import { localSessionsCompared } from "./local-sessions.ts";
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
      isCut: false,
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
