import assert from "node:assert/strict";
import { test } from "node:test";
import { type Custodian, TRANSFERABLE_PURPOSES } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import {
  caller,
  carryTakeover,
  DEPOT,
  HEAD_END,
  heldKeys,
  type TestCustody,
  withTestCustody,
} from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

const OPERATOR = caller("operator");
const DAY = 86_400_000;
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
const titleOf = (meter: TestMeter) => systemTitle(fromHex(meter.systemTitle));

/** Meters that have been taken over. */
async function takenOver(custody: TestCustody, count: number): Promise<TestMeter[]> {
  const meters: TestMeter[] = [];
  for (let at = 0; at < count; at += 1) {
    const meter = new TestMeter({ systemTitle: `54535400000002${at.toString(16).padStart(2, "0").toUpperCase()}` });
    await custody.add(meter);
    assert.equal((await carryTakeover(custody, meter)).state.verdict, "proven");
    meters.push(meter);
  }
  return meters;
}

type Plan = Parameters<Custodian["planRotations"]>[0];
const demand = (change: Partial<Plan> = {}): Plan => ({
  meters: [],
  madeBefore: undefined,
  purposes: [],
  cause: "demand",
  reason: "a test",
  ...change,
});

async function stateOf(custody: TestCustody, meter: TestMeter) {
  const request = { meters: [titleOf(meter)], filter: "all", after: undefined } as const;
  return (await custody.custody.service.rotationStates(request, OPERATOR)).states[0];
}

async function assertRotated(custody: TestCustody, meter: TestMeter, before: readonly Uint8Array[]): Promise<void> {
  const held = await heldKeys(custody, meter);
  for (const [purpose, key] of meter.keys.entries()) {
    assert.notEqual(hex(key), hex(before[purpose] as Uint8Array), `purpose ${purpose} was rotated`);
    assert.ok(held[purpose]?.includes(hex(key)), `key ${purpose} is on the meter and forgotten`);
  }
  assert.equal(new Set(meter.everSent).size, meter.everSent.length, "a key value was transferred twice");
}

test("all keys of a meter are rotated octet by octet, and its takeover stays what it was", () =>
  withTestCustody(async (custody) => {
    const [meter] = (await takenOver(custody, 1)) as [TestMeter];
    const { service } = custody.custody;
    const before = meter.keys;
    const title = titleOf(meter);
    const trust = (await service.takeoverStates({ meters: [title], after: undefined }, HEAD_END)).states[0];
    assert.deepEqual(await service.planRotations(demand({ meters: [title] }), OPERATOR), { planned: 1, asked: 1 });
    assert.deepEqual(await service.planRotations(demand({ meters: [title] }), OPERATOR), { planned: 0, asked: 1 });
    assert.equal((await stateOf(custody, meter))?.phase, "planned");
    assert.deepEqual((await service.contactsDue({ limit: 10 }, HEAD_END)).meters, [title]);
    assert.deepEqual((await service.contactsDue({ limit: 10 }, HEAD_END)).meters, [], "it was handed out just now");
    const { steps, state } = await carryTakeover(custody, meter);
    assert.equal(steps[0], "current-keys-association");
    assert.equal(steps.includes("identity-check"), false);
    assert.deepEqual(state, trust, "trust does not change because keys do");
    await assertRotated(custody, meter, before);
    const done = await stateOf(custody, meter);
    assert.equal(done?.phase, "retired");
    assert.deepEqual(done?.unproven, ["GBEK"]);
    const { keys } = await service.describeKeys({ meter: title }, HEAD_END);
    const active = keys.filter((key) => key.state === "active").map(({ purpose, version }) => `${purpose} ${version}`);
    assert.deepEqual(
      active.map((name) => name.split(" ")[0]),
      ["GUEK", "GBEK", "GAK", "KEK"],
    );
    assert.ok(active.includes("GUEK 3") && active.includes("GAK 3") && active.includes("KEK 3"));
    const opened = await service.openSession({ meter: title, purpose: "read" }, HEAD_END);
    assert.equal(opened.clientSap, 1);
  }));

