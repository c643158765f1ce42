import { type KeyName, PURPOSE, type Purpose } from "../store/records.ts";
import { changeNextChild, childAnswered, childrenSettled, handChild } from "./child-keys.ts";
import { changeNextSecret, secretAnswered, secretsSettled, sendSecret } from "./client-secrets.ts";
import { findClients, searchSettled } from "./find-clients.ts";
import {
  changes,
  isFinal,
  type Journal,
  type PreparedKeys,
  type SentTransfer,
  type TakeoverEffect,
  type TakeoverEvent,
  WORKING,
} from "./journal.ts";
import { isAgreed, offerMaster, offerRefused } from "./master-agreement.ts";
import {
  conclude,
  contactOf,
  inContact,
  noted,
  prepared,
  provenNote,
  reconnect,
  release,
  type Stepped,
  type TakeoverRules,
} from "./moves.ts";
import { policyAnswered, policyRead, policySettled, readPolicy } from "./policy.ts";

/** How often an acknowledged transfer may have no effect, or a transfer be refused, before that is the verdict. */
const MAX_ROUNDS = 2;

type Effects = readonly TakeoverEffect[];

/** The next thing to do in an association that has just been made or has just done something. */
export function proceed(journal: Journal, at: number, rules: TakeoverRules, done: Effects = []): Stepped {
  const { belief, old, proven, identity } = journal;
  if (identity === "unchecked")
    return [
      inContact(journal, { stage: "identity", step: "identity-check" }),
      ...done,
      { kind: "read-identity", step: "identity-check" },
    ];
  const offer = offerMaster(journal, done);
  if (offer !== undefined) return offer;
  const stale = WORKING.filter((purpose) => changes(journal, purpose) && belief[purpose][0] === old[purpose]);
  if (stale.length > 0 || wantsBroadcast(journal)) return transferWorking(journal, stale, at, rules, done);
  if (!proven.working) {
    const active = WORKING.filter((purpose) => changes(journal, purpose)).flatMap((purpose) =>
      activated(journal, purpose, belief[purpose][0] as number, true),
    );
    const broadcast = journal.broadcastTaken ? broadcastActive(journal) : [];
    const shown = { ...journal, proven: { ...proven, working: true } };
    return proceed(shown, at, rules, [...done, ...active, ...broadcast]);
  }
  if (!proven.master)
    return belief[PURPOSE.KEK].length === 1 ? transferMaster(journal, done) : proveMaster(journal, done);
  if (!proven.oldMasterDead) return spare(journal, "refusing-master", "refuse-old-master", old[PURPOSE.KEK], done);
  // The spare that proved the master, or was refused under the old one, was an authentication key: this one it is.
  const spared = journal.withoutBroadcast
    ? activated(journal, PURPOSE.GAK, belief[PURPOSE.GAK][0] as number, belief[PURPOSE.GAK].length === 1)
    : [];
  const shownSoFar = [...done, ...spared];
  const more =
    readPolicy(journal, rules, shownSoFar) ??
    findClients(journal, rules, shownSoFar) ??
    changeNextSecret(journal, shownSoFar) ??
    changeNextChild(journal, shownSoFar);
  if (more !== undefined) return more;
  if (!proven.oldDead) return release(journal, ...done, ...spared);
  const [over, ...end] = concluded(journal, at, rules);
  return release(over, ...done, ...spared, ...end);
}

/** Whether nothing is left to be proven, or to be given up. */
export function isComplete(journal: Journal, rules: TakeoverRules): boolean {
  const { working, master, oldMasterDead, oldDead } = journal.proven;
  return working && master && oldMasterDead && oldDead && hasNothingBeside(journal, rules);
}

/** Whether policy, secrets and children want nothing more. */
function hasNothingBeside(journal: Journal, rules: TakeoverRules): boolean {
  const isToldOf = searchSettled(journal, rules) && secretsSettled(journal);
  return policySettled(journal, rules) && isToldOf && childrenSettled(journal);
}

