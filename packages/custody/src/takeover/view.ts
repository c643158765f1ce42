import type { TakeoverGrade, TakeoverPhase, TakeoverState, TakeoverStep } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { keyClientOf, meterFacts } from "../protocol/meter-facts.ts";
import { broughtLast } from "../records/key-history.ts";
import {
  FIRST_SETUP,
  type KeyRecord,
  type MeterFile,
  type MeterRecord,
  PURPOSE,
  type Purpose,
  SECRET,
  setupsOf,
  type TakeoverRecord,
} from "../store/records.ts";
import { candidates } from "./candidates.ts";
import { gradeOf, refusalCarrier } from "./grade.ts";
import {
  type ByPurpose,
  changes,
  isFinal,
  type Journal,
  newJournal,
  type TakeoverOutcome,
  WORKING,
} from "./journal.ts";

/** What of a meter's file the changes of its keys are judged by. */
export interface ChangesFile extends Pick<MeterFile, "meter" | "keys" | "history"> {
  readonly takeovers: readonly TakeoverRecord[];
}

/** The journal of a security setup's takeover, and the record it stands in; a fresh one where none has begun. */
export function journalOf(
  file: Pick<ChangesFile, "keys" | "history" | "takeovers">,
  setup = FIRST_SETUP,
): { readonly journal: Journal; readonly record: TakeoverRecord | undefined } {
  const record = file.takeovers.find((takeover) => takeover.setup === setup);
  if (record !== undefined) return { journal: JSON.parse(record.journal) as Journal, record };
  return { journal: setup === FIRST_SETUP ? newJournal() : newJournal(newestVersions(file, setup)), record };
}

/**
 * The keys that a meter has come with last. What it had before it was away is not known to be on it any more, where who gave it back
 * does not name it: it is no reason to keep it, and may have been destroyed.
 */
export function keysCameWith({ keys, history }: Pick<ChangesFile, "keys" | "history">): readonly KeyRecord[] {
  return broughtLast(keys, history) ?? keys;
}

/** Of a setup that nobody has changed keys of the newest are those that came with the meter, perhaps when it came back. */
function newestVersions(file: Pick<ChangesFile, "keys" | "history">, wanted: number): ByPurpose<number> {
  const on = keysCameWith(file);
  const newest = (of: Purpose) =>
    Math.max(1, ...on.flatMap(({ purpose, setup, version }) => (setup === wanted && purpose === of ? version : [])));
  return { 0: newest(0), 1: newest(1), 2: newest(2), 3: newest(3) };
}

/** Whether takeovers apply to a meter: one that was added by hand keeps the keys its owner knows. */
export function canBeTakenOver({ origin }: Pick<MeterRecord, "origin">): boolean {
  return origin === "shipped";
}

/** Whether a meter is ours still. */
export function isInService({ standing }: Pick<MeterRecord, "standing">): boolean {
  return standing === undefined || standing === "in-service";
}

/**
 * The security setups of a meter that are taken over here: the first, and of the others those whose client its profile names and
 * whose keys are all held, or were changed already.
 */
export function takenSetups(file: ChangesFile): readonly number[] {
  const facts = meterFacts(file.meter.profile);
  const keys = keysCameWith(file);
  const isHeld = (wanted: number) =>
    file.takeovers.some(({ setup }) => setup === wanted) ||
    [0, 1, 2, 3].every((of) => keys.some(({ purpose, setup }) => setup === wanted && purpose === of));
  return setupsOf(file).filter(
    (setup) => setup === FIRST_SETUP || (keyClientOf(facts, setup) !== undefined && isHeld(setup)),
  );
}

/** Whether a takeover is proven, whatever has been rotated since. */
export function isTakeoverProven({ takeover, verdict }: Journal): boolean {
  return (takeover?.verdict ?? verdict) === "proven";
}

/** Where the takeover of a security setup stands by its journal alone. */
export function stateReached(meter: MeterRecord, journal: Journal, begun: boolean): TakeoverState {
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

/** A sentence is no longer. */
export const MOST_SENTENCE = 1000;

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

/** Names in a sentence. */
export function listOf(names: readonly string[]): string {
  if (names.length === 1) return names[0] as string;
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}
