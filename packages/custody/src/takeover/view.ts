import type { TakeoverGrade, TakeoverPhase, TakeoverState, TakeoverStep } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { purposeName } from "../keys/purposes.ts";
import {
  type KeyRecord,
  type MeterFile,
  type MeterRecord,
  type MeterStanding,
  PURPOSE,
  SECRET,
  type TakeoverRecord,
} from "../store/records.ts";
import { candidates } from "./candidates.ts";
import { setupWords } from "./find-clients.ts";
import { compromisedVouchers, gradeBeside, gradeOf, refusalCarrier } from "./grade.ts";
import { changes, isFinal, type Journal, newJournal, type TakeoverOutcome, WORKING } from "./journal.ts";

/** The journal of a meter's takeover, and the record it stands in; a fresh one where none has begun. */
export function journalOf(
  file: MeterFile,
  setup = 0,
): { readonly journal: Journal; readonly record: TakeoverRecord | undefined } {
  const record = file.takeovers.find((takeover) => takeover.setup === setup);
  return { journal: record === undefined ? newJournal() : (JSON.parse(record.journal) as Journal), record };
}

/** Whether takeovers apply to a meter: one that was added by hand keeps the keys its owner knows. */
export function canBeTakenOver({ origin }: Pick<MeterRecord, "origin">): boolean {
  return origin === "shipped";
}

/** Whether a meter is ours still. */
export function isInService({ standing }: Pick<MeterRecord, "standing">): boolean {
  return standing === undefined || standing === "in-service";
}

/** Where a meter's takeover stands. */
export function takeoverStateOf(file: MeterFile): TakeoverState {
  const { journal, record } = journalOf(file);
  return takeoverState(file, journal, record !== undefined);
}

/** Where a takeover stands, as callers see it: what it came to, less what has become of the keys that vouch for it. */
export function takeoverState(
  { meter, keys }: Pick<MeterFile, "meter" | "keys">,
  journal: Journal,
  begun: boolean,
): TakeoverState {
  const state = stateReached(meter, journal, begun);
  if (meter.standing !== undefined && meter.standing !== "in-service")
    return { ...state, phase: "left", sentence: `${STANDING_WORDS[meter.standing]} ${state.sentence}` };
  if (!canBeTakenOver(meter) || state.grade === "none") return state;
  const compromised = compromisedVouchers(keys, journal);
  const foreign = journal.search?.setups ?? [];
  const grade = gradeBeside(compromised.length > 0 ? "exposed" : state.grade, foreign);
  const why = [
    ...(compromised.length > 0 ? [lossOf(compromised)] : []),
    ...(foreign.length > 0 ? [openBy(foreign, meter.holders)] : []),
  ];
  return { ...state, grade, sentence: [state.sentence, ...why].join(" ").slice(0, MOST_SENTENCE) };
}

function openBy(foreign: readonly number[], holders: readonly string[]): string {
  const who = holders.length === 0 ? "anybody who held its factory keys" : listOf(holders);
  return `But it has ${setupWords(foreign)} as well, which nobody takes over: ${who} may open it there still.`;
}

function stateReached(meter: MeterRecord, journal: Journal, begun: boolean): TakeoverState {
  const applicable = canBeTakenOver(meter);
  // During and after a rotation the takeover is what it was: trust does not change because keys do.
  if (journal.takeover !== undefined)
    return {
      meter: systemTitle(fromHex(meter.systemTitle)),
      phase: "done",
      step: "done",
      holders: meter.holders,
      ...journal.takeover,
      ...anewOf(journal, journal.takeover),
    };
  const phase = applicable ? phaseOf(journal, begun) : "not-applicable";
  const grade = gradeOf(journal);
  return {
    meter: systemTitle(fromHex(meter.systemTitle)),
    phase,
    step: currentStep(journal),
    grade,
    verdict: journal.verdict,
    ...(journal.provenAt === undefined ? {} : { provenAt: journal.provenAt }),
    steps: journal.steps,
    holders: meter.holders,
    sentence: applicable
      ? [sentenceOf(journal, phase, grade, meter.holders), ...unprovenOf(journal)].join(" ").slice(0, MOST_SENTENCE)
      : NOT_APPLICABLE,
  };
}

const AGREED =
  "New keys are proven, wrapped under a master that it and we agreed on, each by a signature: nobody who held the factory's can have read them.";

const SHIELDED = "New keys are proven, the factory's are dead, and nobody who held those could watch the change.";

/**
 * What a rotation makes of a takeover before it, where the way of the factory's keys leads to none of those on the meter any more:
 * they came of an agreement, or all of them were changed in the depot.
 */
function anewOf(journal: Journal, { verdict, grade: before }: TakeoverOutcome): Partial<TakeoverOutcome> {
  if (verdict !== "proven" || journal.verdict !== "proven") return {};
  const grade = gradeOf(journal);
  // A master that stayed could be used to read, or to make, the next change.
  const isWhole = [PURPOSE.KEK, ...WORKING].every((purpose) => changes(journal, purpose));
  const isShielded = grade === "shielded" && before === "exposed" && isWhole;
  if (grade !== "agreed" && !isShielded) return {};
  return {
    grade,
    ...(journal.provenAt !== undefined && { provenAt: journal.provenAt }),
    sentence: grade === "agreed" ? AGREED : SHIELDED,
  };
}

