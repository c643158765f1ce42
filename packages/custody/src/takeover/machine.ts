import type { TakeoverStep } from "@meterkeep/api/custodian";
import { PURPOSE, type Purpose } from "../store/records.ts";
import { type Candidate, candidates, nextCandidate, type Pace, retryAfter } from "./candidates.ts";
import { withChildren } from "./child-keys.ts";
import {
  afterRefusal,
  nextSecretContact,
  secretOpened,
  secretRefused,
  secretUnheard,
  withSecrets,
} from "./client-secrets.ts";
import { clientsFound, searchUnheard } from "./find-clients.ts";
import { type Contact, isFinal, type Journal, type TakeoverEffect, type TakeoverEvent, WORKING } from "./journal.ts";
import { masterAgreed, withAgreement } from "./master-agreement.ts";
import {
  conclude,
  concludedNote,
  contactOf,
  noted,
  release,
  type Stepped,
  stepFor,
  type TakeoverRules,
} from "./moves.ts";
import { policyUnheard } from "./policy.ts";
import { concluded, judgePolicy, judgeTransfer, proceed, sendPrepared } from "./proceed.ts";

/**
 * The change of a meter's keys, a pure machine: of all of the factory's, or of those that a rotation is for.
 *
 * Where both sides can sign, a rotation of the master begins with an agreement on the new one, and the working keys go under it.
 * Otherwise the order of proofs: old keys open an association; at takeover, the meter is who the shipment says; new working keys
 * (GUEK, GAK, GBEK) are prepared, transferred and proven by a fresh association; the new master alone, proven by a
 * transfer wrapped under it; the old master's death by refusal of one wrapped under it; then, under the new keys, the
 * security policy is raised, the meter is asked which clients open it with a secret, and these are replaced; the old keys' death by refusal of an association; each
 * client's secret by an association with the new one and the refusal of one with the old. Keys of M-Bus children go to device and meter
 * one after the other, and nothing proves them. Whatever gets lost on the way leaves `belief` wider, and the next contact tries what it holds, spaced.
 */
export function step(journal: Journal, event: TakeoverEvent, rules: TakeoverRules): Stepped {
  switch (event.kind) {
    case "contact-asked":
      return contactAsked(
        withAgreement(withChildren(withSecrets(dropContact(journal, event.at, rules), rules), rules), rules),
        event,
        rules,
      );
    case "associated":
      return associated(journal, event.at, rules);
    case "association-refused":
      return associationRefused(journal, event, rules);
    case "answered-under-keys":
      return answeredUnderKeys(journal, event, rules);
    case "counter-read":
      return counterRead(journal, event);
    case "identity-read":
      return identityRead(journal, event, rules);
    case "master-agreed":
      return masterAgreed(journal, event);
    case "prepared":
      return sendPrepared(journal);
    case "transfer-answered":
      return judgeTransfer(journal, event, rules);
    case "policy-read":
      return judgePolicy(journal, event, rules);
    case "clients-found":
      return proceed(clientsFound(journal, event, rules), event.at, rules);
    case "released":
      return closed(journal, event.at, rules);
    case "lost":
      return lost(journal, event, rules);
    default:
      return event satisfies never;
  }
}

