import { styleText } from "node:util";
import { type Refusal, securityInWords, shownValue, type Telegram } from "@meterkeep/dlms";
import Table from "cli-table3";

/** Writes a telegram as one line of JSON (docs/formats/telegram-json.md). */
export function telegramAsJson(telegram: Telegram, input: string | undefined): string {
  const { meter, security, readings, warnings, notification, link, layout, raw, objects } = telegram;
  const named = input === undefined ? {} : { input };
  return `${JSON.stringify({ ...named, meter, security, readings, warnings, notification, link, layout, raw, objects })}\n`;
}

/** Writes a refusal as one line of JSON. */
export function refusalAsJson(refusal: Refusal, input: string | undefined): string {
  return `${JSON.stringify({ ...(input === undefined ? {} : { input }), error: refusal })}\n`;
}

/** What to do about refusals on this command line, where there is something. */
const HINTS: Partial<Record<Refusal["code"], string>> = {
  "key-needed": "give it in a --key-file, or with --key for a test key",
  "keys-swapped": "exchange --key and --auth-key",
  "system-title-needed": "give it with --system-title",
};

/** Writes a refusal for people. */
export function refusalAsText(refusal: Refusal, input: string | undefined): string {
  const { code, offset, message } = refusal;
  const where = input === undefined ? "" : `${input}: `;
  const hint = HINTS[code] === undefined ? "" : `; ${HINTS[code]}`;
  return `meterkeep: ${where}refused at octet ${offset}: ${message}${hint} [${code}]\n`;
}

/** Writes a telegram for people: who sent it, what protected it, a table of readings, and what is doubtful. */
export function telegramAsText(telegram: Telegram, input: string | undefined, colour: boolean): string {
  const style = (format: Parameters<typeof styleText>[0], text: string) =>
    colour ? styleText(format, text, { validateStream: false }) : text;
  const heading = (name: string, text: string) => `${style("bold", name.padEnd(9))} ${text}\n`;
  const isProven = telegram.security.authentication === "verified";
  let text = "";
  if (input !== undefined) text += heading("Input", input);
  text += heading("Meter", meterText(telegram));
  if (telegram.notification.time !== null) text += heading("Sent", telegram.notification.time);
  text += heading("Link", linkText(telegram));
  text += heading("Security", style(isProven ? "green" : "yellow", securityInWords(telegram.security)));
  const facts = securityFacts(telegram);
  if (facts !== "") text += heading("", facts);
  if (telegram.layout.title !== null) text += heading("Layout", `${telegram.layout.title} (${telegram.layout.id})`);
  if (telegram.readings.length > 0) text += `${readingTable(telegram)}\n`;
  if (telegram.objects.length > 0) text += `${objectTable(telegram)}\n`;
  if (telegram.raw.length > 0) text += `Values without a meaning:\n${rawTable(telegram)}\n`;
  for (const { code, message } of telegram.warnings) text += style("yellow", `! ${message} [${code}]`).concat("\n");
  return `${text}\n`;
}

function meterText({ meter }: Telegram): string {
  const parts = [
    meter.maker === null ? undefined : (meter.maker.name ?? meter.maker.flag),
    meter.number === null ? undefined : `number ${meter.number}`,
    meter.systemTitle === null ? undefined : `system title ${meter.systemTitle}`,
    meter.logicalDeviceName === null ? undefined : `device name ${meter.logicalDeviceName}`,
    meter.list === null ? undefined : `list ${meter.list}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? "does not say who it is" : parts.join(", ");
}

const FRAMINGS: Readonly<Record<Telegram["link"]["framing"], string>> = {
  hdlc: "HDLC",
  "wired-mbus": "wired M-Bus",
  wrapper: "wrapper",
  p1: "P1",
  none: "no frame",
};

function linkText({ link }: Telegram): string {
  const parts = [FRAMINGS[link.framing]];
  if (link.frames > 1) parts.push(`${link.frames} frames`);
  if (link.blocks > 0) parts.push(`${link.blocks} blocks`);
  if (link.lengthOverflowed) parts.push("its length field has overflowed");
  if (link.checksum !== undefined) parts.push(`checksum ${link.checksum}`);
  if (link.offset > 0) parts.push(`from octet ${link.offset}`);
  return parts.join(", ");
}

function securityFacts({ security }: Telegram): string {
  const { cipher, claimedSuite, securityControl, invocationCounter, keySet } = security;
  if (securityControl === null) return "";
  const parts = [
    `security control ${securityControl}`,
    `claims suite ${claimedSuite}`,
    ...(cipher === null ? [] : [cipher]),
    `counter ${invocationCounter}`,
    ...(keySet === "broadcast" ? ["broadcast key"] : []),
  ];
  return parts.join(", ");
}

function readingTable({ readings }: Telegram): string {
  const table = newTable(["OBIS", "what it is", "value", "unit", "time"], ["left", "left", "right", "left", "left"]);
  for (const reading of readings) {
    const { obis, name, unit, time } = reading;
    table.push([obis, name, String(shownValue(reading) ?? ""), unit ?? "", time ?? ""]);
  }
  return table.toString();
}

function rawTable({ raw }: Telegram): string {
  const table = newTable(["place", "type", "value"], ["left", "left", "right"]);
  for (const { path, type, value } of raw) table.push([path, type, String(value ?? "")]);
  return table.toString();
}

function objectTable({ objects }: Telegram): string {
  const table = newTable(["class", "version", "OBIS"], ["right", "right", "left"]);
  for (const { classId, version, obis } of objects) table.push([String(classId), String(version), obis]);
  return table.toString();
}

function newTable(head: string[], colAligns: ("left" | "right")[]) {
  return new Table({ head, colAligns, style: { head: [], border: [], compact: true } });
}
