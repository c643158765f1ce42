import { type EnrolmentEvent, type EnrolmentJournal, isOver, type Slot } from "./journal.ts";
import {
  closed,
  contactOf,
  type Enrolled,
  type EnrolmentRules,
  type EventOf,
  isInPlace,
  later,
  noted,
} from "./moves.ts";
import { answered, certified, exported, listed, notCertified, proceed, requested, requestUnfit } from "./proceed.ts";
import { associationRefused, signatureShown, signedAnswered } from "./proof.ts";

/**
 * The enrolment of a meter with certificates, and their renewal: a pure machine.
 *
 * The order: the anchor it was made with is compared; what it holds is listed; authorities and our own client
 * certificates are put there; for each use a pair is generated, requested for, certified, imported, exported and compared
 * octet for octet; what is foreign is removed; an association by signature and an answer under an agreed key prove that
 * it has the private keys. Whatever gets lost on the way, each call can be made again: a pair that nobody has certified
 * is generated anew, one that was is never certified twice, and an import is followed by a look at what is there.
 */
export function step(journal: EnrolmentJournal, event: EnrolmentEvent, rules: EnrolmentRules): Enrolled {
  switch (event.kind) {
    case "contact-asked":
      return contactAsked(journal, event, rules);
    case "associated":
      return associated({ ...journal, failures: 0, notBefore: 0 }, event, rules);
    case "association-refused":
      return associationRefused(journal, event, rules);
    case "exported":
      return exported(journal, event, rules);
    case "listed":
      return listed(journal, event, rules);
    case "answered":
      return stageOf(journal) === "asking" ? signedAnswered(journal, event, rules) : answered(journal, event, rules);
    case "requested":
      return requested(journal, event);
    case "request-unfit":
      return requestUnfit(journal, event, rules);
    case "certified":
      return certified(journal, event);
    case "not-certified":
      return notCertified(journal, event);
    case "released":
      return closed(journal, event.at);
    case "lost":
      return lost(journal, event, rules);
    default:
      return event satisfies never;
  }
}

function contactAsked(
  before: EnrolmentJournal,
  { at, carrier }: EventOf<"contact-asked">,
  rules: EnrolmentRules,
): Enrolled {
  const journal = underChain({ ...before, contact: undefined }, rules);
  if (isOver(journal)) return [journal, { kind: "nothing" }];
  if (at < journal.notBefore) return [journal, { kind: "wait", milliseconds: journal.notBefore - at }];
  const by = rules.chain.issues && journal.swept && isInPlace(journal, rules.chain) ? "signature" : "keys";
  const name = by === "keys" ? "enrolment-association" : "prove-signature";
  const stage = by === "keys" ? "associating" : "proving";
  return [
    { ...journal, contact: { carrier, stage, step: name, listed: false, acknowledged: false } },
    { kind: "associate", step: name, by },
  ];
}

/** What was seen under another chain has to be seen again: authorities have changed since. */
function underChain(journal: EnrolmentJournal, { chain }: EnrolmentRules): EnrolmentJournal {
  if (journal.chain === chain.id) return journal;
  const items = Object.fromEntries(chain.items.map(({ id }) => [id, { state: "missing", rounds: 0 } as const]));
  const isKept = ({ credential }: Slot) => credential === undefined || !chain.distrusted.includes(credential.authority);
  const slots = journal.slots.map((slot) =>
    chain.issues && !isKept(slot) ? ({ use: slot.use, stage: "due", rounds: 0 } as const) : slot,
  );
  const unseen = { anchor: "unchecked", swept: false, sweeps: 0, foreign: [], kept: [] } as const;
  return { ...journal, ...unseen, chain: chain.id, items, slots };
}

function lost(journal: EnrolmentJournal, { at, reason }: EventOf<"lost">, rules: EnrolmentRules): Enrolled {
  const { stage } = contactOf(journal);
  if (stage === "releasing") return closed(journal, at);
  return later(noted(journal, at, "lost", `the line was lost (${reason})`), at, rules);
}

function associated(journal: EnrolmentJournal, event: EventOf<"associated">, rules: EnrolmentRules): Enrolled {
  return stageOf(journal) === "proving" ? signatureShown(journal, event, rules) : proceed(journal, rules);
}

function stageOf(journal: EnrolmentJournal) {
  return contactOf(journal).stage;
}