function contactAsked(
  journal: Journal,
  { at, carrier }: Extract<TakeoverEvent, { kind: "contact-asked" }>,
  rules: TakeoverRules,
): Stepped {
  if (isFinal(journal.verdict)) return [journal, { kind: "nothing" }];
  if (at < journal.notBefore) return [journal, { kind: "wait", milliseconds: journal.notBefore - at }];
  const { proven, belief, old } = journal;
  const open = (contact: Pick<Contact, "stage" | "step"> & Candidate & { control?: boolean }): Stepped => {
    const begun = {
      ...journal,
      contact: { carrier, control: false, masterSentHere: false, masterTry: 0, ...contact },
    };
    return [
      begun,
      contact.stage === "counter-hint"
        ? { kind: "read-counter", step: contact.step }
        : { kind: "associate", step: contact.step, GUEK: contact.GUEK, GAK: contact.GAK },
    ];
  };
  const current = { GUEK: belief[PURPOSE.GUEK][0] as number, GAK: belief[PURPOSE.GAK][0] as number };
  // Where a spare has left in doubt which authentication key it has, an association settles that first.
  const isSettled = candidates(journal).length === 1 || !journal.withoutBroadcast;
  if (isSettled && proven.working && proven.master && proven.oldMasterDead && !proven.oldDead) {
    const name = stepFor(journal, "refuse-factory-keys");
    const since = journal.oldTriedAt;
    const wait = since === undefined || journal.oldSilent ? 0 : since + rules.pace.sameKeysMilliseconds - at;
    if (wait > 0) return [journal, { kind: "wait", milliseconds: wait }];
    return journal.oldSilent
      ? open({ stage: "associating", step: name, ...current, control: true })
      : open({ stage: "refusing-old", step: name, GUEK: old[PURPOSE.GUEK], GAK: old[PURPOSE.GAK] });
  }
  const proof = isSettled && proven.working && proven.master && proven.oldMasterDead && nextSecretContact(journal);
  if (proof) return openSecret(journal, carrier, proof);
  if (wantsHint(journal, at, rules.pace)) return open({ stage: "counter-hint", step: "counter-hint", ...current });
  const next = nextCandidate(journal, at, rules.pace);
  if ("milliseconds" in next) return [journal, { kind: "wait", milliseconds: next.milliseconds }];
  return open({ stage: "associating", step: stepName(journal, next.candidate), ...next.candidate });
}

/** Opens a contact in which a client's secret is proven, or its old one refused. */
function openSecret(
  journal: Journal,
  carrier: Contact["carrier"],
  { client, purpose, version, stage, step: name }: NonNullable<ReturnType<typeof nextSecretContact>>,
): Stepped {
  const contact = { carrier, stage, step: name, control: false, masterSentHere: false, masterTry: 0, GUEK: 0, GAK: 0 };
  return [
    { ...journal, contact: { ...contact, client } },
    { kind: "associate-secret", step: name, key: { purpose, version, client } },
  ];
}

/** The name on the ladder: a guess is a probe, what the meter has acknowledged is not a guess. */
function stepName(journal: Journal, { GUEK, GAK }: Candidate): TakeoverStep {
  const { belief, old, sent, tries } = journal;
  const certain = belief[PURPOSE.GUEK].length === 1 && belief[PURPOSE.GAK].length === 1;
  const newest = belief[PURPOSE.GUEK][0] === GUEK && belief[PURPOSE.GAK][0] === GAK;
  if (!certain && !(newest && sent?.acknowledged === true && tries.length === 0)) return "probe";
  return GUEK === old[PURPOSE.GUEK] && GAK === old[PURPOSE.GAK]
    ? stepFor(journal, "factory-association")
    : "working-keys-association";
}

/** All candidates have been refused, and nobody has asked the meter for its counter since: perhaps it is only that. */
function wantsHint(journal: Journal, at: number, pace: Pace): boolean {
  const { tries, hintAt } = journal;
  if (hintAt !== undefined && at < hintAt + pace.sameKeysMilliseconds) return false;
  return candidates(journal).every(({ GUEK, GAK }) => tries.some((tried) => tried.GUEK === GUEK && tried.GAK === GAK));
}

