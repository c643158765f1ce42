import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { MeterTurns } from "../calls/meter-turns.ts";
import { caller, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { TITLE } from "../testing/test-session.ts";
import { ContactQueue } from "./contact-queue.ts";

const title = systemTitle(fromHex(TITLE));
const OTHER = { name: "other", role: "head-end" } as const;
const MINUTE = 60_000;

/** A meter whose keys are to change. */
const withRotation = (body: (custody: TestCustody, meter: TestMeter) => Promise<void>) =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    const plan = { meters: [title], madeBefore: undefined, purposes: [], cause: "demand", reason: "x" } as const;
    assert.equal((await custody.custody.service.planRotations(plan, caller("operator"))).planned, 1);
    await body(custody, meter);
  });

test("a head-end that asks for a meter's contact again and again, and does nothing with it, has it for two minutes while another waits", () =>
  withRotation(async (custody, meter) => {
    const { service } = custody.custody;
    const ask = (who: typeof OTHER | typeof HEAD_END) => service.nextContact({ meter: title }, who);
    assert.equal((await ask(OTHER)).kind, "connect");
    let seconds = 0;
    // It is the quicker each time.
    while ((await ask(HEAD_END)).kind === "wait") {
      seconds += 5;
      assert.ok(seconds <= 200, "it has it for ever");
      custody.now += 5000;
      await ask(OTHER);
    }
    assert.equal((await ask(OTHER)).kind, "wait");
    const { state } = await carryTakeover(custody, meter);
    assert.equal(state.verdict, "proven", state.sentence);
  }));

test("what goes on in a contact keeps it, on a slow line too; where nothing does for two minutes another has it", () =>
  withRotation(async (custody, meter) => {
    const { service } = custody.custody;
    const begun = await service.nextContact({ meter: title }, OTHER);
    assert.ok(begun.kind === "connect");
    const line = meter.connect(begun.clientSap, begun.serverSap);
    const isBusy = async () => (await service.nextContact({ meter: title }, HEAD_END)).kind === "wait";
    let { apdu } = begun;
    for (let step = 0; step < 2; step += 1) {
      custody.now += 100_000;
      assert.ok(await isBusy());
      const event = { kind: "received", apdu: line.exchange(apdu) as Uint8Array } as const;
      const advance = await service.advanceContact({ contact: begun.contact, event }, OTHER);
      assert.ok(advance.kind === "send");
      ({ apdu } = advance);
    }
    custody.now += 119_999;
    assert.ok(await isBusy());
    const event = { kind: "received", apdu: line.exchange(apdu) as Uint8Array } as const;
    custody.now += 1;
    // It has waited since: its turn, whatever the journal says of the contact that came to nothing.
    const next = await service.nextContact({ meter: title }, HEAD_END);
    if (next.kind === "wait") custody.now += next.milliseconds;
    assert.equal((next.kind === "wait" ? await service.nextContact({ meter: title }, HEAD_END) : next).kind, "connect");
    await assert.rejects(service.advanceContact({ contact: begun.contact, event }, OTHER), { code: "contact-unknown" });
  }));

test("whoever says each time at once that a meter is not there has every other turn at most, where another waits", () =>
  withRotation(async (custody) => {
    const { service } = custody.custody;
    const deny = async (who: typeof OTHER | typeof HEAD_END) => {
      const next = await service.nextContact({ meter: title }, who);
      if (next.kind !== "connect") return next;
      const event = { kind: "lost", reason: "unreachable" } as const;
      await service.advanceContact({ contact: next.contact, event }, who);
      return next;
    };
    const turns: string[] = [];
    // One asks each second, and is the quicker; the other when it is told to.
    for (let second = 0, due = 0; second < 7200 && turns.length < 9; second += 1, custody.now += 1000) {
      if ((await deny(OTHER)).kind === "connect") turns.push("other");
      if (second < due) continue;
      const mine = await deny(HEAD_END);
      if (mine.kind === "connect") turns.push("own");
      if (mine.kind === "wait") due = second + Math.ceil(mine.milliseconds / 1000);
    }
    assert.ok(turns.filter((whose) => whose === "own").length >= 4, turns.join());
  }));

test("turns are in the order of asking, and of who does not come the place is not kept", () => {
  let now = 0;
  const turns = new MeterTurns(() => now);
  const begins = async (name: string) => {
    if (!turns.mayBegin("M", name)) return false;
    await turns.taking("M", name, async () => ({ kind: "connect" }) as never);
    return true;
  };
  return (async () => {
    assert.ok(await begins("A"));
    assert.equal(await begins("B"), false);
    assert.equal(await begins("C"), false);
    turns.over("M");
    assert.equal(await begins("A"), false);
    assert.equal(await begins("C"), false, "B asked before");
    assert.ok(await begins("B"));
    turns.over("M");
    assert.equal(await begins("A"), false);
    now += MINUTE;
    assert.ok(await begins("A"), "nobody else has asked for a minute");
    turns.over("M");
    turns.sweep();
    assert.ok(await begins("C"));
  })();
});

