import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { CommandOrder, DryRun, Finding as FindingView, MeterKind, Selection } from "@meterkeep/api";
import {
  type Account,
  type CommandClass,
  type Operation as CommandDocument,
  capOf,
  classOf,
  commandRulesOf,
  type Direction,
  delayOf,
  directionOf,
  type Finding,
  isRestoring,
  isWaived,
  type Judgement,
  judge,
  loadOf,
  type ManifestHeader,
  MC_RULES,
  operationWords,
  pickupDelays,
  planWaves,
  RULE_IDS,
  requirementOf,
  soakOf,
  type TargetFacts,
  type Thresholds,
  takesOff,
  type WavePlan,
  type WorkOrder,
} from "@meterkeep/guard";
import type { Scope } from "../database/scope.ts";
import type { Sql } from "../database/sql.ts";
import { HeadEndError } from "../errors.ts";
import { sha384 } from "../operation/sha384.ts";
import { METER_PROFILES } from "../profile/meter-profile.ts";
import type { SourceClock } from "../time/source-clock.ts";
import type { Billing } from "./billing.ts";
import { canonicalText } from "./canonical-text.ts";
import { type Commanded, type CommandOperations, commanded, commandFor, isSameCommand } from "./command-operations.ts";
import { expand, type Selected } from "./expansion.ts";
import type { FleetCensus } from "./fleet-census.ts";
import { fleetFacts, principalFacts } from "./fleet-facts.ts";
import { askWeather, type WeatherOffice } from "./weather.ts";

const HOUR = 3_600_000;
const DEFAULT_HOURS = 4;
/** A manifest that switches is good for no longer. */
const MOST_HOURS = 168;
const SAMPLE = 20;
/** What one other person may answer for, three have answered for who have lifted the caps. */
const RELEASABLE = RULE_IDS.filter((id) => MC_RULES[id].releasable);
const MOST_PARTS = 200;

/** Who asks. */
export interface Requester {
  readonly id: string;
  readonly name: string;
  /** The network from which it was asked; absent where it was on this machine. */
  readonly network?: string;
}

/** What holds at the custodian now. */
export interface Holding {
  readonly thresholds: Thresholds;
  readonly frozen: string | undefined;
  /** Why the custodian takes nothing off by its clock. */
  readonly clockDoubt: string | undefined;
  /** Whether people have lifted the caps for a while (break-glass). */
  readonly capsLifted: boolean;
}

export interface ProposalPorts {
  readonly sql: Sql;
  readonly scope: Scope;
  readonly census: FleetCensus;
  readonly billing: Billing;
  readonly weather: WeatherOffice;
  readonly operations: CommandOperations;
  clockOf(kind: MeterKind): SourceClock;
  holding(): Promise<Holding>;
  /** Why our own clock is not believed; undefined where it is. */
  clockTrouble(): string | undefined;
  /** A campaign that asks for the same and is not over. */
  sameAs(sameness: Uint8Array): Promise<string | undefined>;
  now(): number;
}

/** A target as it is planned. */
export interface PlannedTarget extends Selected {
  readonly wave: number;
  readonly delaySeconds: number;
}

/** A request, expanded, judged and planned: what becomes a campaign, and what a dry run shows. */
export interface Proposal {
  readonly id: string;
  readonly order: CommandOrder;
  readonly commanded: Commanded;
  /** What a manifest has to allow; undefined where it only reads. */
  readonly command: CommandDocument | undefined;
  readonly words: string;
  readonly commandClass: CommandClass;
  readonly direction: Direction;
  readonly selected: readonly Selected[];
  readonly judgement: Judgement;
  readonly targets: readonly PlannedTarget[];
  readonly waves: readonly WavePlan[];
  readonly dispersion: ManifestHeader["dispersion"];
  /** How many of the targets are not believed; undefined where all are. */
  readonly doubted: number | undefined;
  readonly loadW: number;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly sameness: Uint8Array;
  readonly dryRun: DryRun;
}

/**
 * Expands, judges and plans a request; nothing happens. `waived` are rules that another person has released it from.
 *
 * @throws HeadEndError `operation-invalid`
 */
