import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { derive } from "../noise.ts";
import { INTERVAL_SECONDS, intervalAt } from "../time/calendar.ts";
import { Feeder } from "./feeder.ts";
import { HomeConsumption } from "./home.ts";
import { HOUSEHOLD_KINDS, type HouseholdKind, household } from "./household.ts";
import { RelayHistory, type RelayTransition } from "./relay-history.ts";
import { isHighTariff } from "./running-sums.ts";
import { Weather } from "./weather.ts";

const FIRST = Math.floor(Date.UTC(2026, 10, 10) / 1000 / INTERVAL_SECONDS);
const START = FIRST * INTERVAL_SECONDS;
const DAY = 86_400;

function home(
  seed: number,
  options: { kind?: HouseholdKind; relay?: RelayTransition[]; first?: number } = {},
): HomeConsumption {
  return new HomeConsumption({
    household: household(seed, options.kind),
    weather: new Weather(1),
    relay: new RelayHistory(options.relay),
    firstInterval: options.first ?? FIRST,
  });
}

function feederOf(homes: readonly HomeConsumption[]): Feeder {
  const feeder = new Feeder({ seed: 5, ratedKva: homes.length * 4, firstInterval: FIRST });
  homes.forEach((each, n) => {
    feeder.add(each, n / homes.length);
  });
  return feeder;
}

const kinds = fc.constantFrom(...(Object.keys(HOUSEHOLD_KINDS) as HouseholdKind[]));
const seeds = fc.integer({ min: 0, max: 2 ** 31 });