function associated(journal: Journal, at: number, rules: TakeoverRules): Stepped {
  const contact = contactOf(journal);
  const { GUEK, GAK, step: name } = contact;
  if (isSecretProof(contact)) {
    const [opened, ...effects] = secretOpened(journal, at);
    const [seen, ...end] = concluded({ ...opened, failures: 0, notBefore: 0 }, at, rules);
    return release(seen, ...effects, ...end);
  }
  if (contact.stage === "refusing-old") {
    const detail = "an association with the old keys was made";
    return conclude(bothBelieved(noted(journal, name, at, "failed", detail)), "keeps-factory-keys", detail);
  }
  const believed: Journal = {
    ...noted(journal, name, at, "passed", "an association was made with these keys"),
    belief: { ...journal.belief, [PURPOSE.GUEK]: [GUEK], [PURPOSE.GAK]: [GAK] },
    tries: [],
    failures: 0,
    notBefore: 0,
    verdict: journal.verdict === "unknown" ? "pending" : journal.verdict,
  };
  if (contact.control)
    return proceed(oldKeysDead(believed, at, "they got no answer, where the new keys do"), at, rules);
  return proceed(workingTransferSeen(believed), at, rules);
}

/** For the old keys that is as bad as an association; for others the line is lost on the way to one. */
function answeredUnderKeys(
  journal: Journal,
  { at, detail }: Extract<TakeoverEvent, { kind: "answered-under-keys" }>,
  rules: TakeoverRules,
): Stepped {
  const { stage, step: name } = contactOf(journal);
  if (stage !== "refusing-old") return lost(journal, { kind: "lost", at, reason: "closed" }, rules);
  const why = `it answered under the old keys (${detail})`;
  const verdict = "keeps-factory-keys";
  return [
    { ...bothBelieved(noted(journal, name, at, "failed", why)), verdict, contact: undefined },
    concludedNote(journal, verdict, why),
    { kind: "close", step: "done", next: "done", milliseconds: 0 },
  ];
}

/** The meter opens with the old keys as well as with the new ones. */
function bothBelieved(journal: Journal): Journal {
  let { belief } = journal;
  for (const purpose of WORKING)
    belief = { ...belief, [purpose]: [...new Set([...belief[purpose], journal.old[purpose]])] };
  return { ...journal, belief };
}

/** Which of the working keys that were sent are on the meter: the association just made says it. */
function workingTransferSeen(journal: Journal): Journal {
  const { sent, belief, fruitless } = journal;
  if (sent?.kind !== "working") return journal;
  const applied = WORKING.every(
    (purpose) => sent.versions[purpose] === undefined || sent.versions[purpose] === belief[purpose][0],
  );
  const held = sent.acknowledged && !applied ? fruitless.working + 1 : fruitless.working;
  return { ...journal, sent: undefined, fruitless: { ...fruitless, working: held } };
}

function associationRefused(
  journal: Journal,
  { at, detail, expectedCounter }: Extract<TakeoverEvent, { kind: "association-refused" }>,
  rules: TakeoverRules,
): Stepped {
  const { pace } = rules;
  if (isSecretProof(contactOf(journal))) return secretTurnedDown(journal, at, detail, rules);
  const { GUEK, GAK, step: name, stage, control } = contactOf(journal);
  const raise: readonly TakeoverEffect[] =
    expectedCounter === undefined ? [] : [{ kind: "raise-counter", to: expectedCounter }];
  if (stage === "refusing-old" && expectedCounter === undefined)
    return goOnOrEnd(oldKeysDead(journal, at, detail), at, rules, name);
  const refused = noted(journal, name, at, "refused", detail);
  const refusedUntil = () => {
    if (expectedCounter !== undefined) return at + retryAfter(journal.failures + 1, pace);
    return control ? at + pace.sameKeysMilliseconds : 0;
  };
  const tried: Journal = {
    ...refused,
    contact: undefined,
    // A counter that was named is not a judgement over the keys: they may be tried again at once.
    ...(expectedCounter === undefined ? triedInVain(journal, { GUEK, GAK }, at) : {}),
    failures: journal.failures + 1,
    notBefore: refusedUntil(),
  };
  const hopeless = candidates(tried).every((one) => tried.tries.some((t) => t.GUEK === one.GUEK && t.GAK === one.GAK));
  const judged: Journal = hopeless ? atALoss(tried, at, pace) : tried;
  return [judged, ...raise, ...reopen(judged, at, name, pace)];
}

