import { PURPOSE, type Purpose } from "../store/records.ts";
import { type ByPurpose, isFinal, type Journal, type TakeoverEffect, type TakeoverEvent, WORKING } from "./journal.ts";
import {
  conclude,
  contactOf,
  inContact,
  noted,
  reconnect,
  release,
  type Stepped,
  type TakeoverRules,
} from "./moves.ts";

/** How often an acknowledged transfer may have no effect, or a transfer be refused, before that is the verdict. */
const MAX_ROUNDS = 2;

type Effects = readonly TakeoverEffect[];

/** The next thing to do in an association that has just been made or has just done something. */
export function proceed(journal: Journal, at: number, rules: TakeoverRules, done: Effects = []): Stepped {
  const { belief, factory, proven, identity } = journal;
  if (identity === "unchecked")
    return [
      inContact(journal, { stage: "identity", step: "identity-check" }),
      ...done,
      { kind: "read-identity", step: "identity-check" },
    ];
  const stale = WORKING.filter((purpose) => belief[purpose][0] === factory[purpose]);
  if (stale.length > 0) return transferWorking(journal, stale, rules, done);
  if (!proven.working) {
    const active = WORKING.flatMap((purpose) => activated(journal, purpose, belief[purpose][0] as number, true));
    return proceed({ ...journal, proven: { ...proven, working: true } }, at, rules, [...done, ...active]);
  }
  if (!proven.master)
    return belief[PURPOSE.KEK].length === 1 ? transferMaster(journal, done) : proveMaster(journal, done);
  if (!proven.oldMasterDead) return spare(journal, "refusing-master", "refuse-old-master", factory[PURPOSE.KEK], done);
  return release(journal, ...done);
}

function transferWorking(
  journal: Journal,
  stale: readonly Purpose[],
  { arrays }: TakeoverRules,
  done: Effects,
): Stepped {
  const { fruitless, refused, belief, factory } = journal;
  if (fruitless.working >= MAX_ROUNDS)
    return conclude(journal, "keeps-factory-keys", "it acknowledged new keys and kept the old ones", ...done);
  if (refused.working >= MAX_ROUNDS)
    return conclude(journal, "refuses-key-change", "it refused new working keys", ...done);
  const broadcast = belief[PURPOSE.GBEK][0] === factory[PURPOSE.GBEK] ? [PURPOSE.GBEK] : [];
  // One by one, the broadcast key goes first: it leaves the association as it is, the others end it.
  const [one] = [...broadcast, ...stale] as [Purpose];
  const purposes = arrays ? [...stale, ...broadcast] : [one];
  const alone = purposes.every((purpose) => purpose === PURPOSE.GBEK);
  const stage = alone ? "transferring-broadcast" : "transferring-working";
  const { next, effect } = transfer(journal, purposes, "transfer-working-keys", belief[PURPOSE.KEK][0] as number);
  const sent = alone ? next.sent : ({ kind: "working", versions: versionsOf(effect), acknowledged: false } as const);
  return [inContact({ ...next, sent }, { stage, step: "transfer-working-keys" }), ...done, effect];
}

function transferMaster(journal: Journal, done: Effects): Stepped {
  const { fruitless, refused, belief } = journal;
  if (fruitless.master >= MAX_ROUNDS)
    return conclude(journal, "keeps-master-key", "it acknowledged a new master key and kept the old one", ...done);
  if (refused.master >= MAX_ROUNDS)
    return conclude(journal, "refuses-key-change", "it refused a new master key", ...done);
  const { next, effect } = transfer(journal, [PURPOSE.KEK], "transfer-master", belief[PURPOSE.KEK][0] as number);
  const sent = { kind: "master", versions: versionsOf(effect), acknowledged: false } as const;
  const waiting = inContact({ ...next, sent }, { stage: "transferring-master", step: "transfer-master", masterTry: 0 });
  return [waiting, ...done, effect];
}

