import { TAKEOVER_GRADES, type TakeoverGrade, type TakeoverState } from "@meterkeep/api/custodian";
import { purposeName } from "../keys/purposes.ts";
import { FIRST_SETUP, furtherSetups, type KeyRecord, type MeterStanding } from "../store/records.ts";
import { setupWords } from "./find-clients.ts";
import { compromisedVouchers } from "./grade.ts";
import { isFinal, type Journal } from "./journal.ts";
import {
  type ChangesFile,
  canBeTakenOver,
  isTakeoverProven,
  journalOf,
  listOf,
  MOST_SENTENCE,
  stateReached,
  takenSetups,
  unprovenOf,
} from "./view.ts";

/** A setup's journal as it is by now, where that is not what is stored. */
export interface SetupJournal {
  readonly setup: number;
  readonly journal: Journal;
  readonly isBegun: boolean;
}

/** Contacts in a row that led nowhere before nobody waits for a setup beside the first any more. */
const RESTS_AFTER = 3;
/** Steps of late in which as many were lost: it opens, and what is asked of it then gets no answer. */
const LATE_STEPS = 8;

/** What is told of one security setup. */
interface SetupState {
  readonly setup: number;
  readonly journal: Journal;
  readonly state: TakeoverState;
  readonly compromised: readonly KeyRecord[];
  /** What its takeover came to, less what has become of the keys that vouch for it. */
  readonly grade: TakeoverGrade;
}

/** Where a meter's takeover stands, of all of its security setups: `live` is in place of what is stored of its setup. */
export function takeoverStateOf(file: ChangesFile, live?: SetupJournal): TakeoverState {
  const { meter } = file;
  const [first, ...others] = takenSetups(file).map((setup) => setupState(file, setup, live)) as [
    SetupState,
    ...SetupState[],
  ];
  const { state } = first;
  if (meter.standing !== undefined && meter.standing !== "in-service")
    return { ...state, phase: "left", sentence: `${STANDING_WORDS[meter.standing]} ${state.sentence}` };
  if (!canBeTakenOver(meter) || state.grade === "none") return state;
  const open = openSetups(file, first, others);
  const grade = lowest([first.grade, gradeBeside(open, others)]);
  const waited = isTakeoverProven(first.journal) && state.phase === "done" ? others.find(isWaitedFor) : undefined;
  const begun = others.filter(({ state: { steps } }) => steps.length > 0);
  const proofs = [state, ...others.map((one) => one.state)].flatMap(({ provenAt }) => provenAt ?? []);
  return {
    ...state,
    grade,
    // What rests on all of them rests on the last that was proven.
    ...(ORDER.indexOf(grade) > ORDER.indexOf("exposed") && proofs.length > 0 && { provenAt: Math.max(...proofs) }),
    ...(waited !== undefined && {
      phase: waited.state.phase === "not-started" ? "in-progress" : waited.state.phase,
      step: waited.state.step,
    }),
    steps: begun.length === 0 ? state.steps : kept([...state.steps, ...begun.flatMap(stepsOf)]),
    sentence: [
      state.sentence,
      ...(first.compromised.length > 0 ? [lossOf(first)] : []),
      ...(open.length > 0 ? [openBy(open, meter.holders)] : []),
      ...others.flatMap((one) => toldBeside(one, first)),
    ]
      .join(" ")
      .slice(0, MOST_SENTENCE),
  };
}

/** What the security setups beside the first leave of a grade: `exposed` as long as the takeover of one is not proven, whichever that is. */
export function besideFirst(file: ChangesFile): { readonly open: readonly number[]; readonly grade: TakeoverGrade } {
  const [first, ...others] = takenSetups(file).map((setup) => setupState(file, setup)) as [SetupState, ...SetupState[]];
  const open = openSetups(file, first, others);
  return { open, grade: gradeBeside(open, others) };
}

/** What the takeover of each security setup came to by itself, whatever has become of its keys since. */
export function setupGrades(file: ChangesFile): readonly { readonly setup: number; readonly grade: TakeoverGrade }[] {
  return takenSetups(file).map((setup) => ({ setup, grade: setupState(file, setup).state.grade }));
}

function setupState(file: ChangesFile, setup: number, live?: SetupJournal): SetupState {
  const { meter, keys } = file;
  const stored = live?.setup === setup ? undefined : journalOf(file, setup);
  const journal = stored?.journal ?? (live as SetupJournal).journal;
  const state = stateReached(
    meter,
    journal,
    stored === undefined ? live?.isBegun === true : stored.record !== undefined,
  );
  const compromised = state.grade === "none" ? [] : compromisedVouchers(keys, journal, setup);
  return { setup, journal, state, compromised, grade: compromised.length > 0 ? "exposed" : state.grade };
}

