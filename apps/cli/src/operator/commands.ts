import { setTimeout as sleep } from "node:timers/promises";
import { type DrillReport, everyMeter, TOKEN_SCOPE_NAMES } from "@meterkeep/api";
import { FROZEN_SENTENCE } from "../approvals/kill-switch.ts";
import { type KeyOptions, openKeys } from "../decode/keys.ts";
import { CliError, EXIT } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { confirmed, type Terminal, write } from "../terminal.ts";
import { keyWarnings } from "./key-warnings.ts";
import type { OperatorOptions } from "./options.ts";
import { metersText, meterText, overviewText } from "./print.ts";
import { sealMeterKeys } from "./seal-keys.ts";
import { runningServer } from "./server.ts";

/** Prints a value as JSON, or as text for people. */
async function print(terminal: Terminal, options: OperatorOptions, value: unknown, text: string): Promise<void> {
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(value)}\n` : text);
}

/** `meterkeep status` */
export async function status(options: OperatorOptions, terminal: Terminal): Promise<void> {
  const server = runningServer(options.state, terminal);
  const overview = await server.call("overview");
  // The custodian itself says where its page is; the head-end is not asked about that.
  const page = await asOperator(options.state, terminal, (custodian) => custodian.authorityState({})).then(
    (authority) => `Approvals and kill switch, the custodian's own page: ${authority.page}\n`,
    () => "",
  );
  await print(terminal, options, overview, `${overviewText(overview, server.address)}${page}`);
}

/** `meterkeep meter list` */
export async function listMeters(
  options: OperatorOptions & { readonly kind?: string; readonly trust?: string },
  terminal: Terminal,
): Promise<void> {
  const query = {
    ...(options.kind === undefined ? {} : { kind: options.kind }),
    ...(options.trust === undefined ? {} : { trust: options.trust }),
  };
  const server = runningServer(options.state, terminal);
  const meters = await everyMeter((page) => server.call("listMeters", { query: { ...query, ...page } }));
  await print(terminal, options, meters, metersText(meters));
}

/** `meterkeep meter show` */
export async function showMeter(title: string, options: OperatorOptions, terminal: Terminal): Promise<void> {
  const server = runningServer(options.state, terminal);
  const params = { systemTitle: systemTitleOf(title) };
  const detail = await server.call("meter", { params });
  const { readings } = await server.call("readings", { params, query: { trust: "all", limit: 200 } });
  await print(terminal, options, { ...detail, readings }, meterText(detail, readings));
}

/** `meterkeep meter add`: the keys are sealed to the custodian here, so that the head-end carries what it cannot read. */
export async function addMeter(
  title: string,
  options: OperatorOptions &
    KeyOptions & { readonly label?: string; readonly source?: string; readonly layout?: string },
  terminal: Terminal,
): Promise<void> {
  const systemTitle = systemTitleOf(title);
  const server = runningServer(options.state, terminal);
  const source = await openKeys(options, terminal, false);
  let keys = source.ring(systemTitle);
  if (keys?.encryptionKey === undefined && (await source.ask())) keys = source.ring(systemTitle);
  if (keys?.encryptionKey === undefined)
    throw new CliError(
      "keys-needed",
      "the meter's encryption key is needed: --key-file, --key -, or answer the prompt",
    );
  const warnings = keyWarnings(keys);
  for (const warning of warnings) await write(terminal.stderr, `meterkeep: ${warning}\n`);
  const sealed = sealMeterKeys(keys, systemTitle, await server.call("recipient"));
  const meter = await server.call("attachMeter", {
    body: {
      systemTitle,
      label: options.label ?? systemTitle,
      sealed,
      ...(options.source === undefined ? {} : { source: options.source }),
      ...(options.layout === undefined ? {} : { layout: options.layout }),
    },
  });
  await print(
    terminal,
    options,
    meter,
    `${meter.label} is attached. ${meter.trustSentence}\n${server.address}/meters/${systemTitle}\n`,
  );
}

/** `meterkeep admin recover`: asks first, since whoever only wants a link loses more than they came for. */
export async function recoverAdmin(
  options: OperatorOptions & { readonly yes?: boolean },
  terminal: Terminal,
): Promise<void> {
  if (options.yes !== true) {
    const isSure = await confirmed(
      terminal,
      "This ends every session of the administrator, in every browser, and deletes the administrator's passkeys.\nGo on?",
    );
    if (isSure === undefined)
      throw new CliError(
        "option-invalid",
        "a new link ends every session of the administrator and deletes the administrator's passkeys: say --yes where nobody can be asked",
      );
    if (!isSure) {
      await write(terminal.stderr, "Nothing was changed.\n");
      terminal.exitStatus = EXIT.refused;
      return;
    }
  }
  const link = await runningServer(options.state, terminal).call("newSignInLink");
  const text = `Sign in with this link; it works once, within an hour. Older sessions and passkeys have ended.\n${link.url}\n`;
  await print(terminal, options, link, text);
}

