import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  type CustodianResponse,
  HEAD_END_PURPOSES,
  type HeadEnd,
  type HeadEndPurpose,
  type HeadEndTrust,
} from "@meterkeep/api/custodian";
import { fromHex, type SystemTitle, systemTitle, systemTitleText } from "@meterkeep/dlms";
import { CliError } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { fileText } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { runningServer } from "../operator/server.ts";
import { type Terminal, write } from "../terminal.ts";

export interface AddOptions extends OperatorOptions {
  readonly certificate?: readonly string[];
  readonly issuer?: string;
  readonly subject?: string;
  readonly purposes: string;
  readonly utility?: string;
  readonly islands?: string;
  readonly meters?: string;
  readonly itemsPerSecond?: string;
  readonly itemsBurst?: string;
  readonly batch?: string;
  readonly sessions?: string;
  readonly connections?: string;
  readonly reason: string;
}

export interface RemoveOptions extends OperatorOptions {
  readonly reason: string;
}

/** What a head-end may ask unless the command says otherwise: enough to read 100 000 meters in an hour. */
const LIMITS: HeadEnd["limits"] = {
  itemsPerSecond: 2_000,
  itemsBurst: 8_192,
  batch: 1_024,
  sessions: 2_000,
  connections: 16,
};

/** `meterkeep head-ends add` */
export async function addHeadEnd(name: string, options: AddOptions, terminal: Terminal): Promise<void> {
  const utility = options.utility ?? (await runningServer(options.state, terminal).call("publicConfig")).utility;
  const grant = {
    purposes: purposesOf(options.purposes),
    utility,
    islands: listOf(options.islands),
    meters: metersOf(options.meters),
  };
  const limits = Object.fromEntries(
    Object.entries(LIMITS).map(([limit, usual]) => [
      limit,
      numberOf(options[limit as keyof typeof LIMITS], limit) ?? usual,
    ]),
  ) as unknown as HeadEnd["limits"];
  const headEnd: HeadEnd = { name, trust: trustOf(options), grants: [grant], limits };
  await asOperator(options.state, terminal, (custodian) => custodian.enrolHeadEnd({ headEnd, reason: options.reason }));
  await print(terminal, options, { enrolled: name }, `${lineOf(headEnd)}\nIt may ask from its next connection on.\n`);
}

/** `meterkeep head-ends remove` */
export async function removeHeadEnd(name: string, options: RemoveOptions, terminal: Terminal): Promise<void> {
  await asOperator(options.state, terminal, (custodian) => custodian.removeHeadEnd({ name, reason: options.reason }));
  await print(terminal, options, { removed: name }, `${name} is answered no more.\n`);
}

/** `meterkeep head-ends list` */
export async function listHeadEnds(options: OperatorOptions, terminal: Terminal): Promise<void> {
  const { headEnds } = await asOperator(options.state, terminal, (custodian) => custodian.headEnds({}));
  const lines = headEnds.map(({ headEnd }) => `${lineOf(headEnd)}\n`).join("");
  await print(terminal, options, headEnds.map(shown), lines === "" ? "No head-end is enrolled.\n" : lines);
}

function trustOf({ certificate = [], issuer, subject }: AddOptions): HeadEndTrust {
  if (issuer === undefined && certificate.length > 0)
    return { kind: "pinned", certificates: certificate.map(certificateOf) };
  if (issuer === undefined || subject === undefined || certificate.length > 0)
    throw new CliError("option-invalid", "give --certificate, or --issuer together with --subject");
  return { kind: "issued", issuer: certificateOf(issuer), subject };
}

function certificateOf(file: string): string {
  try {
    return new X509Certificate(readFileSync(file)).toString();
  } catch (cause) {
    throw new CliError("option-invalid", `${file} is no certificate: ${(cause as Error).message}`, { cause });
  }
}

function purposesOf(text: string): HeadEndPurpose[] {
  return listOf(text).map((name) => {
    const found = HEAD_END_PURPOSES.find((purpose) => purpose === name);
    if (found === undefined)
      throw new CliError("option-invalid", `--purposes: "${name}" is none of ${HEAD_END_PURPOSES.join(", ")}`);
    return found;
  });
}

function metersOf(text: string | undefined): HeadEnd["grants"][number]["meters"] {
  const said = text?.startsWith("@") === true ? fileText(text.slice(1)).replaceAll(/\s+/g, ",") : text;
  return listOf(said).map((range) => {
    const [from = "", to = from] = range.split("-");
    return { from: titleOf(from), to: titleOf(to) };
  });
}

function titleOf(text: string): SystemTitle {
  if (!/^[0-9A-Fa-f]{16}$/.test(text))
    throw new CliError("option-invalid", `--meters: "${text}" is no system title of 16 hex digits`);
  return systemTitle(fromHex(text));
}

function listOf(text: string | undefined): string[] {
  return (text ?? "").split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]));
}

function numberOf(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new CliError("option-invalid", `${name} must be a whole number above 0`);
  return Number(text);
}

type Listed = CustodianResponse<"headEnds">["headEnds"][number];

function shown({ headEnd, ...enrolment }: Listed) {
  const grants = headEnd.grants.map((grant) => ({ ...grant, meters: grant.meters.map(rangeText) }));
  return { ...headEnd, grants, ...enrolment };
}

function lineOf({ name, trust, grants }: HeadEnd): string {
  const by =
    trust.kind === "issued"
      ? `${trust.subject} of ${new X509Certificate(trust.issuer).subject.replaceAll("\n", ", ")}`
      : trust.certificates.map((pem) => new X509Certificate(pem).fingerprint256.slice(0, 23)).join(" or ");
  const may = grants.map(({ purposes, utility, islands, meters }) => {
    const where = islands.length === 0 ? utility : `${utility}/${islands.join(",")}`;
    return `${purposes.join(", ")} in ${where}, ${meters.length === 0 ? "all meters" : meters.map(rangeText).join(" ")}`;
  });
  return `${name} (${by}): ${may.join("; ")}`;
}

function rangeText({ from, to }: { readonly from: SystemTitle; readonly to: SystemTitle }): string {
  const [first, last] = [systemTitleText(from), systemTitleText(to)];
  return first === last ? first : `${first}-${last}`;
}

async function print(terminal: Terminal, options: OperatorOptions, value: unknown, text: string): Promise<void> {
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(value)}\n` : text);
}