export async function propose(
  ports: ProposalPorts,
  order: CommandOrder,
  requester: Requester,
  waived: ReadonlySet<string> = new Set(),
): Promise<Proposal> {
  const { sql, scope, now: clock } = ports;
  const now = clock();
  const what = commanded(ports.operations, order.operation, order.parameters ?? {});
  const looks = order.look === true;
  const known = looks ? undefined : anyCommand(what, Object.keys(METER_PROFILES));
  const direction = known === undefined ? "none" : directionOf(known);
  const all = await expand(sql, scope, order.selection as Selection, direction, {
    now,
    clockOf: ports.clockOf,
  });
  const command = known && anyCommand(what, [...profilesOf(all), ...Object.keys(METER_PROFILES)]);
  const { able, leftOut } = sorted(all, what, command, looks);
  const notBefore = order.notBefore === undefined ? now : Math.max(now, Date.parse(order.notBefore));
  const told = takesOff(direction) ? await askBilling(ports.billing, order.workOrder, able) : NOT_ASKED;
  const selected = able.map((each) => ({ ...each, account: told.accounts.get(each.systemTitle) }));
  const { thresholds, frozen, clockDoubt, capsLifted } = await ports.holding();
  const fleet = await fleetFacts(ports, now, { frozen, clockTrouble: ports.clockTrouble() ?? clockDoubt }, direction);
  const rules = commandRulesOf(thresholds);
  const isEmergency = order.urgency === "emergency";
  const sameness = samenessOf(order, selected);
  const planFor = (targets: readonly TargetFacts[]): readonly WavePlan[] => {
    // Reading harms nobody: there is nothing to be watched between waves of it.
    if (command === undefined || isRestoring(direction) || isEmergency)
      return targets.length === 0 ? [] : [{ targets: targets.length, soakSeconds: 0 }];
    const isCapped = takesOff(direction) && !capsLifted;
    const most = isCapped ? capOf(thresholds.offPerTenMinutes, fleet.meters) : Number.POSITIVE_INFINITY;
    return planWaves(targets.length, fleet.meters, most, soakOf(command, rules.soakSeconds));
  };
  // What three people have lifted at the custodian is not held against them here.
  const answered = capsLifted ? new Set<string>(RELEASABLE) : waived;
  const asked = { operation: command ?? READ_ONLY, reason: order.reason };
  const judgement = judge(
    {
      now,
      thresholds,
      fleet,
      weather: await askWeather(ports.weather, asked, thresholds),
      principal: await principalFacts(sql, scope, requester, now),
      request: {
        ...asked,
        asked: order.operation,
        requester: requester.name,
        isEmergency,
        notBefore,
        targets: selected,
        peak: { meters: 0, loadW: 0 },
        workOrderId: order.workOrder ?? "",
        workOrder: told.workOrder,
        billingAnswered: told.answered,
        isDoubtSigned: false,
        sameAs: command === undefined ? undefined : await ports.sameAs(sameness),
      },
    },
    (targets) => peakOf(targets, planFor(targets)),
    answered,
  );
  const left = judgement.targets as readonly Selected[];
  const waves = planFor(left);
  const doubting = left.filter(({ isDoubted }) => isDoubted).length;
  const doubted = doubting === 0 ? undefined : doubting;
  const dispersion = dispersionOf(direction, isEmergency, left, rules.dispersion);
  // What is not done needs no times: drawing those of a city takes seconds.
  const targets =
    judgement.verdict === "goes-on"
      ? planned(left, waves, dispersion)
      : left.map((each) => ({ ...each, wave: 0, delaySeconds: 0 }));
  const seconds = spanOf(targets, waves);
  const hours = order.hours ?? Math.min(MOST_HOURS, Math.max(DEFAULT_HOURS, (2 * seconds) / 3600 + 1));
  const notAfter = notBefore + hours * HOUR;
  const proposal = {
    id: randomUUID(),
    order,
    commanded: what,
    command,
    words: wordsOf(what, command, looks),
    commandClass: command === undefined ? "C0" : classOf(command),
    direction,
    selected,
    judgement,
    targets,
    waves,
    dispersion,
    doubted,
    loadW: loadOf(left),
    notBefore,
    notAfter,
    sameness,
  } as const;
  const people =
    command === undefined || left.length === 0
      ? 0
      : requirementOf(
          { operation: command, dispersion, targets: left.length, waves, workOrder: order.workOrder ?? "", doubted },
          thresholds,
        ).people;
  return { ...proposal, dryRun: dryRunOf(proposal, { all, leftOut, people, seconds, waived: answered, fleet }) };
}