function isSecretProof({ stage }: Contact): boolean {
  return stage === "proving-secret" || stage === "refusing-secret";
}

/** A client's secret does not open: the old one's death, or a reason to give it another. */
function secretTurnedDown(journal: Journal, at: number, detail: string, rules: TakeoverRules): Stepped {
  const { stage, step: name } = contactOf(journal);
  const refused = secretRefused(journal, at, detail);
  // The refusal of the old one is what was wanted; that of a new one keeps its distance from the next try.
  return goOnOrEnd(stage === "proving-secret" ? afterRefusal(refused, at, rules) : refused, at, rules, name);
}

/** Closes a contact without a release, and ends the change where nothing is left to do. */
function goOnOrEnd(journal: Journal, at: number, rules: TakeoverRules, name: TakeoverStep): Stepped {
  const [seen, ...end] = concluded({ ...journal, contact: undefined }, at, rules);
  if (isFinal(seen.verdict)) return [seen, ...end, { kind: "close", step: "done", next: "done", milliseconds: 0 }];
  const milliseconds = Math.max(seen.notBefore - at, 0);
  return [seen, ...end, { kind: "close", step: name, next: milliseconds === 0 ? "reconnect" : "wait", milliseconds }];
}

/** Nothing believed opens the meter, whatever its counter: from now on everything sent since the old keys is believed again. */
function atALoss(journal: Journal, at: number, pace: Pace): Journal {
  if (wantsHint(journal, at, pace)) return { ...journal, verdict: "unknown" };
  let { belief } = journal;
  for (const purpose of [...WORKING, PURPOSE.KEK] as const) {
    const oldest = Math.min(journal.old[purpose], ...belief[purpose]);
    const sent = Array.from({ length: journal.nextVersion[purpose] - oldest }, (_, at) => oldest + at).reverse();
    belief = { ...belief, [purpose]: [...new Set([...belief[purpose], ...sent])] };
  }
  return { ...journal, belief, verdict: "unknown" };
}

/** Closes this contact and says when the next one makes sense. */
function reopen(journal: Journal, at: number, name: TakeoverStep, pace: Pace): readonly TakeoverEffect[] {
  const next = wantsHint(journal, at, pace) ? { candidate: undefined } : nextCandidate(journal, at, pace);
  const wait = Math.max("milliseconds" in next ? next.milliseconds : 0, journal.notBefore - at, 0);
  return [{ kind: "close", step: name, next: wait === 0 ? "reconnect" : "wait", milliseconds: wait }];
}

function counterRead(journal: Journal, { at, counter }: Extract<TakeoverEvent, { kind: "counter-read" }>): Stepped {
  const { step: name } = contactOf(journal);
  const detail = counter === undefined ? "the meter does not tell its counter" : "a hint, believed within bounds";
  const read: Journal = {
    ...noted(journal, name, at, counter === undefined ? "failed" : "passed", detail),
    contact: undefined,
    hintAt: at,
    // With another counter the same keys are another try.
    tries: counter === undefined ? journal.tries : [],
  };
  const raise: readonly TakeoverEffect[] = counter === undefined ? [] : [{ kind: "raise-counter", to: counter + 1 }];
  return [read, ...raise, { kind: "close", step: name, next: "reconnect", milliseconds: 0 }];
}

function identityRead(
  journal: Journal,
  { at, matches, detail }: Extract<TakeoverEvent, { kind: "identity-read" }>,
  rules: TakeoverRules,
): Stepped {
  const read = noted(journal, "identity-check", at, matches ? "passed" : "failed", detail);
  if (!matches) return conclude({ ...read, identity: "differs" }, "identity-differs", detail);
  return proceed({ ...read, identity: "matched" }, at, rules);
}

