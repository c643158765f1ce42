import { accessSync, constants, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  DataClass,
  frameCountersFrom,
  plainValue,
  remote,
  SessionError,
  type ShortNameListElement,
  ShortNameSession,
  systemTitleText,
} from "@meterkeep/dlms";
import { nodeRandom } from "@meterkeep/dlms-node";
import packageJson from "../../package.json" with { type: "json" };
import type { AccessOptions } from "../access/access-options.ts";
import { profileClient } from "../access/access-profile.ts";
import { type KeptCounters, keptCountersFile, openKeptCounters } from "../access/kept-counters.ts";
import { type MeterAccess, resolveAccess } from "../access/meter-access.ts";
import { type OpenContext, openMeter, readShownCounter } from "../access/open-meter.ts";
import { CliError, EXIT } from "../error.ts";
import { mayColour, type Terminal, write } from "../terminal.ts";
import { type Assessment, countsOf, type Result, runCheck } from "./assessment.ts";
import type { BenchParts } from "./bench.ts";
import type { Check } from "./check.ts";
import { CHECKS } from "./checks.ts";
import { collectPushes, type PushOptions } from "./pushes.ts";
import { assessmentHtml } from "./report/html.ts";
import { resultText, summaryText } from "./report/text.ts";
import { LOGICAL_NAME_REQUESTS, type RequestForms, shortNameRequests } from "./requests.ts";

/** The options of `meterkeep assess`. */
export interface AssessOptions extends AccessOptions, PushOptions {
  readonly check?: readonly string[];
  readonly lockOut?: boolean;
  readonly patience?: string;
  readonly report?: readonly string[];
  readonly json?: boolean;
  readonly listChecks?: boolean;
}

const DEFAULT_PATIENCE_SECONDS = 5;
const MANAGEMENT_SAP = 1;
const DEVICE_NAME = "0.0.42.0.0.255";

