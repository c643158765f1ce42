import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HEADEND_MIGRATIONS, openScope, type Scope } from "@meterkeep/headend";
import { openTestDatabase, type TestDatabase } from "@meterkeep/postgres/testing";
import { parseDrillLine } from "./drill-line.ts";
import { Drills, type DrillsPorts } from "./drills.ts";

const HOME = "4D4B560000000001";
const APDU = "C301C10046000060030AFF01010F00";

let database: TestDatabase;
let scope: Scope;
before(async () => {
  database = await openTestDatabase({ migrations: HEADEND_MIGRATIONS });
  scope = await openScope(database.pool, "utility", "island");
});
after(() => database[Symbol.asyncDispose]());

function bench(more: Partial<DrillsPorts> = {}) {
  const launched: string[] = [];
  const events: unknown[] = [];
  const drills = new Drills({
    sql: database.pool,
    scope,
    hub: { publish: (_, data) => events.push(data) },
    launch: (drill) => launched.push(drill),
    targets: async () => [HOME],
    readBack: async (homes, onRead) => {
      for (const meter of homes)
        onRead({ meter, supply: "connected", session: "11111111-1111-4111-8111-111111111111" });
    },
    freeze: async () => assert.fail("nobody asked for it"),
    now: () => Date.now(),
    onError: (error) => assert.fail(String(error)),
    ...more,
  });
  const say = (drill: string, line: object): void => drills.line(drill, JSON.stringify(line));
  return { drills, launched, events, say };
}

const item = (more: object = {}) => ({
  type: "item",
  item: {
    meter: HOME,
    ask: "Switch the supply off",
    apdu: APDU,
    outcome: "refused",
    code: "command-token-missing",
    ...more,
  },
});

test("a drill asks, counts, reads back and reports, and its report stays", async () => {
  const { drills, launched, events, say } = bench();
  const id = await drills.start("Administrator");
  assert.deepEqual(launched, [id]);
  say(id, { type: "begin", principal: "head-end", homes: 1 });
  say(id, item());
  say(id, { type: "item", item: { ask: "Hand over a master key", outcome: "refused", code: "method-not-offered" } });
  await drills.ended(id, 0);
  const report = await drills.report(id);
  assert.deepEqual(
    [report?.state, report?.asked, report?.sealed, report?.refused, report?.dark, report?.readBack],
    ["done", 2, 0, 2, 0, 1],
  );
  assert.equal(report?.sentence, "2 asked, 0 sealed, 0 homes dark (1 read back).");
  assert.equal(report?.items[0]?.supply, "connected");
  assert.match(report?.items[0]?.decoded?.map(({ value }) => value).join(" ") ?? "", /Disconnect control/);
  assert.equal((events.at(-1) as { state: string }).state, "done");
  assert.equal((await bench().drills.report(id))?.state, "done");
  assert.equal((await drills.list())[0]?.id, id);
});

test("what was sealed and what went dark is said as it is", async () => {
  const { drills, say } = bench({
    readBack: async (homes, onRead) => {
      for (const meter of homes) onRead({ meter, supply: "disconnected", session: undefined });
    },
  });
  const id = await drills.start("x");
  say(id, item({ outcome: "sealed" }));
  await drills.ended(id, 0);
  const report = await drills.report(id);
  assert.deepEqual([report?.sealed, report?.dark], [1, 1]);
  assert.match(report?.sentence ?? "", /1 sealed, 1 home dark/);
});

test("a meter that is on its way from the depot holds nobody up, and is told when it has been read", async () => {
  let late: (() => void) | undefined;
  const { drills, say, events } = bench({
    readBack: async ([meter], onRead) => {
      onRead({ meter: meter!, supply: "unknown", session: undefined, onItsWay: true });
      late = () => onRead({ meter: meter!, supply: "connected", session: "11111111-1111-4111-8111-111111111111" });
    },
  });
  const id = await drills.start("x");
  say(id, item());
  await drills.ended(id, 0);
  const before = await drills.report(id);
  assert.deepEqual([before?.state, before?.readBack, before?.onItsWay], ["done", 0, 1]);
  assert.equal(
    before?.sentence,
    "1 asked, 0 sealed, 0 homes dark (0 read back, 1 on the way into service and asked then).",
  );
  const told = events.length;
  late?.();
  while (events.length === told) await new Promise(setImmediate);
  const after = await drills.report(id);
  assert.deepEqual([after?.readBack, after?.onItsWay, after?.items[0]?.supply], [1, 0, "connected"]);
  assert.equal(after?.sentence, "1 asked, 0 sealed, 0 homes dark (1 read back).");
});

