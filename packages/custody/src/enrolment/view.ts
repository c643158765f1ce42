import type { EnrolmentPhase, EnrolmentState, MeterCertificate } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { SIGNING_PROFILES } from "../protocol/meter-facts.ts";
import type { MeterFile } from "../store/records.ts";
import { takeoverStateOf } from "../takeover/meter-state.ts";
import { anchorStateOf } from "./anchor.ts";
import {
  ASSOCIATION_USES,
  ENROLLED_USES,
  type EnrolledUse,
  type EnrolmentJournal,
  isFurnished,
  isKnownBySignature,
  readEnrolment,
} from "./journal.ts";

/** Whether a meter can hold certificates at all. */
export function canBeEnrolled({ meter }: Pick<MeterFile, "meter">): boolean {
  return meter.origin === "shipped" && meter.securitySuite > 0 && SIGNING_PROFILES.includes(meter.profile);
}

/** Where the enrolment of a meter stands. */
export function enrolmentStateOf(file: MeterFile, compromised: ReadonlySet<string>): EnrolmentState {
  const { meter, enrolment: plan } = file;
  const [stored] = file.enrolments;
  const journal = stored && readEnrolment(stored);
  // The journal of a plan that has not begun is still the one before it.
  const isOwn = plan !== undefined && stored?.takeover === plan.enrolment;
  const phase = phaseOf(file, isOwn ? journal : undefined);
  const anchor = anchorStateOf(meter, journal, compromised);
  return {
    meter: systemTitle(fromHex(meter.systemTitle)),
    suite: meter.securitySuite,
    phase,
    ...(plan === undefined ? {} : { cause: plan.cause, plannedAt: plan.plannedAt }),
    verdict: isOwn && journal !== undefined ? journal.verdict : "pending",
    anchor,
    signs: journal !== undefined && isKnownBySignature(journal) && journal.believed.digitalSignature.length > 0,
    ...(journal?.provenAt === undefined ? {} : { provenAt: journal.provenAt }),
    certificates: journal === undefined ? [] : certificatesOf(journal, meter.systemTitle),
    steps: journal?.steps ?? [],
    sentence: (anchor === "compromised" ? SPOILT_ANCHOR : "") + sentenceOf(file, phase, isOwn ? journal : undefined),
  };
}

function phaseOf(file: MeterFile, journal: EnrolmentJournal | undefined): EnrolmentPhase {
  if (!canBeEnrolled(file)) return "not-applicable";
  const { enrolment: plan } = file;
  if (plan === undefined) return "waiting";
  if (plan.outcome === "freed") return "waiting";
  if (plan.endedAt !== undefined) return plan.outcome === "enrolled" ? "enrolled" : "failed";
  return journal === undefined ? "planned" : "under-way";
}

function certificatesOf(journal: EnrolmentJournal, title: string): MeterCertificate[] {
  return ENROLLED_USES.flatMap((use) => {
    const slot = journal.slots.find((one) => one.use === use);
    const issued =
      slot?.credential !== undefined && journal.believed[use].every(({ id }) => id !== slot.credential?.id)
        ? [slot.credential]
        : [];
    return [...issued, ...journal.believed[use]].map(({ id, serial, issuedBy, notBefore, notAfter }) => ({
      use,
      subject: `CN=${title}`,
      serial,
      issuedBy,
      notBefore,
      notAfter,
      state: certificateState(journal, use, id),
    }));
  });
}

function certificateState(journal: EnrolmentJournal, use: EnrolledUse, id: string): MeterCertificate["state"] {
  const slot = journal.slots.find((one) => one.use === use);
  if (slot?.credential?.id !== id) return "former";
  // No association proves a key of TLS: it signed its request, and its certificate is there.
  if (journal.proven && ASSOCIATION_USES.some((one) => one === use)) return "proven";
  return slot.stage === "held" ? "on-meter" : "issued";
}

