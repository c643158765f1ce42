import { styleText } from "node:util";
import { type Refusal, securityInWords, shownTime, shownValue, type Telegram } from "@meterkeep/dlms";
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

const DAMAGED = "octets were changed or lost on the way: capture it again, or wait for the next push";
const LINE_SETTINGS = `${DAMAGED}; from a serial line, check baud rate, parity (--serial 2400-8E1) and cable`;
const CUT = "capture longer: a telegram ends with its last octet, and may take several frames";
const TO_REPORT = "if it comes again, report it with its octets and the type of the meter";
const FORGED = "do not use it; somebody else can write to the line";

/** What to do about each refusal, on this command line; docs/errors.md has more. */
const ADVICE: Readonly<Record<Refusal["code"], string>> = {
  "frame-truncated": CUT,
  "hdlc-malformed": LINE_SETTINGS,
  "hdlc-header-check": LINE_SETTINGS,
  "hdlc-frame-check": LINE_SETTINGS,
  "mbus-checksum": LINE_SETTINGS,
  "mbus-malformed": LINE_SETTINGS,
  "p1-not-text": DAMAGED,
  "p1-checksum": DAMAGED,
  "p1-too-long": "capture it again, from the / on to the line with the !",
  "segment-missing": CUT,
  "block-malformed": TO_REPORT,
  "block-missing": CUT,
  "block-conflict": FORGED,
  "transfer-too-long": "no meter sends so much: look at what writes to the line",
  "nothing-recognised": "give hex or octets of HDLC, M-Bus, wrapper or an APDU, or the text of P1",
  "apdu-unknown": "it may be an answer to another client: what meters push has readings",
  "apdu-malformed": TO_REPORT,
  "key-needed": "give it in a --key-file, or with --key for a test key",
  "key-does-not-fit": "check that the key is the encryption key, and of the meter named",
  "authentication-key-does-not-fit": "check --auth-key; if it is right the telegram was changed: do not use it",
  "keys-swapped": "exchange --key and --auth-key",
  "system-title-needed": "give it with --system-title",
  "ciphering-unsupported": "read the meter with an association (npx meterkeep read)",
  "counter-reused": FORGED,
  "counter-replayed": FORGED,
};

/** Writes a refusal for people. */
export function refusalAsText(refusal: Refusal, input: string | undefined): string {
  const { code, offset, message } = refusal;
  const where = input === undefined ? "" : `${input}: `;
  return `meterkeep: ${where}refused at octet ${offset}: ${message}; ${ADVICE[code]} [${code}]\n`;
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
  if (telegram.notification.time !== null) text += heading("Sent", shownTime(telegram.notification));
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
    const { obis, name, unit } = reading;
    table.push([obis, name, String(shownValue(reading) ?? ""), unit ?? "", shownTime(reading)]);
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