function lost(
  journal: Journal,
  { at, reason }: Extract<TakeoverEvent, { kind: "lost" }>,
  rules: TakeoverRules,
): Stepped {
  const { pace } = rules;
  const { contact } = journal;
  if (contact === undefined) return [journal, { kind: "close", step: "release", next: "reconnect", milliseconds: 0 }];
  const [after, ...end] = concluded(dropContact(journal, at, rules, reason), at, rules);
  if (isFinal(after.verdict)) return [after, ...end, { kind: "close", step: "done", next: "done", milliseconds: 0 }];
  return [after, ...reopen(after, at, contact.step, pace)];
}

/** Takes a contact that ended without a word into account. */
function dropContact(
  journal: Journal,
  at: number,
  { pace }: Pick<TakeoverRules, "pace">,
  reason: Extract<TakeoverEvent, { kind: "lost" }>["reason"] = "abandoned",
): Journal {
  const { contact } = journal;
  if (contact === undefined) return journal;
  // Keys that nobody has sent stay in custody and are never used.
  const over = { ...journal, contact: undefined, prepared: undefined };
  if (contact.stage === "releasing") return over;
  const failures = journal.failures + 1;
  const retry = { ...over, failures, notBefore: at + retryAfter(Math.max(failures, sentInVain(journal)), pace) };
  // The meter has heard nothing: nothing to remember but that it was not there.
  if (reason === "unreachable") return retry;
  const written = noted(retry, contact.step, at, "lost", `the line was lost (${reason})`);
  switch (contact.stage) {
    case "refusing-old":
      return { ...written, oldSilent: true };
    case "counter-hint":
      return { ...written, hintAt: at };
    case "reading-policy":
    case "raising-policy":
      return policyUnheard(written);
    case "finding-clients":
      return searchUnheard(written);
    case "proving-secret":
    case "refusing-secret":
      return secretUnheard(written, contact);
    case "associating": {
      const { GUEK, GAK } = contact;
      const certain = candidates(journal).length === 1;
      return certain ? written : { ...written, ...triedInVain(journal, { GUEK, GAK }, at) };
    }
    default:
      return written;
  }
}

/** How often keys have been made for the transfer that is under way: an association between two of them makes neither sooner. */
function sentInVain({ contact, sent, nextVersion, old }: Journal): number {
  if (contact?.stage !== "transferring-working" && contact?.stage !== "transferring-master") return 0;
  const purposes = Object.keys(sent?.versions ?? {}).map((purpose) => Number(purpose) as Purpose);
  return Math.max(0, ...purposes.map((purpose) => nextVersion[purpose] - old[purpose] - 1));
}

/** Remembers the last try with these keys. */
function triedInVain(journal: Journal, { GUEK, GAK }: Candidate, at: number): Pick<Journal, "tries" | "oldTriedAt"> {
  const { old, tries, oldTriedAt } = journal;
  const isOld = GUEK === old[PURPOSE.GUEK] && GAK === old[PURPOSE.GAK];
  const others = tries.filter((tried) => tried.GUEK !== GUEK || tried.GAK !== GAK);
  return { tries: [...others, { GUEK, GAK, at }], oldTriedAt: isOld ? at : oldTriedAt };
}

/** The old keys open nothing any more. */
function oldKeysDead(journal: Journal, at: number, detail: string): Journal {
  return {
    ...noted(journal, stepFor(journal, "refuse-factory-keys"), at, "passed", detail),
    proven: { ...journal.proven, oldDead: true },
    refusalCarrier: contactOf(journal).carrier,
  };
}

function closed(journal: Journal, at: number, rules: TakeoverRules): Stepped {
  const [over, ...end] = concluded({ ...journal, contact: undefined }, at, rules);
  if (isFinal(over.verdict)) return [over, ...end, { kind: "close", step: "done", next: "done", milliseconds: 0 }];
  const milliseconds = Math.max(journal.notBefore - at, 0);
  return [over, { kind: "close", step: "release", next: milliseconds === 0 ? "reconnect" : "wait", milliseconds }];
}
