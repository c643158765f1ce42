import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeterId } from "../inventory/meter.ts";
import { backoffSeconds } from "./backoff.ts";
import { Throttle, WAY_LIMITS, type Way, type WayLimit } from "./throttle.ts";

const meter = (n: number, transformer: string): Way => ({ id: n as MeterId, transformer, route: undefined });

test("a burst goes through, then each gets the time of its own token and keeps it", () => {
  const cell: WayLimit = { highest: 2, lowest: 1, step: 1, burst: 3 };
  const throttle = new Throttle({ ...WAY_LIMITS, cell });
  const at = [0, 1, 2, 3, 4].map((n) => throttle.admit(meter(n, "t"), false, 1_000));
  assert.deepEqual(at, [1_000, 1_000, 1_500, 2_000, 2_500]);
  assert.equal(throttle.admit(meter(4, "t"), false, 1_200), 2_500, "asked too early: the same time");
  assert.equal(throttle.admit(meter(2, "t"), false, 1_500), 1_500);
  assert.equal(throttle.admit(meter(9, "other"), false, 1_500), 1_500, "another cell is not concerned");
});

test("workers share what a way takes: together they begin and grow to its rate, however many come and go", () => {
  const cell: WayLimit = { highest: 4, lowest: 1, step: 4, burst: 1 };
  const throttle = new Throttle({ ...WAY_LIMITS, cell });
  const apart = (from: number): readonly number[] =>
    [0, 1, 2].map((n) => throttle.admit(meter(from + n, "t"), false, from * 1_000) - from * 1_000);
  throttle.shareWith(4);
  assert.deepEqual(apart(10), [0, 1_000, 2_000], "a quarter of four a second");
  for (let n = 0; n < 100; n += 1) throttle.learn(meter(1, "t"), "answered");
  assert.deepEqual(apart(20), [0, 1_000, 2_000], "and no more however well it goes");
  throttle.shareWith(2);
  assert.deepEqual(apart(30), [0, 500, 1_000]);
  throttle.shareWith(0);
  assert.deepEqual(apart(40), [0, 250, 500]);
});

test("meters behind one concentrator share its rate, wherever they stand", () => {
  const throttle = new Throttle({ ...WAY_LIMITS, concentrator: { highest: 1, lowest: 1, step: 1, burst: 1 } });
  const behind = (n: number, concentrator: string): Way => ({
    ...meter(n, `t${n}`),
    route: { kind: "concentrator", concentrator, networkId: 0, physicalAddress: Uint8Array.of(n) },
  });
  assert.deepEqual(
    [behind(1, "a"), behind(2, "a"), behind(3, "b"), meter(4, "t")].map((one) => throttle.admit(one, false, 0)),
    [0, 1_000, 0, 0],
  );
});

test("meters of one network share its rate, which is halved when the network is down and grows again when it is back", () => {
  const over = (n: number, network: "nb-iot" | "plc"): Way => ({
    ...meter(n, `t${n}`),
    route: { kind: "tcp", host: `10.0.0.${n % 250}`, port: 4059, network },
  });
  const slow = new Throttle({ ...WAY_LIMITS, network: { highest: 1, lowest: 1, step: 1, burst: 1 } });
  assert.deepEqual(
    [over(1, "nb-iot"), over(2, "nb-iot"), over(3, "plc")].map((one) => slow.admit(one, false, 0)),
    [0, 1_000, 0],
  );
  const throttle = new Throttle();
  const rate = (): number => throttle.slowed.get("network nb-iot") ?? WAY_LIMITS.network.highest;
  for (let n = 0; n < 96; n += 1) throttle.learn(over(n, "nb-iot"), "silent");
  assert.ok(rate() <= WAY_LIMITS.network.highest / 4, `${rate()}`);
  assert.equal(throttle.slowed.get("network plc"), undefined, "another network is not concerned");
  const fallen = rate();
  for (let n = 0; n < 1_000; n += 1) throttle.learn(over(n, "nb-iot"), "answered");
  assert.ok(rate() > fallen);
});