test("a custodian that dies at any commit of a rotation strands no meter, and every key was in escrow before it was sent", () =>
  withTestCustody(async (custody) => {
    const meters = await takenOver(custody, 24);
    for (const [at, meter] of meters.entries()) {
      const before = meter.keys;
      await custody.custody.service.planRotations(demand({ meters: [titleOf(meter)] }), OPERATOR);
      custody.crashAt(at >> 1, at % 2 === 0 ? "before" : "after");
      await carryTakeover(custody, meter);
      custody.crashAt(undefined, "before");
      await assertRotated(custody, meter, before);
      assert.equal((await stateOf(custody, meter))?.phase, "retired");
    }
  }));

test("with its keys the secrets of a meter's clients are rotated, and the old ones destroyed in time", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: "5453540000000501", secrets: true, setupVersion: 0 });
    await custody.add(meter, { profile: "is15959" });
    await carryTakeover(custody, meter);
    const before = meter.secrets;
    await custody.custody.service.planRotations(demand({ meters: [titleOf(meter)] }), OPERATOR);
    await carryTakeover(custody, meter);
    assert.equal((await stateOf(custody, meter))?.phase, "retired");
    for (const [client, secret] of Object.entries(meter.secrets)) assert.notDeepEqual(secret, before[client], client);
    custody.now += 401 * DAY;
    await custody.custody.sweep();
    const file = await custody.store.load(meter.systemTitle);
    const states = file?.keys.filter(({ purpose }) => purpose > 3).map(({ version, state }) => [version, state]);
    const each = [
      [1, "destroyed"],
      [2, "destroyed"],
      [3, "active"],
    ];
    assert.deepEqual(states, [...each, ...each]);
    const { keys } = await custody.custody.service.describeKeys({ meter: titleOf(meter) }, OPERATOR);
    assert.deepEqual([...new Set(keys.map(({ client }) => client))], [undefined, 34, 48]);
    const change = { meter: titleOf(meter), purpose: "HLS", version: 3, command: "suspend", reason: "a test" } as const;
    await assert.rejects(custody.custody.service.changeKeyState({ ...change, client: 34 }, OPERATOR), {
      code: "key-unknown",
    });
    await custody.custody.service.changeKeyState({ ...change, client: 48 }, OPERATOR);
  }));

test("a lost answer leaves a rotation unknown: nothing is read until the next contact has found out", () =>
  withTestCustody(async (custody) => {
    const [meter] = (await takenOver(custody, 1)) as [TestMeter];
    const { service } = custody.custody;
    await service.planRotations(demand(), OPERATOR);
    const title = titleOf(meter);
    const next = await service.nextContact({ meter: title }, HEAD_END);
    assert.ok(next.kind === "connect");
    const line = meter.connect(next.clientSap, next.serverSap);
    let apdu = next.apdu;
    for (;;) {
      const received = line.exchange(apdu) as Uint8Array;
      const event = { kind: "received", apdu: received } as const;
      const answer = await service.advanceContact({ contact: next.contact, event }, HEAD_END);
      assert.ok(answer.kind === "send");
      apdu = answer.apdu;
      if (answer.step === "transfer-working-keys") break;
    }
    assert.equal((await stateOf(custody, meter))?.phase, "sent");
    meter.fault = "dies-after";
    assert.equal(line.exchange(apdu), undefined);
    const event = { kind: "lost", reason: "timed-out" } as const;
    await service.advanceContact({ contact: next.contact, event }, HEAD_END);
    assert.equal((await stateOf(custody, meter))?.phase, "unknown");
    const { states } = await service.rotationStates({ meters: [], filter: "unknown", after: undefined }, OPERATOR);
    assert.equal(states.length, 1);
    await assert.rejects(service.openSession({ meter: title, purpose: "read" }, HEAD_END), { code: "keys-unsettled" });
    await carryTakeover(custody, meter);
    assert.equal((await stateOf(custody, meter))?.phase, "retired");
  }));

