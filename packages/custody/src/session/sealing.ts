import type { CustodianRequest, SealResult } from "@meterkeep/api/custodian";
import { classify, type Verdict } from "@meterkeep/guard";
import type { CriticalRefusal, CriticalSeals } from "../authority/critical-seals.ts";
import type { Caller } from "../calls/caller.ts";
import { transactionIdOf } from "../conversation/transaction-id.ts";
import type { EntryBursts } from "../evidence/entry-bursts.ts";
import { type CriticalRequest, type CriticalSealingDependencies, sealCritical } from "./critical-sealing.ts";
import type { SealBudget, SealRefusal } from "./seal-budget.ts";
import { outOfTurn, purposeRefusal, refusalOf } from "./seal-refusals.ts";
import type { Session } from "./session.ts";
import type { ToSeal } from "./session-association.ts";
import { sessionEntry } from "./session-entry.ts";

/** Who decides about critical requests. */
export type CriticalPort = Pick<
  CriticalSeals,
  "judge" | "record" | "answered" | "established" | "transacted" | "hasSigned" | "isFrozen"
>;

/** What sealing needs. */
export interface SealingDependencies {
  readonly budget: Pick<SealBudget, "spend">;
  readonly critical: CriticalPort;
  /** Counters of a session's line, at once where they are reserved already. */
  readonly counters: (session: Session, count: number) => Promise<number> | number;
  readonly bursts: EntryBursts;
  readonly now: () => number;
}

type NeedsToken = Extract<Verdict, { kind: "needs-token" }>;

/** A call's requests, judged one by one, and what was taken for those that passed. */
interface Judged {
  /** Why each is not sealed, in their order; undefined for one that passes. */
  readonly judged: readonly (SealRefusal | undefined)[];
  readonly refused: readonly SealRefusal[];
  /** Why none of those that pass is sealed all the same. */
  readonly beyond: Promise<SealRefusal> | undefined;
  /** How many the session's turn has counted as sealed. */
  readonly counted: number;
  /** The first counter of those that pass. */
  readonly counters: Promise<number> | number;
}

/** Judges what a caller wants sealed in a session that is established, and seals what may be. */
export class Sealing {
  readonly #dependencies: SealingDependencies;
  readonly #alone: CriticalSealingDependencies;

  constructor(dependencies: SealingDependencies) {
    const { budget, critical, counters } = dependencies;
    this.#dependencies = dependencies;
    this.#alone = {
      budget,
      critical,
      counter: (session) => counters(session, 1),
      refused: (session, caller, refusal) => this.#record(session, caller, [refusal]),
    };
  }

  /** Seals, in the same turn of the event loop where nothing has to be waited for. */
  seal(open: Session, items: CustodianRequest<"seal">["items"], caller: Caller): Promise<SealResult[]> | SealResult[] {
    const verdicts = items.map(({ apdu }) => classify(apdu));
    const [only] = items;
    if (only?.token !== undefined && items.length === 1) {
      const verdict = verdicts[0] as Verdict;
      if (verdict.kind === "needs-token" && purposeRefusal(verdict, open) === undefined)
        return this.#sealAlone(open, { apdu: only.apdu, token: only.token }, verdict, caller);
    }
    const judged = verdicts.map((verdict, at) => refusalOf(verdict, items[at]?.token !== undefined, open));
    const refused = judged.filter((refusal) => refusal !== undefined);
    const passing = judged.length - refused.length;
    const beyond = passing === 0 ? undefined : this.#dependencies.budget.spend(open, passing);
    const counted = beyond === undefined ? passing : 0;
    const counters = counted === 0 ? 0 : this.#dependencies.counters(open, counted);
    // At once, whatever they wait for: a critical request must not begin between their judging and their sealing.
    open.turn.sealed(counted);
    if (typeof counters === "number" && refused.length === 0 && beyond === undefined)
      return this.#protect(open, items, counters);
    return this.#sealLater(open, items, { judged, refused, beyond, counted, counters }, caller);
  }

  async #sealAlone(open: Session, request: CriticalRequest, verdict: NeedsToken, caller: Caller) {
    return [await sealCritical(this.#alone, open, request, verdict, caller)];
  }

  /** What was judged, once the ledger has what was refused and the counters are reserved. */
  async #sealLater(
    open: Session,
    items: CustodianRequest<"seal">["items"],
    { judged, refused, counted, ...rest }: Judged,
    caller: Caller,
  ): Promise<SealResult[]> {
    const recorded = refused.length === 0 ? undefined : this.#record(open, caller, refused);
    // Both join one commit, where there is anything to be committed.
    const [beyond, first] = await Promise.all([rest.beyond, rest.counters, recorded]).catch((error: unknown) => {
      open.turn.dropped(counted);
      throw error;
    });
    // An answer from elsewhere may have been taken for theirs meanwhile, and a critical request have begun.
    const late = counted > 0 && !open.turn.isFree ? outOfTurn({ kind: "allowed" }) : undefined;
    const none = beyond ?? late;
    open.refused += none === undefined ? refused.length : items.length;
    const toSeal = none === undefined ? items.filter((_, at) => judged[at] === undefined) : [];
    const sealed = await this.#protect(open, toSeal, first);
    if (late !== undefined) {
      open.turn.dropped(counted);
      await this.#record(open, caller, new Array<SealRefusal>(counted).fill(late));
    }
    let next = 0;
    return judged.map((refusal): SealResult => {
      const reason = refusal ?? none;
      if (reason !== undefined) return { kind: "refused", ...reason };
      next += 1;
      return sealed[next - 1] as SealResult;
    });
  }

  /** Protects what is harmless, under counters from `first` on. */
  #protect(
    open: Session,
    items: readonly { readonly apdu: Uint8Array }[],
    first: number,
  ): Promise<SealResult[]> | SealResult[] {
    if (items.length === 0) return [];
    const toSeal = items.map(({ apdu }, at) => ({ apdu, counter: first + at }));
    const given = (sealed: readonly Uint8Array[]): SealResult[] =>
      sealed.map((apdu) => {
        open.evidence.sent(apdu);
        return { kind: "sealed", apdu };
      });
    const sealing = this.#isProbe(open, toSeal) ? probe(open, toSeal[0]) : open.association.seal(toSeal);
    return sealing instanceof Promise ? sealing.then(given) : given(sealing);
  }

  /** Whether an ordinary request goes signed, for its answer to show which signed critical ones can be done no more. */
  #isProbe({ association, turn, place }: Session, toSeal: readonly ToSeal[]): toSeal is readonly [ToSeal] {
    return toSeal.length === 1 && association.signs && turn.mayProbe && this.#dependencies.critical.hasSigned(place);
  }

  /** One entry for each request that was refused, before the caller hears of it; of very many a sum. */
  async #record(session: Session, caller: Caller, refused: readonly CriticalRefusal[]): Promise<void> {
    const { bursts, now } = this.#dependencies;
    const entries = refused.map(({ code, effect, message, detail }) =>
      sessionEntry("seal-refused", caller, session.place, now(), { code, effect, message, ...(detail && { detail }) }),
    );
    await bursts.record(entries);
  }
}

/** Signs an ordinary request, which then has a transaction id. */
async function probe({ association, turn }: Session, request: ToSeal): Promise<[Uint8Array]> {
  const transactionId = transactionIdOf(request.counter);
  turn.probed({ counter: request.counter, transactionId });
  return [await association.sealSigned(request, transactionId)];
}