test("what is urgent never waits, and the others make room for it", () => {
  const cell: WayLimit = { highest: 1, lowest: 1, step: 1, burst: 1 };
  const throttle = new Throttle({ ...WAY_LIMITS, cell });
  assert.equal(throttle.admit(meter(1, "t"), false, 0), 0);
  assert.equal(throttle.admit(meter(2, "t"), true, 0), 0);
  assert.equal(throttle.admit(meter(3, "t"), false, 0), 2_000);
});

test("a rate is halved when most are silent and not for a few dead meters, and grows again", () => {
  const throttle = new Throttle();
  const rate = (): number => throttle.slowed.get("cell t") ?? WAY_LIMITS.cell.highest;
  for (let n = 0; n < 400; n += 1) throttle.learn(meter(n, "t"), n % 10 === 0 ? "silent" : "answered");
  assert.equal(rate(), WAY_LIMITS.cell.highest);
  for (let n = 0; n < 64; n += 1) throttle.learn(meter(n, "t"), "silent");
  assert.ok(rate() < WAY_LIMITS.cell.highest / 2, `${rate()}`);
  for (let n = 0; n < 2_000; n += 1) throttle.learn(meter(n, "t"), "silent");
  assert.equal(rate(), WAY_LIMITS.cell.lowest);
  for (let n = 0; n < 50_000; n += 1) throttle.learn(meter(n, "t"), "answered");
  assert.equal(rate(), WAY_LIMITS.cell.highest);
});

// A town on a fake clock: 1 000 meters in eight cells, each always with something to read, 72 places. A session with a
// meter that answers takes a second, one with a meter that does not ten.

const STEP = 0.1;
const PLACES = 72;
const METERS = 1_000;
const CELLS = 8;

interface Town {
  /** Whether a session that begins now is answered; `begun` have begun in the same cell within the second. */
  answers(meter: number, cell: number, seconds: number, begun: number): boolean;
}

function simulate(town: Town, seconds: number, limits?: ConstructorParameters<typeof Throttle>[0]) {
  const throttle = new Throttle(limits);
  let seed = 7;
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const cellOf = (n: number): number => n % CELLS;
  const due = Array.from({ length: METERS }, () => 0);
  const attempts = Array.from({ length: METERS }, () => 0);
  const read = Array.from({ length: METERS }, (): number[] => []);
  const silent = Array.from({ length: CELLS }, () => 0);
  const begun = Array.from({ length: CELLS }, (): number[] => []);
  let open: { readonly meter: number; readonly until: number; readonly answered: boolean }[] = [];
  for (let tick = 0; tick * STEP < seconds; tick += 1) {
    const now = tick * STEP;
    for (const { meter: n, until, answered } of open) {
      if (until > now) continue;
      throttle.learn(meter(n, `t${cellOf(n)}`), answered ? "answered" : "silent");
      attempts[n] = answered ? 0 : attempts[n]! + 1;
      if (answered) read[n]!.push(now);
      else silent[cellOf(n)]! += 1;
      due[n] = answered ? now + 20 : now + backoffSeconds(attempts[n]!, random());
    }
    open = open.filter(({ until }) => until > now);
    const busy = new Set(open.map(({ meter: n }) => n));
    const ready = due
      .map((at, n) => ({ at, n }))
      .filter(({ at, n }) => at <= now && !busy.has(n))
      .sort((a, b) => a.at - b.at);
    for (const { n } of ready) {
      if (open.length >= PLACES) break;
      const at = throttle.admit(meter(n, `t${cellOf(n)}`), false, now * 1000) / 1000;
      if (at > now) {
        due[n] = at;
        continue;
      }
      const cell = begun[cellOf(n)]!;
      while ((cell[0] ?? now) <= now - 1) cell.shift();
      const answered = town.answers(n, cellOf(n), now, cell.length);
      cell.push(now);
      open.push({ meter: n, until: now + (answered ? 1 : 10), answered });
    }
  }
  return {
    silent,
    slowed: throttle.slowed,
    /** Sessions a second of some cells' meters in a time. */
    rate: (cells: readonly number[], from: number, to: number): number =>
      read.flatMap((times, n) => (cells.includes(cellOf(n)) ? times.filter((at) => at >= from && at < to) : []))
        .length /
      (to - from),
    /** When every meter of a cell had been read since. */
    allReadSince: (cell: number, from: number): number =>
      Math.max(...read.flatMap((times, n) => (cellOf(n) === cell ? [times.find((at) => at >= from) ?? Infinity] : []))),
  };
}

