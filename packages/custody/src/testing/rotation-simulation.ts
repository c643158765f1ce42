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
  /** Those in which both faults came about: at a place that a rotation does not come to nothing goes wrong. */
  readonly struckTwice: number;
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
/** One crossing in more than so many would leave out crashes of the shortest rotations. */
export const MOST_APART = 16;
/** Places beyond those of a rotation in which nothing goes wrong: what goes wrong makes it longer. */
const PLACES_MORE = 2;

/** What a meter has, and which of its keys go. */
type Kind = Pick<FaultedRotation, "rotating" | "arrays" | "secrets" | "child" | "setups">;

/**
 * Every crash of ours at every place, crossed with every crash of the meter at every place, for every set of purposes; or one crossing
 * in so many (`MOST_APART` at most), of which each crash of ours at each place, and each of the meter's, has some.
 */
export function rotationFaults(oneIn = 1): readonly FaultedRotation[] {
  const all: readonly Purpose[] = [0, 1, 2, 3];
  const sets = Array.from({ length: 15 }, (_, at) => all.filter((purpose) => ((at + 1) & (1 << purpose)) !== 0));
  const plain = { arrays: true, secrets: false, child: false, setups: false };
  const kinds = [
    ...sets.flatMap((rotating): Kind[] => [
      { ...plain, rotating },
      { ...plain, rotating, arrays: false },
      ...(rotating.includes(0)
        ? [
            { ...plain, rotating, secrets: true },
            { ...plain, rotating, child: true },
          ]
        : []),
    ]),
    ...[all, [0, 2] as const, [3] as const].map((rotating): Kind => ({ ...plain, rotating, setups: true })),
  ];
  return kinds.flatMap((kind) => crossed(kind, oneIn));
}

function crossed(kind: Kind, oneIn: number): readonly FaultedRotation[] {
  const undisturbed = rotate(kind, [], []);
  const places = (of: "exchanges" | "preparations", more: number) =>
    Array.from({ length: Math.max(...undisturbed.map(({ course }) => course[of])) + more }, (_, place) => place);
  const exchanges = places("exchanges", PLACES_MORE);
  const preparations = places("preparations", 0);
  const ours = [
    ...OURS_AT_EXCHANGES.flatMap((fault) => exchanges.map((place) => ({ fault, place }))),
    ...OURS_PREPARING.flatMap((fault) => preparations.map((place) => ({ fault, place }))),
  ];
  const meters = METERS.flatMap((fault) => exchanges.map((place) => ({ fault, place })));
  // By the sum of both, so that none of either is left out: counted through, a step that their number shares a factor with would.
  return ours.flatMap((own, row) =>
    meters.flatMap((other, column) => ((row + column) % oneIn === 0 ? [{ ...kind, ours: own, meters: other }] : [])),
  );
}

function rotate(kind: Kind, faults: readonly Fault[], preparing: readonly PrepareFault[]): readonly Run[] {
  const { rotating, arrays, secrets, child, setups } = kind;
  const options: RunOptions = { rotating, arrays, preparing, ...(secrets ? { secrets: "known" } : {}), child };
  return setups ? runSetups(faults, options) : [run("honest", faults, options)];
}

/** Runs rotations, each to its end. */
export function simulate(faulted: Iterable<FaultedRotation>): Simulated {
  const stranded: string[] = [];
  const forgotten: string[] = [];
  let [rotations, proven, struckTwice, contacts, mostContacts] = [0, 0, 0, 0, 0];
  for (const one of faulted) {
    rotations += 1;
    try {
      const done = rotate(one, scheduleOf(one), preparingOf(one));
      const all = done.reduce((sum, each) => sum + each.contacts, 0);
      contacts += all;
      mostContacts = Math.max(mostContacts, all);
      if (done.every(({ journal }) => journal.verdict === "proven")) proven += 1;
      // Setups share what goes wrong: the one that ends last tells what is left of it.
      if (done.some(({ course }) => course.spared === 0)) struckTwice += 1;
      if (!done.every(isKnown)) stranded.push(nameOf(one));
    } catch (error) {
      const message = (error as Error).message;
      (message.includes("forgotten") || message.includes("escrow") ? forgotten : stranded).push(
        `${nameOf(one)}: ${message}`,
      );
    }
  }
  return { rotations, proven, struckTwice, contacts, mostContacts, stranded, forgotten };
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
  const schedule = Array.from({ length: Math.max(meters.place, ours.place) + 1 }, (): Fault => "none");
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
