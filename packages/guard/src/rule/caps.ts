import { capOf } from "../threshold/share.ts";
import { commandRulesOf } from "../threshold/thresholds.ts";
import type { Finding, GuardFacts, PartFacts, TargetFacts } from "./facts.ts";
import type { RuleId } from "./rules.ts";

const LOAD_CEILING = 0.1;
const PERMYRIAD = 10_000;

/** MC-01 and MC-02: how many of the fleet. */
export function fleetCaps({ thresholds, fleet, request }: GuardFacts): Finding[] {
  const { offPerDay, offPerDayWarning, offPerTenMinutes } = thresholds;
  const { offPerMonth } = commandRulesOf(thresholds);
  const asked = request.targets.length;
  const findings: Finding[] = [];
  const beyond = (rule: RuleId, counted: number, most: number, window: string): void => {
    if (counted + asked > most)
      findings.push(
        found(
          rule,
          "quarantine",
          `${asked} meters would be switched off after ${counted} in ${window}, and no more than ${most} may be`,
          request.targets,
        ),
      );
  };
  const { day, month, tenMinutes } = fleet.off;
  beyond("MC-01", day, capOf(offPerDay, fleet.meters), "24 hours");
  beyond("MC-01", month, capOf(offPerMonth, fleet.meters), "30 days");
  // Waves keep it by themselves; what was planned otherwise does not pass.
  const most = capOf(offPerTenMinutes, fleet.meters);
  if (request.peak.meters > most) beyond("MC-02", 0, most, "one wave");
  else if (tenMinutes + request.peak.meters > most)
    findings.push(
      found("MC-02", "warn", `${tenMinutes} of ${most} in ten minutes are used: it waits`, request.targets),
    );
  const warning = capOf(offPerDayWarning, fleet.meters);
  if (day + asked >= warning)
    findings.push(
      found("MC-01", "warn", `${day + asked} in 24 hours reach the warning of ${warning}`, request.targets),
    );
  return findings;
}

/** MC-03: how many on one transformer and one feeder. */
export function partCaps({ thresholds, fleet, request }: GuardFacts): Finding[] {
  const { transformerPerHour, feederPerHour } = commandRulesOf(thresholds);
  const look = (
    name: "transformer" | "feeder",
    parts: ReadonlyMap<string, PartFacts>,
    share: typeof feederPerHour,
  ): Finding[] =>
    [...grouped(request.targets, name)].flatMap(([id, targets]) => {
      const part = parts.get(id);
      if (part === undefined) return [];
      const most = capOf(share, part.meters);
      return part.offInHour + targets.length > most
        ? [
            found(
              "MC-03",
              "quarantine",
              `${name} ${id}: ${targets.length} of its ${part.meters} meters after ${part.offInHour} in the hour, and no more than ${most} may be switched off`,
              targets,
            ),
          ]
        : [];
    });
  return [
    ...look("transformer", fleet.transformers, transformerPerHour),
    ...look("feeder", fleet.feeders, feederPerHour),
  ];
}

/** MC-04: how much load. One meter alone is always possible. */
export function loadCaps({ thresholds, fleet, request }: GuardFacts): Finding[] {
  const rules = commandRulesOf(thresholds);
  const findings: Finding[] = [];
  const asked = request.peak.loadW;
  const before = fleet.off.loadInTenMinutesW;
  const most = loadCapW(fleet.loadW, rules);
  if (before + asked > most && fleet.off.tenMinutes + request.peak.meters > 1)
    findings.push(
      found(
        "MC-04",
        "quarantine",
        `${asked} W would go after ${before} W in ten minutes, and no more than ${most} W of ${fleet.loadW} W may`,
        request.targets,
      ),
    );
  for (const [id, targets] of grouped(request.targets, "transformer")) {
    const part = fleet.transformers.get(id);
    if (part?.ratedW === undefined || targets.length + part.offInHour < 2) continue;
    const mostOfPart = Math.floor((part.ratedW * rules.transformerLoadPermyriad) / PERMYRIAD);
    const load = loadOf(targets) + part.offLoadInTenMinutesW;
    if (load > mostOfPart)
      findings.push(
        found(
          "MC-04",
          "quarantine",
          `transformer ${id}: ${load} W would go, and no more than ${mostOfPart} W of its ${part.ratedW} W may`,
          targets,
        ),
      );
  }
  return findings;
}

/** MC-04: what may go in ten minutes of an island that draws so much, in watts. */
export function loadCapW(
  islandW: number,
  { loadPermyriad, loadFloorW }: { readonly loadPermyriad: number; readonly loadFloorW: number },
): number {
  const wanted = Math.max(loadFloorW, Math.floor((islandW * loadPermyriad) / PERMYRIAD));
  return Math.min(wanted, Math.floor(islandW * LOAD_CEILING));
}

/** The load of meters together, in watts. */
export function loadOf(targets: readonly Pick<TargetFacts, "loadW">[]): number {
  return targets.reduce((sum, { loadW }) => sum + loadW, 0);
}

function grouped(targets: readonly TargetFacts[], by: "transformer" | "feeder"): Map<string, TargetFacts[]> {
  const groups = new Map<string, TargetFacts[]>();
  for (const target of targets) {
    if (target[by] === "") continue;
    const group = groups.get(target[by]);
    if (group === undefined) groups.set(target[by], [target]);
    else group.push(target);
  }
  return groups;
}

function found(rule: RuleId, effect: Finding["effect"], sentence: string, meters: readonly TargetFacts[]): Finding {
  return { rule, effect, about: "request", sentence, meters };
}