/** Runs `meterkeep assess`; the exit status is 1 when a check failed. @throws CliError, TransportError, SessionError */
export async function assess(address: string, options: AssessOptions, terminal: Terminal): Promise<void> {
  const chosen = chooseChecks(options);
  const reports = (options.report ?? []).map(reportAt);
  const access = await accessOf(address, options, terminal);
  const { interrupted: signal } = terminal;
  const pause = (milliseconds: number): Promise<void> => sleep(milliseconds, undefined, { signal, ref: false });
  const kept = openKeptCounters(keptCountersFile(terminal.env));
  await using collector = await collectPushes(options, pause);
  const begun = new Date().toISOString();
  const { counters, requests, meter } = await meet(access, kept, signal);
  const parts: BenchParts = {
    access,
    title: access.title ?? kept.title,
    counters,
    random: nodeRandom,
    now: () => performance.now(),
    pause,
    signal,
    requests,
    pushes: collector.pushes,
    patienceMilliseconds: patienceOf(options) * 1_000,
  };
  const results: Result[] = [];
  for (const check of chosen) {
    const result = await runCheck(check, parts).catch((error: unknown) => {
      if (!signal.aborted) throw error;
      throw new CliError("interrupted", "stopped before the end: no report was written", { exitStatus: EXIT.refused });
    });
    results.push(result);
    if (options.json !== true) await write(terminal.stdout, resultText(result, mayColour(terminal, terminal.stdout)));
  }
  const assessment: Assessment = {
    format: "meterkeep-assessment-1",
    program: `meterkeep ${packageJson.version}`,
    meter: { address, ...meter },
    client: `client ${access.clientSap} of logical device ${access.serverSap}, ${access.keys === undefined ? "without keys" : `with keys of suite ${access.suite}`}`,
    begun,
    ended: new Date().toISOString(),
    counts: countsOf(results),
    results,
  };
  for (const report of reports) writeFileSync(report.path, report.make(assessment));
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(assessment)}\n` : summaryText(assessment));
  if (assessment.counts.fail > 0) terminal.exitStatus = EXIT.refused;
}

/** The checks by name, for people. */
export function checkList(): string {
  return CHECKS.map(
    ({ id, title, onRequest }) => `${id.padEnd(22)} ${title}${onRequest ? " (on request)" : ""}\n`,
  ).join("");
}

/** Keys or not, the client under test is the management client. */
async function accessOf(address: string, options: AssessOptions, terminal: Terminal): Promise<MeterAccess> {
  const access = await resolveAccess(address, options, terminal);
  if (access.keys !== undefined && access.mechanism !== "gmac" && access.mechanism !== "ecdsa")
    throw new CliError("option-invalid", "assess proves keys by mechanism gmac or ecdsa");
  if (options.client !== undefined) return access;
  return { ...access, clientSap: profileClient(access.profile, "management")?.sap ?? MANAGEMENT_SAP };
}

interface Met {
  readonly counters: BenchParts["counters"];
  readonly requests: RequestForms;
  readonly meter: Omit<Assessment["meter"], "address">;
}

/** Associates once as it should be, so that the meter is known and the keys are right before anything is tried. */
async function meet(access: MeterAccess, kept: KeptCounters, signal: AbortSignal): Promise<Met> {
  const context = { counters: kept, signal };
  if (access.keys === undefined) {
    const shown = await readShownCounter(access, context);
    const unknown = { systemTitle: null, deviceName: null };
    const requests = isByShortNames(access) ? shortNameRequests(await publicNames(access, context)) : undefined;
    const counters = frameCountersFrom((shown ?? 0) + 1);
    return { counters, requests: requests ?? LOGICAL_NAME_REQUESTS, meter: unknown };
  }
  await using meter = await openMeter(access, context);
  const { session } = meter;
  const { serverSystemTitle } = session.negotiated;
  const name = await remote(session, DataClass, DEVICE_NAME)
    .get("value")
    .catch(() => undefined);
  const shown = name === undefined ? undefined : plainValue(name);
  return {
    // The association above has raised what is kept to what the meter accepts.
    counters: kept.of(access.keys.encryptionKey, access.title ?? kept.title, 0),
    requests: session instanceof ShortNameSession ? shortNameRequests(await session.objects()) : LOGICAL_NAME_REQUESTS,
    meter: {
      systemTitle: serverSystemTitle === undefined ? null : systemTitleText(serverSystemTitle),
      deviceName: typeof shown === "string" ? shown : null,
    },
  };
}

function isByShortNames({ profile }: MeterAccess): boolean {
  return profile.services?.shortNames === true;
}

/** The short names that the public client is shown; none where it is not let in. */
async function publicNames(access: MeterAccess, context: OpenContext): Promise<readonly ShortNameListElement[]> {
  try {
    await using meter = await openMeter({ ...access, clientSap: access.publicSap, mechanism: "none" }, context);
    return meter.session instanceof ShortNameSession ? await meter.session.objects() : [];
  } catch (error) {
    if (error instanceof SessionError) return [];
    throw error;
  }
}

function chooseChecks({ check: wanted, lockOut }: AssessOptions): readonly Check[] {
  const unknown = wanted?.find((id) => !CHECKS.some((check) => check.id === id));
  if (unknown !== undefined)
    throw new CliError("option-invalid", `--check ${unknown}: there is no such check; --list-checks lists them`);
  if (wanted !== undefined) return CHECKS.filter(({ id }) => wanted.includes(id));
  return CHECKS.map((check) => (check.onRequest === true && lockOut !== true ? leftOut(check) : check));
}

/** A check that nobody asked for: the report says that it was not done. */
function leftOut(check: Check): Check {
  const sentence = `Not done: it may lock the meter for a while. Ask for it with --${check.id}.`;
  return { ...check, run: async () => ({ verdict: "not-testable", sentence }) };
}

function patienceOf({ patience }: AssessOptions): number {
  const seconds = Number(patience ?? DEFAULT_PATIENCE_SECONDS);
  if (!(seconds >= 0 && seconds <= 3_600)) throw new CliError("option-invalid", "--patience must be 0 to 3600 seconds");
  return seconds;
}

function reportAt(path: string): { readonly path: string; readonly make: (assessment: Assessment) => string } {
  try {
    // Before the test and not after it.
    accessSync(dirname(path), constants.W_OK);
  } catch (cause) {
    throw new CliError("option-invalid", `--report ${path} cannot be written: ${(cause as Error).message}`, { cause });
  }
  if (path.endsWith(".html")) return { path, make: assessmentHtml };
  if (path.endsWith(".json")) return { path, make: (assessment) => `${JSON.stringify(assessment, undefined, 2)}\n` };
  throw new CliError("option-invalid", `--report ${path}: the name must end in .html or .json`);
}
