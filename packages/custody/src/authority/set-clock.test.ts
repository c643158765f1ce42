import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "@meterkeep/dlms";
import { AuthorityWorld, DISCONNECT, OPERATOR, RECONNECT } from "../testing/authority-world.ts";
import { withTestCustody } from "../testing/test-custody.ts";

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");
const RECONNECT_APDU = fromHex("c301c10046000060030aff02010f00");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test("MC-08: at night nobody is switched off for a debt, by the custodian's own clock, whatever a head-end's clock says", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(1);
    const day = new Date(custody.now).setUTCHours(0, 0, 0, 0);
    const at = async (hour: number, reason: string) => {
      custody.now = day + hour * HOUR;
      const hash = await world.approved(DISCONNECT, [meter.systemTitle], { reason });
      return world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle), false);
    };
    assert.equal((await at(22, "arrears: since May")).kind, "refused");
    assert.match(await world.lastRefusal(), /nobody is switched off at .*MC-08/);
    // People sign the word for why: what is said to be a matter of safety waits for no morning.
    assert.equal((await at(23, "safety: the house burns")).kind, "sealed");
  }));

test("MC-08: a clock that is set back while nobody runs opens no window that was over, and giving back goes on", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(2);
    const off = await world.approved(DISCONNECT, [meter.systemTitle]);
    const on = await world.approved(RECONNECT, [meter.systemTitle]);
    const then = custody.now;
    custody.now += 2 * HOUR;
    const late = await world.command(meter, DISCONNECT_APDU, world.token(off, meter.systemTitle));
    assert.equal(late.kind, "refused");
    assert.match(await world.lastRefusal(), /window is over/);
    custody.now = then + MINUTE;
    await custody.restart();
    const again = await world.command(meter, DISCONNECT_APDU, world.token(off, meter.systemTitle));
    assert.ok(again.kind === "refused" && again.code === "clock-behind", JSON.stringify(again));
    const { trouble } = await world.service.authorityState({}, OPERATOR);
    assert.equal(trouble?.code, "clock-behind");
    assert.match(trouble.message, /^Nothing is switched off, giving back goes on: .* behind what was written/);
    assert.equal((await world.command(meter, RECONNECT_APDU, world.token(on, meter.systemTitle))).kind, "sealed");
    assert.equal(meter.supply, "connected");
    // Right again, without a start anew.
    custody.now = then + 3 * HOUR;
    const fresh = await world.approved(DISCONNECT, [meter.systemTitle]);
    const { code } = (await world.command(meter, DISCONNECT_APDU, world.token(fresh, meter.systemTitle))) as {
      code?: string;
    };
    assert.equal(code, undefined);
  }));

test("MC-08: a clock that is set forward while nobody runs opens no window, start after start, until two people believe it", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(3);
    const then = custody.now;
    custody.now += 8 * HOUR;
    await custody.restart();
    const off = await world.approved(DISCONNECT, [meter.systemTitle]);
    const on = await world.approved(RECONNECT, [meter.systemTitle]);
    const ask = () => world.command(meter, DISCONNECT_APDU, world.token(off, meter.systemTitle));
    const first = await ask();
    assert.ok(first.kind === "refused" && first.code === "clock-doubted", JSON.stringify(first));
    // What was written under that clock believes it no more than before.
    await custody.restart();
    assert.equal((await ask()).kind, "refused");
    const { trouble, clockDoubt } = await world.service.authorityState({}, OPERATOR);
    assert.equal(trouble?.code, "clock-doubted");
    assert.match(trouble.message, /^Nothing is switched off, giving back goes on: .*meterkeep clock trust/);
    assert.equal((await world.command(meter, RECONNECT_APDU, world.token(on, meter.systemTitle))).kind, "sealed");
    const { written, found } = await world.believeClock();
    assert.ok(written <= then && found - written >= 8 * HOUR);
    assert.deepEqual(clockDoubt, { written, found });
    const other = await world.meter(4);
    const fresh = await world.approved(DISCONNECT, [other.systemTitle]);
    const sealed = await world.command(other, DISCONNECT_APDU, world.token(fresh, other.systemTitle));
    assert.equal(sealed.kind, "sealed", JSON.stringify(sealed));
    assert.equal((await world.service.authorityState({}, OPERATOR)).trouble, undefined);
  }));

