import assert from "node:assert/strict";
import { test } from "node:test";
import { Account } from "../../cosem/classes/account.ts";
import { Charge } from "../../cosem/classes/charge.ts";
import { Credit } from "../../cosem/classes/credit.ts";
import { TokenGateway } from "../../cosem/classes/token-gateway.ts";
import { dateTimeAt, instantOf } from "../../data/date-time.ts";
import { askFor } from "../testing.test.ts";
import { ChargeCollector, serveCharge } from "./charge-collector.ts";
import { CreditBalance, serveCredit } from "./credit-balance.ts";
import { PrepaymentAccount, serveAccount } from "./prepayment-account.ts";
import { serveTokenGateway, TokenEntry } from "./token-entry.ts";

const NO_NAME = new Uint8Array(0);
const DAY_SECONDS = 86_400;

/** A meter that sells energy: 20 cents a kWh, 10 cents a day, a debt paid back with a tenth of each payment, 5 EUR in emergency. */
function meter() {
  const world = { now: Date.UTC(2026, 10, 2), wattHours: 0, supply: [] as boolean[] };
  const time = {
    now: () => world.now,
    localTime: (instant: number) => dateTimeAt(instant),
    instantOf: (moment: Parameters<typeof instantOf>[0]) => instantOf(moment, 0),
  };
  const token = new CreditBalance({ logicalName: "0.0.19.10.0.255" });
  const emergency = new CreditBalance({
    logicalName: "0.0.19.10.1.255",
    settings: {
      creditType: "emergencyCredit",
      priority: 2,
      presetAmount: 500,
      availableThreshold: 100,
      configuration: ["visual", "confirmation", "paidBack", "resettable"],
    },
  });
  const prices = (chargePerUnit: number, scale: number) => ({
    chargePerUnitScaling: { commodityScale: scale, priceScale: 0 },
    commodityReference: { classId: 3, logicalName: "1.0.1.8.0.255", attributeIndex: 2 } as const,
    chargeTable: [{ index: NO_NAME, chargePerUnit }],
  });
  const energy = new ChargeCollector({
    logicalName: "0.0.19.20.0.255",
    active: prices(20, 3),
    commodity: () => world.wattHours,
    ...time,
  });
  const standing = new ChargeCollector({
    logicalName: "0.0.19.20.1.255",
    settings: { chargeType: "timeBasedCollection", period: DAY_SECONDS, priority: 2 },
    active: prices(10, 0),
    ...time,
  });
  const debt = new ChargeCollector({
    logicalName: "0.0.19.20.2.255",
    settings: {
      chargeType: "paymentEventBasedCollection",
      configuration: ["percentageBasedCollection"],
      proportion: 1000,
    },
    remaining: 150,
    ...time,
  });
  const account = new PrepaymentAccount({
    credits: [token, emergency],
    charges: [energy, standing, debt],
    onCredit: (isThere) => world.supply.push(isThere),
    ...time,
  });
  return {
    ...{ world, account, token, emergency, energy, standing, debt },
    ask: askFor(
      Account,
      serveAccount<undefined>(() => account),
    ),
    ofEmergency: askFor(
      Credit,
      serveCredit<undefined>(() => emergency),
    ),
    ofEnergy: askFor(
      Charge,
      serveCharge<undefined>(() => energy),
    ),
  };
}

test("an account that is not active collects nothing and takes no payment", () => {
  const { world, account, token, ask } = meter();
  world.wattHours = 50_000;
  account.tick();
  assert.equal(account.pay(1000), false);
  assert.equal(token.amount, 0);
  assert.deepEqual(ask.get("accountModeAndStatus"), { paymentMode: "prepayment", accountStatus: "newInactive" });
});

test("credit is bought, used up by energy and by days, and the supply follows", () => {
  const { world, account, token, ask } = meter();
  assert.equal(ask.call("activateAccount", 0), "success");
  assert.deepEqual(world.supply, [false]);
  assert.ok(account.pay(1000));
  assert.deepEqual(world.supply, [false, true]);
  assert.equal(token.amount, 900, "a tenth went to the debt");
  assert.equal(ask.get("aggregatedDebt"), 50);
  assert.equal(ask.get("currentCreditInUse"), 1);
  world.wattHours = 10_500;
  world.now += 3 * DAY_SECONDS * 1000;
  account.tick();
  assert.equal(token.amount, 900 - 210 - 30);
  assert.equal(ask.get("availableCredit"), 660);
  account.pay(1000);
  assert.equal(ask.get("aggregatedDebt"), 0, "and no more than what was owed");
  assert.equal(token.amount, 660 + 950);
});