describe("a home's load", () => {
  test("is a function of seed, meter and time, in whatever order it is asked", () => {
    fc.assert(
      fc.property(
        seeds,
        kinds,
        fc.array(fc.integer({ min: 0, max: 12 * DAY }), { maxLength: 12 }),
        (seed, kind, offsets) => {
          const asked = home(seed, { kind });
          for (const offset of offsets) {
            assert.deepEqual(asked.registers(START + offset), home(seed, { kind }).registers(START + offset));
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  test("has registers that are the sum of its intervals, in both directions and per tariff", () => {
    fc.assert(
      fc.property(seeds, kinds, fc.integer({ min: 0, max: 500 }), (seed, kind, intervals) => {
        const asked = home(seed, { kind });
        let [importWh, importHighWh, exportWh] = [0, 0, 0];
        for (let n = FIRST; n < FIRST + intervals; n++) {
          const energy = asked.interval(n);
          importWh += energy.importWh;
          exportWh += energy.exportWh;
          if (isHighTariff(n)) importHighWh += energy.importWh;
        }
        assert.deepEqual(asked.registers(START + intervals * INTERVAL_SECONDS), { importWh, importHighWh, exportWh });
      }),
      { numRuns: 40 },
    );
  });

  test("never runs backwards, whatever the relay does meanwhile", () => {
    const steps = fc.array(fc.record({ seconds: fc.integer({ min: 0, max: 4000 }), toggle: fc.boolean() }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(seeds, kinds, steps, (seed, kind, moves) => {
        const asked = home(seed, { kind });
        const twin = (): HomeConsumption => home(seed, { kind, relay: [...asked.relay.transitions] });
        let at = START + 3 * DAY;
        let before = asked.registers(at);
        for (const { seconds, toggle } of moves) {
          at += seconds;
          if (toggle) asked.switchSupply(at, !asked.relay.connectedAt(at));
          const now = asked.registers(at);
          assert.ok(
            now.importWh >= before.importWh &&
              now.exportWh >= before.exportWh &&
              now.importHighWh >= before.importHighWh,
          );
          before = now;
        }
        assert.deepEqual(twin().registers(at), before, "a restart finds the same");
      }),
      { numRuns: 40 },
    );
  });

  test("takes nothing and shows no power while its relay is open", () => {
    const asked = home(11, { kind: "prosumer" });
    const off = START + 2 * DAY + 12 * 3600 + 77;
    assert.notEqual(asked.powerW(off - 1), 0);
    assert.ok(asked.switchSupply(off, false));
    assert.ok(!asked.switchSupply(off + 5, false), "it is open already");
    const then = asked.registers(off);
    assert.equal(asked.powerW(off + 3600), 0);
    assert.deepEqual(asked.registers(off + 5 * 3600), then);
    asked.switchSupply(off + 5 * 3600, true);
    assert.ok(asked.powerW(off + 6 * 3600) !== 0);
    assert.deepEqual(asked.interval(intervalAt(off) + 2), { importWh: 0, exportWh: 0 });
  });

  test("shows a power that is the slope of its registers", () => {
    const asked = home(4, { kind: "shop" });
    for (let minute = 0; minute < 240; minute++) {
      const at = START + 10 * 3600 + minute * 60;
      const slope = (asked.registers(at + 60).importWh - asked.registers(at).importWh) * 60;
      assert.ok(Math.abs(slope - asked.powerW(at)) <= 61, `${slope} W against ${asked.powerW(at)} W`);
    }
  });

  test("is believable: a year's energy fits the kind, evenings peak, nights are quiet, heat pumps follow the cold", () => {
    const july = Math.floor(Date.UTC(2026, 6, 1) / 1000 / INTERVAL_SECONDS);
    const dayEnergy = (asked: HomeConsumption, first: number): number =>
      asked.registers((first + 14 * 96) * INTERVAL_SECONDS).importWh / 14;
    const flats = Array.from({ length: 30 }, (_, n) => home(derive(9, n), { kind: "flat" }));
    const mean = flats.reduce((sum, flat) => sum + dayEnergy(flat, FIRST), 0) / flats.length;
    assert.ok(mean > 3000 && mean < 9000, `a flat uses ${mean} Wh a day`);
    const hours = Array.from({ length: 24 }, (_, hour) =>
      flats.reduce((sum, flat) => {
        const first = FIRST + 96 + hour * 4;
        return sum + [0, 1, 2, 3].reduce((s, n) => s + flat.interval(first + n).importWh, 0);
      }, 0),
    );
    // UTC hours of a Wednesday in November: 18 local time is 17 UTC.
    assert.ok(Math.max(...hours.slice(16, 21)) > 2.2 * Math.min(...hours.slice(0, 4)), hours.join(" "));
    const winter = dayEnergy(home(3, { kind: "heatPump" }), FIRST);
    const summer = dayEnergy(home(3, { kind: "heatPump", first: july }), july);
    assert.ok(winter > 1.8 * summer, `${winter} Wh a day in winter, ${summer} in summer`);
    const sunny = home(8, { kind: "solar", first: july }).registers((july + 14 * 96) * INTERVAL_SECONDS);
    assert.ok(sunny.exportWh > sunny.importWh, "solar homes feed in during summer");
  });
});

describe("a feeder", () => {
  test("measures at its transformer the sum of its homes plus losses, in every interval", () => {
    const homes = Array.from({ length: 25 }, (_, n) => home(derive(77, n)));
    const feeder = feederOf(homes);
    for (let n = FIRST; n < FIRST + 3 * 96; n++) {
      const net = homes.reduce((sum, each) => sum + each.interval(n).importWh - each.interval(n).exportWh, 0);
      const { importWh, exportWh } = feeder.interval(n);
      assert.ok(Math.abs(importWh - exportWh - net - feeder.lossWh(net)) <= 2);
      assert.ok(feeder.lossWh(net) > 0 && feeder.lossWh(net) < 0.02 * 250 * 25);
    }
  });

  test("keeps its balance when relays open within an interval", () => {
    const homes = Array.from({ length: 20 }, (_, n) => home(derive(78, n)));
    const feeder = feederOf(homes);
    const at = START + DAY + 18 * 3600 + 400;
    const before = feeder.powerW(at);
    const registers = feeder.registers(at);
    for (const each of homes.slice(0, 10)) each.switchSupply(at, false);
    assert.ok(feeder.powerW(at + 60) < before);
    assert.ok(feeder.registers(at + 60).importWh >= registers.importWh);
    const n = intervalAt(at);
    const net = homes.reduce((sum, each) => sum + each.interval(n).importWh - each.interval(n).exportWh, 0);
    const { importWh, exportWh } = feeder.interval(n);
    assert.ok(Math.abs(importWh - exportWh - net - feeder.lossWh(net)) <= 12, "within the homes' rounding");
    for (const each of homes) each.switchSupply(at + 500, false);
    assert.equal(feeder.powerW(at + 1000), Math.round(feeder.lossWh(0) * 4));
  });

  test("drops voltage with load, more at its far end, and a home's own load shows in its own voltage", () => {
    const homes = Array.from({ length: 40 }, (_, n) => home(derive(79, n), { kind: n % 2 === 0 ? "family" : "flat" }));
    const feeder = feederOf(homes);
    const at = START + 2 * DAY + 18 * 3600;
    const loaded = feeder.voltageAtHome(at, 100_000, 1);
    assert.ok(feeder.voltageAtHome(at, 0, 1) - loaded > 3);
    assert.ok(feeder.voltageAtHome(at, 100_000, 0.1) > loaded);
    const last = homes.at(-1);
    assert.ok(last !== undefined);
    const own = last.powerW(at);
    const before = last.voltageV(at, 0);
    last.switchSupply(at, false);
    assert.ok(last.voltageV(at, 0) > before, `${own} W less in the line`);
    for (const each of homes) assert.ok(each.voltageV(at, 0) > 207 && each.voltageV(at, 0) < 253);
  });

  test("never runs backwards, is the sum of its intervals and the same after a restart", () => {
    const homes = Array.from({ length: 12 }, (_, n) => home(derive(80, n), { kind: n < 9 ? "solar" : "flat" }));
    const feeder = feederOf(homes);
    let before = feeder.registers(START);
    for (let at = START; at < START + 2 * DAY; at += 700) {
      if (at % 11 === 0) homes[at % 12]?.switchSupply(at, at % 2 === 0);
      const now = feeder.registers(at);
      assert.ok(now.importWh >= before.importWh && now.exportWh >= before.exportWh);
      before = now;
    }
    let [importWh, exportWh] = [0, 0];
    for (let n = FIRST; n < FIRST + 192; n++) {
      importWh += feeder.interval(n).importWh;
      exportWh += feeder.interval(n).exportWh;
    }
    const end = feeder.registers(START + 2 * DAY);
    assert.deepEqual([end.importWh, end.exportWh], [importWh, exportWh]);
    const twins = homes.map(
      (each) =>
        new HomeConsumption({
          household: each.household,
          weather: new Weather(1),
          relay: new RelayHistory(each.relay.transitions),
          firstInterval: FIRST,
        }),
    );
    assert.deepEqual(feederOf(twins).registers(START + 2 * DAY), end);
  });
});
