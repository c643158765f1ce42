import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "@meterkeep/dlms";
import { DEFAULT_COMMAND_RULES } from "@meterkeep/guard";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR, RECONNECT } from "../testing/authority-world.ts";
import { withTestCustody } from "../testing/test-custody.ts";

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");
const RECONNECT_APDU = fromHex("c301c10046000060030aff02010f00");
const METERS = 220;
/** Asked for before the switch is thrown; of these, so many long enough before it to have been sealed. */
const IN_FLIGHT = 200;
const FIRST = 50;
/** Most of the fleet need not be there to be counted. */
const largeFleet = () => ({ ...memoryCustodyStore(), provenMeterCount: async () => 100_000 });

test("MC-19: whoever throws the kill switch with hundreds of commands in flight sees none of them sealed afterwards", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meters = await Promise.all(Array.from({ length: METERS }, (_, at) => world.meter(1000 + at)));
    const titles = meters.map(({ systemTitle }) => systemTitle);
    // One of each transformer: no cap, no delay and no wave holds any of them back, only the switch does.
    const { hash } = await world.submit(world.manifest(RECONNECT, titles, {}, (title) => ({ transformer: title })));
    for (const who of [world.anna, world.ben]) await world.approve(hash, who);
    const sessions = await Promise.all(meters.map((meter) => world.session(meter)));
    const told: string[] = [];
    const ask = async (at: number): Promise<void> => {
      const token = world.token(hash, titles[at] as string);
      const [result] = (await sessions[at]?.seal({ apdu: RECONNECT_APDU, token })) ?? [];
      told.push(result?.kind === "refused" ? result.code : (result?.kind ?? "nothing"));
    };
    const numbers = Array.from({ length: METERS }, (_, at) => at);
    const first = numbers.slice(0, FIRST).map(ask);
    await Promise.race(first);
    const inFlight = [...first, ...numbers.slice(FIRST, IN_FLIGHT).map(ask)];
    const began = performance.now();
    await world.service.freeze({ reason: "stop" }, OPERATOR);
    const before = told.splice(0);
    // Those that are still under way, and those that are asked for only now.
    await Promise.all([...inFlight, ...numbers.slice(IN_FLIGHT).map(ask)]);
    assert.deepEqual([...new Set(told)], ["frozen"], "nothing is sealed once the switch has been thrown");
    assert.equal(before.length + told.length, METERS);
    const sealed = before.filter((each) => each === "sealed").length;
    const milliseconds = (performance.now() - began).toFixed(0);
    console.log(
      `# ${IN_FLIGHT} commands in flight: ${sealed} were sealed before, ${METERS - sealed} refused, all within ${milliseconds} ms of the switch`,
    );
  }, largeFleet()));

test("MC-13: a manifest stops by itself in the custodian when a meter has refused, whatever a head-end asks next", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meters = await Promise.all([1, 2, 3].map((number) => world.meter(number)));
    const [one, two] = meters;
    assert.ok(one !== undefined && two !== undefined);
    const hash = await world.approved(
      DISCONNECT,
      meters.map(({ systemTitle }) => systemTitle),
    );
    custody.now += 51 * 60_000;
    const run = (meter: typeof one, carried: boolean) =>
      world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle), carried);
    // Sealed, and never taken: the meter shows in its next association that it went on without it.
    assert.equal((await run(one, false)).kind, "sealed");
    await world.session(one);
    assert.equal((await run(two, true)).kind, "refused");
    assert.equal(two.supply, "connected");
    assert.match(await world.lastRefusal(), /stopped by itself.*MC-13/);
  }, largeFleet()));

test("MC-06: a fleet that is switched off and on in turns is not switched off any more, by whomever", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const tight = JSON.parse((await world.service.authorityState({}, OPERATOR)).thresholds);
    const commands = { ...DEFAULT_COMMAND_RULES, signChanges: 2 };
    await world.change("tighten-thresholds", { thresholds: JSON.stringify({ ...tight, commands }) }, world.anna);
    const run = async (number: number, off: boolean) => {
      const meter = await world.meter(number);
      const hash = await world.approved(off ? DISCONNECT : RECONNECT, [meter.systemTitle]);
      const token = world.token(hash, meter.systemTitle);
      return world.command(meter, off ? DISCONNECT_APDU : RECONNECT_APDU, token);
    };
    const swings = [true, false, true, false];
    for (const [at, off] of swings.entries()) assert.equal((await run(at + 1, off)).kind, "sealed", `${at}`);
    const next = await run(9, true);
    assert.ok(next.kind === "refused" && /MC-06/.test(next.message), JSON.stringify(next));
    assert.equal((await run(10, false)).kind, "sealed", "giving back is never stopped");
  }, largeFleet()));

test("injection is stopped and released under caps of its own, and the supply is no relay of injection", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(7);
    const none = { permyriad: 0, floor: 0 };
    const tight = JSON.parse((await world.service.authorityState({}, OPERATOR)).thresholds);
    const run = async (kind: "injection-stop" | "injection-release", method: string) => {
      const hash = await world.approved({ kind, instance: "000260030aff" }, [meter.systemTitle]);
      const apdu = fromHex(`c301c10046000260030aff${method}010f00`);
      return world.command(meter, apdu, world.token(hash, meter.systemTitle), false);
    };
    assert.equal((await run("injection-stop", "01")).kind, "sealed");
    assert.equal((await world.service.authorityState({}, OPERATOR)).counts.day, 0, "no load was taken off");
    const again = await run("injection-stop", "01");
    assert.ok(again.kind === "refused" && again.code === "cap-reached", "MC-05: not twice in a quarter of an hour");
    await world.change("tighten-thresholds", { thresholds: JSON.stringify({ ...tight, offPerDay: none }) }, world.anna);
    assert.equal((await run("injection-release", "02")).kind, "sealed", "giving back waits for no cap");
    // The supply passes through it, whatever it is called: it would be counted elsewhere.
    const disguised = world.manifest({ kind: "injection-stop", instance: "000060030aff" }, [meter.systemTitle]);
    await assert.rejects(world.submit(disguised), { code: "manifest-refused", message: /no relay of injection/ });
  }, largeFleet()));

test("MC-07, MC-19: what moves a clock by more than a minute takes two people for several meters and is frozen; a correction goes on", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(1);
    const titles = [meter.systemTitle, (await world.meter(2)).systemTitle];
    const shift = (seconds: number) => fromHex(`c301c100080000010000ff060110${seconds.toString(16).padStart(4, "0")}`);
    const submitted = async (mostSeconds: number) => {
      const operation = { kind: "clock-shift", instance: "0000010000ff", mostSeconds } as const;
      const { hash } = await world.submit(world.manifest(operation, titles));
      await world.approve(hash, world.anna);
      return hash;
    };
    const [near, far] = [await submitted(60), await submitted(900)];
    const asked = async (hash: string, seconds: number) => {
      const result = await world.command(meter, shift(seconds), world.token(hash, meter.systemTitle), false);
      return result.kind === "refused" ? result.code : result.kind;
    };
    assert.equal(await asked(far, 300), "command-token-not-accepted");
    assert.match(await world.lastRefusal(), /1 of 2 people/);
    await world.approve(far, world.ben);
    await world.service.freeze({ reason: "whose clock is it" }, OPERATOR);
    assert.deepEqual([await asked(far, 300), await asked(near, 30)], ["frozen", "sealed"]);
  }));
