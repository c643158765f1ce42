import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller } from "../calls/caller.ts";
import {
  added,
  assertTakenOver,
  carryAll,
  hex,
  inBoth,
  loaded,
  SERVICE,
  serviceMeter,
  titleOf,
} from "../testing/service-meter.ts";
import { type CarriedMeter, caller, carryTakeover, DEPOT, HEAD_END, withTestCustody } from "../testing/test-custody.ts";
import type { TestMeter } from "../testing/test-meter.ts";
import { takeoverStateOf } from "./meter-state.ts";
import { journalOf } from "./view.ts";

const OPERATOR = caller("operator");

test("each security setup of a meter is taken over in its turn; its grade is the lowest of what their ways give", () =>
  inBoth((store) =>
    withTestCustody(async (custody) => {
      const grades: string[] = [];
      const ways: readonly Caller[] = [DEPOT, HEAD_END];
      const serviceMeters = ways.map((_, number) => serviceMeter(number));
      for (const [number, by] of ways.entries()) {
        const meter = serviceMeters[number] as TestMeter;
        await custody.add(meter, SERVICE);
        const { state, steps } = await carryTakeover(custody, meter, { by });
        assert.deepEqual([state.verdict, state.phase], ["proven", "done"]);
        grades.push(state.grade);
        await assertTakenOver(custody, meter);
        assert.doesNotMatch(state.sentence, /nobody has taken over/);
        assert.equal(steps.filter((step) => step === "find-clients").length > 0, true);
        const further = state.steps.filter(({ detail }) => detail.startsWith("security setup 1: "));
        assert.ok(further.some(({ step, outcome }) => step === "refuse-factory-keys" && outcome === "passed"));
        const search = state.steps.find(({ step }) => step === "find-clients");
        assert.equal(search?.outcome, "passed");
        assert.match(search?.detail ?? "", /security setup 1, taken over after this one/);
        assert.ok((meter.setups[1]?.lowestCounter ?? 0) > 256, "its counters are its own, and used");
      }
      assert.deepEqual(grades, ["shielded", "exposed"]);
      const { meters } = await custody.custody.service.exposedMeters({}, OPERATOR);
      assert.deepEqual(
        meters.map(({ meter, way }) => [hex(meter).slice(-2), way]),
        [["01", "visit"]],
      );
      const asked = { meters: meters.map(({ meter }) => meter), madeBefore: undefined, purposes: [] } as const;
      const repeat = { ...asked, cause: "exposure", reason: "a visit" } as const;
      await custody.custody.service.planRotations(repeat, OPERATOR);
      const exposed = serviceMeters[1] as TestMeter;
      assert.equal((await carryTakeover(custody, exposed, { by: DEPOT })).state.grade, "shielded", "each of them anew");
      const entries = await custody.store.ledger.read(0, 5000);
      const bodies = entries
        .filter(({ kind }) => kind === "takeover-proven")
        .map(({ body }) => JSON.parse(String(body)) as { detail: string; setup?: number });
      assert.deepEqual(bodies, [
        { detail: "exposed" },
        { detail: "shielded", setup: 1 },
        { detail: "exposed" },
        { detail: "exposed", setup: 1 },
      ]);
    }, store),
  ));