/** From nothing to the most. */
const ORDER: readonly TakeoverGrade[] = TAKEOVER_GRADES;

function lowest(grades: readonly TakeoverGrade[]): TakeoverGrade {
  return ORDER[Math.min(...grades.map((grade) => ORDER.indexOf(grade)))] as TakeoverGrade;
}

function isProven({ journal }: SetupState): boolean {
  return isTakeoverProven(journal);
}

/** The setups beside the first, by the meter's own word or by what is held of them, whose takeover is not proven: to hold their keys is not to have taken them over. */
function openSetups(file: ChangesFile, { journal }: SetupState, others: readonly SetupState[]): readonly number[] {
  const all = new Set([...(journal.search?.setups ?? []), ...furtherSetups(file)]);
  return [...all]
    .filter((setup) => !others.some((one) => one.setup === setup && isProven(one)))
    .sort((one, other) => one - other);
}

/**
 * What the takeover of the first setup is worth beside the others: whoever held the factory's keys of one that is not taken over is as
 * able there as if he had recorded the change.
 */
function gradeBeside(open: readonly number[], others: readonly SetupState[]): TakeoverGrade {
  if (open.length > 0) return "exposed";
  return lowest(["agreed", ...others.map(({ grade }) => (grade === "none" ? "exposed" : grade))]);
}

/** Its takeover goes on and gets on: whoever carries contacts goes on with it before anything else. */
function isWaitedFor({ journal }: SetupState): boolean {
  return journal.takeover === undefined && !isFinal(journal.verdict) && !isResting(journal);
}

/** Nothing opens a setup beside the first, or nobody answers there: its meter is read meanwhile. */
function isResting({ verdict, failures, steps }: Journal): boolean {
  const lost = steps.slice(-LATE_STEPS).filter(({ outcome }) => outcome === "lost");
  return verdict === "unknown" || failures >= RESTS_AFTER || lost.length >= RESTS_AFTER;
}

function stepsOf({ setup, state: { steps } }: SetupState): TakeoverState["steps"] {
  return steps.map((step) => ({ ...step, detail: `security setup ${setup}: ${step.detail}`.slice(0, MOST_SENTENCE) }));
}

const FIRST_STEPS = 24;
const MOST_STEPS = 64;

/** Of a long history the beginning and the end. */
function kept(steps: TakeoverState["steps"]): TakeoverState["steps"] {
  if (steps.length <= MOST_STEPS) return steps;
  return [...steps.slice(0, FIRST_STEPS), ...steps.slice(FIRST_STEPS - MOST_STEPS)];
}

/** What is to be said of a setup beside the first: why it takes something off the grade, and what it could not prove. */
function toldBeside(one: SetupState, first: SetupState): string[] {
  const { setup, state, compromised, grade, journal } = one;
  const isLess = isProven(one) ? ORDER.indexOf(grade) < ORDER.indexOf(first.grade) : isFinal(journal.verdict);
  const isTold = state.phase === "done" && (isLess || unprovenOf(journal).length > 0);
  return [
    ...(isTold && compromised.length === 0 ? [`Of its security setup ${setup}: ${state.sentence}`] : []),
    ...(compromised.length > 0 ? [lossOf(one)] : []),
  ];
}

function openBy(open: readonly number[], holders: readonly string[]): string {
  const who = holders.length === 0 ? "anybody who held its factory keys" : listOf(holders);
  return `But it has ${setupWords(open)} as well, which nobody has taken over: ${who} may open it there still.`;
}

function lossOf({ setup, compromised }: SetupState): string {
  const names = compromised.map(({ purpose, version }) => `${purposeName(purpose)} ${version}`);
  const where = setup === FIRST_SETUP ? "" : ` of security setup ${setup}`;
  return names.length === 1
    ? `Since then its ${names[0]}${where} was marked compromised: who holds it may have what rests on it.`
    : `Since then its ${names.slice(0, -1).join(", ")} and ${names.at(-1)}${where} were marked compromised: who holds them may have what rests on them.`;
}

/** What became of a meter, for a sentence. */
const STANDING_WORDS: Readonly<Record<Exclude<MeterStanding, "in-service">, string>> = {
  retired: "It was retired: its keys are used no more.",
  transferred: "It was given to another owner, who has its keys: they are used no more here.",
  returned: "It was given back to its maker, who has its keys: they are used no more here.",
};
