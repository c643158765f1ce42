import type { Infer } from "../../codec/codec.ts";
import { Account } from "../../cosem/classes/account.ts";
import type { LogicalName } from "../../cosem/logical-name.ts";
import { refuse } from "../../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../../cosem/served.ts";
import { type DateTime, dateTime } from "../../data/date-time.ts";
import type { ChargeCollector } from "./charge-collector.ts";
import type { CreditBalance } from "./credit-balance.ts";

type Attributes = typeof Account.attributes;

/** account_status (Blue Book 4.6.2). */
export type AccountStatus = "newInactive" | "active" | "closed";
/** current_credit_status: the bits that are set. */
export type CreditFlags = Infer<Attributes["currentCreditStatus"]["codec"]>;

/** How an account is set up. */
export interface AccountSettings {
  readonly paymentMode: Infer<Attributes["accountModeAndStatus"]["codec"]>["paymentMode"];
  readonly clearanceThreshold: number;
  readonly creditChargeConfiguration: Infer<Attributes["creditChargeConfiguration"]["codec"]>;
  /** Which part of a token goes to which credit; to the first that takes tokens where nothing is said. */
  readonly tokenGatewayConfiguration: Infer<Attributes["tokenGatewayConfiguration"]["codec"]>;
  readonly activationTime: DateTime;
  readonly closureTime: DateTime;
  readonly currency: Infer<Attributes["currency"]["codec"]>;
  readonly lowCreditThreshold: number;
  readonly nextCreditAvailableThreshold: number;
  /** The most that may be provided in a period, and the period in seconds; kept for the client. */
  readonly maxProvision: number;
  readonly maxProvisionPeriod: number;
}

/** What an account is put together from. */
export interface PrepaymentAccountParts {
  readonly settings?: Partial<AccountSettings>;
  readonly status?: AccountStatus;
  readonly credits: readonly CreditBalance[];
  readonly charges: readonly ChargeCollector[];
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  readonly instantOf: (time: DateTime) => number | undefined;
  /** There is no credit left, or there is some again: what the supply follows. */
  readonly onCredit?: (isThere: boolean) => void;
}

const SETTINGS: AccountSettings = {
  paymentMode: "prepayment",
  clearanceThreshold: 0,
  creditChargeConfiguration: [],
  tokenGatewayConfiguration: [],
  activationTime: dateTime({}),
  closureTime: dateTime({}),
  currency: { currencyName: "EUR", currencyScale: -2, currencyUnit: "monetary" },
  lowCreditThreshold: 0,
  nextCreditAvailableThreshold: 0,
  maxProvision: 0,
  maxProvisionPeriod: 0,
};

/**
 * An account (class 111) with its credits (112) and charges (113).
 *
 * States: new, active, closed; only an active one collects. While it is active, one of its credits is in use: the first by
 * priority that is above its limit and, where it has to be chosen, has been chosen. When it is exhausted the next takes its
 * place; when there is none, the account is out of credit. A credit of higher priority that is filled again takes over.
 */
export class PrepaymentAccount {
  readonly #parts: PrepaymentAccountParts;
  settings: AccountSettings;
  #status: AccountStatus;
  #hadCredit: boolean | undefined;

  constructor(parts: PrepaymentAccountParts) {
    this.#parts = parts;
    this.settings = { ...SETTINGS, ...parts.settings };
    this.#status = parts.status ?? "newInactive";
    for (const credit of parts.credits) credit.onChange = () => this.#settle();
    for (const charge of parts.charges) charge.collectFrom = (amount) => this.#collect(amount);
    this.#settle();
  }

  get status(): AccountStatus {
    return this.#status;
  }

  get credits(): readonly CreditBalance[] {
    return this.#parts.credits;
  }

  get charges(): readonly ChargeCollector[] {
    return this.#parts.charges;
  }

  /** The credit that charges are taken from now. */
  get inUse(): CreditBalance | undefined {
    return this.credits.find(({ status }) => status === "inUse");
  }

  /** What can be used without anybody choosing anything: of the credit in use and of those chosen. */
  get availableCredit(): number {
    return this.credits
      .filter(({ status }) => status === "inUse" || status === "selectedOrInvoked")
      .reduce((sum, { amount, settings }) => sum + Math.max(0, amount - settings.limit), 0);
  }

  /** What must be paid before there is credit again, 0 or negative: what credits are below their limits, and have to pay back. */
  get amountToClear(): number {
    const below = this.credits.reduce((sum, { amount, settings }) => sum + Math.min(0, amount - settings.limit), 0);
    const owed = this.credits.reduce((sum, { toPayBack }) => sum + toPayBack, 0);
    return below - owed - (this.inUse === undefined ? this.settings.clearanceThreshold : 0);
  }

