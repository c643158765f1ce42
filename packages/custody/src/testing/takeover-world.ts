import { PURPOSE, type Purpose, SECRET } from "../store/records.ts";
import {
  type Carrier,
  isFinal,
  type Journal,
  newJournal,
  rotationJournal,
  type TakeoverEffect,
  type TakeoverEvent,
} from "../takeover/journal.ts";
import { step } from "../takeover/machine.ts";
import type { TakeoverRules } from "../takeover/moves.ts";
import { inTurn } from "../takeover/turns.ts";
import { type Character, PretendMeter, SECRETS } from "./pretend-meter.ts";

/** The M-Bus channel of a meter that has a device. */
const CHANNEL = 1;

const FOUND: Extract<TakeoverEvent, { kind: "clients-found" }>["clients"] = SECRETS.map((secret) => ({
  ...secret,
  object: `0.0.40.0.${secret.client}.255`,
  mechanism: secret.purpose === SECRET.LLS ? "low" : "high",
}));
const POLICY = 0x6c;

/** What goes wrong with one exchange, or with us around it. */
export const FAULTS = [
  "none",
  "unreachable",
  "request-lost",
  "answer-lost",
  "half-applied",
  "other-half-applied",
  "meter-crash-after-ack",
  "crash-before-commit",
  "crash-after-commit",
  "crash-before-answer-commit",
] as const;
export type Fault = (typeof FAULTS)[number];

/** Where we may die while keys are prepared: nothing has been sent, and nothing is to be lost by it. */
export const PREPARE_FAULTS = ["none", "crash-before-prepare", "crash-before-escrow", "crash-after-escrow"] as const;
export type PrepareFault = (typeof PREPARE_FAULTS)[number];

export const FAST: TakeoverRules["pace"] = {
  sameKeysMilliseconds: 60_000,
  anyKeysMilliseconds: 1000,
  firstRetryMilliseconds: 500,
  lockOutMilliseconds: 2000,
};

/** What a run showed. */
export interface Run {
  readonly journal: Journal;
  readonly meter: PretendMeter;
  readonly contacts: number;
  /** Versions generated and durable, by purpose. */
  readonly held: Readonly<Record<Purpose, ReadonlySet<number>>>;
  /** Versions in escrow. */
  readonly escrowed: Readonly<Record<Purpose, ReadonlySet<number>>>;
  /** The shortest time between two associations with the same keys that led nowhere. */
  readonly closestTries: number;
  /** How far the meter's course had come by its end, all its setups together. */
  readonly course: Pick<Course, "exchanges" | "preparations"> & {
    /** Faults that never came about: the meter was done before. */
    readonly spared: number;
  };
}

/** What a run starts with. */
export interface RunOptions {
  readonly arrays?: boolean;
  readonly carrier?: Carrier;
  readonly wrongCounter?: boolean;
  /** What goes wrong while keys are prepared, one for each time. */
  readonly preparing?: readonly PrepareFault[];
  /** The rotation of these purposes, of a meter that has been taken over; a takeover unless given. */
  readonly rotating?: readonly Purpose[];
  /** Whether the meter has clients with secrets, and a policy to be raised; whether the factory told them, or only the meter knows of them. */
  readonly secrets?: "known" | "untold" | "found";
  /** Whether nobody has asked it for security setups before its rotation. */
  readonly asksAnew?: boolean;
  /** Whether both sides can sign what a master comes from. */
  readonly agreement?: boolean;
  /** Whether a device with a default key that we hold is at its channel. */
  readonly child?: boolean;
  /** Whether it is a security setup beside the first. */
  readonly isFurther?: boolean;
}

/** The time, and what goes wrong from now on, of all setups of a meter. */
interface Course {
  at: number;
  /** With the meter. */
  exchanges: number;
  /** How often keys were to be made. */
  preparations: number;
  readonly schedule: Fault[];
  readonly preparing: PrepareFault[];
}