/** A spare broadcast key under the candidate whose turn it is: taken, it proves the candidate. */
function proveMaster(journal: Journal, done: Effects): Stepped {
  const under = journal.belief[PURPOSE.KEK][contactOf(journal).masterTry] as number;
  return spare(journal, "proving-master", "prove-master", under, done);
}

function spare(
  journal: Journal,
  stage: "proving-master" | "refusing-master",
  step: "prove-master" | "refuse-old-master",
  under: number,
  done: Effects,
): Stepped {
  const { next, effect } = transfer(journal, [PURPOSE.GBEK], step, under);
  return [inContact(next, { stage, step }), ...done, effect];
}

/** Gives each purpose its next version and believes that it may be on the meter from now on. */
function transfer(
  journal: Journal,
  purposes: readonly Purpose[],
  step: Extract<TakeoverEffect, { kind: "transfer" }>["step"],
  under: number,
): { readonly next: Journal; readonly effect: Extract<TakeoverEffect, { kind: "transfer" }> } {
  const keys = purposes.map((purpose) => ({ purpose, version: journal.nextVersion[purpose] }));
  let { belief, nextVersion } = journal;
  for (const { purpose, version } of keys) {
    belief = { ...belief, [purpose]: [version, ...belief[purpose]] };
    nextVersion = { ...nextVersion, [purpose]: version + 1 };
  }
  // A broadcast key tells nobody the others: only these make a takeover exposed.
  const telling = purposes.some((purpose) => purpose !== PURPOSE.GBEK);
  const exposed = journal.exposed || (telling && contactOf(journal).carrier !== "depot");
  return { next: { ...journal, belief, nextVersion, exposed }, effect: { kind: "transfer", step, keys, under } };
}

function versionsOf({ keys }: Extract<TakeoverEffect, { kind: "transfer" }>): Partial<ByPurpose<number>> {
  return Object.fromEntries(keys.map(({ purpose, version }) => [purpose, version]));
}

type Answer = Extract<TakeoverEvent, { kind: "transfer-answered" }>;

/** What the answer to a transfer means, by what it was sent for. */
export function judgeTransfer(journal: Journal, answer: Answer, rules: TakeoverRules): Stepped {
  const { stage, step } = contactOf(journal);
  const { at, accepted, detail } = answer;
  const written = noted(journal, step, at, accepted === (stage !== "refusing-master") ? "passed" : "refused", detail);
  switch (stage) {
    case "transferring-broadcast":
      return accepted
        ? proceed(written, at, rules, activated(journal, PURPOSE.GBEK, newest(journal, PURPOSE.GBEK), false))
        : proceed(refusedOnce(broadcastRefused(written), "working"), at, rules);
    case "transferring-working":
      return reconnect(accepted ? acknowledged(written) : refusedOnce(oldLikelier(written, WORKING), "working"), step);
    case "transferring-master":
      return accepted
        ? proceed(inContact(acknowledged(written), { masterSentHere: true }), at, rules)
        : proceed(refusedOnce(oldLikelier(written, [PURPOSE.KEK]), "master"), at, rules);
    case "proving-master":
      return masterTried(journal, written, answer, rules);
    case "refusing-master":
      return accepted ? oldMasterAlive(journal, at) : oldMasterDead(written, at, rules);
    default:
      throw new Error(`an answer to a transfer came while ${stage}`);
  }
}

