import assert from "node:assert/strict";
import { test } from "node:test";
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
import {
  type CarriedMeter,
  caller,
  carryTakeover,
  HEAD_END,
  TEST_PACE,
  type TestCustody,
  withTestCustody,
} from "../testing/test-custody.ts";
import { give, newHandheld } from "../testing/test-field.ts";
import type { TestMeter } from "../testing/test-meter.ts";
import { journalOf } from "./view.ts";

const OPERATOR = caller("operator");

/** A meter as far as one client of it gets answers. */
const answering = (meter: TestMeter, client: number) => ({
  connect: (clientSap: number, serverSap: number) =>
    clientSap === client ? meter.connect(clientSap, serverSap) : { exchange: () => undefined },
});

/** Carries what the queue hands out, a tenth of a second after the other, until a state is reached: which clients spoke, and when. */
async function carryDue(
  custody: TestCustody,
  meter: Pick<CarriedMeter, "connect">,
  isReached: () => Promise<boolean>,
): Promise<readonly { readonly client: number; readonly at: number }[]> {
  const { service } = custody.custody;
  const contacts: { client: number; at: number }[] = [];
  for (let round = 0; round < 1000; round += 1) {
    if (await isReached()) return contacts;
    custody.now += 100;
    const [due] = (await service.contactsDue({ limit: 9 }, HEAD_END)).meters;
    const next = due && (await service.nextContact({ meter: due }, HEAD_END));
    if (next?.kind !== "connect") continue;
    contacts.push({ client: next.clientSap, at: custody.now });
    await carryContact(custody, meter.connect(next.clientSap, next.serverSap), next);
  }
  throw new Error(`not reached by ${contacts.map(({ client }) => client).join()}`);
}

async function carryContact(
  { custody: { service } }: TestCustody,
  line: ReturnType<CarriedMeter["connect"]>,
  { contact, apdu: first }: { readonly contact: string; readonly apdu: Uint8Array },
): Promise<void> {
  let apdu = first;
  for (;;) {
    const answer = line.exchange(apdu);
    const event =
      answer === undefined
        ? ({ kind: "lost", reason: "timed-out" } as const)
        : ({ kind: "received", apdu: answer } as const);
    const advanced = await service.advanceContact({ contact, event }, HEAD_END);
    if (advanced.kind === "close") return;
    ({ apdu } = advanced);
  }
}

const demandOf = (meter: TestMeter) =>
  ({ meters: [titleOf(meter)], madeBefore: undefined, purposes: [], cause: "demand", reason: "a test" }) as const;

/** Whether the newest rotation of the second setup is proven. */
const isSecondRotated = (custody: TestCustody, meter: TestMeter) => async () => {
  const request = { meters: [titleOf(meter)], filter: "all", after: undefined } as const;
  const { states } = await custody.custody.service.rotationStates(request, OPERATOR);
  return states.some(({ setup, phase }) => setup === 1 && phase === "retired");
};

test("what the store itself plans at a meter that rests is due at once, whoever had it planned", () =>
  inBoth((store) =>
    withTestCustody(async (custody) => {
      const [meter, other] = [serviceMeter(15), serviceMeter(16)];
      const setups = [meter.setups[0], other.setups[1] as (typeof other.setups)[0]] as const;
      await custody.add({ ...added(meter), setups }, SERVICE);
      await carryTakeover(custody, meter);
      const due = async () => (await custody.custody.service.contactsDue({ limit: 9 }, HEAD_END)).meters.length;
      assert.equal(await due(), 0, "it rests");
      const planned = await custody.store.rotations.plan({
        meters: [meter.systemTitle],
        madeBefore: undefined,
        countAbove: undefined,
        purposes: [0, 1, 2],
        cause: "exposure",
        risk: 500,
        plannedBy: "custodian",
        at: custody.now,
        limit: 1,
      });
      assert.equal(planned, 1);
      assert.equal(await due(), 1);
      assert.equal(await due(), 0, "it was handed out");
    }, store),
  ));

test("a rotation of the first setup that rests holds up no other setup", () =>
  inBoth((store) =>
    withTestCustody(async (custody) => {
      const meter = serviceMeter(17);
      await custody.add(meter, SERVICE);
      await carryTakeover(custody, meter);
      const [first, second] = meter.setups.map(({ keys }) => keys.map(hex));
      await custody.custody.service.planRotations(demandOf(meter), OPERATOR);
      // Its management client gets no answer any more.
      const contacts = await carryDue(custody, answering(meter, 5), isSecondRotated(custody, meter));
      assert.ok(
        contacts.some(({ client }) => client === 1),
        "the first was asked",
      );
      assert.deepEqual(meter.setups[0].keys.map(hex), first);
      for (const [purpose, key] of (meter.setups[1]?.keys ?? []).entries())
        assert.notEqual(hex(key), second?.[purpose]);
      await carryAll(custody, meter);
      for (const [purpose, key] of meter.setups[0].keys.entries()) assert.notEqual(hex(key), first?.[purpose]);
    }, store),
  ));

