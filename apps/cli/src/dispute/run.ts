import type { PlausibilityFindingView, SettledDisputes } from "@meterkeep/api";
import { columns } from "../columns.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { runningServer } from "../operator/server.ts";
import { type Terminal, write } from "../terminal.ts";

export interface ListDisputesOptions extends OperatorOptions {
  readonly meter?: string;
  readonly rule?: string;
  readonly all?: boolean;
}

export interface SettleOptions extends OperatorOptions {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly rule?: string;
  readonly dryRun?: boolean;
  readonly digest?: string;
}

const MOST_LISTED = 1000;

/** `meterkeep dispute list` */
export async function listDisputes(
  { state, json, meter, rule, all = false }: ListDisputesOptions,
  terminal: Terminal,
): Promise<void> {
  const query = {
    limit: MOST_LISTED,
    disputes: "true",
    ...(meter === undefined ? {} : { meter: meter.toUpperCase() }),
    ...(rule === undefined ? {} : { rule }),
  };
  const { findings, older } = await runningServer(state, terminal).call("plausibility", { query });
  const listed = findings.filter(({ standing }) => all || standing === "disputed");
  const isCut = older > 0;
  await write(terminal.stdout, json === true ? `${JSON.stringify(listed)}\n` : disputesText(listed, isCut));
}

/** Findings line by line; `isCut` where older ones were not looked at. */
export function disputesText(listed: readonly PlausibilityFindingView[], isCut: boolean): string {
  const older = isCut
    ? `Looked at were the newest ${MOST_LISTED} findings: name a meter or a rule for older ones.\n`
    : "";
  if (listed.length === 0)
    return isCut
      ? `Nothing in dispute that nobody has settled was found. ${older}`
      : "No finding disputes anything that nobody has settled.\n";
  const lines = listed.map(({ rule, meter, about, from, to, stretches, standing, decision, sentence }) => [
    rule,
    meter ?? about,
    `${from} to ${to}${stretches === undefined ? "" : `, ${stretches.length} parts of it`}`,
    standing,
    decision === undefined ? sentence : `${sentence} ${decision.by} ${decision.verdict}: ${decision.reason}`,
  ]);
  return `${columns(["Rule", "Meter", "Time at the source", "Stands", "Finding"], lines)}${older}`;
}

/** `meterkeep dispute accept` and `meterkeep dispute reject` */
export async function settle(
  verdict: "accepted" | "rejected",
  titles: readonly string[],
  { state, json, from, to, reason, rule, dryRun = false, digest }: SettleOptions,
  terminal: Terminal,
): Promise<void> {
  const meters = titles.map((title) => title.toUpperCase());
  const chosen = { ...(rule === undefined ? {} : { rule }), ...(digest === undefined ? {} : { digest }) };
  const body = { verdict, meters, from, to, reason, dryRun, ...chosen };
  const settled = await runningServer(state, terminal).call("settleDisputes", { body });
  await write(terminal.stdout, json === true ? `${JSON.stringify(settled)}\n` : settledText(settled));
}

/** What a settlement changes, meter by meter. */
export function settledText({ verdict, dryRun, digest, meters }: SettledDisputes): string {
  const lines = meters.map(({ meter, label, intervals, registers, powerQuality, disputes }) => [
    meter,
    label,
    ...[disputes, intervals, registers, powerQuality].map(String),
  ]);
  const heads = ["Meter", "Name", "Disputes", "Intervals", "Registers", "Power quality"];
  const next = `Nothing was changed. With --digest in place of --dry-run these values are ${verdict}, and no others:\n  --digest ${digest}`;
  return `${columns(heads, lines)}${dryRun ? next : `These values are ${verdict}.`}\n`;
}