function masterTried(journal: Journal, written: Journal, { at, accepted }: Answer, rules: TakeoverRules): Stepped {
  const { belief, factory, sent, fruitless, proven } = journal;
  const { masterTry, masterSentHere } = contactOf(journal);
  const under = belief[PURPOSE.KEK][masterTry] as number;
  const taken = activated(journal, PURPOSE.GBEK, newest(journal, PURPOSE.GBEK), false);
  if (accepted && under === factory[PURPOSE.KEK]) {
    // The old one still opens: what was sent in its place has had no effect, whatever was said.
    const kept = noted(
      journal,
      "refuse-old-master",
      at,
      "failed",
      "a transfer wrapped under the old master was accepted",
    );
    const held = sent?.kind === "master" && sent.acknowledged ? fruitless.master + 1 : fruitless.master;
    const back: Journal = {
      ...kept,
      belief: { ...belief, [PURPOSE.KEK]: [under] },
      sent: undefined,
      fruitless: { ...fruitless, master: held },
    };
    return proceed(inContact(back, { masterTry: 0 }), at, rules, taken);
  }
  if (accepted) {
    const next: Journal = {
      ...written,
      belief: { ...belief, [PURPOSE.KEK]: [under] },
      sent: undefined,
      proven: { ...proven, master: true },
    };
    return proceed(next, at, rules, [...taken, ...activated(journal, PURPOSE.KEK, under, true)]);
  }
  const refused = broadcastRefused(written);
  // Some meters use a new master from the next association on: only a refusal there says something.
  if (masterSentHere && masterTry === 0) return reconnect(refused, "prove-master");
  if (masterTry + 1 < belief[PURPOSE.KEK].length)
    return proceed(inContact(refused, { masterTry: masterTry + 1 }), at, rules);
  const unknown: Journal = { ...refused, verdict: "unknown", notBefore: at + rules.pace.sameKeysMilliseconds };
  return release(unknown, {
    kind: "note",
    what: "master-key-unknown",
    detail: "it takes no transfer under any master",
  });
}

function oldMasterAlive(journal: Journal, at: number): Stepped {
  const detail = "a transfer wrapped under the old master was accepted beside the new one";
  const seen = noted(journal, "refuse-old-master", at, "failed", detail);
  const masters = [...seen.belief[PURPOSE.KEK], seen.factory[PURPOSE.KEK]];
  const taken = activated(journal, PURPOSE.GBEK, newest(journal, PURPOSE.GBEK), false);
  return conclude(
    { ...seen, belief: { ...seen.belief, [PURPOSE.KEK]: masters } },
    "keeps-master-key",
    detail,
    ...taken,
  );
}

function oldMasterDead(written: Journal, at: number, rules: TakeoverRules): Stepped {
  const refused = broadcastRefused(written);
  return proceed({ ...refused, proven: { ...refused.proven, oldMasterDead: true } }, at, rules);
}

function newest(journal: Journal, purpose: Purpose): number {
  return journal.belief[purpose][0] as number;
}

/** A broadcast key is never proven, so that none is ever believed gone: one that was refused is believed in last. */
function broadcastRefused(journal: Journal): Journal {
  const [refused, ...others] = journal.belief[PURPOSE.GBEK] as [number, ...number[]];
  return { ...journal, belief: { ...journal.belief, [PURPOSE.GBEK]: [...others, refused] } };
}

function acknowledged(journal: Journal): Journal {
  return { ...journal, sent: journal.sent && { ...journal.sent, acknowledged: true } };
}

/** After a refusal the old keys are tried first, yet a part of the array may have been applied. */
function oldLikelier(journal: Journal, purposes: readonly Purpose[]): Journal {
  let { belief } = journal;
  for (const purpose of purposes) {
    if (journal.sent?.versions[purpose] === undefined) continue;
    const [sent, ...older] = belief[purpose] as [number, ...number[]];
    belief = { ...belief, [purpose]: [...older, sent] };
  }
  return { ...journal, belief };
}

function refusedOnce(journal: Journal, what: "working" | "master"): Journal {
  const { refused, sent } = journal;
  return { ...journal, refused: { ...refused, [what]: refused[what] + 1 }, sent: what === "master" ? undefined : sent };
}

/** The key takes the place of the active one. */
function activated(journal: Journal, purpose: Purpose, version: number, proven: boolean): TakeoverEffect[] {
  return isFinal(journal.verdict) ? [] : [{ kind: "key-active", key: { purpose, version }, proven }];
}
