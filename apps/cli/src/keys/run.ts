import {
  type Custodian,
  KEY_PURPOSES,
  type KeyLifeReport,
  MAX_PAGE_ROTATIONS,
  REPEATED_GRADES,
  ROTATION_CAUSES,
  type RotationState,
  TRANSFERABLE_PURPOSES,
} from "@meterkeep/api/custodian";
import { fromHex, type SystemTitle, systemTitle, systemTitleText } from "@meterkeep/dlms";
import { CliError, EXIT } from "../error.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { type Terminal, write } from "../terminal.ts";
import { asOperator } from "./operator.ts";
import { reportText, statesText } from "./print.ts";
import { exposedMeters, exposedText, repeatsText } from "./repeat.ts";

const DAY_MILLISECONDS = 86_400_000;

export type RotateOptions = OperatorOptions & {
  readonly all?: boolean;
  readonly olderThan?: string;
  readonly grade?: string;
  readonly dryRun?: boolean;
  readonly purposes?: string;
  readonly cause?: string;
  readonly reason: string;
};

/** `meterkeep keys rotate` */
export async function rotate(titles: readonly string[], options: RotateOptions, terminal: Terminal): Promise<void> {
  const { all, olderThan, grade } = options;
  const wanted = [titles.length > 0, all === true, olderThan !== undefined, grade !== undefined].filter(Boolean);
  if (wanted.length !== 1)
    throw new CliError("option-invalid", "name meters, or --all, or --older-than, or --grade: one of them");
  if (grade !== undefined) return rotateGraded(grade, options, terminal);
  if (options.dryRun === true) throw new CliError("option-invalid", "--dry-run goes with --grade");
  const cause = oneOf(ROTATION_CAUSES, options.cause ?? "demand", "--cause");
  const purposes = (options.purposes ?? "")
    .split(",")
    .filter((name) => name !== "")
    .map((name) => oneOf(TRANSFERABLE_PURPOSES, name.trim().toUpperCase(), "--purposes"));
  const days = numberOf(options.olderThan, "--older-than");
  const meters = titles.map(titleOf);
  const answer = await asOperator(options.state, terminal, async (custodian) => {
    const asked = { meters, purposes, cause, reason: options.reason };
    const madeBefore = days === undefined ? undefined : await momentOf(custodian, days, { cause, purposes });
    return custodian.planRotations({ ...asked, madeBefore });
  });
  const left = answer.asked - answer.planned;
  const { marked } = answer;
  const others =
    left === 0
      ? ""
      : marked === undefined
        ? ` ${left} are not: not due, rotated just now, or not taken over.`
        : ` ${left} are not: where a change is under way its end brings them, where none was taken over the takeover does.`;
  const compromised =
    marked === undefined ? "" : `Keys of ${marked} ${marked === 1 ? "meter" : "meters"} are marked compromised. `;
  await print(
    terminal,
    options,
    answer,
    `${compromised}New keys are planned for ${answer.planned} ${answer.planned === 1 ? "meter" : "meters"}.${others} How it goes: npx meterkeep keys status\n`,
  );
  if (answer.planned === 0 && (marked ?? 0) === 0) terminal.exitStatus = EXIT.refused;
}

/** Repeats takeovers of a grade, or says what that would be. */
async function rotateGraded(name: string, options: RotateOptions, terminal: Terminal): Promise<void> {
  const grade = oneOf(REPEATED_GRADES, name, "--grade");
  if ((options.cause ?? "exposure") !== "exposure" || options.purposes !== undefined)
    throw new CliError(
      "option-invalid",
      `--grade ${grade} changes all keys, for exposure: leave --cause and --purposes`,
    );
  if (options.dryRun === true) {
    const found = await asOperator(options.state, terminal, exposedMeters);
    const shown = found.map((one) => ({ ...one, meter: systemTitleText(one.meter) }));
    return print(terminal, options, shown, exposedText(found));
  }
  const request = { meters: [], purposes: [], cause: "exposure", reason: options.reason, grade } as const;
  const answer = await asOperator(options.state, terminal, (custodian) => custodian.planRotations(request));
  await print(terminal, options, answer, repeatsText(answer));
  if (answer.planned === 0) terminal.exitStatus = EXIT.refused;
}

/**
 * The moment that keys are older than: so many days ago, or what it was when the same was asked for within the day in which people
 * may agree to it, since they agree to a moment.
 */
export async function momentOf(
  custodian: Pick<Custodian, "changes">,
  days: number,
  asked: { readonly cause: string; readonly purposes: readonly string[] },
  now = Date.now(),
): Promise<number> {
  const moment = now - days * DAY_MILLISECONDS;
  const { changes } = await custodian.changes({ limit: MOST_CHANGES });
  for (const { kind, state, document } of changes) {
    if (kind !== "rotate-keys" || (state !== "planned" && state !== "approved")) continue;
    const { body } = JSON.parse(document) as { readonly body: PlannedRotation };
    const isSame =
      body.meters === "every meter" &&
      body.cause === asked.cause &&
      (body.purposes ?? []).join() === asked.purposes.join();
    const before = body.madeBefore ?? Number.POSITIVE_INFINITY;
    if (isSame && before <= moment && before > moment - DAY_MILLISECONDS) return before;
  }
  return moment;
}

/** As many as a page has. */
const MOST_CHANGES = 100;

/** What people agree to. */
interface PlannedRotation {
  readonly meters: unknown;
  readonly cause: string;
  readonly purposes?: readonly string[];
  readonly madeBefore?: number;
}

