import type { DrillItem } from "@meterkeep/api";
import { apduLines, fromHex } from "@meterkeep/dlms";

/** What the drill process writes: one JSON object a line. */
export type DrillLine =
  | { readonly type: "begin"; readonly principal: string; readonly homes: number }
  | { readonly type: "item"; readonly item: DrillItem }
  | { readonly type: "asked" };

/** Reads a line of the drill process, or gives undefined for one that is none: it is another process, and may be wrong. */
export function parseDrillLine(line: string): DrillLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const record = value as Readonly<Record<string, unknown>>;
  switch (record["type"]) {
    case "begin":
      return typeof record["principal"] === "string" && typeof record["homes"] === "number"
        ? { type: "begin", principal: record["principal"], homes: record["homes"] }
        : undefined;
    case "item": {
      const item = parseItem(record["item"]);
      return item === undefined ? undefined : { type: "item", item };
    }
    case "asked":
      return { type: "asked" };
    default:
      return undefined;
  }
}

function parseItem(value: unknown): DrillItem | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { meter, ask, apdu, outcome, code, message } = value as Readonly<Record<string, unknown>>;
  if (typeof ask !== "string") return undefined;
  if (outcome !== "sealed" && outcome !== "refused" && outcome !== "failed") return undefined;
  const octets = typeof apdu === "string" && /^([0-9A-F]{2})*$/.test(apdu) ? apdu : undefined;
  const decoded = octets === undefined ? undefined : apduLines(fromHex(octets));
  return {
    ask,
    outcome,
    ...(typeof meter === "string" && /^[0-9A-F]{16}$/.test(meter) ? { meter } : {}),
    ...(octets === undefined ? {} : { apdu: octets }),
    ...(decoded === undefined ? {} : { decoded: [...decoded] }),
    ...(typeof code === "string" ? { code } : {}),
    ...(typeof message === "string" ? { message } : {}),
  };
}