/** What the guard looks at where nothing is commanded. */
const READ_ONLY: CommandDocument = { kind: "acts", acts: [] };
const NOT_ASKED = { answered: true, workOrder: undefined, accounts: new Map<string, Account>() } as const;

async function askBilling(billing: Billing, workOrder: string | undefined, selected: readonly Selected[]) {
  try {
    const order: WorkOrder | undefined =
      workOrder === undefined || workOrder === "" ? undefined : await billing.workOrder(workOrder);
    // Of meters that the order does not name nobody is asked for.
    const named = selected.map(({ systemTitle }) => systemTitle).filter((title) => order?.meters.has(title) === true);
    return { answered: true, workOrder: order, accounts: await billing.accounts(named) };
  } catch {
    return { answered: false, workOrder: undefined, accounts: new Map<string, Account>() };
  }
}

function wordsOf({ operation, parameters }: Commanded, command: CommandDocument | undefined, looks: boolean): string {
  if (command !== undefined) return operationWords(command);
  const words = operation.words(parameters);
  return looks ? `look what it would take to ${words}` : words;
}

/** The command for meters of the first of the profiles that has one: what is equal goes into one manifest. */
export function anyCommand(what: Commanded, profiles: readonly string[]): CommandDocument | undefined {
  for (const profile of profiles) {
    const command = commandFor(what, profile);
    if (command === "reads") return undefined;
    if (command !== "unknown") return command;
  }
  throw new HeadEndError("operation-invalid", `no meter profile has an object for "${what.operation.name}"`);
}

/** Profiles of meters, the most frequent first. */
function profilesOf(meters: readonly Selected[]): readonly string[] {
  return [...Map.groupBy(meters, ({ profile }) => profile)]
    .toSorted(([, one], [, other]) => other.length - one.length)
    .map(([profile]) => profile);
}

function sorted(all: readonly Selected[], what: Commanded, wanted: CommandDocument | undefined, looks: boolean) {
  const leftOut = new Map<string, number>();
  const commands = new Map<string, boolean>();
  const fits = (profile: string): boolean => {
    const known = commands.get(profile);
    if (known !== undefined) return known;
    const command = commandFor(what, profile);
    const isSame = looks ? command !== "unknown" : isWanted(command, wanted);
    commands.set(profile, isSame);
    return isSame;
  };
  const able = all.filter((each) => {
    const why = each.leftOut ?? (fits(each.profile) ? undefined : `meters of ${each.profile} take another command`);
    if (why !== undefined) leftOut.set(why, (leftOut.get(why) ?? 0) + 1);
    return why === undefined;
  });
  return { able, leftOut };
}

function isWanted(command: ReturnType<typeof commandFor>, wanted: CommandDocument | undefined): boolean {
  if (wanted === undefined) return command === "reads";
  return typeof command !== "string" && isSameCommand(command, wanted);
}

function samenessOf({ operation, parameters, look }: CommandOrder, targets: readonly TargetFacts[]): Uint8Array {
  const hash = createHash("sha256").update(
    canonicalText({ operation, parameters: parameters ?? {}, look: look === true }),
  );
  for (const { systemTitle } of targets) hash.update(systemTitle);
  return new Uint8Array(hash.digest());
}

function peakOf(targets: readonly TargetFacts[], waves: readonly WavePlan[]) {
  const meters = Math.max(0, ...waves.map((wave) => wave.targets));
  const heaviest = targets.map(({ loadW }) => loadW).toSorted((one, other) => other - one);
  return { meters, loadW: heaviest.slice(0, meters).reduce((sum, load) => sum + load, 0) };
}

/** MC-12 and MC-15. A single meter needs no dispersion: there is nothing that it could fall together with. */
function dispersionOf(
  direction: Direction,
  isEmergency: boolean,
  targets: readonly Selected[],
  geometric: { readonly meanSeconds: number; readonly capSeconds: number },
): ManifestHeader["dispersion"] {
  if (isRestoring(direction)) return { kind: "listed", capSeconds: 86_400 };
  if (direction === "none" || isEmergency || targets.length < 2) return { kind: "none" };
  return { kind: "geometric", ...geometric, seed: randomBytes(32).toString("hex") };
}