test("where the first setup has just refused the others wait, since a meter locks up as a whole", () =>
  withTestCustody(async (custody) => {
    const meter = serviceMeter(18);
    await custody.add(meter, SERVICE);
    await carryTakeover(custody, meter);
    meter.setups[0].keys = serviceMeter(19).keys;
    await custody.custody.service.planRotations(demandOf(meter), OPERATOR);
    const contacts = await carryDue(custody, meter, isSecondRotated(custody, meter));
    const at = contacts.findIndex(({ client }) => client === 5);
    const [refused, next] = [contacts.slice(0, at).findLast(({ client }) => client === 1), contacts[at]];
    assert.ok(refused && next, JSON.stringify(contacts));
    const waited = next.at - refused.at;
    const { anyKeysMilliseconds: least, sameKeysMilliseconds: most } = TEST_PACE;
    assert.ok(waited >= least && waited < most, JSON.stringify(contacts));
  }));

test("a key of a further setup that is compromised is replaced while its meter is lent, and nothing else is", () =>
  withTestCustody(async (custody) => {
    const meter = serviceMeter(20);
    await custody.add(meter, SERVICE);
    await carryTakeover(custody, meter);
    const { service } = custody.custody;
    await service.enrolHandheld({ publicKey: newHandheld("HH-7").publicKey, technician: "Ada" }, OPERATOR);
    await give(custody, { meters: [titleOf(meter)] });
    await service.planRotations(demandOf(meter), OPERATOR);
    const kindOfNext = async () => (await service.nextContact({ meter: titleOf(meter) }, HEAD_END)).kind;
    assert.equal(await kindOfNext(), "wait", "keys that are merely old are changed when the lease is over");
    const [first, second] = meter.setups.map(({ keys }) => keys.map(hex));
    const lost = { meter: titleOf(meter), purpose: "KEK", version: 2, client: undefined, setup: 1 } as const;
    await service.changeKeyState({ ...lost, command: "compromise", reason: "lost" }, OPERATOR);
    const contacts = await carryDue(custody, meter, isSecondRotated(custody, meter));
    assert.deepEqual([...new Set(contacts.map(({ client }) => client))], [5]);
    for (const [purpose, key] of (meter.setups[1]?.keys ?? []).entries()) assert.notEqual(hex(key), second?.[purpose]);
    assert.deepEqual(meter.setups[0].keys.map(hex), first, "what the handheld has is on it");
    assert.equal(await kindOfNext(), "wait");
  }));

test("a setup that nobody has begun with is looked for, and asked for", () =>
  inBoth((store) =>
    withTestCustody(async (custody) => {
      const meter = serviceMeter(21);
      await custody.add(meter, SERVICE);
      const isFirstTaken = async () => journalOf(await loaded(custody, meter)).journal.verdict === "proven";
      for (let contacts = 0; contacts < 50 && !(await isFirstTaken()); contacts += 1) {
        custody.now += 1000;
        const next = await custody.custody.service.nextContact({ meter: titleOf(meter) }, HEAD_END);
        if (next.kind === "wait") custody.now += next.milliseconds;
        if (next.kind === "connect") await carryContact(custody, meter.connect(next.clientSap, next.serverSap), next);
      }
      assert.deepEqual(
        (await loaded(custody, meter)).takeovers.map(({ setup }) => setup),
        [0],
      );
      const due = async () => (await custody.custody.service.contactsDue({ limit: 9 }, HEAD_END)).meters.length;
      assert.equal(await due(), 0, "no record says that anything is due");
      const inStock = serviceMeter(22);
      await custody.add(inStock, SERVICE);
      await custody.restart();
      await custody.custody.sweep();
      const { meters } = await custody.custody.service.contactsDue({ limit: 9 }, HEAD_END);
      assert.deepEqual(meters, [titleOf(meter)], "and not the one whose first nobody has taken over");
      await carryAll(custody, meter);
      await assertTakenOver(custody, meter);
      await custody.restart();
      await custody.custody.sweep();
      assert.equal(await due(), 0);
    }, store),
  ));
