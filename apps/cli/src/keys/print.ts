import type { KeyLifeReport, RotationState } from "@meterkeep/api/custodian";
import { columns, Footnotes } from "../columns.ts";

/** How keys are in the whole, in a few lines. */
export function reportText(report: KeyLifeReport): string {
  const { policy } = report;
  return [
    `Meters       ${report.meters} in custody`,
    `Due          ${report.overdue} with a key older than ${policy.cryptoPeriodDays} days`,
    `Rotations    ${report.planned} planned, ${report.underWay} under way, ${report.proven} proven, ${report.failed} failed`,
    `Unproven     ${report.unproven} with a master, unicast or authentication key that they have not proven`,
    `Compromised  ${report.compromised} with a key that strangers may have`,
    `Policy       ${policy.perHour} begin in an hour; after ${policy.cryptoPeriodDays} days or ${policy.countLimit} counters; kept ${policy.retainDays} days`,
    "",
  ].join("\n");
}

/** Rotations, one a line; how they stand is told beneath. */
export function statesText(states: readonly (Omit<RotationState, "meter"> & { readonly meter: string })[]): string {
  if (states.length === 0) return "";
  const stands = new Footnotes();
  const rows = states.map(({ meter, phase, cause, purposes, risk, unproven, sentence, setup }) => [
    ...[setup === undefined ? meter : `${meter} setup ${setup}`, phase, cause, purposes.join(" ")],
    ...[String(risk), unproven.join(" ")],
    stands.mark(sentence),
  ]);
  const table = columns(["meter", "phase", "cause", "keys", "risk", "unproven", ""], rows);
  return `\n${table}\n${stands.text("meter", "meters")}`;
}
