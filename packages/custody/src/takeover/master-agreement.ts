import { PURPOSE } from "../store/records.ts";
import { changes, type Journal, type TakeoverEffect, type TakeoverEvent } from "./journal.ts";
import { inContact, noted, reconnect, type Stepped, type TakeoverRules } from "./moves.ts";

const MOST_REFUSALS = 2;
const STEP = "agree-master";

/** Wants an agreement where a master is to change and both sides can sign: nothing that anybody recorded leads to what follows. */
export function withAgreement(journal: Journal, { agreement }: TakeoverRules): Journal {
  if (!agreement || journal.agreement !== undefined || !changes(journal, PURPOSE.KEK)) return journal;
  // A change that has begun under another master goes on as it began.
  if (journal.sent !== undefined || journal.exposed || journal.belief[PURPOSE.KEK].length > 1) return journal;
  return { ...journal, agreement: { state: "wanted", version: 0, refusals: 0 } };
}

/** Offers the meter an ephemeral key, a fresh one each time, before any other key goes: those are wrapped under what comes of it. */
export function offerMaster(journal: Journal, done: readonly TakeoverEffect[]): Stepped | undefined {
  const { agreement, nextVersion } = journal;
  if (agreement === undefined || (agreement.state !== "wanted" && agreement.state !== "offered")) return undefined;
  const version = nextVersion[PURPOSE.KEK];
  const offered: Journal = {
    ...journal,
    nextVersion: { ...nextVersion, [PURPOSE.KEK]: version + 1 },
    agreement: { ...agreement, state: "offered", version },
  };
  return [inContact(offered, { stage: "agreeing", step: STEP }), ...done, { kind: "agree", step: STEP }];
}

/**
 * The master is durable and in escrow: the meter has it, by its signature over what it comes from. Some meters use it from the
 * next association on.
 */
export function masterAgreed(
  journal: Journal,
  { at, version }: Extract<TakeoverEvent, { kind: "master-agreed" }>,
): Stepped {
  const { agreement, belief } = journal;
  if (agreement?.version !== version) throw new Error("a master was agreed on that nobody has offered");
  const agreed: Journal = {
    ...noted(journal, STEP, at, "passed", "both sides signed what their new master comes from"),
    agreement: { ...agreement, state: "agreed" },
    belief: { ...belief, [PURPOSE.KEK]: [version, ...belief[PURPOSE.KEK]] },
    sent: { kind: "master", versions: { [PURPOSE.KEK]: version }, acknowledged: true },
  };
  return reconnect(agreed, STEP);
}

/** The meter refuses an offer, or signs with another key than it is known by. */
export function offerRefused(journal: Journal, at: number, detail: string): Journal {
  const { agreement } = journal;
  if (agreement === undefined) throw new Error("an offer was refused that nobody has made");
  const refusals = agreement.refusals + 1;
  const state = refusals < MOST_REFUSALS ? "offered" : "refused";
  return { ...noted(journal, STEP, at, "refused", detail), agreement: { ...agreement, state, refusals } };
}

/** Whether a version of the master came of an agreement in this change. */
export function isAgreed({ agreement }: Pick<Journal, "agreement">, version: number): boolean {
  return agreement?.state === "agreed" && agreement.version === version;
}