test("whoever is put off by the journal keeps nobody from it meanwhile, and comes first once the time is over, for as long as it is waited for", async () => {
  let now = 0;
  const turns = new MeterTurns(() => now);
  const ask = async (name: string, milliseconds?: number) => {
    if (!turns.mayBegin("M", name)) return "busy";
    const next = milliseconds === undefined ? { kind: "connect" } : { kind: "wait", milliseconds };
    return (await turns.taking("M", name, async () => next as never))["kind"];
  };
  const HOUR = 60 * MINUTE;
  assert.equal(await ask("A", HOUR), "wait");
  now += 1;
  assert.equal(await ask("B", HOUR - 1), "wait", "what the journal says, and not that A waits");
  now = HOUR;
  assert.equal(await ask("B"), "busy", "A was to come first");
  assert.equal(await ask("A"), "connect");
  turns.over("M");
  assert.equal(await ask("B", HOUR), "wait");
  // What there was to wait for is over before its time, and whoever waits for it has gone.
  now += MINUTE;
  turns.sweep();
  assert.equal(await ask("A"), "connect");
  turns.over("M");
  now = 2 * HOUR;
  assert.equal(await ask("A"), "busy");
  now += 15_000;
  assert.equal(await ask("A"), "connect", "B has not come");
});

test("whoever begins a contact anew in place of its own keeps the meter no longer by what goes on in that", async () => {
  let now = 0;
  const turns = new MeterTurns(() => now);
  const begin = (name: string) => turns.taking("M", name, async () => ({ kind: "connect" }) as never);
  await begin("A");
  for (; now < 2 * MINUTE; now += 1000) {
    assert.equal(turns.mayBegin("M", "B"), false, `${now}`);
    assert.ok(turns.mayBegin("M", "A"));
    await begin("A");
    turns.goesOn("M");
  }
  assert.equal(turns.mayBegin("M", "A"), false);
  assert.ok(turns.mayBegin("M", "B"));
});

/** A queue over so many meters that wait, at a rate that lets all go. */
function queueOf(count: number) {
  const bench = { now: 0 };
  const all = Array.from({ length: count }, (_, at) => ({ systemTitle: `M${at}`, begun: false }));
  const queue = new ContactQueue({ due: async (_begun, waiting) => all.slice(0, waiting) }, () => bench.now);
  const take = (asker: string, limit = 1000) => queue.take(limit, 1e9, { asker });
  return { bench, queue, take };
}

test("of what is due each head-end that asks gets its part, however often and however much one of them asks for", async () => {
  const { bench, take } = queueOf(90);
  bench.now += MINUTE;
  assert.equal((await take("greedy")).length, 90, "whoever is alone gets all");
  // The others ask as well: from the next time on each has its part.
  for (const who of ["one", "two"]) assert.deepEqual(await take(who), []);
  bench.now += MINUTE - 1;
  for (const who of ["one", "two"]) await take(who);
  bench.now += 1;
  const greedy: string[] = [];
  for (let time = 0; time < 50; time += 1) greedy.push(...(await take("greedy", time % 2 === 0 ? 1000 : 1)));
  assert.ok(greedy.length <= 30, `${greedy.length} for the greedy one`);
  const [one, two] = [await take("one"), await take("two")];
  assert.ok(one.length >= 30 && two.length >= 30, `${one.length} and ${two.length}`);
  assert.equal(new Set([...greedy, ...one, ...two]).size, greedy.length + one.length + two.length);
});

test("a meter that came to nothing with one head-end goes to the others first, and to that one again where they do not take it", async () => {
  const { bench, queue, take } = queueOf(1);
  bench.now += MINUTE;
  assert.deepEqual(await take("idle"), ["M0"]);
  assert.deepEqual(await take("busy"), []);
  bench.now += MINUTE - 1;
  await take("busy");
  bench.now += 1;
  assert.deepEqual(await take("idle"), [], "it had it, and nothing came of it");
  assert.deepEqual(await take("busy"), ["M0"]);
  bench.now += MINUTE - 1;
  await take("busy");
  bench.now += 1;
  assert.deepEqual(await take("idle"), ["M0"], "now it is its turn again");
  for (let half = 0; half < 4; half += 1) {
    bench.now += MINUTE / 2;
    await take("busy", 0);
    queue.sweep();
  }
  assert.deepEqual(await take("idle"), ["M0"], "nobody has wanted it");
});