test("emergency credit can be chosen when the token credit is low, and is paid back first", () => {
  const { world, account, token, emergency, ask, ofEmergency } = meter();
  account.activate();
  token.setTo(300);
  assert.equal(ofEmergency.get("creditStatus"), "enabled");
  assert.equal(ofEmergency.call("invokeCredit", 0), "other-reason", "it is not wanted yet");
  world.wattHours = 10_000;
  account.tick();
  assert.equal(token.amount, 100);
  assert.deepEqual(ask.get("currentCreditStatus"), ["inCredit", "nextCreditSelectable"]);
  assert.equal(ofEmergency.call("invokeCredit", 0), "success");
  assert.equal(ofEmergency.get("creditStatus"), "selectedOrInvoked");
  assert.equal(ask.get("availableCredit"), 600);
  world.wattHours = 15_000;
  account.tick();
  assert.equal(token.status, "exhausted");
  assert.equal(emergency.status, "inUse");
  world.wattHours = 40_000;
  account.tick();
  assert.equal(emergency.amount, 0);
  assert.equal(emergency.status, "exhausted");
  assert.equal(account.inUse, undefined);
  assert.deepEqual(ask.get("currentCreditStatus"), ["outOfCredit"]);
  assert.equal(ask.get("amountToClear"), -500);
  account.pay(1000);
  assert.equal(emergency.amount, 500);
  assert.equal(token.amount, 1000 - 100 - 500);
  assert.equal(emergency.status, "enabled", "and has to be chosen again");
  assert.deepEqual(world.supply, [false, true, false, true]);
});

test("prices wait in the passive table until they are activated, and what was used before costs the old ones", () => {
  const { world, account, token, ofEnergy } = meter();
  account.activate();
  token.setTo(1000);
  assert.equal(ofEnergy.call("updateUnitCharge", [{ index: NO_NAME, chargePerUnit: 40 }]), "success");
  world.wattHours = 10_000;
  assert.equal(ofEnergy.call("activatePassiveUnitCharge", 0), "success");
  assert.equal(token.amount, 800);
  world.wattHours = 20_000;
  account.tick();
  assert.equal(token.amount, 400);
  assert.equal(ofEnergy.get("totalAmountPaid"), 600);
  assert.equal(ofEnergy.get("lastCollectionAmount"), 400);
  world.now += 1000;
  ofEnergy.call("updateUnitCharge", [{ index: NO_NAME, chargePerUnit: 10 }]);
  assert.equal(ofEnergy.set("unitChargeActivationTime", dateTimeAt(world.now)), "success");
  account.tick();
  world.wattHours = 30_000;
  account.tick();
  assert.equal(token.amount, 300);
  assert.equal(ofEnergy.call("setTotalAmountRemaining", 70), 0, "the amount there was comes back");
  ofEnergy.call("updateTotalAmountRemaining", 5);
  assert.equal(ofEnergy.get("totalAmountRemaining"), 75);
});

test("what costs less than a cent is not lost, however often one looks", () => {
  const { world, account, token } = meter();
  account.activate();
  token.setTo(1000);
  for (; world.wattHours < 10_000; world.wattHours += 30) account.tick();
  account.tick();
  assert.equal(token.amount, 800);
});

test("an account is closed, keeps what there is, and begins anew", () => {
  const { world, account, token, emergency, ask } = meter();
  account.activate();
  token.setTo(100);
  assert.equal(ask.call("resetAccount", 0), "other-reason", "not before it is closed");
  assert.equal(ask.set("accountClosureTime", dateTimeAt(world.now + 1000)), "success");
  world.now += 1000;
  account.tick();
  assert.equal(account.status, "closed");
  world.wattHours = 10_000;
  account.tick();
  assert.equal(token.amount, 100);
  assert.equal(ask.call("activateAccount", 0), "other-reason");
  assert.equal(ask.call("resetAccount", 0), "success");
  assert.deepEqual([token.amount, emergency.amount, account.aggregatedDebt], [0, 500, 0]);
  assert.equal(
    ask.set("tokenGatewayConfiguration", [
      { creditReference: "0.0.19.10.0.255", tokenProportion: 60 },
      { creditReference: "0.0.19.10.1.255", tokenProportion: 50 },
    ]),
    "other-reason",
    "more than the whole",
  );
});

test("a token is executed once, and what became of it can be read", () => {
  const { account, token } = meter();
  account.activate();
  const used = new Set<string>();
  const entry = new TokenEntry({
    localTime: () => dateTimeAt(0),
    process: (octets) => {
      const text = String.fromCharCode(...octets);
      if (!/^\d{20}$/.test(text)) return { statusCode: "formatFailure" };
      if (used.has(text)) return { statusCode: "validationFailure" };
      used.add(text);
      return { statusCode: account.pay(1000) ? "executionOk" : "executionFailure" };
    },
  });
  const ask = askFor(
    TokenGateway,
    serveTokenGateway<undefined>(() => entry),
  );
  const digits = new TextEncoder().encode("12345678901234567890");
  const status = () => (ask.get("tokenStatus") as { readonly statusCode: string }).statusCode;
  assert.equal(ask.call("enter", digits), "success");
  assert.equal(status(), "executionOk");
  assert.equal(ask.call("enter", digits), "other-reason");
  assert.equal(status(), "validationFailure");
  assert.equal(ask.call("enter", digits.subarray(1)), "other-reason");
  assert.equal(status(), "formatFailure");
  assert.equal(ask.get("tokenDeliveryMethod"), "remote");
  assert.equal(token.amount, 900);
});