test("those at the greatest risk go first, and no faster than the rate", () =>
  withTestCustody(async (custody) => {
    const meters = await takenOver(custody, 4);
    const { service } = custody.custody;
    await service.setKeyPolicy(policy({ perHour: 60 }), OPERATOR);
    const [one, two, three, four] = meters.map(titleOf) as [Plan["meters"][0], ...Plan["meters"]];
    await service.planRotations(demand({ meters: [one, two as never] }), OPERATOR);
    await service.planRotations(demand({ meters: [four as never], cause: "exposure" }), OPERATOR);
    await service.planRotations(demand({ meters: [three as never], cause: "compromise" }), OPERATOR);
    const order: string[] = [];
    for (let minute = 0; minute < 10 && order.length < 4; minute += 1) {
      const due = (await service.contactsDue({ limit: 10 }, HEAD_END)).meters.map((title) => hex(title));
      const begun = due.filter((title) => !order.includes(title));
      assert.ok(begun.length <= 1, "one a minute; those that nobody contacted come again besides");
      order.push(...begun);
      custody.now += 60_000;
    }
    assert.deepEqual(
      order,
      [three, four, one, two].map((title) => hex(title as Uint8Array)),
    );
    const { keys } = await service.describeKeys({ meter: three as never }, OPERATOR);
    assert.deepEqual(
      [...new Set(keys.filter(({ state }) => state === "compromised").map(({ purpose }) => purpose))],
      ["GUEK", "GBEK", "GAK"],
      "the master only where somebody names it: what it carries is lost for good",
    );
    assert.equal((await service.keyLife({}, OPERATOR)).compromised, 1);
    assert.match((await stateOf(custody, meters[2] as TestMeter))?.purposes.join() ?? "", /^GUEK,GBEK,GAK$/);
  }));

const policy = (change: Partial<Parameters<Custodian["setKeyPolicy"]>[0]>) => ({
  cryptoPeriodDays: undefined,
  countLimit: undefined,
  perHour: undefined,
  retainDays: undefined,
  ...change,
});

test("keys beyond their crypto-period are rotated by themselves, two years unless somebody says less, five at most", () =>
  withTestCustody(async (custody) => {
    const [meter] = (await takenOver(custody, 1)) as [TestMeter];
    const { service } = custody.custody;
    for (const cryptoPeriodDays of [0, 1827])
      await assert.rejects(service.setKeyPolicy(policy({ cryptoPeriodDays }), OPERATOR), {
        code: "key-policy-refused",
      });
    assert.equal((await service.keyLife({}, OPERATOR)).policy.cryptoPeriodDays, 730);
    custody.now += 729 * DAY;
    await custody.custody.sweep();
    assert.equal((await service.keyLife({}, OPERATOR)).planned, 0);
    custody.now += 2 * DAY;
    assert.equal((await service.keyLife({}, OPERATOR)).overdue, 1);
    await custody.custody.sweep();
    assert.equal((await stateOf(custody, meter))?.cause, "age");
    await carryTakeover(custody, meter);
    assert.equal((await service.keyLife({}, OPERATOR)).overdue, 0);
    // What somebody says holds from then on, for less time and for more, also for keys that are there already.
    for (const cryptoPeriodDays of [30, 1826]) {
      await custody.custody.service.setKeyPolicy(policy({ cryptoPeriodDays }), OPERATOR);
      custody.now += (cryptoPeriodDays - 1) * DAY;
      await custody.restart();
      await custody.custody.sweep();
      const held = (await custody.custody.service.keyLife({}, OPERATOR)).planned;
      custody.now += 2 * DAY;
      await custody.custody.sweep();
      const { planned, policy: now } = await custody.custody.service.keyLife({}, OPERATOR);
      assert.deepEqual([held, planned, now.cryptoPeriodDays], [0, 1, cryptoPeriodDays]);
      const before = meter.keys.map(hex);
      await carryTakeover(custody, meter);
      for (const [purpose, key] of meter.keys.entries()) assert.notEqual(hex(key), before[purpose], `${purpose}`);
    }
  }));

