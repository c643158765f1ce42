import type { Purpose } from "../store/records.ts";
import { type Fault, type PrepareFault, type Run, type RunOptions, run, runSetups } from "./takeover-world.ts";

/** One rotation and what goes wrong in it. */
export interface FaultedRotation {
  readonly rotating: readonly Purpose[];
  readonly arrays: boolean;
  /** Whether the meter has clients with secrets, which go with its unicast key. */
  readonly secrets: boolean;
  /** Whether a device at its M-Bus channel gets a key with it. */
  readonly child: boolean;
  /** Whether it has two security setups, of both of which the keys are rotated. */
  readonly setups: boolean;
  /** One of ours: at an exchange, or while keys are prepared. */
  readonly ours: { readonly fault: Fault | PrepareFault; readonly place: number };
  readonly meters: { readonly fault: Fault; readonly place: number };
}

/** What a simulation came to. */
export interface Simulated {
  readonly rotations: number;
  readonly proven: number;
  /** Contacts that they took, in all and at most. */
  readonly contacts: number;
  readonly mostContacts: number;
  readonly stranded: readonly string[];
  readonly forgotten: readonly string[];
}

const OURS_AT_EXCHANGES: readonly Fault[] = ["crash-before-commit", "crash-after-commit", "crash-before-answer-commit"];
const OURS_PREPARING: readonly PrepareFault[] = ["crash-before-prepare", "crash-before-escrow", "crash-after-escrow"];
/** Before applying, half applied either way, after applying, and before the answer is out; and said, and forgotten. */
const METERS: readonly Fault[] = [
  "request-lost",
  "half-applied",
  "other-half-applied",
  "answer-lost",
  "meter-crash-after-ack",
];
/** An ordinary rotation of four keys has eleven exchanges and prepares four times, one by one six. */
const EXCHANGES = 14;
const PREPARATIONS = 6;
/** So many more where two secrets are changed and proven. */
const SECRET_EXCHANGES = 10;
const SECRET_PREPARATIONS = 2;
/** And where a device and its meter are given a key. */
const CHILD_EXCHANGES = 2;
const CHILD_PREPARATIONS = 1;

/** Every crash of ours at every place, crossed with every crash of the meter at every place, for every set of purposes. */
export function rotationFaults(): readonly FaultedRotation[] {
  const all: readonly Purpose[] = [0, 1, 2, 3];
  const sets = Array.from({ length: 15 }, (_, at) => all.filter((purpose) => ((at + 1) & (1 << purpose)) !== 0));
  const places = (count: number) => Array.from({ length: count }, (_, place) => place);
  const crossed = (rotating: readonly Purpose[], arrays: boolean, secrets = false, child = false, setups = false) => {
    const times = setups ? 2 : 1;
    const exchanges = places(times * EXCHANGES + (secrets ? SECRET_EXCHANGES : 0) + (child ? CHILD_EXCHANGES : 0));
    const preparations = places(
      times * PREPARATIONS + (secrets ? SECRET_PREPARATIONS : 0) + (child ? CHILD_PREPARATIONS : 0),
    );
    const ours = [
      ...OURS_AT_EXCHANGES.flatMap((fault) => exchanges.map((place) => ({ fault, place }))),
      ...OURS_PREPARING.flatMap((fault) => preparations.map((place) => ({ fault, place }))),
    ];
    const meters = METERS.flatMap((fault) => exchanges.map((place) => ({ fault, place })));
    return ours.flatMap((own) =>
      meters.map((other) => ({ rotating, arrays, secrets, child, setups, ours: own, meters: other })),
    );
  };
  const each = sets.flatMap((rotating) => [
    ...crossed(rotating, true),
    ...crossed(rotating, false),
    ...(rotating.includes(0) ? crossed(rotating, true, true) : []),
    ...(rotating.includes(0) ? crossed(rotating, true, false, true) : []),
  ]);
  const ofTwoSetups = [all, [0, 2] as const, [3] as const].flatMap((rotating) =>
    crossed(rotating, true, false, false, true),
  );
  return [...each, ...ofTwoSetups];
}

/** Runs rotations, each to its end. */
export function simulate(faulted: Iterable<FaultedRotation>): Simulated {
  const stranded: string[] = [];
  const forgotten: string[] = [];
  let [rotations, proven, contacts, mostContacts] = [0, 0, 0, 0];
  for (const one of faulted) {
    rotations += 1;
    try {
      const options: RunOptions = {
        rotating: one.rotating,
        arrays: one.arrays,
        preparing: preparingOf(one),
        ...(one.secrets ? { secrets: "known" } : {}),
        child: one.child,
      };
      const done = one.setups ? runSetups(scheduleOf(one), options) : [run("honest", scheduleOf(one), options)];
      const all = done.reduce((sum, each) => sum + each.contacts, 0);
      contacts += all;
      mostContacts = Math.max(mostContacts, all);
      if (done.every(({ journal }) => journal.verdict === "proven")) proven += 1;
      if (!done.every(isKnown)) stranded.push(nameOf(one));
    } catch (error) {
      const message = (error as Error).message;
      (message.includes("forgotten") || message.includes("escrow") ? forgotten : stranded).push(
        `${nameOf(one)}: ${message}`,
      );
    }
  }
  return { rotations, proven, contacts, mostContacts, stranded, forgotten };
}

/** What is proven is known to the version: a meter that opens with something else is stranded. */
function isKnown({ journal, meter }: Run): boolean {
  const known = ([0, 2, 3] as const).every((purpose) => journal.belief[purpose][0] === meter.keys[purpose]);
  const opens = (journal.secrets ?? []).every(({ client, belief, state }) => {
    const version = meter.secrets.get(client);
    return state === "settled" && version !== undefined && belief.includes(version);
  });
  const { device, meter: used } = meter.child;
  // What is left of a device's key is said: the meter answers for it, and nobody can ask the device.
  const isGiven = (journal.children ?? []).every(
    ({ state, belief }) => state === "settled" && [device, used].every((one) => one === 0 || belief.includes(one)),
  );
  return known && opens && isGiven;
}

/** The meter's fault is counted in exchanges that happen, so that one of ours before it does not use it up. */
function scheduleOf({ ours, meters }: FaultedRotation): Fault[] {
  const length = 2 * EXCHANGES + SECRET_EXCHANGES + CHILD_EXCHANGES + 1;
  const schedule = Array.from({ length }, (): Fault => "none");
  schedule[meters.place] = meters.fault;
  if (isExchangeFault(ours.fault)) schedule.splice(ours.place, 0, ours.fault);
  return schedule;
}

function preparingOf({ ours }: FaultedRotation): PrepareFault[] {
  if (isExchangeFault(ours.fault)) return [];
  return [...Array.from({ length: ours.place }, (): PrepareFault => "none"), ours.fault];
}

function isExchangeFault(fault: Fault | PrepareFault): fault is Fault {
  return (OURS_AT_EXCHANGES as readonly string[]).includes(fault);
}

function nameOf({ rotating, arrays, secrets, child, setups, ours, meters }: FaultedRotation): string {
  const beside = [secrets && "with secrets", child && "with a device", setups && "in two setups"].filter(Boolean);
  const how = [arrays ? "in an array" : "one by one", ...beside].join(", ");
  return `${rotating.join("+")} ${how}, ours ${ours.fault} at ${ours.place}, the meter's ${meters.fault} at ${meters.place}`;
}
