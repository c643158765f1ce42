import type { Warning } from "@meterkeep/api";
import type { Custodian } from "@meterkeep/api/custodian";
import {
  auditStored,
  consistencyProof,
  edgeOf,
  type LedgerReads,
  readerOf,
  rootOf,
  type TreeHead,
} from "@meterkeep/ledger";
import type { Scope } from "../database/scope.ts";

/** What noting a ledger needs. */
export interface NotedLedgerDependencies {
  readonly ledger: LedgerReads;
  readonly scope: Pick<Scope, "utility">;
  readonly custodian: Pick<Custodian, "noteHeadEndLedger">;
}

/**
 * Shows the custodian the head of the head-end's own ledger, and that it has grown from what was shown before. The
 * custodian writes it into its ledger, whose checkpoints are signed and witnessed, so that whoever has this database
 * cannot take back, shorten or rewrite what is in it without that standing there.
 */
export class NotedLedger {
  readonly #dependencies: NotedLedgerDependencies;
  /** As of the last look. */
  #noted = 0;
  #isAudited = false;
  readonly #warnings: Warning[] = [];

  constructor(dependencies: NotedLedgerDependencies) {
    this.#dependencies = dependencies;
  }

  /** What this process has found wrong since it started. */
  get warnings(): readonly Warning[] {
    return this.#warnings;
  }

  /** Has the head noted where it has grown; the first time, computes the whole ledger anew. */
  async look(): Promise<void> {
    if (!this.#isAudited) await this.#audit();
    const first = await this.#note(this.#noted);
    if (first.kind === "elsewhere") {
      this.#noted = first.size;
      await this.#note(first.size);
    }
  }

  async #note(former: number) {
    const { ledger, scope, custodian } = this.#dependencies;
    const head = await headOf(ledger);
    const isProven = former > 0 && former < head.size;
    const proof = isProven ? await consistencyProof(readerOf(ledger), former, head.size) : [];
    const answer = await custodian.noteHeadEndLedger({ utility: scope.utility, ...head, former, proof });
    if (answer.kind !== "elsewhere") this.#noted = head.size;
    if (answer.kind === "broken")
      this.#warn(
        `The head-end's ledger has ${head.size} entries that have not grown from the ${answer.size} the custodian has noted: it was shortened, rewritten, or an older database was put back. The custodian's ledger says so.`,
      );
    return answer;
  }

  async #audit(): Promise<void> {
    const { fault, head } = await auditStored(this.#dependencies.ledger);
    this.#isAudited = true;
    if (fault !== undefined)
      this.#warn(`The head-end's ledger is not whole after entry ${head.size}: ${fault}. Somebody has changed it.`);
  }

  #warn(text: string): void {
    const fix =
      "Compare with a backup of the database: the entry head-end-ledger-noted of the custodian's ledger says how it stood.";
    this.#warnings.push({ code: "head-end-ledger-broken", text, fix });
  }
}

async function headOf(ledger: LedgerReads): Promise<TreeHead> {
  const { frontier } = await edgeOf(ledger);
  return { size: frontier.size, root: rootOf(frontier) };
}