/** What is kept of a takeover by the rotations after it. */
export function takeoverOutcome(meter: MeterRecord, journal: Journal): TakeoverOutcome {
  const { grade, verdict, provenAt, steps, sentence } = stateReached(meter, journal, true);
  return { grade, verdict, ...(provenAt === undefined ? {} : { provenAt }), steps, sentence };
}

const MOST_SENTENCE = 1000;

/** What a change could not prove beyond its keys, as sentences. A broadcast key never is. */
export function unprovenOf({ verdict, secrets, children, policy, search }: Journal): string[] {
  if (verdict !== "proven") return [];
  const open = [
    ...(policy?.unproven === undefined ? [] : [`its security policy: ${policy.unproven}`]),
    ...(search?.unproven === undefined ? [] : [`what clients and security setups it has: ${search.unproven}`]),
    ...(secrets ?? []).flatMap(({ client, purpose, unproven }) =>
      unproven === undefined
        ? []
        : [`the ${purpose === SECRET.LLS ? "password" : "secret"} of client ${client}: ${unproven}`],
    ),
    ...(children ?? []).flatMap(({ channel, unproven }) =>
      unproven === undefined ? [] : [`the key of the M-Bus device at channel ${channel}: ${unproven}`],
    ),
  ];
  return open.length === 0 ? [] : [`Unproven is ${open.join("; ")}.`];
}

function lossOf(compromised: readonly KeyRecord[]): string {
  const names = compromised.map(({ purpose, version }) => `${purposeName(purpose)} ${version}`);
  return names.length === 1
    ? `Since then its ${names[0]} was marked compromised: who holds it may have what rests on it.`
    : `Since then its ${names.slice(0, -1).join(", ")} and ${names.at(-1)} were marked compromised: who holds them may have what rests on them.`;
}

function phaseOf(journal: Journal, begun: boolean): TakeoverPhase {
  if (!begun) return "not-started";
  if (isFinal(journal.verdict)) return "done";
  const guessing = candidates(journal).length > 1 && journal.sent?.acknowledged !== true;
  return guessing || journal.verdict === "unknown" ? "probing" : "in-progress";
}

function currentStep({ verdict, contact, steps }: Journal): TakeoverStep {
  if (isFinal(verdict)) return "done";
  return contact?.step ?? steps.at(-1)?.step ?? "factory-association";
}

/** What became of a meter, for a sentence. */
const STANDING_WORDS: Readonly<Record<Exclude<MeterStanding, "in-service">, string>> = {
  retired: "It was retired: its keys are used no more.",
  transferred: "It was given to another owner, who has its keys: they are used no more here.",
  returned: "It was given back to its maker, who has its keys: they are used no more here.",
};

const NOT_APPLICABLE =
  "Its owner knows its keys and keeps them: they are used as they are and never changed from here.";

function sentenceOf(journal: Journal, phase: TakeoverPhase, grade: TakeoverGrade, holders: readonly string[]): string {
  const who = holders.length === 0 ? "anybody who held the factory keys" : listOf(holders);
  switch (journal.verdict) {
    case "proven":
      if (grade === "agreed") return AGREED;
      return grade === "shielded"
        ? SHIELDED
        : `New keys are proven and the factory's are refused; but ${doubtsOf(journal, who).join(", and ")}.`;
    case "keeps-factory-keys":
      return `It said that it took new keys and still answers to the factory's, which ${who} may hold.`;
    case "keeps-master-key":
      return `It said that it took a new master key and still takes keys wrapped under the factory's, which ${who} may hold.`;
    case "identity-differs":
      return "It answers under the keys of the shipment, yet it is not the meter that the shipment names.";
    case "refuses-key-change":
      return "It refuses new keys: whoever holds the factory's can speak to it.";
    case "unknown":
      return "It answers to none of the keys that it may hold: all of them are kept, and tried again, spaced.";
    case "pending":
      return PENDING[phase];
    default:
      return journal.verdict satisfies never;
  }
}

/** Why a proven takeover is not a shielded one. */
function doubtsOf(journal: Journal, who: string): string[] {
  return [
    ...(journal.exposed ? [`${who} could have recorded the change and read the new keys from it`] : []),
    ...(refusalCarrier(journal) === "depot"
      ? []
      : [
          "the refusal came over the network, where whoever carries the octets, our own head-end included, can forge one",
        ]),
  ];
}

const PENDING: Readonly<Record<TakeoverPhase, string>> = {
  "not-started": "It is in custody with its factory keys; nobody has spoken to it yet.",
  "in-progress": "Its keys are being changed.",
  probing:
    "An answer was lost while its keys were changed: old and new ones are kept, and it is being asked which it holds.",
  done: "Done.",
  "not-applicable": NOT_APPLICABLE,
  left: "It left before its keys were changed.",
};

function listOf(names: readonly string[]): string {
  if (names.length === 1) return names[0] as string;
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}
