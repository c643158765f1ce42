import type { CustodianRequest, CustodianResponse } from "@meterkeep/api/custodian";
import { fromHex, Turn, toHex } from "@meterkeep/dlms";
import { EMPTY_ROOT, isGrownFrom, type LedgerReads, type TreeHead } from "@meterkeep/ledger";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { TokenBuckets } from "../calls/token-bucket.ts";
import type { Committer } from "../store/committer.ts";

const NOTED = "head-end-ledger-noted";
const BROKEN = "head-end-ledger-broken";

/** Heads that become entries, of one head-end over all its utilities; an honest one shows each utility's once a minute. */
const ENTRIES = { burst: 256, perSecond: 4 } as const;

/** What an entry of either kind says in its body. */
interface HeadBody {
  readonly size: number;
  /** Hex. */
  readonly root: string;
}

/** What heads of other ledgers are noted with. */
export interface HeadEndLedgerDependencies {
  readonly ledger: Pick<LedgerReads, "lastOf">;
  readonly committer: Committer;
  readonly now: () => number;
}

/**
 * Heads of the head-end's own ledger, each an entry of the custodian's: signed with its checkpoints and remembered by its
 * witnesses, who can write neither. Nothing is signed that a caller hands in. What is noted says that the head-end showed
 * it then and that it had grown from what was noted before, and not that it is true.
 *
 * A ledger that has not grown from there, shortened, rewritten or put back, is an entry of its own, for ever; what follows
 * is compared with what is there then.
 */
export class HeadEndLedgers {
  readonly #dependencies: HeadEndLedgerDependencies;
  readonly #entries: TokenBuckets;
  /** They are judged one after the other. */
  readonly #turn = new Turn();

  constructor(dependencies: HeadEndLedgerDependencies) {
    this.#dependencies = dependencies;
    this.#entries = new TokenBuckets(ENTRIES, dependencies.now);
  }

  /** @throws CallRefusal `too-many-open` where more heads come than become entries */
  async note(
    request: CustodianRequest<"noteHeadEndLedger">,
    caller: Caller,
  ): Promise<CustodianResponse<"noteHeadEndLedger">> {
    return this.#turn.run(() => this.#judge(request, caller));
  }

  async #judge(
    { utility, size, root, former, proof }: CustodianRequest<"noteHeadEndLedger">,
    caller: Caller,
  ): Promise<CustodianResponse<"noteHeadEndLedger">> {
    const last = await this.#lastOf(caller, utility);
    if (former !== last.size) return { kind: "elsewhere", size: last.size };
    const isGrown = last.size === 0 ? proof.length === 0 : isGrownFrom(last, { size, root }, proof);
    if (isGrown && size === last.size) return { kind: "noted" };
    if (!this.#entries.take(caller.name, 1))
      throw new CallRefusal("too-many-open", "heads of ledgers come faster than they are noted: wait a minute");
    const body = isGrown ? headBody({ size, root }) : { ...headBody({ size, root }), former: headBody(last) };
    const { committer, now } = this.#dependencies;
    const entry = { at: now(), kind: isGrown ? NOTED : BROKEN, principal: caller.name, utility, island: "*", body };
    await committer.submit({ entries: [entry] });
    return isGrown ? { kind: "noted" } : { kind: "broken", ...last };
  }

  async #lastOf({ name }: Caller, utility: string): Promise<TreeHead> {
    const entry = await this.#dependencies.ledger.lastOf([NOTED, BROKEN], name, utility);
    if (entry === undefined) return { size: 0, root: EMPTY_ROOT };
    const { size, root } = JSON.parse(entry.body) as HeadBody;
    return { size, root: fromHex(root) };
  }
}

function headBody({ size, root }: TreeHead): HeadBody {
  return { size, root: toHex(root) };
}