/** `meterkeep token create` */
export async function createToken(
  name: string,
  options: OperatorOptions & { readonly days?: string; readonly scope?: string },
  terminal: Terminal,
): Promise<void> {
  const scope = TOKEN_SCOPE_NAMES.find((name) => name === (options.scope ?? "read"));
  if (scope === undefined)
    throw new CliError("option-invalid", `--scope must be one of ${TOKEN_SCOPE_NAMES.join(", ")}`);
  const days = options.days === undefined ? undefined : Number(options.days);
  if (days !== undefined && !(Number.isInteger(days) && days >= 1 && days <= 3650))
    throw new CliError("option-invalid", "--days must be a whole number from 1 to 3650");
  const body = { name, scope, ...(days === undefined ? {} : { days }) };
  const created = await runningServer(options.state, terminal).call("createToken", { body });
  await print(
    terminal,
    options,
    created,
    `${created.token}\nIt is shown this once, and its scope is "${scope}". Use it as: Authorization: Bearer …\n`,
  );
}

/** `meterkeep token list` */
export async function listTokens(options: OperatorOptions, terminal: Terminal): Promise<void> {
  const { tokens } = await runningServer(options.state, terminal).call("listTokens");
  const lines = tokens.map(
    (token) => `${token.id}  ${token.name}  ${token.scope}  last used ${token.lastUsedAt ?? "never"}\n`,
  );
  await print(
    terminal,
    options,
    tokens,
    lines.length === 0 ? "No tokens. Make one: npx meterkeep token create NAME\n" : lines.join(""),
  );
}

/** `meterkeep token withdraw` */
export async function withdrawToken(id: string, options: OperatorOptions, terminal: Terminal): Promise<void> {
  await runningServer(options.state, terminal).call("deleteToken", { params: { id } });
  await print(terminal, options, { withdrawn: id }, "Withdrawn.\n");
}

const LOOK_MILLISECONDS = 300;

/** `meterkeep drill break-in` */
export async function drillBreakIn(
  options: OperatorOptions & { readonly throwKillSwitch?: boolean },
  terminal: Terminal,
): Promise<void> {
  const server = runningServer(options.state, terminal);
  const freezes = options.throwKillSwitch === true;
  if (freezes) await write(terminal.stderr, "Everything critical is frozen for real from the first act on.\n");
  const { drill } = await server.call(freezes ? "startCutDrill" : "startDrill");
  let report: DrillReport;
  let said = "";
  do {
    await sleep(LOOK_MILLISECONDS, undefined, { signal: terminal.interrupted });
    report = await server.call("drill", { params: { id: drill } });
    // Its last sentence heads what came of it.
    if (options.json !== true && report.sentence !== said && !isOver(report)) {
      said = report.sentence;
      await write(terminal.stderr, `${said}\n`);
    }
  } while (!isOver(report));
  await print(terminal, options, report, drillText(report, server.address));
  if (report.cut !== undefined) await write(terminal.stderr, FROZEN_SENTENCE);
  if (report.state === "failed" || report.sealed > 0 || report.dark > 0) terminal.exitStatus = EXIT.refused;
}

function isOver({ state }: DrillReport): boolean {
  return state === "done" || state === "failed";
}

function drillText(report: DrillReport, address: string): string {
  const refusals = new Map<string, number>();
  for (const item of report.items) {
    const what = `${item.ask}: ${item.outcome}${item.code === undefined ? "" : `, ${item.code}`}`;
    refusals.set(what, (refusals.get(what) ?? 0) + 1);
  }
  const example = report.items.find((item) => item.apdu !== undefined);
  return [
    report.sentence,
    ...[...refusals].map(([what, count]) => `  ${count} × ${what}`),
    ...(example?.apdu === undefined ? [] : [`  asked with the APDU ${example.apdu}`, `  ${example.message ?? ""}`]),
    ...(report.failure === undefined ? [] : [`  ${report.failure}`]),
    `  ${address}/drill`,
    "",
  ].join("\n");
}

function systemTitleOf(text: string): string {
  const title = text.replace(/[\s:-]/g, "").toUpperCase();
  if (!/^[0-9A-F]{16}$/.test(title))
    throw new CliError("option-invalid", `"${text}" is no system title of 16 hex digits`);
  return title;
}
