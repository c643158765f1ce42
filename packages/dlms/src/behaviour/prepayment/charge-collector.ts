import { equalBytes } from "../../bytes.ts";
import type { Infer } from "../../codec/codec.ts";
import { Charge } from "../../cosem/classes/charge.ts";
import type { LogicalName } from "../../cosem/logical-name.ts";
import { refuse } from "../../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../../cosem/served.ts";
import { type DateTime, dateTime } from "../../data/date-time.ts";

type Attributes = typeof Charge.attributes;

/** Prices of a charge, one for each tariff, and what they are for (Blue Book 4.6.4, unit_charge). */
export type UnitCharge = Infer<Attributes["unitChargeActive"]["codec"]>;

/** How a charge is set up. */
export interface ChargeSettings {
  readonly chargeType: Infer<Attributes["chargeType"]["codec"]>;
  /** 1 is collected first. */
  readonly priority: number;
  /** Between two collections of a time-based charge. Seconds. */
  readonly period: number;
  readonly configuration: Infer<Attributes["chargeConfiguration"]["codec"]>;
  /** Hundredths of a per cent of a payment, where the charge takes a part of each. */
  readonly proportion: number;
  readonly activationTime: DateTime;
}

/** What a charge is put together from. */
export interface ChargeParts {
  readonly logicalName: LogicalName;
  readonly settings?: Partial<ChargeSettings>;
  readonly active?: UnitCharge;
  readonly passive?: UnitCharge;
  /** What is still owed; it counts for charges that are not collected for ever. */
  readonly remaining?: number;
  /** The commodity counted so far, in its own unit, of a consumption-based charge. */
  readonly commodity?: () => number;
  /** The name of the price in force; the first of the table unless given. Call `tick` before it changes. */
  readonly tariff?: () => Uint8Array | undefined;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  readonly localTime: (instant: number) => DateTime;
  readonly instantOf: (time: DateTime) => number | undefined;
}

const NO_TIME = dateTime({});
const NO_PRICES: UnitCharge = {
  chargePerUnitScaling: { commodityScale: 0, priceScale: 0 },
  commodityReference: { classId: 0, logicalName: "0.0.0.0.0.0", attributeIndex: 0 },
  chargeTable: [],
};
const SETTINGS: ChargeSettings = {
  chargeType: "consumptionBasedCollection",
  priority: 1,
  period: 0,
  configuration: ["continuousCollection"],
  proportion: 0,
  activationTime: NO_TIME,
};
/** `proportion` counts these of a payment. */
const WHOLE_PAYMENT = 10_000;

/**
 * A charge (class 113): what is taken from the credits of an account for a commodity, for time, or out of each payment.
 *
 * State: its prices, active and passive; what has been paid and what remains; and up to which count of the commodity, or up
 * to which time, it has collected. A charge without `continuousCollection` ends when nothing remains.
 */
export class ChargeCollector {
  readonly logicalName: LogicalName;
  settings: ChargeSettings;
  readonly #parts: ChargeParts;
  #active: UnitCharge;
  #passive: UnitCharge;
  #paid = 0;
  #remaining: number;
  #commodity: number;
  #collectedAt: number;
  #lastTime: DateTime = NO_TIME;
  #lastAmount = 0;
  /** The account's: takes an amount from its credits. */
  collectFrom: ((amount: number) => void) | undefined;

  constructor(parts: ChargeParts) {
    this.#parts = parts;
    this.logicalName = parts.logicalName;
    this.settings = { ...SETTINGS, ...parts.settings };
    this.#active = parts.active ?? NO_PRICES;
    this.#passive = parts.passive ?? this.#active;
    this.#remaining = parts.remaining ?? 0;
    this.#commodity = parts.commodity?.() ?? 0;
    this.#collectedAt = parts.now();
  }

  get active(): UnitCharge {
    return this.#active;
  }

  get passive(): UnitCharge {
    return this.#passive;
  }

  set passive(prices: UnitCharge) {
    this.#passive = prices;
  }

  get paid(): number {
    return this.#paid;
  }

  get remaining(): number {
    return this.#remaining;
  }

