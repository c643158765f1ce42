import { type CustodianSummary, type LedgerEvent, ROUTINE_LEDGER_KINDS } from "@meterkeep/api";
import type { Custodian, CustodianLedgerEntry, CustodianStatus } from "@meterkeep/api/custodian";
import { toHex } from "@meterkeep/dlms";
import type { EventHub, HeardRefusals, LedgerCursor } from "@meterkeep/headend";

/** Who has not answered in this time counts as away until the answer comes. */
const ANSWER_MILLISECONDS = 3_000;
/** Entries of one question. */
const PAGE_ENTRIES = 200;

/**
 * Keeps what the custodian says of itself, and tells watchers what it wrote into its ledger: every entry, page after page
 * from a cursor that outlives this process, so that a flood hides nothing, nor a start anew.
 */
export class CustodianWatch {
  readonly #custodian: Pick<Custodian, "status" | "ledgerEntries">;
  readonly #hub: Pick<EventHub, "publish">;
  readonly #now: () => number;
  readonly #heard: Pick<HeardRefusals, "noteSeal">;
  readonly #cursor: LedgerCursor;
  #summary: CustodianSummary;
  #refusals: CustodianStatus["refusals"] = { sealBudget: 0, records: 0, entriesCounted: 0 };
  /** Of the ledger, as of the last look. */
  #head = 0;
  #told: number | undefined;
  #telling: Promise<void> | undefined;

  constructor(
    custodian: Pick<Custodian, "status" | "ledgerEntries">,
    hub: Pick<EventHub, "publish">,
    now: () => number,
    heard: Pick<HeardRefusals, "noteSeal">,
    cursor: LedgerCursor,
  ) {
    this.#custodian = custodian;
    this.#hub = hub;
    this.#now = now;
    this.#heard = heard;
    this.#cursor = cursor;
    this.#summary = { reachable: false, asOf: new Date(now()).toISOString() };
  }

  /** As of the last look. */
  get summary(): CustodianSummary {
    return this.#summary;
  }

  /** What the custodian has refused since it started, as of the last look. */
  get refusals(): CustodianStatus["refusals"] {
    return this.#refusals;
  }

  /** Asks how it is. An unreachable custodian, or one that does not answer in time, is a state, not an error. */
  async look(answerMilliseconds = ANSWER_MILLISECONDS): Promise<void> {
    const away = (): void => {
      this.#summary = { ...this.#summary, reachable: false, asOf: new Date(this.#now()).toISOString() };
    };
    const { promise: inTime, resolve: late } = Promise.withResolvers<void>();
    const timer = setTimeout(() => late(away()), answerMilliseconds);
    await Promise.race([this.#ask().catch(away), inTime]);
    clearTimeout(timer);
  }

  /** However late the answer comes: it tells that the custodian is there again. */
  async #ask(): Promise<void> {
    const status = await this.#custodian.status({});
    this.#summary = {
      reachable: true,
      version: status.version,
      vault: status.vault,
      rootKey: status.rootKey,
      rootKeyCopied: status.rootKeyCopied,
      separateUser: status.separateUser,
      meters: status.meters,
      killSwitch: status.killSwitch,
      founding: status.founding,
      ...(status.capsLifted && {
        capsLifted: { ...status.capsLifted, until: new Date(status.capsLifted.until).toISOString() },
      }),
      ledgerHead: { size: status.ledgerHead.size, root: toHex(status.ledgerHead.root) },
      ...(status.ledgerTrouble && { ledgerTrouble: status.ledgerTrouble }),
      asOf: new Date(this.#now()).toISOString(),
    };
    this.#refusals = status.refusals;
    this.#head = status.ledgerHead.size;
    // One follows at a time: a look that comes meanwhile is served by the one that is under way.
    this.#telling ??= this.#follow().finally(() => {
      this.#telling = undefined;
    });
    await this.#telling;
  }

  /** Tells what was written since. A custodian seen for the first time is followed from its present head. */
  async #follow(): Promise<void> {
    const known = this.#told ?? (await this.#cursor.load());
    // Behind the cursor: it was put back to an older state, and is followed from there.
    let told = known === undefined ? this.#head : Math.min(known, this.#head);
    if (told !== known) await this.#cursor.save(told);
    this.#told = told;
    while (told < this.#head) {
      const { entries } = await this.#custodian.ledgerEntries({ after: told, limit: PAGE_ENTRIES });
      const last = entries.at(-1);
      if (last === undefined) return;
      for (const entry of entries) if (!ROUTINE_LEDGER_KINDS.has(entry.kind)) this.#publish(entry);
      told = last.sequence;
      this.#told = told;
      await this.#cursor.save(told);
    }
  }

  #publish(entry: CustodianLedgerEntry): void {
    if (entry.kind === "seal-refused") this.#heard.noteSeal(entry);
    const meter = entry.meter === undefined || entry.meter === "" ? {} : { meter: entry.meter };
    const sentence = `${entry.kind.replaceAll("-", " ")}, asked by ${entry.principal}.`;
    const event: LedgerEvent = {
      source: "custodian",
      sequence: entry.sequence,
      at: new Date(entry.at).toISOString(),
      kind: entry.kind,
      ...meter,
      sentence: sentence[0]?.toUpperCase() + sentence.slice(1),
    };
    const isBad = entry.kind.includes("refused") || entry.kind.endsWith("-broken");
    this.#hub.publish("ledger", event, {
      sentence: event.sentence,
      ...meter,
      severity: isBad ? "warning" : "info",
    });
  }
}
