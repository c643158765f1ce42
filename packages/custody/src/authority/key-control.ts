import type {
  ChangeKeyState,
  EnrolmentPolicyChange,
  KeyPolicyChange,
  PlanEnrolments,
  PlanRotations,
} from "@meterkeep/api/custodian";
import { systemTitleText, Turn } from "@meterkeep/dlms";
import type { ChangeKindName, Facts } from "@meterkeep/guard";
import type { LedgerDraft, LedgerEntry } from "@meterkeep/ledger";
import type { Caller } from "../calls/caller.ts";
import { DAY_MILLISECONDS } from "../day.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { Changes } from "./changes.ts";

/**
 * So many meters' keys may be rotated, suspended or marked compromised in 24 hours without a second person: those of the
 * largest lease, so that a lost handheld or a broken seal waits for nobody.
 */
export const ALONE_METERS_A_DAY = 200;
/** The kind of the entry for what somebody did alone. */
const ALONE = "done-by-one";

/** What is held against. */
export interface KeyControlDependencies {
  readonly changes: Pick<Changes, "require">;
  readonly ledger: { ofKinds(kinds: readonly string[]): Promise<readonly LedgerEntry[]> };
  readonly committer: { submit(change: { readonly entries: readonly LedgerDraft[] }): Promise<unknown> };
  readonly now: () => number;
}

/** What of an act on keys stands in its entry, or in the change that people approve. */
interface Act {
  readonly kind: ChangeKindName;
  readonly body: Facts;
  /** Whose keys it touches; all where it names none. */
  readonly meters: number;
  readonly reason: string;
}

/**
 * How many people it takes to touch the keys of meters (ADR 0047). Where haste protects, one may at once, for so many meters a
 * day; what gives a key back, ends one for good, sets the policy or means the fleet takes those who approve.
 */
export class KeyControl {
  readonly #dependencies: KeyControlDependencies;
  #alone: { readonly at: number; readonly meters: number }[] | undefined;
  /** One at a time: what is counted is written before the next is judged. */
  readonly #turn = new Turn();

  constructor(dependencies: KeyControlDependencies) {
    this.#dependencies = dependencies;
  }

  /** @throws CallRefusal `approval-required` for the fleet, and beyond what one may do in a day. */
  plan({ meters, cause, purposes, madeBefore, grade, reason }: PlanRotations, caller: Caller): Promise<void> {
    const titles = meters.map(systemTitleText).sort();
    const body = {
      meters: titles.length === 0 ? "every meter" : titles,
      cause,
      ...(purposes.length > 0 && { purposes: [...purposes] }),
      ...(madeBefore !== undefined && { madeBefore }),
      ...(grade !== undefined && { grade }),
    };
    const touched = titles.length === 0 ? Number.POSITIVE_INFINITY : titles.length;
    return this.#turn.run(() => this.#alonePermits({ kind: "rotate-keys", body, meters: touched, reason }, caller));
  }

  /** @throws CallRefusal `approval-required` to resume or to destroy, and beyond what one may do in a day. */
  state({ meter, purpose, version, client, setup, command, reason }: ChangeKeyState, caller: Caller): Promise<void> {
    const key = {
      meter: systemTitleText(meter),
      purpose,
      version,
      ...(client !== undefined && { client }),
      ...(setup !== undefined && { setup }),
    };
    return this.#turn.run(async () => {
      const { changes } = this.#dependencies;
      if (command === "destroy") await changes.require("destroy-keys", key, caller, reason);
      else {
        const act: Act = { kind: "change-key-state", body: { ...key, command }, meters: 1, reason };
        if (command === "resume") await changes.require(act.kind, act.body, caller, reason);
        else await this.#alonePermits(act, caller);
      }
    });
  }

  /** @throws CallRefusal `approval-required` */
  policy(change: KeyPolicyChange, caller: Caller): Promise<void> {
    return this.#turn.run(async () => {
      await this.#dependencies.changes.require("change-key-policy", givenOf(change), caller);
    });
  }

  /**
   * The key of a device at a meter's M-Bus channel.
   *
   * @param check the key's check value, hex: it comes sealed anew each time
   * @throws CallRefusal `approval-required` beyond what one may do in a day
   */
  child(child: { readonly meter: string; readonly channel: number; readonly check: string }, caller: Caller) {
    const reason = `a device at M-Bus channel ${child.channel}`;
    return this.#turn.run(() =>
      this.#alonePermits({ kind: "install-child", body: { ...child }, meters: 1, reason }, caller),
    );
  }

  /** @throws CallRefusal `approval-required` for the fleet, and beyond what one may do in a day. */
  enrolments({ meters, cause, reason }: PlanEnrolments, caller: Caller): Promise<void> {
    const titles = meters.map(systemTitleText).sort();
    const body = { meters: titles.length === 0 ? "every meter" : titles, cause };
    const touched = titles.length === 0 ? Number.POSITIVE_INFINITY : titles.length;
    return this.#turn.run(() => this.#alonePermits({ kind: "enrol-meters", body, meters: touched, reason }, caller));
  }

  /** Stopping the waves is one person's. @throws CallRefusal `approval-required` */
  enrolmentPolicy(change: EnrolmentPolicyChange, caller: Caller): Promise<void> {
    const given = givenOf(change);
    return this.#turn.run(async () => {
      if (change.perDay === 0 && Object.keys(given).length === 1) return;
      await this.#dependencies.changes.require("change-enrolment-policy", given, caller);
    });
  }

  async #alonePermits({ kind, body, meters, reason }: Act, caller: Caller): Promise<void> {
    const { changes, committer, now } = this.#dependencies;
    const alone = await this.#ofToday();
    const done = alone.reduce((sum, one) => sum + one.meters, 0);
    if (done + meters > ALONE_METERS_A_DAY) {
      await changes.require(kind, body, caller, reason);
      return;
    }
    const at = now();
    const said = { act: kind, meters, done: done + meters, most: ALONE_METERS_A_DAY };
    await committer.submit({ entries: [installationEntry(at, ALONE, caller.name, said)] });
    alone.push({ at, meters });
  }

  /** As the ledger has it, so that a start gives nobody another day. */
  async #ofToday(): Promise<{ readonly at: number; readonly meters: number }[]> {
    const { ledger, now } = this.#dependencies;
    this.#alone ??= (await ledger.ofKinds([ALONE])).map(({ at, body }) => ({
      at,
      meters: (JSON.parse(body) as { meters: number }).meters,
    }));
    this.#alone = this.#alone.filter(({ at }) => now() - at < DAY_MILLISECONDS);
    return this.#alone;
  }
}

function givenOf(change: object): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(change).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}
