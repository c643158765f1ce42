import type { Standing } from "@meterkeep/api";
import { isSettledFor } from "../dispute/standing.ts";
import type { ExportableValue, Exported, ExportedChannel, ExportedMeter, ReadingKind } from "./export-kind.ts";

const OPENING = `<?xml version="1.0" encoding="UTF-8"?>
<MeterReadings xmlns="http://iec.ch/TC57/2011/MeterReadings#">
`;

/**
 * Exports as a MeterReadings document of IEC CIM (IEC 61968-9): of intervals a block a channel, of registers a reading a value;
 * its reading type by its number (Annex C), and the qualities of each value. Elements stand in the order of the profile's
 * schema, which is a sequence. What the type's table has no number for keeps its OBIS code as the reference.
 */
export async function* asCim<Value extends ExportableValue>(
  { cim }: Pick<ReadingKind<Value>, "cim">,
  meters: AsyncIterable<ExportedMeter<Value>>,
): AsyncGenerator<string> {
  yield OPENING;
  for await (const { systemTitle, serialNumber, periodSeconds, channels } of meters) {
    const names = [nameOf(systemTitle, "system title", "DLMS UA")];
    if (serialNumber !== undefined) names.push(nameOf(serialNumber, "serial number", "manufacturer"));
    const meter = `<Meter>
${names.join("\n")}
</Meter>
`;
    const body =
      cim.element === "IntervalBlocks"
        ? `${channels.map((channel) => blockOf(channel, periodSeconds)).join("")}${meter}`
        : `${meter}${channels.map((channel) => readingsOf(channel, cim.reportedAt)).join("")}`;
    yield `<MeterReading>\n${body}</MeterReading>\n`;
  }
  yield "</MeterReadings>\n";
}

function nameOf(name: string, type: string, authority: string): string {
  return `<Names><name>${escaped(name)}</name><NameType><name>${type}</name><NameTypeAuthority><name>${authority}</name></NameTypeAuthority></NameType></Names>`;
}

function blockOf<Value extends ExportableValue>(
  { obis, unit, values }: ExportedChannel<Exported<Value>>,
  periodSeconds: number,
): string {
  const readings = values.map((one) => `<IntervalReadings>${saidOf(one)}</IntervalReadings>`);
  return `<IntervalBlocks>
${readings.join("\n")}
${typeOf(obis, unit, periodSeconds)}
</IntervalBlocks>
`;
}

function readingsOf<Value extends ExportableValue>(
  { obis, unit, values }: ExportedChannel<Exported<Value>>,
  reportedAt: (value: Value) => number,
): string {
  const type = typeOf(obis, unit, undefined);
  return values
    .map((one) => {
      const reported = new Date(reportedAt(one)).toISOString();
      return `<Readings><reportedDateTime>${reported}</reportedDateTime>${saidOf(one)}${type}</Readings>\n`;
    })
    .join("");
}

function typeOf(obis: string, unit: string, periodSeconds: number | undefined): string {
  return `<ReadingType ref="${escaped(readingType(obis, unit, periodSeconds) ?? obis)}"/>`;
}

function saidOf(one: Exported<ExportableValue>): string {
  const qualities = qualitiesOf(one).map(
    (code) => `<ReadingQualities><ReadingQualityType ref="${code}"/></ReadingQualities>`,
  );
  return `<timeStamp>${new Date(one.at).toISOString()}</timeStamp><value>${escaped(String(one.value))}</value>${qualities.join("")}`;
}

/** By how a value stands: suspect (reasonability), accepted although questionable, rejected by an edit. */
const STANDING_QUALITIES = { disputed: "2.5.258", accepted: "2.10.1", rejected: "2.7.3" } as const;

/**
 * Reading qualities (Annex D) of the metering head-end, system 2: how it stands where it was ever in dispute; indeterminate
 * where its source or its protection does not let decisions use it; else valid.
 */