test("a key of a further setup that is compromised takes back what its takeover gave, and its successors give nothing back", () =>
  inBoth((store) =>
    withTestCustody(async (custody) => {
      const meter = serviceMeter(8);
      await custody.add(meter, SERVICE);
      assert.equal((await carryTakeover(custody, meter, { by: DEPOT })).state.grade, "shielded");
      const [first, second] = meter.setups.map(({ keys }) => keys.map(hex));
      const lost = { meter: titleOf(meter), purpose: "KEK", version: 2, client: undefined, setup: 1 } as const;
      await assert.rejects(
        custody.custody.service.changeKeyState({ ...lost, setup: 2, command: "compromise", reason: "lost" }, OPERATOR),
        { code: "key-unknown", message: /in security setup 2/ },
      );
      await custody.custody.service.changeKeyState({ ...lost, command: "compromise", reason: "lost" }, OPERATOR);
      const state = takeoverStateOf(await loaded(custody, meter));
      assert.equal(state.grade, "exposed");
      assert.match(state.sentence, /of security setup 1 w(as|ere) marked compromised/);
      const request = { meters: [titleOf(meter)], filter: "all", after: undefined } as const;
      const { states: planned } = await custody.custody.service.rotationStates(request, OPERATOR);
      assert.deepEqual(
        planned.map(({ setup, cause, phase }) => [setup, cause, phase]),
        [[1, "compromise", "planned"]],
      );
      const { meters } = await custody.custody.service.contactsDue({ limit: 9 }, HEAD_END);
      assert.deepEqual(meters.map(hex), [meter.systemTitle.toLowerCase()]);
      const rotated = await carryTakeover(custody, meter);
      assert.deepEqual([rotated.state.verdict, rotated.state.grade], ["proven", "exposed"]);
      assert.deepEqual(meter.setups[0].keys.map(hex), first, "the first setup's are what they were");
      for (const [purpose, key] of (meter.setups[1]?.keys ?? []).entries())
        assert.notEqual(hex(key), second?.[purpose]);
      const { states } = await custody.custody.service.rotationStates(request, OPERATOR);
      assert.deepEqual(
        states.map(({ setup, phase, unproven }) => [setup, phase, unproven]),
        [[1, "retired", ["GBEK"]]],
      );
    }, store),
  ));

test("keys that people, age and counters ask for go in each setup", () =>
  inBoth((store) =>
    withTestCustody(async (custody) => {
      const meter = serviceMeter(9);
      await custody.add(meter, SERVICE);
      await carryTakeover(custody, meter);
      const keysOf = () => meter.setups.map(({ keys }) => keys.map(hex));
      const taken = keysOf();
      const { service } = custody.custody;
      const asked = {
        meters: [titleOf(meter)],
        madeBefore: undefined,
        purposes: [],
        cause: "demand",
        reason: "a test",
      } as const;
      assert.deepEqual(await service.planRotations(asked, OPERATOR), { planned: 1, asked: 1 });
      assert.equal((await carryTakeover(custody, meter)).state.verdict, "proven");
      const rotated = keysOf();
      custody.now += 1000 * 86_400_000;
      await custody.custody.sweep();
      const due = await custody.custody.service.contactsDue({ limit: 9 }, HEAD_END);
      assert.equal(due.meters.length, 1);
      await carryTakeover(custody, meter);
      for (const [setup, keys] of keysOf().entries())
        for (const [purpose, key] of keys.entries())
          assert.equal(
            new Set([key, rotated[setup]?.[purpose], taken[setup]?.[purpose]]).size,
            3,
            `${setup}/${purpose}`,
          );
    }, store),
  ));

test("a setup that nothing opens holds up neither its meter nor the others, and is tried again", () =>
  inBoth((store) =>
    withTestCustody(async (custody) => {
      const meter = serviceMeter(10);
      const other = serviceMeter(11);
      // What was shipped of its second setup is another meter's.
      await custody.add(
        { ...added(meter), setups: [meter.setups[0], other.setups[1] as (typeof other.setups)[0]] },
        SERVICE,
      );
      const { state } = await carryTakeover(custody, meter, { by: DEPOT });
      assert.deepEqual([state.verdict, state.phase, state.grade], ["proven", "done", "exposed"]);
      assert.match(state.sentence, /security setup 1 as well, which nobody has taken over: Maker may open it/);
      assert.equal(journalOf(await loaded(custody, meter), 1).journal.verdict, "unknown");
      const due = async () => (await custody.custody.service.contactsDue({ limit: 9 }, HEAD_END)).meters.length;
      assert.equal(await due(), 0, "it rests");
      const asked = {
        meters: [titleOf(meter)],
        madeBefore: undefined,
        purposes: [],
        cause: "demand",
        reason: "a test",
      } as const;
      await custody.custody.service.planRotations(asked, OPERATOR);
      const before = meter.keys.map(hex);
      await carryTakeover(custody, meter);
      for (const [purpose, key] of meter.keys.entries()) assert.notEqual(hex(key), before[purpose]);
      custody.now += 3_600_000;
      assert.equal(await due(), 1, "and is tried again");
      // Somebody mends the meter: from then on its takeover goes on.
      const second = meter.setups[1];
      assert.ok(second);
      second.keys = other.setups[1]?.keys ?? [];
      await carryAll(custody, meter);
      assert.equal(journalOf(await loaded(custody, meter), 1).journal.verdict, "proven");
      assert.equal(await due(), 0);
    }, store),
  ));