test("keys that have gone are destroyed when their time is over, but none that may be on the meter", () =>
  withTestCustody(async (custody) => {
    const [meter] = (await takenOver(custody, 1)) as [TestMeter];
    const { service } = custody.custody;
    await service.planRotations(demand(), OPERATOR);
    await carryTakeover(custody, meter);
    custody.now += 401 * DAY;
    await custody.custody.sweep();
    assert.equal((await stateOf(custody, meter))?.phase, "retired", "an old broadcast key may still be there");
    const file = await custody.store.load(meter.systemTitle);
    const destroyed = (file?.keys ?? []).filter(({ state }) => state === "destroyed");
    assert.deepEqual(new Set(destroyed.map(({ purpose }) => purpose)), new Set([0, 2, 3]));
    assert.ok(destroyed.every(({ sealed }) => sealed.length === 0));
    const { keys } = await service.describeKeys({ meter: titleOf(meter) }, OPERATOR);
    assert.ok(keys.some(({ purpose, state }) => purpose === "GBEK" && state === "deactivated"));
  }));

test("keys that have gone and stay keep those that went after them from nothing", () => {
  const memory = memoryCustodyStore();
  // One at a time, as of a fleet of which each meter has some.
  const gone: CustodyStore["rotations"]["gone"] = (before, _, after) => memory.rotations.gone(before, 1, after);
  const store: CustodyStore = { ...memory, rotations: { ...memory.rotations, gone } };
  return withTestCustody(async (custody) => {
    const meters = await takenOver(custody, 2);
    custody.now += 401 * DAY;
    for (let look = 0; look < 3; look += 1) {
      await custody.custody.sweep();
      custody.now += DAY;
    }
    for (const meter of meters) {
      const { keys } = await custody.custody.service.describeKeys({ meter: titleOf(meter) }, OPERATOR);
      const former = keys.filter(({ version }) => version === 1);
      assert.deepEqual(
        former.map(({ purpose, state }) => [purpose, state]),
        [
          ["GUEK", "destroyed"],
          ["GBEK", "deactivated"],
          ["GAK", "destroyed"],
          ["KEK", "destroyed"],
        ],
      );
    }
  }, store);
});

test("people suspend, resume and compromise keys, within NIST SP 800-57, each with its entry", () =>
  withTestCustody(async (custody) => {
    const [meter] = (await takenOver(custody, 1)) as [TestMeter];
    const { service } = custody.custody;
    const title = titleOf(meter);
    const change = (command: "suspend" | "resume" | "compromise" | "destroy", version = 2) =>
      service.changeKeyState({ meter: title, purpose: "GAK", version, command, reason: "seen on a bus" }, OPERATOR);
    await change("suspend");
    await assert.rejects(service.openSession({ meter: title, purpose: "read" }, HEAD_END), { code: "keys-missing" });
    await assert.rejects(change("suspend"), { code: "key-transition-refused" });
    await change("resume");
    await assert.rejects(change("destroy"), { code: "key-transition-refused" });
    await assert.rejects(change("suspend", 9), { code: "key-unknown" });
    await change("compromise");
    assert.equal((await stateOf(custody, meter))?.cause, "compromise", "its successor is planned by itself");
    await carryTakeover(custody, meter);
    const { keys } = await service.describeKeys({ meter: title }, OPERATOR);
    assert.deepEqual(
      keys.filter(({ purpose }) => purpose === "GAK").map(({ state }) => state),
      ["deactivated", "compromised", "active"],
    );
    const entries = await custody.store.ledger.read(0, 1000);
    const mine = entries.filter(({ kind, principal }) => kind === "key-states-changed" && principal === "operator");
    assert.equal(mine.length, 4, "three by hand, and what was marked along with the last");
  }));

