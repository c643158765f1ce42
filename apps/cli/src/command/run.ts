import {
  type CampaignTarget,
  type CampaignTargetDetail,
  type CampaignView,
  COMMAND_REASONS,
  type CommandOrder,
  type DryRun,
  TARGET_STATES,
  URGENCIES,
} from "@meterkeep/api";
import { CliError } from "../error.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { runningServer } from "../operator/server.ts";
import { type Terminal, write } from "../terminal.ts";

/** What is asked for on the command line. */
export interface AskOptions extends OperatorOptions {
  readonly reason: string;
  readonly feeder?: string;
  readonly transformer?: string;
  readonly profile?: string;
  readonly model?: string;
  readonly firmware?: string;
  readonly group?: string;
  readonly all?: boolean;
  readonly workOrder?: string;
  readonly note?: string;
  readonly emergency?: boolean;
  readonly parameters?: string;
  readonly dryRun?: boolean;
  readonly look?: boolean;
}

/** A group of meters on the command line. */
export interface GroupOptions extends OperatorOptions {
  readonly note?: string;
  readonly more?: boolean;
  readonly remove?: boolean;
}

/** `meterkeep command ask` */
export async function ask(
  operation: string,
  meters: readonly string[],
  options: AskOptions,
  terminal: Terminal,
): Promise<void> {
  const reason = COMMAND_REASONS.find((each) => each === options.reason);
  if (reason === undefined) throw new CliError("option-invalid", `--reason is one of ${COMMAND_REASONS.join(", ")}`);
  const body: CommandOrder = {
    operation,
    selection: selectionOf(meters, options),
    reason,
    urgency: options.emergency === true ? URGENCIES[1] : URGENCIES[0],
    ...(options.workOrder !== undefined && { workOrder: options.workOrder }),
    ...(options.note !== undefined && { note: options.note }),
    ...(options.parameters !== undefined && { parameters: parametersOf(options.parameters) }),
    ...(options.look === true && { look: true }),
  };
  const server = runningServer(options.state, terminal);
  const [shown, text] =
    options.dryRun === true
      ? await server.call("dryRunCommand", { body }).then((dryRun) => [dryRun, dryRunText(dryRun)] as const)
      : await server.call("createCommand", { body }).then((view) => [view, campaignText(view)] as const);
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(shown)}\n` : text);
}

/** @throws CliError `option-invalid` with what a JSON object looks like. */
function parametersOf(text: string): Record<string, unknown> {
  try {
    const parameters: unknown = JSON.parse(text);
    if (typeof parameters === "object" && parameters !== null && !Array.isArray(parameters))
      return parameters as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new CliError("option-invalid", `--parameters is a JSON object such as '{"mostSeconds":60}', not ${text}`);
}

/** So many of its meters the report of a campaign has, those first of which there is something to say. */
const MOST_TARGETS = 20;
const SAID_FIRST = ["failed", "refused", "uncertain", "quarantined", "stale", "stopped"] as const;

/** `meterkeep command show` */
export async function show(id: string, { state, json }: OperatorOptions, terminal: Terminal): Promise<void> {
  const server = runningServer(state, terminal);
  const view = await server.call("campaign", { params: { id } });
  if (json === true) return write(terminal.stdout, `${JSON.stringify(view)}\n`);
  const of = (more: object) =>
    server.call("campaignTargets", { params: { id }, query: { limit: MOST_TARGETS, ...more } });
  const { counts } = view.campaign;
  const first = await Promise.all(SAID_FIRST.filter((each) => counts[each] > 0).map((each) => of({ state: each })));
  const told = [...first.flatMap(({ targets }) => targets), ...(await of({})).targets];
  await write(terminal.stdout, `${campaignText(view)}${reportText(view, told)}`);
}

/** `meterkeep command show` of one meter: facts before, wanted and read back, and what was read. */
export async function showTarget(
  id: string,
  meter: string,
  { state, json }: OperatorOptions,
  terminal: Terminal,
): Promise<void> {
  const params = { id, systemTitle: meter.toUpperCase() };
  const detail = await runningServer(state, terminal).call("campaignTarget", { params });
  await write(terminal.stdout, json === true ? `${JSON.stringify(detail)}\n` : targetText(detail));
}

/** `meterkeep command list` */
export async function list({ state, json }: OperatorOptions, terminal: Terminal): Promise<void> {
  const { campaigns } = await runningServer(state, terminal).call("listCampaigns");
  const lines = campaigns.map(
    (each) =>
      `${each.id}  ${each.state}  ${each.words}, ${each.targets} ${each.targets === 1 ? "meter" : "meters"}, ${each.requester}: ${each.sentence}`,
  );
  await write(
    terminal.stdout,
    json === true
      ? `${JSON.stringify(campaigns)}\n`
      : `${lines.join("\n") || "Nothing was asked for yet: npx meterkeep command ask"}\n`,
  );
}

/** `meterkeep command groups` */
export async function groups({ state, json }: OperatorOptions, terminal: Terminal): Promise<void> {
  const view = await runningServer(state, terminal).call("listGroups");
  const lines = view.groups.map(
    ({ name, meters, note, setBy }) => `${name}: ${meters} meters, by ${setBy}${note && `: ${note}`}`,
  );
  await write(
    terminal.stdout,
    json === true
      ? `${JSON.stringify(view.groups)}\n`
      : `${lines.join("\n") || "No groups. Make one: npx meterkeep command group NAME …"}\n`,
  );
}

/** `meterkeep command group`. @throws CliError `option-invalid` where no meter is named: nobody empties a group by a typo. */
export async function group(
  name: string,
  meters: readonly string[],
  { state, json, note, more, remove }: GroupOptions,
  terminal: Terminal,
): Promise<void> {
  if (remove !== true && meters.length === 0)
    throw new CliError("option-invalid", `name the meters of group ${name}, or give --remove to forget it`);
  const server = runningServer(state, terminal);
  if (remove === true) {
    await server.call("removeGroup", { params: { name } });
    await write(terminal.stdout, json === true ? "{}\n" : `There is no group ${name} any more.\n`);
    return;
  }
  const body = {
    meters: meters.map((meter) => meter.toUpperCase()),
    ...(note !== undefined && { note }),
    ...(more === true && { more }),
  };
  const put = await server.call("setGroup", { params: { name }, body });
  await write(terminal.stdout, json === true ? `${JSON.stringify(put)}\n` : `${put.name}: ${put.meters} meters.\n`);
}

/** `meterkeep command pause`, `resume`, `stop` */
export async function decide(
  what: "pause" | "resume" | "stop",
  id: string,
  { state, json, reason }: OperatorOptions & { readonly reason: string },
  terminal: Terminal,
): Promise<void> {
  const route = ({ pause: "pauseCampaign", resume: "resumeCampaign", stop: "stopCampaign" } as const)[what];
  const view = await runningServer(state, terminal).call(route, { params: { id }, body: { reason } });
  await write(terminal.stdout, json === true ? `${JSON.stringify(view)}\n` : campaignText(view));
}

/** `meterkeep command policy-service` */
export async function policyService({ state, json }: OperatorOptions, terminal: Terminal): Promise<void> {
  const view = await runningServer(state, terminal).call("policyService");
  const text = view.enrolled
    ? `The custodian accepts tokens of "${view.name}".\n`
    : `The custodian does not accept tokens of "${view.name}" yet. Plan it, and let two people approve:\n` +
      `  npx meterkeep change plan enrol-policy-service '${JSON.stringify({ name: view.name, publicKey: view.publicKey })}'\n`;
  await write(terminal.stdout, json === true ? `${JSON.stringify(view)}\n` : text);
}

/** `meterkeep blast` */
export async function blast({ state, json }: OperatorOptions, terminal: Terminal): Promise<void> {
  const view = await runningServer(state, terminal).call("blastRadius");
  const lines = view.reach.map(
    ({ kind, name, meters, metersInTenMinutes, loadW, minutes, sentence, drill, undrilled }) =>
      `${kind} ${name}: ${meters} of ${view.meters} meters (${metersInTenMinutes} in ten minutes), ${(loadW / 1000).toFixed(1)} kW, ${minutes} min. ${sentence}` +
      (drill === undefined ? ` ${undrilled ?? "No drill has proven it."}` : ` Drill of ${drill.at}: ${drill.sentence}`),
  );
  const { day, dayCap, tenMinutes, tenMinutesCap } = view.used;
  lines.push(
    `No feeder can lose more than ${(view.largestFeederShare * 100).toFixed(1)} % of its load. The custodian counts ${day} of ${dayCap} in 24 hours, ${tenMinutes} of ${tenMinutesCap} in ten minutes.`,
  );
  for (const { kind, id, mostMeters, meters, mostLoadW, share } of view.parts)
    lines.push(
      `${kind} ${id}: ${mostMeters} of ${meters} meters in an hour, ${(mostLoadW / 1000).toFixed(1)} kW, ${(share * 100).toFixed(1)} % of its load.`,
    );
  const { cut, rekey, autonomyHours } = view.times;
  if (cut !== undefined)
    lines.push(
      `Frozen ${cut.at}${cut.afterFirstActMilliseconds === undefined ? "" : ` in a drill, ${cut.afterFirstActMilliseconds} ms after the first act was seen`}${cut.afterAlarmSeconds === undefined ? "" : `, ${cut.afterAlarmSeconds} s after the alarm`}${cut.freezeMilliseconds === undefined ? "" : `, in ${cut.freezeMilliseconds} ms`}.`,
    );
  if (rekey !== undefined)
    lines.push(`New keys for everybody take ${rekey.minutes} minutes, at ${rekey.metersAnHour} meters an hour.`);
  if (autonomyHours !== undefined)
    lines.push(`Meters keep 95 % of their readings for ${autonomyHours} hours by themselves.`);
  await write(terminal.stdout, json === true ? `${JSON.stringify(view)}\n` : `${lines.join("\n")}\n`);
}

/** `meterkeep rules` */
export async function rules({ state, json }: OperatorOptions, terminal: Terminal): Promise<void> {
  const view = await runningServer(state, terminal).call("rules");
  const lines = view.rules.map(
    ({ id, title, enforced, now, last }) =>
      `${id} ${title} (${enforced}): ${now}. ` +
      (last === undefined ? "Nothing refused yet." : `Refused ${last.at} to ${last.by}: ${last.sentence}`),
  );
  if (view.frozen !== undefined)
    lines.unshift(`Frozen since ${view.frozen.since} by ${view.frozen.by}: ${view.frozen.reason}`);
  await write(terminal.stdout, json === true ? `${JSON.stringify(view)}\n` : `${lines.join("\n")}\n`);
}

function selectionOf(
  meters: readonly string[],
  { feeder, transformer, profile, model, firmware, group, all }: AskOptions,
): CommandOrder["selection"] {
  const chosen: readonly (CommandOrder["selection"] | undefined)[] = [
    meters.length === 0 ? undefined : { kind: "list", meters: meters.map((meter) => meter.toUpperCase()) },
    feeder === undefined ? undefined : { kind: "feeder", feeder },
    transformer === undefined ? undefined : { kind: "transformer", transformer },
    profile === undefined ? undefined : { kind: "profile", profile },
    model === undefined ? undefined : { kind: "model", model },
    firmware === undefined ? undefined : { kind: "firmware", firmware },
    group === undefined ? undefined : { kind: "group", group },
    all === true ? { kind: "all" } : undefined,
  ];
  const [selection, ...others] = chosen.filter((each) => each !== undefined);
  if (selection === undefined || others.length > 0)
    throw new CliError(
      "option-invalid",
      "name meters, or --feeder, --transformer, --profile, --model, --firmware, --group or --all",
    );
  return selection;
}

function dryRunText({ words, targets, selected, loadAtRiskW, people, findings, waves, verdict }: DryRun): string {
  return [
    `${words}: ${targets} of ${selected} meters, ${(loadAtRiskW / 1000).toFixed(1)} kW at risk, ${people} to approve, ${waves.length} ${waves.length === 1 ? "wave" : "waves"}: ${verdict}`,
    ...findings.map(({ rule, effect, sentence }) => `  ${rule} ${effect}: ${sentence}`),
    "",
  ].join("\n");
}

export function campaignText({ campaign, manifest, dryRun }: CampaignView): string {
  const waits = campaign.state === "awaiting-approval" && manifest !== undefined;
  return [
    `${campaign.id}  ${campaign.state}: ${campaign.sentence}`,
    ...(waits ? [`  On the custodian's own page, or: npx meterkeep approve ${manifest.hash} --as ID --key FILE`] : []),
    `  ${dryRunText(dryRun)}`,
  ].join("\n");
}