/** As if there were no buckets: the rate can neither fall nor run out. */
const NONE: WayLimit = { highest: 1e6, lowest: 1e6, step: 1, burst: 1e6 };
const WITHOUT = { concentrator: NONE, cell: NONE, network: NONE };
const HEALTHY = [2, 3, 4, 5, 6, 7];

test("a simulated town with 5 % dead and 2 % flapping meters is read nearly as fast as a healthy one, and no cell is slowed", () => {
  const healthy = simulate({ answers: () => true }, 600).rate(HEALTHY, 100, 600);
  // Every hundred has five that are dead and two that come and go, in all cells.
  const draw = (n: number): number => (n * 37 + Math.floor(n / 100)) % 100;
  const isDead = (n: number): boolean => draw(n) < 5;
  const flaps = (n: number, now: number): boolean => draw(n) > 97 && Math.floor(now / 30) % 2 === 0;
  const { rate, slowed } = simulate({ answers: (n, _, now) => !isDead(n) && !flaps(n, now) }, 600);
  const some = rate(HEALTHY, 100, 600);
  assert.ok(
    [...slowed.values()].every((slow) => slow > WAY_LIMITS.cell.highest / 2),
    `${[...slowed]}`,
  );
  assert.ok(some > 0.85 * healthy, `${some.toFixed(1)} of ${healthy.toFixed(1)} a second`);
});

test("two cells that die hold nobody else up, are hardly dialled, and are read again when they are back", () => {
  const away = (cell: number, now: number): boolean => cell < 2 && now >= 100 && now < 1_300;
  const town: Town = { answers: (_, cell, now) => !away(cell, now) };
  const healthy = simulate({ answers: () => true }, 600).rate(HEALTHY, 300, 600);
  const spared = simulate(town, 2_000);
  assert.ok(spared.rate(HEALTHY, 300, 1_300) > 0.95 * healthy, "the healthy cells go on as if nothing was");
  const stubborn = simulate(town, 2_000, WITHOUT);
  assert.ok(
    spared.silent[0]! < stubborn.silent[0]! / 2,
    `dialled ${spared.silent[0]} times, not ${stubborn.silent[0]}`,
  );
  for (const cell of [0, 1]) assert.ok(spared.allReadSince(cell, 1_300) < 1_700, `cell ${cell}`);
});

test("a cell that takes only four sessions a second is read as fast as without buckets, and dialled in vain half as often", () => {
  const town: Town = { answers: (_, cell, __, begun) => cell !== 5 || begun < 4 };
  const spared = simulate(town, 2_000);
  const stubborn = simulate(town, 2_000, WITHOUT);
  const figures = [spared, stubborn].map(
    ({ rate, silent }) => `${rate([5], 500, 2_000).toFixed(2)}/s, ${silent[5]} silent`,
  );
  assert.ok(spared.silent[5]! < 0.6 * stubborn.silent[5]!, figures.join("; "));
  assert.ok(spared.rate([5], 500, 2_000) > 0.9 * stubborn.rate([5], 500, 2_000), figures.join("; "));
});