test("a setup that opens and in which nothing more is answered rests as well, and is not given new keys without end", () =>
  withTestCustody(async (custody) => {
    const meter = serviceMeter(12);
    await custody.add(meter, SERVICE);
    let isMute = true;
    let lines = 0;
    const carried: CarriedMeter = {
      systemTitle: meter.systemTitle,
      fault: "none",
      connect: (clientSap, serverSap) => {
        const line = meter.connect(clientSap, serverSap);
        if (!isMute || clientSap !== 5) return line;
        // An association is two of them, its identity two more: once that was read nothing is answered that follows.
        const most = lines === 0 ? 4 : 2;
        lines += 1;
        let asked = 0;
        return {
          exchange: (apdu) => {
            asked += 1;
            return asked > most ? undefined : line.exchange(apdu);
          },
        };
      },
    };
    const { state } = await carryTakeover(custody, carried, { by: DEPOT });
    assert.deepEqual([state.verdict, state.phase, state.grade], ["proven", "done", "exposed"]);
    const until = custody.now + 4 * 3_600_000;
    for (; custody.now < until; custody.now += 60_000) await carryTakeover(custody, carried);
    const made = (await loaded(custody, meter)).keys.filter(({ purpose, setup }) => purpose === 0 && setup === 1);
    assert.ok(made.length > 3 && made.length < 24, `${made.length} unicast keys were made for it in four hours`);
    isMute = false;
    await carryAll(custody, meter);
    await assertTakenOver(custody, meter);
  }));

test("what is asked for at a meter is not put off by a setup of it that rests", () =>
  withTestCustody(async (custody) => {
    const [meter, other] = [serviceMeter(13), serviceMeter(14)];
    const setups = [meter.setups[0], other.setups[1] as (typeof other.setups)[0]] as const;
    await custody.add({ ...added(meter), setups }, SERVICE);
    await carryTakeover(custody, meter);
    const { service } = custody.custody;
    const due = async () => (await service.contactsDue({ limit: 9 }, HEAD_END)).meters.length;
    assert.equal(await due(), 0, "it rests");
    const lost = { meter: titleOf(meter), purpose: "GUEK", version: 2, client: undefined, setup: undefined } as const;
    await service.changeKeyState({ ...lost, command: "compromise", reason: "lost" }, OPERATOR);
    assert.equal(await due(), 1);
  }));

test("a takeover of two setups that is struck at a commit and at an APDU comes to its end: none stranded, no key forgotten", () =>
  withTestCustody(async (custody) => {
    const undisturbed = serviceMeter(32);
    await custody.add(undisturbed, SERVICE);
    custody.crashAt(undefined, "before");
    const { steps } = await carryTakeover(custody, undisturbed);
    const { commits } = custody;
    const faults = ["dies-before", "dies-after", "says-nothing", "dies-half-applied"] as const;
    let crashes = 0;
    for (let nth = 0; nth < 24; nth += 1) {
      const meter = serviceMeter(33 + nth);
      await custody.add(meter, SERVICE);
      custody.crashAt((nth * 7) % commits, nth % 2 === 0 ? "before" : "after");
      const at = (nth * 5) % steps.length;
      const struck = [...Array<"none">(at).fill("none"), faults[nth % 4] as (typeof faults)[number]];
      const carried = await carryAll(custody, meter, { faults: struck });
      custody.crashAt(undefined, "before");
      crashes += carried.crashes;
      assert.deepEqual([carried.state.verdict, carried.state.phase], ["proven", "done"], `${nth}`);
      await assertTakenOver(custody, meter);
    }
    assert.ok(crashes >= 12, `${crashes} deaths`);
  }));