  /** What remains of all charges that end. */
  get aggregatedDebt(): number {
    return this.charges.reduce((sum, { remaining }) => sum + remaining, 0);
  }

  get flags(): CreditFlags {
    const { inUse } = this;
    const has = (status: string) => this.credits.some((credit) => credit.status === status);
    const isSet: Readonly<Record<CreditFlags[number], boolean>> = {
      inCredit: inUse !== undefined,
      lowCredit:
        inUse !== undefined &&
        inUse.amount <= Math.max(this.settings.lowCreditThreshold, inUse.settings.warningThreshold),
      nextCreditEnabled: has("enabled"),
      nextCreditSelectable: has("selectable"),
      nextCreditSelected: has("selectedOrInvoked"),
      selectableCreditInUse: inUse?.needsConfirmation === true,
      outOfCredit: inUse === undefined,
    };
    return (Object.keys(isSet) as CreditFlags[number][]).filter((name) => isSet[name]);
  }

  /** activate_account; false for a closed one. */
  activate(): boolean {
    if (this.#status === "closed") return false;
    this.#status = "active";
    this.#settle();
    return true;
  }

  /** close_account: nothing is collected any more; what is there stays to be read. */
  close(): boolean {
    if (this.#status !== "active") return false;
    this.tick();
    this.#status = "closed";
    this.#settle();
    return true;
  }

  /** reset_account: a closed one begins anew, with its presets and without debts. */
  reset(): boolean {
    if (this.#status !== "closed") return false;
    for (const credit of this.credits) {
      credit.move("enabled");
      credit.setTo(credit.settings.presetAmount);
    }
    for (const charge of this.charges) charge.setTo(0);
    this.#status = "newInactive";
    this.#settle();
    return true;
  }

  /** Lets time pass: the times of activation and closure, and what charges collect. */
  tick(): void {
    const now = this.#parts.now();
    const isOver = (time: DateTime): boolean => {
      const at = this.#parts.instantOf(time);
      return at !== undefined && now >= at;
    };
    if (this.#status === "newInactive" && isOver(this.settings.activationTime)) this.activate();
    if (this.#status !== "active") return;
    for (const charge of byPriority(this.charges)) charge.tick();
    if (!isOver(this.settings.closureTime)) return;
    this.#status = "closed";
    this.#settle();
  }

  /**
   * Takes a payment: first what charges take of each payment, then what used credits are paid back, then the credits that
   * the token gateway configuration names. False for an account that is not active.
   */
  pay(amount: number): boolean {
    if (this.#status !== "active") return false;
    let rest = amount;
    for (const charge of byPriority(this.charges)) rest -= charge.takeOfPayment(rest);
    for (const credit of this.credits) {
      const back = Math.min(credit.toPayBack, rest);
      if (back > 0) credit.update(back);
      rest -= back;
    }
    const receivers = this.credits.filter(({ settings }) => settings.configuration.includes("ableToReceiveFromTokens"));
    const whole = rest;
    for (const { creditReference, tokenProportion } of this.settings.tokenGatewayConfiguration) {
      const credit = receivers.find(({ logicalName }) => logicalName === creditReference);
      const part = Math.min(Math.floor((whole * tokenProportion) / 100), rest);
      if (credit === undefined || part === 0) continue;
      credit.update(part);
      rest -= part;
    }
    const [first] = byPriority(receivers);
    if (rest > 0) first?.update(rest);
    return first !== undefined || rest === 0;
  }

  #collect(amount: number): void {
    if (this.#status !== "active") return;
    const [first] = this.#inOrder();
    // Without credit the first runs up what has to be cleared.
    (this.inUse ?? first)?.update(-amount);
  }

  #inOrder(): readonly CreditBalance[] {
    return byPriority(this.credits).filter(({ settings }) => settings.priority > 0);
  }

  /** Gives every credit the status that its amount and those before it call for. */
  #settle(): void {
    const active = this.#status === "active";
    let current: CreditBalance | undefined;
    for (const credit of this.#inOrder()) {
      const wasChosen = credit.status === "selectedOrInvoked" || credit.status === "inUse";
      if (!credit.isAboveLimit) credit.move("exhausted");
      else if (!active) credit.move("enabled");
      else if (!credit.needsConfirmation || wasChosen) {
        if (current === undefined) {
          credit.move("inUse");
          current = credit;
        } else credit.move(credit.needsConfirmation ? "selectedOrInvoked" : "enabled");
      } else credit.move(this.#isSelectable(credit, current) ? "selectable" : "enabled");
    }
    const hasCredit = current !== undefined;
    if (!active || hasCredit === this.#hadCredit) return;
    this.#hadCredit = hasCredit;
    this.#parts.onCredit?.(hasCredit);
  }

  #isSelectable({ settings }: CreditBalance, current: CreditBalance | undefined): boolean {
    const threshold = Math.max(settings.availableThreshold, this.settings.nextCreditAvailableThreshold);
    return current === undefined || current.amount <= threshold;
  }
}

function byPriority<T extends { readonly settings: { readonly priority: number } }>(all: readonly T[]): readonly T[] {
  return all.toSorted((one, other) => one.settings.priority - other.settings.priority);
}

/** Serves class 111 from an account of the meter. */
export function serveAccount<State>(
  accountOf: (state: State, context: ServeContext) => PrepaymentAccount,
): ServedClass<State> {
  const setting = <Name extends keyof AccountSettings>(name: Name) => ({
    get: (state: State, context: ServeContext) => accountOf(state, context).settings[name],
    set: (value: AccountSettings[Name], state: State, context: ServeContext) => {
      const account = accountOf(state, context);
      account.settings = { ...account.settings, [name]: value };
    },
  });
  const clearanceThreshold = setting("clearanceThreshold");
  const creditChargeConfiguration = setting("creditChargeConfiguration");
  const tokenGatewayConfiguration = setting("tokenGatewayConfiguration");
  const accountActivationTime = setting("activationTime");
  const accountClosureTime = setting("closureTime");
  const currency = setting("currency");
  const lowCreditThreshold = setting("lowCreditThreshold");
  const nextCreditAvailableThreshold = setting("nextCreditAvailableThreshold");
  const maxProvision = setting("maxProvision");
  const maxProvisionPeriod = setting("maxProvisionPeriod");
  const orRefuse = (done: boolean) => (done ? undefined : refuse("other-reason"));
  return Account.serve<State>({
    get: {
      accountModeAndStatus: (state, context) => {
        const { settings, status } = accountOf(state, context);
        return { paymentMode: settings.paymentMode, accountStatus: status };
      },
      currentCreditInUse: (state, context) => {
        const { credits, inUse } = accountOf(state, context);
        return inUse === undefined ? 0 : credits.indexOf(inUse) + 1;
      },
      currentCreditStatus: (state, context) => accountOf(state, context).flags,
      availableCredit: (state, context) => accountOf(state, context).availableCredit,
      amountToClear: (state, context) => accountOf(state, context).amountToClear,
      clearanceThreshold: clearanceThreshold.get,
      aggregatedDebt: (state, context) => accountOf(state, context).aggregatedDebt,
      creditReferenceList: (state, context) => accountOf(state, context).credits.map(nameOf),
      chargeReferenceList: (state, context) => accountOf(state, context).charges.map(nameOf),
      creditChargeConfiguration: creditChargeConfiguration.get,
      tokenGatewayConfiguration: tokenGatewayConfiguration.get,
      accountActivationTime: accountActivationTime.get,
      accountClosureTime: accountClosureTime.get,
      currency: currency.get,
      lowCreditThreshold: lowCreditThreshold.get,
      nextCreditAvailableThreshold: nextCreditAvailableThreshold.get,
      maxProvision: maxProvision.get,
      maxProvisionPeriod: maxProvisionPeriod.get,
    },
    set: {
      clearanceThreshold: clearanceThreshold.set,
      creditChargeConfiguration: creditChargeConfiguration.set,
      tokenGatewayConfiguration: (parts, state, context) =>
        parts.reduce((sum, { tokenProportion }) => sum + tokenProportion, 0) > 100
          ? refuse("other-reason")
          : tokenGatewayConfiguration.set(parts, state, context),
      accountActivationTime: accountActivationTime.set,
      accountClosureTime: accountClosureTime.set,
      currency: currency.set,
      lowCreditThreshold: lowCreditThreshold.set,
      nextCreditAvailableThreshold: nextCreditAvailableThreshold.set,
      maxProvision: maxProvision.set,
      maxProvisionPeriod: maxProvisionPeriod.set,
    },
    call: {
      activateAccount: (_, state, context) => orRefuse(accountOf(state, context).activate()),
      closeAccount: (_, state, context) => orRefuse(accountOf(state, context).close()),
      resetAccount: (_, state, context) => orRefuse(accountOf(state, context).reset()),
    },
  });
}

function nameOf({ logicalName }: { readonly logicalName: LogicalName }): LogicalName {
  return logicalName;
}