/** Ends what is complete. */
export function concluded(journal: Journal, at: number, rules: TakeoverRules): Stepped {
  if (!isComplete(journal, rules) || isFinal(journal.verdict)) return [journal];
  const over: Journal = {
    ...noted(journal, "done", at, "passed", "every key that can be proven is"),
    verdict: "proven",
    provenAt: at,
    agreedMaster: agreedSince(journal),
  };
  return [over, provenNote(over, rules)];
}

/**
 * The oldest master that the keys on the meter rest on, where it was agreed on: a newer agreement takes its place only where the
 * working keys went under it too.
 */
function agreedSince(journal: Journal): number | undefined {
  const { agreedMaster } = journal;
  const isAnew = isAgreed(journal, masterOf(journal)) && WORKING.every((purpose) => changes(journal, purpose));
  return isAnew || (agreedMaster === undefined && isAgreed(journal, masterOf(journal)))
    ? masterOf(journal)
    : agreedMaster;
}

function masterOf({ belief }: Journal): number {
  return belief[PURPOSE.KEK][0] as number;
}

function transferWorking(
  journal: Journal,
  stale: readonly Purpose[],
  at: number,
  rules: TakeoverRules,
  done: Effects,
): Stepped {
  const { fruitless, refused, belief, changing } = journal;
  if (fruitless.working >= MAX_ROUNDS)
    return conclude(journal, "keeps-factory-keys", "it acknowledged new keys and kept the old ones", ...done);
  if (refused.working >= MAX_ROUNDS) {
    // Perhaps it has no broadcast key: one more round without.
    if (wantsBroadcast(journal) && changing.length > 1)
      return proceed({ ...journal, withoutBroadcast: true, refused: { ...refused, working: 0 } }, at, rules, done);
    return conclude(journal, "refuses-key-change", "it refused new working keys", ...done);
  }
  const { arrays } = rules;
  const broadcast = wantsBroadcast(journal) ? [PURPOSE.GBEK] : [];
  // One by one, the broadcast key goes first: it leaves the association as it is, the others end it.
  const [one] = [...broadcast, ...stale] as [Purpose];
  const purposes = arrays ? [...stale, ...broadcast] : [one];
  const alone = purposes.every((purpose) => purpose === PURPOSE.GBEK);
  const stage = alone ? "transferring-broadcast" : "transferring-working";
  const under = belief[PURPOSE.KEK][0] as number;
  return prepare(journal, purposes, { stage, step: "transfer-working-keys", under }, done);
}

function transferMaster(journal: Journal, done: Effects): Stepped {
  const { fruitless, refused, belief } = journal;
  if (fruitless.master >= MAX_ROUNDS)
    return conclude(journal, "keeps-master-key", "it acknowledged a new master key and kept the old one", ...done);
  if (refused.master >= MAX_ROUNDS)
    return conclude(journal, "refuses-key-change", "it refused a new master key", ...done);
  const under = belief[PURPOSE.KEK][0] as number;
  const first = inContact(journal, { masterTry: 0 });
  return prepare(first, [PURPOSE.KEK], { stage: "transferring-master", step: "transfer-master", under }, done);
}

/** A spare broadcast key, else a fresh authentication key, under the candidate whose turn it is: taken, it proves the candidate. */
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
  return prepare(journal, [spareOf(journal)], { stage, step, under }, done);
}

/** Gives each purpose its next version: these keys are made, kept and in escrow before they are sent. */
function prepare(
  journal: Journal,
  purposes: readonly Purpose[],
  transfer: Omit<PreparedKeys, "keys">,
  done: Effects,
): Stepped {
  const keys = purposes.map((purpose) => ({ purpose, version: journal.nextVersion[purpose] }));
  let { nextVersion } = journal;
  for (const { purpose, version } of keys) nextVersion = { ...nextVersion, [purpose]: version + 1 };
  return prepared({ ...journal, nextVersion }, { ...transfer, keys }, done);
}