test("a compromised key takes the shield at once; a rotation under good masters brings it back, one under a compromised never", () =>
  withTestCustody(async (custody) => {
    const { service } = custody.custody;
    const meter = new TestMeter({ systemTitle: "5453540000000302" });
    await custody.add(meter);
    await carryTakeover(custody, meter, { by: DEPOT });
    const title = titleOf(meter);
    const state = async () => (await service.takeoverStates({ meters: [title], after: undefined }, HEAD_END)).states[0];
    const compromise = (purpose: "GUEK" | "GBEK" | "GAK" | "KEK", version: number) =>
      service.changeKeyState(
        { meter: title, purpose, version, command: "compromise", reason: "seen on a bus" },
        OPERATOR,
      );
    const shielded = await state();
    assert.equal(shielded?.grade, "shielded");
    await compromise("KEK", 1);
    assert.deepEqual(await state(), shielded, "the factory's key was never ours to keep");
    await compromise("GUEK", 2);
    assert.equal((await state())?.grade, "exposed");
    assert.match((await state())?.sentence ?? "", /its GUEK 2 and GAK 2 were marked compromised/);
    await carryTakeover(custody, meter);
    assert.deepEqual(await state(), shielded);
    await service.planRotations(demand({ meters: [title] }), OPERATOR);
    await carryTakeover(custody, meter);
    assert.deepEqual(await state(), shielded);
    await compromise("KEK", 2);
    assert.equal((await stateOf(custody, meter))?.phase, "retired");
    assert.equal((await state())?.grade, "exposed", "it carried the one after it");
    await compromise("KEK", 3);
    assert.equal((await stateOf(custody, meter))?.phase, "planned");
    const { state: ended } = await carryTakeover(custody, meter);
    assert.equal((await stateOf(custody, meter))?.phase, "retired");
    assert.equal(ended.grade, "exposed");
    assert.match(ended.sentence, /KEK 2 and KEK 3 were marked compromised/);
  }));

test("after a compromise of the whole fleet new working keys bring every shield back: the masters were not lost with them", () =>
  withTestCustody(async (custody) => {
    const { service } = custody.custody;
    const meter = new TestMeter({ systemTitle: "5453540000000303" });
    await custody.add(meter);
    await carryTakeover(custody, meter, { by: DEPOT });
    await service.planRotations(demand({ cause: "compromise" }), OPERATOR);
    const grade = async () =>
      (await service.takeoverStates({ meters: [titleOf(meter)], after: undefined }, HEAD_END)).states[0]?.grade;
    assert.equal(await grade(), "exposed");
    await carryTakeover(custody, meter);
    assert.equal(await grade(), "shielded");
  }));

test("a compromise of the fleet reaches a meter in the midst of a change, at whatever APDU: in the end its keys have successors", () =>
  withTestCustody(async (custody) => {
    const { service } = custody.custody;
    const exchanges = 40;
    for (let at = 0; at < exchanges; at += 1) {
      const meter = new TestMeter({ systemTitle: `54535400000004${at.toString(16).padStart(2, "0").toUpperCase()}` });
      await custody.add(meter);
      // Even ones in the midst of a rotation of the broadcast key alone, odd ones in that of their takeover.
      if (at % 2 === 0) {
        await carryTakeover(custody, meter);
        await service.planRotations(demand({ meters: [titleOf(meter)], purposes: ["GBEK"] }), OPERATOR);
      }
      await carrySome(custody, meter, at >> 1);
      const { planned = 0, marked } = await service.planRotations(
        demand({ meters: [titleOf(meter)], cause: "compromise" }),
        OPERATOR,
      );
      assert.equal(marked, 1, `exchange ${at}`);
      assert.ok(planned <= 1);
      const before = (await custody.store.load(meter.systemTitle))?.keys.filter(
        ({ purpose, version }) => purpose !== 3 && version > (at % 2 === 0 ? 1 : 0),
      );
      assert.ok(
        before?.every(({ state }) => state === "compromised" || state === "deactivated"),
        `exchange ${at}`,
      );
      const known = new Set(before?.map(({ purpose, version }) => `${purpose}/${version}`));
      for (let contacts = 0; contacts < 4; contacts += 1) await carryTakeover(custody, meter);
      const file = await custody.store.load(meter.systemTitle);
      for (const purpose of [0, 1, 2]) {
        const active = file?.keys.find((key) => key.purpose === purpose && key.state === "active");
        assert.ok(active !== undefined && !known.has(`${purpose}/${active.version}`), `exchange ${at}, key ${purpose}`);
      }
      assert.ok(file?.rotations.every(({ endedAt }) => endedAt !== undefined));
      // Nothing of it is refused as changed behind the ledger's back.
      await service.describeKeys({ meter: titleOf(meter) }, OPERATOR);
    }
  }));

