import {
  ENROLMENT_CAUSES,
  type EnrolmentReport,
  type EnrolmentState,
  MAX_PAGE_ENROLMENTS,
} from "@meterkeep/api/custodian";
import { type SystemTitle, systemTitleText } from "@meterkeep/dlms";
import { columns, Footnotes } from "../columns.ts";
import { CliError, EXIT } from "../error.ts";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { asOperator } from "./operator.ts";
import { numberOf, print, titleOf } from "./run.ts";

const NO_END_MILLISECONDS = Date.UTC(9999, 11, 31);

/** `meterkeep keys certificates`: the certificates of meters, and how their enrolment stands. */
export async function certificates(
  titles: readonly string[],
  options: OperatorOptions,
  terminal: Terminal,
): Promise<void> {
  const { report, states } = await asOperator(options.state, terminal, async (custodian) => {
    const found: EnrolmentState[] = [];
    for (let after: SystemTitle | undefined; ; ) {
      const page = (await custodian.enrolmentStates({ meters: titles.map(titleOf), after })).states;
      found.push(...page);
      after = page.at(-1)?.meter;
      if (titles.length > 0 || page.length < MAX_PAGE_ENROLMENTS) break;
    }
    return { report: await custodian.enrolmentReport({}), states: found };
  });
  const shown = states.map((state) => ({ ...state, meter: systemTitleText(state.meter) }));
  await print(terminal, options, { ...report, meters: shown }, `${reportText(report)}${certificatesText(shown)}`);
}

export type EnrolOptions = OperatorOptions & {
  readonly all?: boolean;
  readonly cause: string;
  readonly reason: string;
};

/** `meterkeep keys enrol`: plan certificates for meters. */
export async function enrol(titles: readonly string[], options: EnrolOptions, terminal: Terminal): Promise<void> {
  if (titles.length > 0 === (options.all === true))
    throw new CliError("option-invalid", "name meters, or --all: one of them");
  const cause = ENROLMENT_CAUSES.find((one) => one === options.cause);
  if (cause === undefined)
    throw new CliError("option-invalid", `--cause is one of ${ENROLMENT_CAUSES.join(", ")}, not ${options.cause}`);
  const meters = titles.map(titleOf);
  const answer = await asOperator(options.state, terminal, (custodian) =>
    custodian.planEnrolments({ meters, cause, reason: options.reason }),
  );
  const text = `Certificates are planned for ${answer.planned} meters. How it goes: npx meterkeep keys certificates\n`;
  await print(terminal, options, answer, text);
  if (answer.planned === 0) terminal.exitStatus = EXIT.refused;
}

export type EnrolmentPolicyOptions = OperatorOptions & {
  readonly renewAfter?: string;
  readonly renewBefore?: string;
  readonly perDay?: string;
};

/** `meterkeep keys enrolment-policy` */
export async function enrolmentPolicy(options: EnrolmentPolicyOptions, terminal: Terminal): Promise<void> {
  const change = {
    renewAfterDays: numberOf(options.renewAfter, "--renew-after"),
    renewBeforeDays: numberOf(options.renewBefore, "--renew-before"),
    perDay: numberOf(options.perDay, "--per-day"),
  };
  const isChange = Object.values(change).some((value) => value !== undefined);
  const report = await asOperator(options.state, terminal, (custodian) =>
    isChange ? custodian.setEnrolmentPolicy(change) : custodian.enrolmentReport({}),
  );
  await print(terminal, options, report, reportText(report));
}

function reportText({ capable, planned, underWay, enrolled, failed, policy }: EnrolmentReport): string {
  return [
    `Meters       ${capable} of suite 1 or 2`,
    `Enrolment    ${planned} planned, ${underWay} under way, ${enrolled} enrolled, ${failed} failed`,
    `Policy       ${policy.perDay} begin in a day; renewed after ${policy.renewAfterDays} days, or ${policy.renewBeforeDays} days before a certificate ends`,
    "",
  ].join("\n");
}

/** What of a meter is shown, under its system title as text. */
export type Shown = Omit<EnrolmentState, "meter"> & { readonly meter: string };

/** Each meter with its certificates beneath it, within 120 columns; how its enrolment stands is told once for all it is true of. */
export function certificatesText(states: readonly Shown[]): string {
  if (states.length === 0) return "";
  const stands = new Footnotes();
  const rows = states.flatMap(({ certificates: held }) => held.map(certificateRow));
  const [head = "", ...lines] = columns(["  use", "serial", "until", "state", "issued by"], rows).split("\n");
  let at = 0;
  const blocks = states.map(({ meter, suite, anchor, certificates: held, sentence }) => {
    const own = lines.slice(at, at + held.length);
    at += held.length;
    return [`${meter}  suite ${suite}, anchor ${anchor} ${stands.mark(sentence)}`, ...own].join("\n");
  });
  return `\n${rows.length === 0 ? "" : `${head}\n`}${blocks.join("\n")}\n\n${stands.text("meter", "meters")}`;
}

function certificateRow({ use, serial, issuedBy, notAfter, state }: Shown["certificates"][number]): string[] {
  const until = notAfter >= NO_END_MILLISECONDS ? "no end" : new Date(notAfter).toISOString().slice(0, 10);
  return [`  ${use}`, serial, until, state, issuedBy];
}