/** Sends what was prepared, and believes that it may be on the meter from now on. */
export function sendPrepared(journal: Journal): Stepped {
  const { prepared: waiting } = journal;
  if (waiting === undefined) throw new Error("keys were prepared that nobody asked for");
  const { stage, step, keys, under } = waiting;
  if (stage === "handing-child") return handChild(journal, waiting);
  if (under === undefined) return sendSecret(journal, waiting);
  let { belief } = journal;
  for (const { purpose, version } of keys as readonly TransferName[])
    belief = { ...belief, [purpose]: [version, ...belief[purpose]] };
  const purposes = keys.map(({ purpose }) => purpose);
  // A broadcast key tells nobody the others: only these make a takeover exposed.
  const telling = purposes.some((purpose) => purpose !== PURPOSE.GBEK);
  // Nor does what is wrapped under a master that was agreed on.
  const hidden = contactOf(journal).carrier === "depot" || isBeyond(journal, under);
  const exposed = journal.exposed || (telling && !hidden);
  const next: Journal = { ...journal, belief, exposed, prepared: undefined, sent: sentBy(waiting) ?? journal.sent };
  return [inContact(next, { stage, step }), { kind: "transfer", step, keys, under }];
}

/** Whether who knew the factory's keys, and recorded everything, does not know a version of the master. */
function isBeyond(journal: Journal, master: number): boolean {
  const { agreedMaster } = journal;
  return isAgreed(journal, master) || (agreedMaster !== undefined && master >= agreedMaster);
}

/** A key that key_transfer carries. */
type TransferName = KeyName & { readonly purpose: Purpose };

/** What is to be seen of a transfer later on; of a broadcast key nothing ever is. */
function sentBy({ stage, keys }: PreparedKeys): SentTransfer | undefined {
  const versions = Object.fromEntries(keys.map(({ purpose, version }) => [purpose, version]));
  if (stage === "transferring-working") return { kind: "working", versions, acknowledged: false };
  return stage === "transferring-master" ? { kind: "master", versions, acknowledged: false } : undefined;
}

/** What the meter says of its policy, and what comes next. */
export function judgePolicy(
  journal: Journal,
  event: Extract<TakeoverEvent, { kind: "policy-read" }>,
  rules: TakeoverRules,
): Stepped {
  const [read, ...effects] = policyRead(journal, event, rules);
  return effects.length > 0 ? [read, ...effects] : proceed(read, event.at, rules);
}

type Answer = Extract<TakeoverEvent, { kind: "transfer-answered" }>;

