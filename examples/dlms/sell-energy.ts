/**
 * A meter that sells energy: an account with a credit and a charge, tokens that fill the credit, a switch that follows it.
 * `node examples/dlms/sell-energy.ts`.
 *
 * Real meters keep all of this durably, and their tokens are signed; here a token is an amount in cents.
 */
import {
  Account,
  ChargeCollector,
  CosemServer,
  Credit,
  CreditBalance,
  DisconnectControl,
  Disconnector,
  dateTimeAt,
  deviceModel,
  fullAccess,
  instantOf,
  localAssociator,
  mount,
  openSession,
  PrepaymentAccount,
  remote,
  serveAccount,
  serveCharge,
  serveCredit,
  serveDisconnector,
  serveTokenGateway,
  TokenEntry,
  TokenGateway,
} from "@meterkeep/dlms";

const NAMES = {
  account: "0.0.19.0.0.255",
  credit: "0.0.19.10.0.255",
  charge: "0.0.19.20.0.255",
  tokens: "0.0.19.40.0.255",
  supply: "0.0.96.3.10.255",
} as const;
const CENTS_A_KILOWATT_HOUR = 30;

const time = {
  now: () => Date.UTC(2026, 10, 21),
  localTime: (instant: number) => dateTimeAt(instant),
  instantOf: (moment: Parameters<typeof instantOf>[0]) => instantOf(moment, 0),
};

class Meter {
  wattHours = 0;
  readonly supply = new Disconnector({ mode: 4, state: "disconnected" });
  readonly credit = new CreditBalance({ logicalName: NAMES.credit });
  readonly charge = new ChargeCollector({
    logicalName: NAMES.charge,
    active: {
      chargePerUnitScaling: { commodityScale: 3, priceScale: 0 },
      commodityReference: { classId: 3, logicalName: "1.0.1.8.0.255", attributeIndex: 2 },
      chargeTable: [{ index: new Uint8Array(0), chargePerUnit: CENTS_A_KILOWATT_HOUR }],
    },
    commodity: () => this.wattHours,
    ...time,
  });
  readonly account = new PrepaymentAccount({
    credits: [this.credit],
    charges: [this.charge],
    onCredit: (isThere) => this.supply.pull(isThere ? "remoteReconnect" : "remoteDisconnect"),
    ...time,
  });
  readonly tokens = new TokenEntry({
    localTime: () => time.localTime(time.now()),
    process: (token) => {
      const cents = Number(new TextDecoder().decode(token));
      if (!Number.isSafeInteger(cents) || cents <= 0) return { statusCode: "formatFailure" };
      return { statusCode: this.account.pay(cents) ? "executionOk" : "executionFailure" };
    },
  });

  /** Energy flows while the switch is closed. */
  draw(wattHours: number): void {
    if (this.supply.state === "connected") this.wattHours += wattHours;
    this.account.tick();
  }
}

const model = deviceModel<Meter>({
  objects: [
    mount(
      NAMES.account,
      serveAccount<Meter>(({ account }) => account),
    ),
    mount(
      NAMES.credit,
      serveCredit<Meter>(({ credit }) => credit),
    ),
    mount(
      NAMES.charge,
      serveCharge<Meter>(({ charge }) => charge),
    ),
    mount(
      NAMES.tokens,
      serveTokenGateway<Meter>(({ tokens }) => tokens),
    ),
    mount(
      NAMES.supply,
      serveDisconnector<Meter>(({ supply }) => supply),
    ),
  ],
  associations: [{ name: "vendor", clientSap: 1, authentication: { kind: "none" }, access: fullAccess }],
});

const meter = new Meter();
const server = new CosemServer(model, { state: meter });
const connection = server.connect(1, 1);
const session = await openSession({
  exchange: async (apdu) => server.handle(connection, apdu) ?? new Uint8Array(0),
  associator: localAssociator({ authentication: { kind: "none" } }),
});

await remote(session, Account, NAMES.account).call("activateAccount");
await say("activated");
await remote(session, TokenGateway, NAMES.tokens).call("enter", new TextEncoder().encode("500"));
await say("a token of 5 EUR");
meter.draw(10_000);
await say("after 10 kWh");
meter.draw(10_000);
await say("after 10 kWh more");
await session.release();

async function say(when: string): Promise<void> {
  const amount = await remote(session, Credit, NAMES.credit).get("currentCreditAmount");
  const state = await remote(session, DisconnectControl, NAMES.supply).get("controlState");
  console.log(`${when}: ${amount} cents, ${state}`);
}
