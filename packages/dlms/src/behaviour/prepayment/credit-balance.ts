import type { Infer } from "../../codec/codec.ts";
import { Credit } from "../../cosem/classes/credit.ts";
import type { LogicalName } from "../../cosem/logical-name.ts";
import { refuse } from "../../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../../cosem/served.ts";
import { type DateTime, dateTime } from "../../data/date-time.ts";

type Attributes = typeof Credit.attributes;

/** credit_status (Blue Book 4.6.3). */
export type CreditStatus = "enabled" | "selectable" | "selectedOrInvoked" | "inUse" | "exhausted";

/** How a credit is set up. Amounts count in the currency and scale of the account. */
export interface CreditSettings {
  readonly creditType: Infer<Attributes["creditType"]["codec"]>;
  /** 1 is used up first; 0 never on its own. */
  readonly priority: number;
  readonly warningThreshold: number;
  /** The credit is exhausted when its amount comes down to this. */
  readonly limit: number;
  readonly configuration: Infer<Attributes["creditConfiguration"]["codec"]>;
  /** What the credit begins with each time it is invoked or its period begins. */
  readonly presetAmount: number;
  /** A credit that has to be chosen can be chosen when the one in use has come down to this. */
  readonly availableThreshold: number;
  /** When the amount is set to the preset again; nothing specified for never. */
  readonly period: DateTime;
}

const NEVER = dateTime({});
const SETTINGS: CreditSettings = {
  creditType: "tokenCredit",
  priority: 1,
  warningThreshold: 0,
  limit: 0,
  configuration: ["visual", "ableToReceiveFromTokens"],
  presetAmount: 0,
  availableThreshold: 0,
  period: NEVER,
};

/**
 * A credit (class 112): an amount that charges are taken from, one of several of an account.
 *
 * States: enabled (there, and not wanted yet), selectable (may be chosen now), selected (chosen, and waits for its turn), in
 * use, exhausted (down to its limit). The account moves it from one to the next whenever an amount has changed.
 */
export class CreditBalance {
  readonly logicalName: LogicalName;
  settings: CreditSettings;
  #amount: number;
  #status: CreditStatus;
  /** The account's: looks at all its credits anew. */
  onChange: (() => void) | undefined;

  constructor(parts: {
    readonly logicalName: LogicalName;
    readonly settings?: Partial<CreditSettings>;
    readonly amount?: number;
    readonly status?: CreditStatus;
  }) {
    this.logicalName = parts.logicalName;
    this.settings = { ...SETTINGS, ...parts.settings };
    this.#amount = parts.amount ?? this.settings.presetAmount;
    this.#status = parts.status ?? "enabled";
  }

  get amount(): number {
    return this.#amount;
  }

  get status(): CreditStatus {
    return this.#status;
  }

  get needsConfirmation(): boolean {
    return this.settings.configuration.includes("confirmation");
  }

  get isAboveLimit(): boolean {
    return this.#amount > this.settings.limit;
  }

  /** How much of the preset has been used and has to be paid back out of the next token. */
  get toPayBack(): number {
    return this.settings.configuration.includes("paidBack")
      ? Math.max(0, this.settings.presetAmount - this.#amount)
      : 0;
  }

  /** update_amount: adds, or with a negative amount takes away. */
  update(amount: number): void {
    this.#amount += amount;
    this.onChange?.();
  }

  /** set_amount_to_value: gives the amount there was. */
  setTo(amount: number): number {
    const before = this.#amount;
    this.#amount = amount;
    this.onChange?.();
    return before;
  }

  /** invoke_credit: chooses a credit that can be chosen. False where it cannot. */
  invoke(): boolean {
    if (this.#status !== "selectable") return false;
    this.#status = "selectedOrInvoked";
    this.onChange?.();
    return true;
  }

  /** A period of time-based and emergency credit begins: the preset is there again. */
  renew(): void {
    if (this.settings.configuration.includes("resettable")) this.setTo(this.settings.presetAmount);
  }

  /** The account's alone. */
  move(status: CreditStatus): void {
    this.#status = status;
  }
}

/** Serves class 112 from a credit of the meter. */
export function serveCredit<State>(
  creditOf: (state: State, context: ServeContext) => CreditBalance,
): ServedClass<State> {
  const setting = <Name extends keyof CreditSettings>(name: Name) => ({
    get: (state: State, context: ServeContext) => creditOf(state, context).settings[name],
    set: (value: CreditSettings[Name], state: State, context: ServeContext) => {
      const credit = creditOf(state, context);
      credit.settings = { ...credit.settings, [name]: value };
      credit.onChange?.();
    },
  });
  const creditType = setting("creditType");
  const priority = setting("priority");
  const warningThreshold = setting("warningThreshold");
  const limit = setting("limit");
  const creditConfiguration = setting("configuration");
  const presetCreditAmount = setting("presetAmount");
  const creditAvailableThreshold = setting("availableThreshold");
  const period = setting("period");
  return Credit.serve<State>({
    get: {
      currentCreditAmount: (state, context) => creditOf(state, context).amount,
      creditType: creditType.get,
      priority: priority.get,
      warningThreshold: warningThreshold.get,
      limit: limit.get,
      creditConfiguration: creditConfiguration.get,
      creditStatus: (state, context) => creditOf(state, context).status,
      presetCreditAmount: presetCreditAmount.get,
      creditAvailableThreshold: creditAvailableThreshold.get,
      period: period.get,
    },
    set: {
      creditType: creditType.set,
      priority: priority.set,
      warningThreshold: warningThreshold.set,
      limit: limit.set,
      creditConfiguration: creditConfiguration.set,
      presetCreditAmount: presetCreditAmount.set,
      creditAvailableThreshold: creditAvailableThreshold.set,
      period: period.set,
    },
    call: {
      updateAmount: (amount, state, context) => creditOf(state, context).update(amount),
      setAmountToValue: (amount, state, context) => creditOf(state, context).setTo(amount),
      invokeCredit: (_, state, context) => (creditOf(state, context).invoke() ? undefined : refuse("other-reason")),
    },
  });
}