test("MC-08: a second leap of the clock does not hide behind the doubt about the first", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(6);
    custody.now += HOUR;
    await custody.restart();
    const first = (await world.service.authorityState({}, OPERATOR)).clockDoubt;
    const planned = await world.plan("trust-clock", { found: first?.found });
    await world.approve(planned, world.anna);
    custody.now += 8 * HOUR;
    await custody.restart();
    const second = (await world.service.authorityState({}, OPERATOR)).clockDoubt;
    assert.equal(second?.written, first?.written);
    assert.ok(first !== undefined && second !== undefined && second.found - first.found >= 8 * HOUR);
    await assert.rejects(world.approve(planned, world.ben), /that clock is not in doubt/);
    const off = await world.approved(DISCONNECT, [meter.systemTitle]);
    const refused = await world.command(meter, DISCONNECT_APDU, world.token(off, meter.systemTitle));
    assert.ok(refused.kind === "refused" && refused.code === "clock-doubted", JSON.stringify(refused));
    const { found } = await world.believeClock();
    assert.equal(found, second.found);
    assert.equal((await world.service.authorityState({}, OPERATOR)).trouble, undefined);
  }));

test("a custodian that was away for some minutes believes its clock", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(5);
    custody.now += 10 * MINUTE;
    await custody.restart();
    const off = await world.approved(DISCONNECT, [meter.systemTitle]);
    assert.equal((await world.command(meter, DISCONNECT_APDU, world.token(off, meter.systemTitle))).kind, "sealed");
  }));

test("MC-08: a clock that is set while the custodian runs is doubted at once, and after a start anew as well, whatever was written under it", async () => {
  let set = 0;
  let running: { readonly now: number } = { now: 1_795_000_000_000 };
  await withTestCustody(
    async (custody) => {
      running = custody;
      const world = await AuthorityWorld.open(custody);
      const meter = await world.meter(7);
      set = 8 * HOUR;
      custody.now += set;
      // Whatever is written now, is.
      await world.service.suspendApprover({ approver: "nobody", reason: "a test" }, OPERATOR).catch(() => undefined);
      await world.meter(8);
      const [newest] = (await custody.store.ledger.read(0, 100_000)).slice(-1);
      assert.ok(custody.now - (newest?.at ?? 0) >= 7 * HOUR, "no entry has the time that was set");
      assert.equal((await world.service.authorityState({}, OPERATOR)).trouble?.code, "clock-jumped");
      await custody.restart();
      assert.equal((await world.service.authorityState({}, OPERATOR)).trouble?.code, "clock-doubted");
      const off = await world.approved(DISCONNECT, [meter.systemTitle]);
      const refused = await world.command(meter, DISCONNECT_APDU, world.token(off, meter.systemTitle));
      assert.ok(refused.kind === "refused" && refused.code === "clock-doubted", JSON.stringify(refused));
      await world.believeClock();
      await custody.restart();
      assert.equal((await world.service.authorityState({}, OPERATOR)).trouble, undefined);
    },
    undefined,
    { monotonic: () => running.now - set },
  );
});

test("MC-08: leaps of some minutes a start add up, and time lived pays for them", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const trouble = async () => (await world.service.authorityState({}, OPERATOR)).trouble?.code;
    const stop = async (minutes: number) => {
      await custody.custody.close();
      custody.now += minutes * MINUTE;
      await custody.restart();
    };
    await stop(9);
    assert.equal(await trouble(), undefined);
    // A day lived pays for a quarter of an hour.
    custody.now += 24 * HOUR;
    await stop(9);
    assert.equal(await trouble(), undefined);
    await stop(7);
    assert.equal(await trouble(), "clock-doubted");
    await world.believeClock();
    await stop(9);
    assert.equal(await trouble(), undefined, "people have said that time passed: it is counted anew");
    await stop(9);
    assert.equal(await trouble(), "clock-doubted");
  }));