function planned(
  targets: readonly Selected[],
  waves: readonly WavePlan[],
  dispersion: ManifestHeader["dispersion"],
): readonly PlannedTarget[] {
  const pickups = dispersion.kind === "listed" ? pickupOf(targets) : undefined;
  const ends = waves.map((_, at) => waves.slice(0, at + 1).reduce((sum, wave) => sum + wave.targets, 0));
  // Waves take from everywhere: in the order of a hash, not of titles, which follow feeders.
  const order = targets.map((target, at) => ({
    at,
    key: createHash("sha256").update(target.systemTitle).digest("hex"),
  }));
  order.sort((one, other) => (one.key < other.key ? -1 : 1));
  const places = new Map(order.map(({ at }, place) => [at, place]));
  return targets.map((target, at) => ({
    ...target,
    wave: ends.findIndex((end) => (places.get(at) ?? 0) < end),
    delaySeconds:
      pickups?.get(target.systemTitle) ??
      (dispersion.kind === "listed" ? 0 : delayOf(dispersion, target.systemTitle, sha384)),
  }));
}

function pickupOf(targets: readonly Selected[]): ReadonlyMap<string, number> {
  const groups = Map.groupBy(targets, ({ transformer }) => transformer);
  return new Map(
    [...groups.values()].flatMap((group) => {
      const delays = pickupDelays(group.length);
      return group.map(({ systemTitle }, at): [string, number] => [systemTitle, delays[at] ?? 0]);
    }),
  );
}

function spanOf(targets: readonly PlannedTarget[], waves: readonly WavePlan[]): number {
  const soak = waves.reduce((sum, { soakSeconds }) => sum + soakSeconds, 0);
  return targets.reduce((most, { delaySeconds }) => Math.max(most, soak + delaySeconds), soak);
}

function dryRunOf(
  proposal: Omit<Proposal, "dryRun">,
  seen: {
    readonly all: readonly Selected[];
    readonly leftOut: ReadonlyMap<string, number>;
    readonly people: number;
    readonly seconds: number;
    readonly waived: ReadonlySet<string>;
    readonly fleet: { readonly transformers: Parts; readonly feeders: Parts };
  },
): DryRun {
  const { targets, judgement, words, commandClass, direction, loadW, waves, notBefore, doubted } = proposal;
  return {
    words,
    commandClass,
    direction,
    selected: seen.all.length,
    targets: targets.length,
    loadAtRiskW: loadW,
    people: seen.people,
    ...(doubted !== undefined && { doubted }),
    transformers: shares(targets, "transformer", seen.fleet.transformers),
    feeders: shares(targets, "feeder", seen.fleet.feeders),
    waves: [...waves],
    lastAt: new Date(notBefore + seen.seconds * 1000).toISOString(),
    findings: judgement.findings.map((finding) => findingView(finding, seen.waived)),
    leftOut: [...seen.leftOut].map(([reason, meters]) => ({ reason, meters })),
    verdict: judgement.verdict,
  };
}

type Parts = ReadonlyMap<string, { readonly meters: number }>;

function shares(targets: readonly TargetFacts[], by: "transformer" | "feeder", parts: Parts): DryRun["feeders"] {
  return [...Map.groupBy(targets, (target) => target[by])]
    .map(([id, group]) => ({ id, meters: group.length, of: parts.get(id)?.meters ?? 0, loadW: loadOf(group) }))
    .toSorted((one, other) => other.loadW - one.loadW)
    .slice(0, MOST_PARTS);
}

/** A finding as people see it; what was waived is said and no more. */
export function findingView(finding: Finding, waived: ReadonlySet<string>): FindingView {
  const { rule, about, sentence, meters } = finding;
  return {
    rule,
    effect: isWaived(finding, waived) ? "warn" : finding.effect,
    about,
    sentence: isWaived(finding, waived) ? `${sentence} (waived)` : sentence,
    meters: meters.length,
    loadW: loadOf(meters),
    sample: meters.slice(0, SAMPLE).map(({ systemTitle }) => systemTitle),
    releasable: finding.effect === "quarantine" && MC_RULES[rule].releasable,
  };
}