  get last(): { readonly time: DateTime; readonly amount: number } {
    return { time: this.#lastTime, amount: this.#lastAmount };
  }

  /** update_unit_charge: other prices into the passive table. */
  updatePrices(chargeTable: UnitCharge["chargeTable"]): void {
    this.#passive = { ...this.#passive, chargeTable };
  }

  /** activate_passive_unit_charge: what has been used until now is collected at the old price. */
  activate(): void {
    this.tick();
    this.#active = this.#passive;
    this.settings = { ...this.settings, activationTime: NO_TIME };
  }

  /** collect: at once, whatever the type of the charge: one price of the table. */
  collect(): void {
    this.#take(this.#priceOf(1));
  }

  /** Adds to what remains to be paid. */
  update(amount: number): void {
    this.#remaining += amount;
  }

  /** Gives what remained. */
  setTo(amount: number): number {
    const before = this.#remaining;
    this.#remaining = amount;
    return before;
  }

  /** Lets time pass: collects what has been used, or what the periods that are over cost. */
  tick(): void {
    const { chargeType, period, activationTime } = this.settings;
    if (chargeType === "consumptionBasedCollection") this.#collectCommodity();
    else if (chargeType === "timeBasedCollection" && period > 0) {
      const periods = Math.floor((this.#parts.now() - this.#collectedAt) / (period * 1000));
      if (periods > 0) {
        this.#collectedAt += periods * period * 1000;
        this.#take(this.#priceOf(periods));
      }
    }
    const activation = this.#parts.instantOf(activationTime);
    if (activation !== undefined && this.#parts.now() >= activation) {
      this.settings = { ...this.settings, activationTime: NO_TIME };
      this.#active = this.#passive;
    }
  }

  /** A payment comes in: what this charge takes of it, which is not taken from any credit. */
  takeOfPayment(amount: number): number {
    if (this.settings.chargeType !== "paymentEventBasedCollection") return 0;
    const wanted = this.settings.configuration.includes("percentageBasedCollection")
      ? Math.floor((amount * this.settings.proportion) / WHOLE_PAYMENT)
      : this.#priceOf(1);
    const taken = Math.min(this.#due(wanted), amount);
    this.#note(taken);
    return taken;
  }

  #collectCommodity(): void {
    const unit = 10 ** this.#active.chargePerUnitScaling.commodityScale;
    const price = this.#unitPrice();
    const amount = Math.floor((((this.#parts.commodity?.() ?? 0) - this.#commodity) / unit) * price);
    if (amount < 1) return;
    // What is less than one unit of currency stays uncollected until it has grown to one.
    this.#commodity += (amount / price) * unit;
    this.#take(amount);
  }

  /** What so many units cost at the price in force, in the currency's units. */
  #priceOf(units: number): number {
    return Math.floor(units * this.#unitPrice());
  }

  #unitPrice(): number {
    const { chargeTable, chargePerUnitScaling } = this.#active;
    const name = this.#parts.tariff?.();
    const row = chargeTable.find(({ index }) => name === undefined || equalBytes(index, name));
    return (row?.chargePerUnit ?? 0) * 10 ** chargePerUnitScaling.priceScale;
  }

  #due(amount: number): number {
    return this.settings.configuration.includes("continuousCollection") ? amount : Math.min(amount, this.#remaining);
  }

  #take(wanted: number): void {
    const amount = this.#due(wanted);
    if (amount <= 0) return;
    this.#note(amount);
    this.collectFrom?.(amount);
  }

  #note(amount: number): void {
    if (amount <= 0) return;
    this.#paid += amount;
    if (!this.settings.configuration.includes("continuousCollection")) this.#remaining -= amount;
    this.#lastAmount = amount;
    this.#lastTime = this.#parts.localTime(this.#parts.now());
  }
}

/** Serves class 113 from a charge of the meter. */
export function serveCharge<State>(
  chargeOf: (state: State, context: ServeContext) => ChargeCollector,
): ServedClass<State> {
  const setting = <Name extends keyof ChargeSettings>(name: Name) => ({
    get: (state: State, context: ServeContext) => chargeOf(state, context).settings[name],
    set: (value: ChargeSettings[Name], state: State, context: ServeContext) => {
      const charge = chargeOf(state, context);
      charge.settings = { ...charge.settings, [name]: value };
    },
  });
  const chargeType = setting("chargeType");
  const priority = setting("priority");
  const period = setting("period");
  const chargeConfiguration = setting("configuration");
  const proportion = setting("proportion");
  const unitChargeActivationTime = setting("activationTime");
  return Charge.serve<State>({
    get: {
      totalAmountPaid: (state, context) => chargeOf(state, context).paid,
      chargeType: chargeType.get,
      priority: priority.get,
      unitChargeActive: (state, context) => chargeOf(state, context).active,
      unitChargePassive: (state, context) => chargeOf(state, context).passive,
      unitChargeActivationTime: unitChargeActivationTime.get,
      period: period.get,
      chargeConfiguration: chargeConfiguration.get,
      lastCollectionTime: (state, context) => chargeOf(state, context).last.time,
      lastCollectionAmount: (state, context) => chargeOf(state, context).last.amount,
      totalAmountRemaining: (state, context) => chargeOf(state, context).remaining,
      proportion: proportion.get,
    },
    set: {
      chargeType: chargeType.set,
      priority: priority.set,
      unitChargePassive: (prices, state, context) => {
        chargeOf(state, context).passive = { ...prices, chargeTable: owned(prices.chargeTable) };
      },
      unitChargeActivationTime: unitChargeActivationTime.set,
      period: period.set,
      chargeConfiguration: chargeConfiguration.set,
      proportion: (value, state, context) =>
        value > WHOLE_PAYMENT ? refuse("other-reason") : proportion.set(value, state, context),
    },
    call: {
      updateUnitCharge: (table, state, context) => chargeOf(state, context).updatePrices(owned(table)),
      activatePassiveUnitCharge: (_, state, context) => chargeOf(state, context).activate(),
      collect: (_, state, context) => chargeOf(state, context).collect(),
      updateTotalAmountRemaining: (amount, state, context) => chargeOf(state, context).update(amount),
      setTotalAmountRemaining: (amount, state, context) => chargeOf(state, context).setTo(amount),
    },
  });
}

/** Prices that outlive the request they came in. */
function owned(table: UnitCharge["chargeTable"]): UnitCharge["chargeTable"] {
  return table.map(({ index, chargePerUnit }) => ({ index: index.slice(), chargePerUnit }));
}