export function qualitiesOf({
  decisive,
  standing,
}: {
  readonly decisive: boolean;
  readonly standing: Standing;
}): readonly string[] {
  const stands = standing === "undisputed" ? [] : [STANDING_QUALITIES[standing]];
  if (!decisive && isSettledFor(standing)) return [...stands, "2.10.0"];
  return stands.length === 0 ? ["2.0.0"] : stands;
}

const TIME_ATTRIBUTES: Readonly<Record<number, number>> = { 60: 3, 300: 6, 600: 1, 900: 2, 1800: 5, 3600: 7, 86400: 4 };
/** Unit and power of ten, and the kind of measurement where the unit alone tells it (IEC 61968-9 Annex C). */
const UNITS: Readonly<Record<string, { readonly unit: number; readonly multiplier: number; readonly kind: number }>> = {
  Wh: { unit: 72, multiplier: 0, kind: 12 },
  kWh: { unit: 72, multiplier: 3, kind: 12 },
  varh: { unit: 73, multiplier: 0, kind: 12 },
  kvarh: { unit: 73, multiplier: 3, kind: 12 },
  W: { unit: 38, multiplier: 0, kind: 37 },
  kW: { unit: 38, multiplier: 3, kind: 37 },
  var: { unit: 63, multiplier: 0, kind: 37 },
  V: { unit: 29, multiplier: 0, kind: 54 },
  A: { unit: 5, multiplier: 0, kind: 4 },
};
/** By group C of the OBIS code: forward (import), reverse (export); none for what has no direction. */
const FLOWS: Readonly<Record<string, number>> = { "1": 1, "2": 19, "3": 1, "4": 19 };
/** By group D: a register that goes on is cumulative, an interval's own energy a difference, a mean is indicating. */
const ACCUMULATIONS: Readonly<Record<string, number>> = {
  "8": 3,
  "9": 4,
  "29": 4,
  "4": 6,
  "5": 6,
  "7": 6,
  "24": 6,
  "27": 6,
};

/** What needs no period: a register that goes on, and what is measured at the moment. */
const WITHOUT_PERIOD: ReadonlySet<string> = new Set(["7", "8"]);

/**
 * The number of a reading type, or undefined where the tables have none. Without a period it is that of a register: group E of
 * one that goes on is its tariff (time of use), and a mean or a maximum has none, since nobody knows of how long it is.
 */
export function readingType(obis: string, unit: string, periodSeconds: number | undefined): string | undefined {
  const [, c, d = "", e] = /^1-\d+:(\d+)\.(\d+)\.(\d+)$/.exec(obis) ?? [];
  const measured = UNITS[unit];
  const accumulation = ACCUMULATIONS[d];
  const period = periodSeconds === undefined ? (WITHOUT_PERIOD.has(d) ? 0 : undefined) : TIME_ATTRIBUTES[periodSeconds];
  const tariff = accumulation === 6 ? 0 : Number(e);
  if (c === undefined || measured === undefined || accumulation === undefined || period === undefined) return undefined;
  // Of what does not count, group E is no tariff: a harmonic, or what the maker says.
  if (accumulation === 6 && e !== "0") return undefined;
  const flow = measured.kind === 12 || measured.kind === 37 ? (FLOWS[c] ?? 0) : 0;
  const mean = accumulation === 6 && d !== "7" ? 2 : 0;
  const phase = PHASES[c] ?? 0;
  return [
    ...[0, mean, period, accumulation, flow, 1, measured.kind, 0, 0, 0, 0],
    ...[tariff, 0, 0, phase, measured.multiplier, measured.unit, 0],
  ].join(".");
}

/** By group C: phase A to neutral, B to neutral, C to neutral. */
const PHASES: Readonly<Record<string, number>> = { "31": 128, "32": 129, "51": 64, "52": 65, "71": 32, "72": 33 };

function escaped(text: string): string {
  return (
    text
      // What XML 1.0 cannot hold at all.
      .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "\ufffd")
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
  );
}