function courseOf(faults: readonly Fault[], { preparing = [] }: RunOptions): Course {
  return { at: 1_000_000, exchanges: 0, preparations: 0, schedule: [...faults], preparing: [...preparing] };
}

/** A setup of a meter, with which contacts are made. */
interface World {
  /** Whether a change of its keys has begun. */
  readonly isBegun: boolean;
  /** Whether its journal has whoever asks wait. */
  readonly isWaiting: boolean;
  /** Makes a contact; gives what came of all once nothing is left to do. */
  contact(): Run | undefined;
}

const MOST_CONTACTS = 400;

const EXCHANGES: readonly string[] = [
  "associate",
  "associate-secret",
  "read-counter",
  "read-identity",
  "transfer",
  "agree",
  "change-secret",
  "transfer-child-key",
  "set-child-key",
  "read-policy",
  "find-clients",
  "raise-policy",
  "release",
];

const AFTER_TAKEOVER = { 0: 2, 1: 3, 2: 2, 3: 2 } as const;

function settledSecret({ purpose, client }: (typeof SECRETS)[number]): NonNullable<Journal["secrets"]>[number] {
  return { purpose, client, state: "settled", belief: [1], nextVersion: 2, sent: 0, silent: 0 };
}

/** The journal of a rotation after an ordinary takeover, or after one in which nobody asked for security setups. */
export function plannedRotation(purposes: readonly Purpose[], withSecrets = false, asksAnew = false): Journal {
  const proven = { working: true, master: true, oldMasterDead: true, oldDead: true };
  const before: Journal = {
    ...newJournal(),
    belief: { 0: [2], 1: [3, 2, 1], 2: [2], 3: [2] },
    nextVersion: { 0: 3, 1: 5, 2: 3, 3: 3 },
    identity: "matched",
    proven,
    search: { state: "settled", asked: 1, ...(!asksAnew && { setups: [] }) },
    verdict: "proven",
    ...(withSecrets ? { secrets: SECRETS.map(settledSecret) } : {}),
  };
  const takeover = { grade: "exposed", verdict: "proven", steps: [], sentence: "" } as const;
  return rotationJournal(before, { cause: "demand", purposes }, takeover);
}

/**
 * Runs a takeover, or a rotation, against a pretended meter under a schedule of faults, one for each exchange; when they are used up
 * nothing goes wrong any more. After everything that happens, what is on the meter must be believed and held.
 */
export function run(character: Character, faults: readonly Fault[], options: RunOptions = {}): Run {
  const world = worldOf(character, courseOf(faults, options), options);
  for (let contacts = 0; contacts < MOST_CONTACTS; contacts += 1) {
    const done = world.contact();
    if (done !== undefined) return done;
  }
  throw new Error(`no end after ${MOST_CONTACTS} contacts`);
}

/** The same of a meter with two security setups, which are changed in their turn: what goes wrong goes wrong in whichever has it. */
export function runSetups(faults: readonly Fault[], options: RunOptions = {}): readonly Run[] {
  const course = courseOf(faults, options);
  const { secrets: _secrets, child: _child, agreement: _agreement, ...own } = options;
  const worlds = [worldOf("honest", course, options), worldOf("honest", course, { ...own, isFurther: true })] as const;
  const over: (Run | undefined)[] = [undefined, undefined];
  for (let contacts = 0; contacts < 2 * MOST_CONTACTS; contacts += 1) {
    const wanted = worlds.flatMap(({ isBegun }, setup) => (over[setup] === undefined ? { setup, isBegun } : []));
    const turns = inTurn(wanted, true);
    const [next] = turns;
    if (next === undefined) return over as Run[];
    // One beside the first that has to wait holds up no other; where all wait, time goes by.
    const ready = turns.find((setup) => setup === 0 || worlds[setup as 0 | 1].isWaiting === false) ?? next;
    over[ready] = worlds[ready as 0 | 1].contact();
  }
  throw new Error(`no end after ${2 * MOST_CONTACTS} contacts`);
}