export type StatusOptions = OperatorOptions & {
  readonly unknown?: boolean;
  readonly failed?: boolean;
  readonly every?: boolean;
};

/** `meterkeep keys status` */
export async function status(titles: readonly string[], options: StatusOptions, terminal: Terminal): Promise<void> {
  const filter = options.unknown ? "unknown" : options.failed ? "failed" : options.every ? "all" : "open";
  const { report, rotations } = await asOperator(options.state, terminal, async (custodian) => ({
    report: await custodian.keyLife({}),
    rotations: await statesOf(custodian, titles.map(titleOf), filter),
  }));
  const shown = rotations.map((state) => ({ ...state, meter: systemTitleText(state.meter) }));
  await print(
    terminal,
    options,
    { ...report, rotations: shown },
    `${reportText(report)}${statesText(shown) || `${NONE_SHOWN[filter]}\n`}`,
  );
}

/** What a list that is empty says, by what was asked for. */
const NONE_SHOWN = {
  open: "No rotation is open.",
  unknown: "Of every meter it is known which keys it holds.",
  failed: "No meter has failed to change its keys.",
  all: "No key was ever rotated.",
} as const;

async function statesOf(
  custodian: Pick<Custodian, "rotationStates">,
  meters: readonly SystemTitle[],
  filter: "open" | "unknown" | "failed" | "all",
): Promise<readonly RotationState[]> {
  if (meters.length > 0) return (await custodian.rotationStates({ meters, filter: "all", after: undefined })).states;
  const states: RotationState[] = [];
  for (let after: SystemTitle | undefined; ; ) {
    const page = (await custodian.rotationStates({ meters, filter, after })).states;
    states.push(...page);
    after = page.at(-1)?.meter;
    if (page.length < MAX_PAGE_ROTATIONS) return states;
  }
}

export type PolicyOptions = OperatorOptions & {
  readonly cryptoPeriod?: string;
  readonly countLimit?: string;
  readonly perHour?: string;
  readonly retain?: string;
};

/** `meterkeep keys policy` */
export async function policy(options: PolicyOptions, terminal: Terminal): Promise<void> {
  const change = {
    cryptoPeriodDays: numberOf(options.cryptoPeriod, "--crypto-period"),
    countLimit: numberOf(options.countLimit, "--count-limit"),
    perHour: numberOf(options.perHour, "--per-hour"),
    retainDays: numberOf(options.retain, "--retain"),
  };
  const isChange = Object.values(change).some((value) => value !== undefined);
  const report: KeyLifeReport = await asOperator(options.state, terminal, (custodian) =>
    isChange ? custodian.setKeyPolicy(change) : custodian.keyLife({}),
  );
  await print(terminal, options, report.policy, reportText(report));
}

/** `meterkeep keys suspend`, `resume`, `compromise`, `destroy` */
export async function changeState(
  command: "suspend" | "resume" | "compromise" | "destroy",
  key: { readonly meter: string; readonly purpose: string; readonly version: string },
  options: OperatorOptions & { readonly reason: string; readonly client?: string; readonly setup?: string },
  terminal: Terminal,
): Promise<void> {
  const named = KEY_PURPOSES.find((name) => name.toUpperCase() === key.purpose.toUpperCase());
  const purpose = oneOf(KEY_PURPOSES, named ?? key.purpose, "the purpose");
  const client = numberOf(options.client, "--client");
  const setup = numberOf(options.setup, "--setup");
  const version = numberOf(key.version, "the version") as number;
  const { reason } = options;
  await asOperator(options.state, terminal, (custodian) =>
    custodian.changeKeyState({ meter: titleOf(key.meter), purpose, version, client, setup, command, reason }),
  );
  const next = command === "compromise" ? " Its successor is planned: npx meterkeep keys status" : "";
  await print(terminal, options, { changed: true }, `Done; the ledger says so.${next}\n`);
}

export type HygieneOptions = OperatorOptions;

/** `meterkeep keys hygiene` */
export async function hygiene(options: HygieneOptions, terminal: Terminal): Promise<void> {
  const findings = await asOperator(options.state, terminal, async (custodian) => {
    const found: { meter: string; purpose: string; version: number; message: string }[] = [];
    for (let after: SystemTitle | undefined; ; ) {
      const page = await custodian.keyHygiene({ after });
      found.push(...page.findings.map((finding) => ({ ...finding, meter: systemTitleText(finding.meter) })));
      after = page.next;
      if (after === undefined) return found;
    }
  });
  const lines = findings.map(({ meter, version, message }) => `${meter}  version ${version}: ${message}\n`);
  await print(terminal, options, findings, lines.length === 0 ? "No key is known to be weak.\n" : lines.join(""));
  if (findings.length > 0) terminal.exitStatus = EXIT.refused;
}

export async function print(terminal: Terminal, options: OperatorOptions, value: unknown, text: string): Promise<void> {
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(value)}\n` : text);
}

export function titleOf(text: string): SystemTitle {
  const title = text.replace(/[\s:-]/g, "");
  if (!/^[0-9A-Fa-f]{16}$/.test(title))
    throw new CliError("option-invalid", `"${text}" is no system title of 16 hex digits`);
  return systemTitle(fromHex(title));
}

export function numberOf(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,10}$/.test(text)) throw new CliError("option-invalid", `${name} must be a whole number`);
  return Number(text);
}

function oneOf<const N extends readonly string[]>(names: N, text: string, what: string): N[number] {
  const found = names.find((name) => name === text);
  if (found === undefined) throw new CliError("option-invalid", `${what} must be one of ${names.join(", ")}`);
  return found;
}