/** What the answer to a transfer means, by what it was sent for. */
export function judgeTransfer(journal: Journal, answer: Answer, rules: TakeoverRules): Stepped {
  const { stage, step } = contactOf(journal);
  const { at, accepted, detail } = answer;
  if (stage === "changing-secret") return proceed(secretAnswered(journal, answer), at, rules);
  if (stage === "handing-child" || stage === "setting-child") {
    const [said, ...effects] = childAnswered(journal, answer);
    return said.contact?.stage === "setting-child" && stage === "handing-child"
      ? [said, ...effects]
      : proceed(said, at, rules, effects);
  }
  if (stage === "raising-policy") return proceed(policyAnswered(journal, answer), at, rules);
  if (stage === "agreeing") return proceed(offerRefused(journal, at, detail), at, rules);
  const written = noted(journal, step, at, accepted === (stage !== "refusing-master") ? "passed" : "refused", detail);
  switch (stage) {
    case "transferring-broadcast":
      return accepted
        ? proceed(withBroadcast(written), at, rules, broadcastActive(journal))
        : proceed(refusedOnce(masterDoubted(broadcastRefused(written)), "working"), at, rules);
    case "transferring-working":
      return accepted
        ? reconnect(acknowledged(written), step)
        : reconnect(refusedOnce(masterDoubted(oldLikelier(written, [...WORKING, PURPOSE.GBEK])), "working"), step);
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
  const { belief, old, sent, fruitless, proven } = journal;
  const { masterTry, masterSentHere } = contactOf(journal);
  const under = belief[PURPOSE.KEK][masterTry] as number;
  const taken = spareTaken(journal);
  if (accepted && under === old[PURPOSE.KEK]) {
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
    if (journal.withoutBroadcast) return reconnect(back, "prove-master");
    return proceed(inContact(back, { masterTry: 0 }), at, rules, taken);
  }
  if (accepted) {
    const next: Journal = {
      ...written,
      belief: { ...belief, [PURPOSE.KEK]: [under] },
      sent: undefined,
      proven: { ...proven, master: true },
    };
    const active = activated(journal, PURPOSE.KEK, under, true);
    // With another authentication key the association is over; the next one shows that the meter has it.
    if (journal.withoutBroadcast) return reconnect(next, "prove-master", active);
    return proceed(next, at, rules, [...taken, ...active]);
  }
  const refused = spareRefused(written);
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
  const masters = [...new Set([...seen.belief[PURPOSE.KEK], seen.old[PURPOSE.KEK]])];
  return conclude(
    { ...seen, belief: { ...seen.belief, [PURPOSE.KEK]: masters } },
    "keeps-master-key",
    detail,
    ...spareTaken(journal),
  );
}

function oldMasterDead(written: Journal, at: number, rules: TakeoverRules): Stepped {
  const refused = spareRefused(written);
  return proceed({ ...refused, proven: { ...refused.proven, oldMasterDead: true } }, at, rules);
}

/** The broadcast key that the meter has just acknowledged; nobody will ever prove it. */
function broadcastActive(journal: Journal): TakeoverEffect[] {
  return activated(journal, PURPOSE.GBEK, journal.belief[PURPOSE.GBEK][0] as number, false);
}

function broadcastIn({ sent }: Journal): boolean {
  return sent?.versions[PURPOSE.GBEK] !== undefined;
}

function withBroadcast(journal: Journal): Journal {
  return { ...journal, broadcastTaken: true };
}

/** What proves a master when it is taken under it. */
function spareOf({ withoutBroadcast }: Journal): Purpose {
  return withoutBroadcast ? PURPOSE.GAK : PURPOSE.GBEK;
}

/** A spare broadcast key is in use from now on; an authentication key once an association has shown it. */
function spareTaken(journal: Journal): TakeoverEffect[] {
  return journal.withoutBroadcast ? [] : broadcastActive(journal);
}

function wantsBroadcast(journal: Journal): boolean {
  return changes(journal, PURPOSE.GBEK) && !journal.broadcastTaken && !journal.withoutBroadcast;
}

/** A broadcast key is never proven, so that none is ever believed gone: one that was refused is believed in last. */
function broadcastRefused(journal: Journal): Journal {
  return believedLast(journal, PURPOSE.GBEK);
}

/** A master that was agreed on may be forgotten again before anything was taken under it: the one before is tried next. */
function masterDoubted(journal: Journal): Journal {
  const doubted = journal.agreement?.state === "agreed" && journal.belief[PURPOSE.KEK].length > 1;
  return doubted ? believedLast(journal, PURPOSE.KEK) : journal;
}

function spareRefused(journal: Journal): Journal {
  return believedLast(journal, spareOf(journal));
}

function believedLast(journal: Journal, purpose: Purpose): Journal {
  const [refused, ...others] = journal.belief[purpose] as [number, ...number[]];
  return { ...journal, belief: { ...journal.belief, [purpose]: [...others, refused] } };
}

function acknowledged(journal: Journal): Journal {
  const broadcastTaken = journal.broadcastTaken || broadcastIn(journal);
  return { ...journal, broadcastTaken, sent: journal.sent && { ...journal.sent, acknowledged: true } };
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