/** What became of the meters of a campaign: how many of each, and up to {@link MOST_TARGETS} of them. */
export function reportText({ campaign: { counts } }: CampaignView, targets: readonly CampaignTarget[]): string {
  const each = TARGET_STATES.filter((state) => counts[state] > 0).map((state) => `${counts[state]} ${state}`);
  const told = [...new Map(targets.map((target) => [target.meter, target])).values()].slice(0, MOST_TARGETS);
  const all = TARGET_STATES.reduce((sum, state) => sum + counts[state], 0);
  return [
    `  Meters: ${each.join(", ") || "none"}`,
    ...told.map(
      ({ meter, label, state, rule, sentence }) =>
        `    ${meter} ${label}: ${state}${rule === undefined ? "" : ` (${rule})`}${sentence === "" ? "" : `: ${sentence}`}`,
    ),
    ...(all > told.length && told.length > 0 ? [`    and ${all - told.length} more`] : []),
    "",
  ].join("\n");
}

/** What one meter of a campaign said. */
export function targetText({ target, losses, facts, data }: CampaignTargetDetail): string {
  const { meter, label, state, rule, sentence } = target;
  return [
    `${meter} ${label}: ${state}${rule === undefined ? "" : ` (${rule})`}${sentence === "" ? "" : `: ${sentence}`}`,
    ...(losses === 0 ? [] : [`  The line was lost ${losses} ${losses === 1 ? "time" : "times"}.`]),
    ...facts.map(({ name, object, before, wanted, found, holds }) => {
      const was = before === undefined ? "" : `${before} before, `;
      return `  ${holds ? "+" : "x"} ${name} (${object}): ${was}${found}${wanted === undefined ? "" : `, wanted ${wanted}`}`;
    }),
    ...(data === undefined ? [] : [JSON.stringify(data, undefined, 2)]),
    "",
  ].join("\n");
}