function worldOf(character: Character, course: Course, options: RunOptions): World {
  const secrets = options.secrets === undefined || options.secrets === "found" ? [] : SECRETS;
  const rules: TakeoverRules = {
    pace: FAST,
    arrays: options.arrays ?? true,
    secrets: secrets.map((secret) => ({ ...secret, known: options.secrets === "known" })),
    policy: options.secrets === undefined ? undefined : options.secrets === "found" ? "found" : POLICY,
    children: options.child === true ? [CHANNEL] : [],
    agreement: options.agreement ?? false,
    further: options.isFurther === true ? undefined : [],
    hasFurther: false,
  };
  const carrier = options.carrier ?? "head-end";
  const { rotating } = options;
  const start = rotating === undefined ? ({ 0: 1, 1: 1, 2: 1, 3: 1 } as const) : AFTER_TAKEOVER;
  const meter = new PretendMeter(character, start);
  const upTo = (version: number) => new Set(Array.from({ length: version }, (_, at) => at + 1));
  const held = { 0: upTo(start[0]), 1: upTo(start[1] + 1), 2: upTo(start[2]), 3: upTo(start[3]) };
  const escrowed: Record<Purpose, Set<number>> = { 0: new Set(), 1: new Set(), 2: new Set(), 3: new Set() };
  /** Versions of secrets that were made, and that are in escrow, by client. */
  const secretsHeld = new Set(SECRETS.map(({ client }) => `${client}/1`));
  const secretsEscrowed = new Set<string>();
  const secretsSent = new Set<string>();
  /** Versions of the child's key that its device was handed: none twice. */
  const childSent = new Set<number>();
  const { schedule, preparing } = course;
  const tried = new Map<string, number>();
  let closestTries = Number.POSITIVE_INFINITY;
  let durable =
    rotating === undefined
      ? newJournal()
      : plannedRotation(rotating, options.secrets !== undefined, options.asksAnew === true);
  let at = course.at;
  let contacts = 0;
  let counterWrong = options.wrongCounter ?? false;

  const check = (): void => {
    for (const purpose of [0, 1, 2, 3] as const) {
      const version = meter.keys[purpose];
      // An offer whose answer nobody has heard: the next one replaces what came of it.
      const { agreement } = durable;
      const offered = purpose === PURPOSE.KEK && agreement?.state === "offered";
      if (offered && version <= agreement.version && !held[purpose].has(version)) continue;
      if (!held[purpose].has(version))
        throw new Error(`key ${purpose} version ${version} is on the meter and forgotten`);
      // A meter that opens with more than one set is open to us with any of them.
      const manifold = character === "opens-with-both" || character === "applies-late";
      if (!manifold && !durable.belief[purpose].includes(version))
        throw new Error(
          `key ${purpose} version ${version} is on the meter and not believed: ${durable.belief[purpose]}`,
        );
    }
    for (const [client, version] of meter.secrets)
      if (!secretsHeld.has(`${client}/${version}`))
        throw new Error(`the secret of client ${client}, version ${version}, is on the meter and forgotten`);
    const { device, meter: used } = meter.child;
    for (const version of [device, used])
      if (version > 0 && !secretsHeld.has(`${CHANNEL}/${version}`))
        throw new Error(`the key of the child, version ${version}, is in use and forgotten`);
    const believed = durable.children?.[0]?.belief ?? [];
    if ([device, used].some((version) => version > 0 && !believed.includes(version)))
      throw new Error(`the key of the child is ${device} and ${used}, and ${believed} are believed`);
  };
  const commit = (journal: Journal, effects: readonly TakeoverEffect[]): void => {
    durable = JSON.parse(JSON.stringify(journal)) as Journal;
    for (const effect of effects)
      if (effect.kind === "prepare")
        for (const { purpose, version, client } of effect.keys)
          if (client === undefined) held[purpose as Purpose].add(version);
          else secretsHeld.add(`${client}/${version}`);
  };
  /** Makes keys durable and puts them into escrow, as far as it gets. */
  const prepare = (
    journal: Journal,
    effects: readonly TakeoverEffect[],
    { keys }: Extract<TakeoverEffect, { kind: "prepare" }>,
  ): TakeoverEvent | "crashed" => {
    course.preparations += 1;
    const fault = preparing.shift() ?? "none";
    if (fault === "crash-before-prepare") return "crashed";
    commit(journal, effects);
    check();
    if (fault === "crash-before-escrow") return "crashed";
    for (const { purpose, version, client } of keys)
      if (client === undefined) escrowed[purpose as Purpose].add(version);
      else secretsEscrowed.add(`${client}/${version}`);
    return fault === "crash-after-escrow" ? "crashed" : { kind: "prepared", at };
  };
  const event = (happened: Extract<TakeoverEvent, { at: number }>) => step(durable, happened, rules);

  /** The exchange that an effect asks for; gives what came of it, or nothing where the contact is over. */
  const exchange = (effect: TakeoverEffect, fault: Fault): TakeoverEvent | "crashed" => {
    at += 10;
    if (fault === "crash-after-commit") return "crashed";
    if (fault === "unreachable") return { kind: "lost", at, reason: "unreachable" };
    if (fault === "request-lost") return { kind: "lost", at, reason: "closed" };
    const answer = answerOf(effect, fault);
    check();
    if (fault === "answer-lost" || fault === "half-applied" || fault === "other-half-applied")
      return { kind: "lost", at, reason: "timed-out" };
    return fault === "crash-before-answer-commit" ? "crashed" : answer;
  };
  const answerOf = (effect: TakeoverEffect, fault: Fault): TakeoverEvent => {
    switch (effect.kind) {
      case "associate": {
        const name = `${effect.GUEK}/${effect.GAK}`;
        if (counterWrong) return { kind: "association-refused", at, detail: "the counter is too low" };
        if (meter.opens(effect.GUEK, effect.GAK)) return { kind: "associated", at };
        const before = tried.get(name);
        if (before !== undefined) closestTries = Math.min(closestTries, at - before);
        tried.set(name, at);
        return { kind: "association-refused", at, detail: "authentication failure" };
      }
      case "read-counter":
        counterWrong = false;
        return { kind: "counter-read", at, counter: 5000 };
      case "read-identity":
        return { kind: "identity-read", at, matches: character !== "is-another", detail: "logical device name" };
      case "transfer": {
        const keys = effect.keys as readonly { purpose: Purpose; version: number }[];
        for (const { purpose, version } of keys)
          if (!escrowed[purpose].has(version)) throw new Error(`key ${purpose} version ${version} is not in escrow`);
        const before = { ...meter.keys };
        const part = fault === "half-applied" ? "first" : fault === "other-half-applied" ? "others" : "all";
        const accepted = meter.transfer(keys, effect.under, part);
        // Said, and forgotten when the power went.
        if (fault === "meter-crash-after-ack") Object.assign(meter.keys, before);
        return { kind: "transfer-answered", at, accepted, detail: accepted ? "success" : "refused" };
      }
      case "agree": {
        if (character === "refuses-agreement")
          return { kind: "transfer-answered", at, accepted: false, detail: "refused" };
        const { version } = durable.agreement as NonNullable<Journal["agreement"]>;
        const half = fault === "half-applied" || fault === "other-half-applied" || fault === "meter-crash-after-ack";
        // A key that is on the meter and on no other side: nobody knows it before the answer has come.
        if (!half && character !== "keeps-master") meter.keys[PURPOSE.KEK] = version;
        return { kind: "master-agreed", at, version };
      }
      case "associate-secret":
        return meter.opensAs(effect.key)
          ? { kind: "associated", at }
          : { kind: "association-refused", at, detail: "authentication failure" };
      case "change-secret": {
        const name = `${effect.key.client}/${effect.key.version}`;
        if (!secretsEscrowed.has(name)) throw new Error(`secret ${name} is not in escrow`);
        if (secretsSent.has(name)) throw new Error(`secret ${name} was sent before`);
        secretsSent.add(name);
        const half = fault === "half-applied" || fault === "meter-crash-after-ack";
        const accepted = meter.changeSecret(effect.key, !half);
        return { kind: "transfer-answered", at, accepted, detail: accepted ? "success" : "refused" };
      }
      case "transfer-child-key":
      case "set-child-key": {
        const { version } = effect.key;
        if (!secretsEscrowed.has(`${CHANNEL}/${version}`)) throw new Error(`child key ${version} is not in escrow`);
        const side = effect.kind === "transfer-child-key" ? "device" : "meter";
        if (side === "device" && childSent.has(version)) throw new Error(`child key ${version} was handed over before`);
        childSent.add(version);
        const half = fault === "half-applied" || fault === "meter-crash-after-ack";
        const accepted = meter.giveChildKey(side, effect.key, !half);
        return { kind: "transfer-answered", at, accepted, detail: accepted ? "success" : "refused" };
      }
      case "read-policy":
        return { kind: "policy-read", at, value: meter.policy };
      case "raise-policy": {
        const applies =
          meter.character !== "keeps-policy" && fault !== "half-applied" && fault !== "meter-crash-after-ack";
        if (applies) meter.policy = effect.to;
        return { kind: "transfer-answered", at, accepted: true, detail: "success" };
      }
      case "find-clients":
        if (character === "tells-no-clients") return { kind: "lost", at, reason: "timed-out" };
        return { kind: "clients-found", at, clients: options.secrets === "found" ? FOUND : [], setups: [], hidden: [] };
      case "release":
        return { kind: "released", at };
      default:
        throw new Error(`no exchange for ${effect.kind}`);
    }
  };

  const contact = (): Run | undefined => {
    at = Math.max(at, course.at);
    let happened: TakeoverEvent | "crashed" = { kind: "contact-asked", at, carrier };
    contacts += 1;
    meter.contacted();
    for (;;) {
      if (happened === "crashed") {
        at += 2000;
        break;
      }
      if (happened.kind === "master-agreed") {
        // Durable and in escrow before the machine hears of it.
        held[PURPOSE.KEK].add(happened.version);
        escrowed[PURPOSE.KEK].add(happened.version);
      }
      const [journal, ...effects] = event(happened);
      const toPrepare = effects.find((effect) => effect.kind === "prepare");
      if (toPrepare?.kind === "prepare") {
        happened = prepare(journal, effects, toPrepare);
        continue;
      }
      const doing = effects.find(({ kind }) => EXCHANGES.includes(kind));
      if (doing !== undefined) course.exchanges += 1;
      const fault: Fault = doing === undefined ? "none" : (schedule.shift() ?? "none");
      if (fault === "crash-before-commit") {
        happened = "crashed";
        continue;
      }
      commit(journal, effects);
      check();
      if (doing !== undefined) {
        happened = exchange(doing, fault);
        continue;
      }
      const end = effects.find(({ kind }) => kind === "close" || kind === "wait" || kind === "nothing");
      if (end?.kind === "close" || end?.kind === "wait") at += Math.max(end.milliseconds, 1);
      if (end?.kind === "nothing") {
        const { exchanges, preparations } = course;
        const spared = [...schedule, ...preparing].filter((fault) => fault !== "none").length;
        return {
          journal: durable,
          meter,
          contacts,
          held,
          escrowed,
          closestTries,
          course: { exchanges, preparations, spared },
        };
      }
      if (end === undefined) throw new Error("the machine stands still");
      break;
    }
    if (isFinal(durable.verdict) && durable.contact === undefined) at += 1;
    course.at = at;
    return undefined;
  };
  return {
    get isBegun() {
      return contacts > 0;
    },
    get isWaiting() {
      const asked = { kind: "contact-asked", at: Math.max(at, course.at), carrier } as const;
      return step(durable, asked, rules).some((effect) => "kind" in effect && effect.kind === "wait");
    },
    contact,
  };
}