/** A contact that dies after so many exchanges. */
async function carrySome(custody: TestCustody, meter: TestMeter, exchanges: number): Promise<void> {
  const { service } = custody.custody;
  const next = await service.nextContact({ meter: titleOf(meter) }, HEAD_END);
  if (next.kind !== "connect") return;
  const line = meter.connect(next.clientSap, next.serverSap);
  let { apdu } = next;
  for (let left = exchanges; left > 0; left -= 1) {
    const received = line.exchange(apdu);
    if (received === undefined) break;
    const event = { kind: "received", apdu: received } as const;
    const answer = await service.advanceContact({ contact: next.contact, event }, HEAD_END);
    if (answer.kind !== "send") return;
    apdu = answer.apdu;
  }
  await service.advanceContact({ contact: next.contact, event: { kind: "lost", reason: "timed-out" } }, HEAD_END);
}

test("a report names keys that are weaker than they look", () =>
  withTestCustody(async (custody) => {
    const keys = [0, 1, 2, 3].map((at) => new Uint8Array(16).map((_, octet) => octet * octet * 7 + at * 29 + 1));
    const weak = new TestMeter({
      systemTitle: "5453540000000301",
      keys: [keys[0] as Uint8Array, keys[1] as Uint8Array, Buffer.from("0123456789abcdef"), keys[3] as Uint8Array],
    });
    await custody.add(weak);
    const { findings, next } = await custody.custody.service.keyHygiene({ after: undefined }, OPERATOR);
    assert.deepEqual(
      findings.map(({ purpose, version }) => `${purpose} ${version}`),
      ["GAK 1"],
    );
    assert.equal(next, undefined);
  }));

test("in PostgreSQL rotations are planned, carried out and counted the same, and one is open for a meter at most", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) =>
    withTestCustody(async (custody) => {
      const meters = await takenOver(custody, 4);
      const { service } = custody.custody;
      const purposes = [...TRANSFERABLE_PURPOSES];
      assert.equal((await service.planRotations(demand({ cause: "compromise", purposes }), OPERATOR)).planned, 4);
      assert.equal((await service.planRotations(demand(), OPERATOR)).planned, 0);
      await assert.rejects(
        pool.query(`insert into rotations (utility, island, system_title, setup, rotation, cause, purposes, risk,
          planned_ms, planned_by) select utility, island, system_title, 0, 9, 'demand', '{0}', 0, 0, 'me' from meters`),
        /rotations_one_open/,
      );
      assert.deepEqual(await counts(custody), { planned: 4, underWay: 0, proven: 0, failed: 0, compromised: 4 });
      await service.setKeyPolicy(policy({ perHour: 60 }), OPERATOR);
      assert.equal((await service.contactsDue({ limit: 100 }, HEAD_END)).meters.length, 1, "of a minute's only one");
      for (const [at, meter] of meters.entries()) {
        const before = meter.keys;
        custody.crashAt(at * 3, at % 2 === 0 ? "before" : "after");
        await carryTakeover(custody, meter);
        custody.crashAt(undefined, "before");
        await assertRotated(custody, meter, before);
      }
      assert.deepEqual(await counts(custody), { planned: 0, underWay: 0, proven: 4, failed: 0, compromised: 4 });
      custody.now += 800 * DAY;
      await custody.restart();
      await custody.custody.sweep();
      const { planned, overdue } = await custody.custody.service.keyLife({}, OPERATOR);
      assert.deepEqual([planned, overdue], [4, 4]);
      const { rows } = await pool.query(
        "select distinct state from meter_keys where octet_length(sealed) = 0 order by 1",
      );
      assert.deepEqual(
        rows.map(({ state }) => state),
        ["destroyed", "destroyed-compromised"],
      );
    }, postgresCustodyStore(pool)),
  ));

async function counts(custody: TestCustody) {
  const { planned, underWay, proven, failed, compromised } = await custody.custody.service.keyLife({}, OPERATOR);
  return { planned, underWay, proven, failed, compromised };
}