test("a drill that may throw the kill switch throws it at the first act that is seen, once, and says how long the cut took", async () => {
  const thrown: unknown[] = [];
  const frozen = Promise.withResolvers<number>();
  let at = 1000;
  const { drills, say } = bench({
    now: () => at,
    freeze: async (drill, by, sinceFirstAct) => {
      const milliseconds = await frozen.promise;
      thrown.push([drill, by, sinceFirstAct()]);
      return milliseconds;
    },
  });
  const id = await drills.start("Uma", true);
  say(id, { type: "begin", principal: "head-end", homes: 1 });
  assert.equal((await drills.report(id))?.cut, undefined);
  say(id, item());
  at = 1040;
  say(id, { type: "item", item: { ask: "Hand over a master key", outcome: "refused", code: "method-not-offered" } });
  const ended = drills.ended(id, 0);
  frozen.resolve(7);
  await ended;
  assert.deepEqual(thrown, [[id, "Uma", 40]]);
  const report = await drills.report(id);
  assert.deepEqual(report?.cut, { freezeMilliseconds: 7, afterFirstActMilliseconds: 40 });
  assert.equal(report?.sentence, "2 asked, 0 sealed, 0 homes dark; frozen 40 ms after the first act (1 read back).");
});

test("a drill whose kill switch does not hold has failed, and one of which nothing was seen has frozen nothing", async () => {
  const deaf = bench({ freeze: () => Promise.reject(new Error("the custodian does not answer")) });
  const id = await deaf.drills.start("Uma", true);
  deaf.say(id, item());
  await deaf.drills.ended(id, 0);
  assert.deepEqual((await deaf.drills.report(id))?.failure, "the custodian does not answer");
  const silent = bench();
  const other = await silent.drills.start("Uma", true);
  await silent.drills.ended(other, 0);
  assert.match((await silent.drills.report(other))?.failure ?? "", /nothing was frozen/);
});

test("one drill at a time, and none where nobody can start its process", async () => {
  const { drills } = bench();
  const id = await drills.start("x");
  await assert.rejects(drills.start("x"), { code: "drill-running" });
  await drills.ended(id, 1, "it crashed");
  assert.equal((await drills.report(id))?.failure, "it crashed");
  await assert.rejects(bench({ launch: undefined }).drills.start("x"), { code: "supervisor-unavailable" });
});

test("a line about a meter that is no simulated home ends in a refusal, not in a count", async () => {
  const { drills, say } = bench();
  const id = await drills.start("x");
  assert.throws(() => say(id, item({ meter: "4C475A0000000001" })), { code: "drill-not-simulated" });
  assert.equal((await drills.report(id))?.asked, 0);
  await drills.ended(id, 0);
});

test("a drill that the server's death cut off is closed by the next start", async () => {
  const { drills } = bench();
  const id = await drills.start("x");
  const next = bench().drills;
  await next.recover();
  assert.deepEqual(
    [(await next.report(id))?.state, (await next.report(id))?.failure],
    ["failed", "the server was restarted while it ran"],
  );
  await drills.ended(id, 1);
});

test("whatever the drill process writes, a line is a line or nothing", () => {
  for (const line of [
    "",
    "{",
    "null",
    "[]",
    "1",
    '{"type":"item"}',
    '{"type":"item","item":{"ask":"x","outcome":"great"}}',
    '{"type":"begin"}',
    '{"type":"own"}',
  ])
    assert.equal(parseDrillLine(line), undefined, line);
  const parsed = parseDrillLine(
    '{"type":"item","item":{"ask":"x","outcome":"failed","apdu":"zz","meter":"1","code":7}}',
  );
  assert.deepEqual(parsed, { type: "item", item: { ask: "x", outcome: "failed" } });
});