const NOT_SHIPPED = "Its owner knows its keys and keeps them: it is given no certificates from here.";
const NO_PAIRS =
  "It is of suite 0 and has no key pairs: it stays with symmetric keys, and whoever has those can speak for it.";
const NO_PROFILE = "It is of a suite with key pairs, but its companion profile is not known to hold certificates.";

function sentenceOf(file: MeterFile, phase: EnrolmentPhase, journal: EnrolmentJournal | undefined): string {
  const { meter } = file;
  switch (phase) {
    case "not-applicable":
      if (meter.origin !== "shipped") return NOT_SHIPPED;
      return meter.securitySuite === 0 ? NO_PAIRS : NO_PROFILE;
    case "waiting":
      if (journal?.verdict === "freed") return verdictSentence(journal);
      return "It has key pairs to make and no certificates yet: its keys are taken over first.";
    case "planned":
      return "It is to be given certificates: its turn is about to come.";
    case "under-way":
      return journal === undefined ? "Its enrolment is under way." : underWay(journal);
    case "enrolled":
    case "failed":
      return journal === undefined ? "Its enrolment is over." : verdictSentence(journal) + doubt(file, journal);
    default:
      return phase satisfies never;
  }
}

function underWay({ slots, contact, swept }: EnrolmentJournal): string {
  const held = slots.filter(isFurnished).length;
  if (held === slots.length && swept)
    return "Its certificates are on it; what is left is its proof that it has the keys.";
  const done = held === 0 ? "" : ` ${held} of ${slots.length} certificates are on it.`;
  return contact === undefined
    ? `Its enrolment goes on at the next contact.${done}`
    : `It is being given certificates.${done}`;
}

const ANCHOR_WAY_OUT =
  "an anchor is fixed when a meter is made, so that it takes new firmware or somebody who goes there";

const SPOILT_ANCHOR = `The key of the trust anchor that it was made with is compromised: whoever has it can make certificates that it believes; ${ANCHOR_WAY_OUT}. `;

function verdictSentence({ verdict, kept, steps }: EnrolmentJournal): string {
  const last = steps.findLast(({ outcome }) => outcome === "failed" || outcome === "refused");
  const why = last === undefined ? "" : ` At ${last.step}: ${last.detail}.`;
  switch (verdict) {
    case "pending":
      return "Its enrolment is under way.";
    case "enrolled":
      return "It has certificates of our own authorities, octet for octet, and has proven both private keys: it signs, and nothing foreign is on it.";
    case "keeps-foreign":
      return `It is enrolled and signs, but will not give up ${kept.length} certificates that are not ours: who issued them may speak to it. Where they are anchors, ${ANCHOR_WAY_OUT}.`;
    case "freed":
      return "What was revoked is not on it any more. No authority issues for it now: it is refused until one does and it is enrolled anew.";
    case "anchor-missing":
      return `It was not made with our root as its trust anchor; ${ANCHOR_WAY_OUT}.`;
    case "anchor-differs":
      return `What it exports as our root is another certificate: it may have been made for somebody else, or changed; ${ANCHOR_WAY_OUT}.`;
    case "keeps-no-certificate":
      return `It says that it takes certificates, and what it exports afterwards is not what was given to it.${why}`;
    case "request-unfit":
      return `What it asks to be certified cannot be: no certificate was issued for that.${why}`;
    case "refuses":
      return `It does not take part in enrolment.${why}`;
    case "not-certified":
      return `Our authorities do not certify its key.${why}`;
    case "identity-unproven":
      return `Its certificates are on it, but it does not prove that it has the keys.${why}`;
    default:
      return verdict satisfies never;
  }
}

/** Certificates rest on the association that they were asked for in. */
function doubt(file: MeterFile, { proven }: EnrolmentJournal): string {
  if (!proven || takeoverStateOf(file).grade !== "exposed") return "";
  return " They were asked for under keys that a holder of the factory's could have recorded.";
}
