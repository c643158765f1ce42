import { fromHex } from "../bytes.ts";
import { titleText } from "./ciphered.ts";
import { makerOf } from "./maker.ts";
import type { Reading } from "./reading.ts";
import type { TelegramMeter } from "./telegram.ts";
import { printableText } from "./value.ts";

/** Codes and labels under which meters send their number, the most telling first. */
const NUMBER_CODES = ["0-0:96.1.0", "1-1:0.0.5", "0-0:96.1.1", "1-1:0.0.1"] as const;
const SHORTEST_HEX_TEXT = 20;
const DEVICE_NAME_CODES = ["0-0:42.0.0", "logical-device-name"] as const;
const LIST_CODES = ["1-1:0.2.129"] as const;

/** Says which meter sent these readings. */
export function identifyMeter(
  systemTitle: Uint8Array | undefined,
  readings: readonly Reading[],
  listId: string | undefined,
): TelegramMeter {
  const number = find(readings, NUMBER_CODES);
  const logicalDeviceName = find(readings, DEVICE_NAME_CODES);
  // Lists without a name of their own begin with what names the meter.
  const named = listId === number || listId === logicalDeviceName ? undefined : listId;
  const list = named ?? find(readings, LIST_CODES);
  const title = systemTitle === undefined ? undefined : makerOf(printableText(systemTitle.subarray(0, 3)) ?? "");
  const listed = makerOf(list ?? "");
  const maker = title ?? makerOf(logicalDeviceName ?? "") ?? (listed?.name === undefined ? undefined : listed);
  return {
    systemTitle: systemTitle === undefined ? null : titleText(systemTitle),
    maker: maker === undefined ? null : { flag: maker.flag, name: maker.name ?? null },
    number: number ?? null,
    logicalDeviceName: logicalDeviceName ?? null,
    list: list ?? null,
  };
}

function find(readings: readonly Reading[], codes: readonly string[]): string | undefined {
  for (const code of codes) {
    const value = readings.find((one) => one.obis === code)?.value;
    if (value !== undefined && value !== null && value !== "") return identifierText(String(value));
  }
  return undefined;
}

/** P1 telegrams carry texts as hex digits: `53414731…` is `SAG1…`. Short ones may as well be numbers. */
export function identifierText(text: string): string {
  if (text.length < SHORTEST_HEX_TEXT || !/^(?:[2-7][0-9A-Fa-f])+$/.test(text)) return text;
  return printableText(fromHex(text)) ?? text;
}
