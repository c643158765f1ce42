import type { MeterDetail, MeterSummary, Overview, RegisterReading } from "@meterkeep/api";
import { columns, Footnotes } from "../columns.ts";

/** Numbers of a town as a few lines of text. */
export function overviewText(overview: Overview, address: string): string {
  const { counts, clock, custodian, warnings } = overview;
  const trust = Object.entries(counts.byTrust).filter(([, count]) => count > 0);
  const unknown = counts.meters - counts.connected - counts.disconnected;
  const lines = [
    `Console        ${address}`,
    `Meters         ${counts.meters} (${counts.simulated} simulated, ${counts.real} real)${atTransformersText(overview)}`,
    `Trust          ${trust.map(([state, count]) => `${count} ${state}`).join(", ")}`,
    "               each with its reason: meterkeep meter list",
    `Supply         ${counts.connected} connected, ${counts.disconnected} disconnected, ${unknown} without a switch or not read yet`,
    `Intervals      ${counts.intervalsAll}; ${counts.intervalsTrusted} of them came from meters that were trusted by then: decisions may use those`,
    `Stale          ${counts.stale} of the meters ${counts.stale === 1 ? "was" : "were"} not heard when due`,
    `Custodian      ${custodian.reachable ? `answers, ${custodian.meters} meters in custody` : "does not answer"}`,
    `Town's time    ${clock.now}${clock.simulated ? ` (simulated, ${clock.factor} times as fast)` : ""}`,
    ...warnings.map((warning) => `Warning        ${warning.text} ${warning.fix}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** Why there are more meters than homes. */
function atTransformersText({ counts: { atTransformers } }: Overview): string {
  if (atTransformers === 0) return "";
  return `; ${atTransformers} of them ${atTransformers === 1 ? "measures" : "measure"} at transformers what feeders take, and no home`;
}

/** Meters, one a line, within 120 columns where labels are no longer than an address; why each is trusted so stands beneath. */
export function metersText(meters: readonly MeterSummary[]): string {
  if (meters.length === 0) return "There are no such meters.\n";
  const why = new Footnotes();
  const head = ["system title", "label", "kind", "trust", "takeover", "supply", "power", "last reading", "why"];
  const rows = meters.map((meter) => [
    meter.systemTitle,
    meter.label,
    KINDS[meter.kind],
    meter.trust,
    meter.takeover === "not-applicable" ? "none" : meter.takeover,
    meter.supply,
    meter.powerW === undefined ? "" : `${Math.round(meter.powerW)} W`,
    lastReadingText(meter),
    why.mark(meter.trustSentence),
  ]);
  const hasSimulated = meters.some(({ kind }) => kind === "simulated");
  const times = `Times of readings are UTC${hasSimulated ? "; those of simulated meters (sim.) are their town's" : ""}.\n`;
  return `${columns(head, rows)}\n${why.text("meter", "meters")}${times}`;
}

const KINDS: Readonly<Record<MeterSummary["kind"], string>> = { simulated: "sim.", real: "real" };

/** `2026-11-21 12:00 stale` */
function lastReadingText({ lastReadingAt, stale }: MeterSummary): string {
  if (lastReadingAt === undefined) return "never";
  const minute = new Date(lastReadingAt).toISOString().slice(0, 16).replace("T", " ");
  return stale ? `${minute} stale` : minute;
}

/** One meter: who it is, its keys, how far it is trusted and why, and the newest value of each register. */
export function meterText(
  { meter, identity, keys, trust, takeover, destinations, intervals }: MeterDetail,
  readings: readonly RegisterReading[],
): string {
  const { manufacturer, model, serialNumber, firmware } = identity;
  const made = [manufacturer, model, serialNumber].filter((part) => part !== undefined && part !== "").join(" ");
  const lines = [
    `${meter.label} (${meter.systemTitle}), ${meter.kind}`,
    `  ${made}${firmware === undefined ? "" : `, firmware ${firmware}`}`,
    `  Trust: ${trust.state} since ${trust.since}. ${trust.sentence}`,
    `  Takeover: ${takeover.stage}, ${takeover.grade}. ${takeover.sentence}`,
    ...takeover.steps.map(({ step, state, at }) => `    ${MARKS[state]} ${step}${at === undefined ? "" : `  ${at}`}`),
    "  Keys (never their octets):",
    ...keys.map((key) => `    ${key.purpose} version ${key.version}: ${key.state}, ${key.origin} ${key.createdAt}`),
    ...destinations.map((entry) => `  ${entry.purpose}: ${entry.address}${entry.authenticated ? "" : " (not proven)"}`),
    `  Intervals: ${intervals.held} held, ${intervals.missing} missing${intervals.missingQuality === undefined ? "" : `, ${intervals.missingQuality} of power quality`}`,
    ...(readings.length === 0
      ? ["  Readings: none yet"]
      : [
          `  Newest readings${meter.kind === "simulated" ? " (simulated time)" : ""}:`,
          ...newest(readings).map(readingText),
        ]),
  ];
  return `${lines.join("\n")}\n`;
}

function newest(readings: readonly RegisterReading[]): readonly RegisterReading[] {
  const byCode = new Map<string, RegisterReading>();
  for (const reading of readings) {
    const known = byCode.get(reading.obis);
    if (known === undefined || Date.parse(reading.time) > Date.parse(known.time)) byCode.set(reading.obis, reading);
  }
  return [...byCode.values()].toSorted((a, b) => a.obis.localeCompare(b.obis, "en", { numeric: true }));
}

function readingText({ obis, name, value, unit, time, trustAtCapture, decisive, standing }: RegisterReading): string {
  const amount = unit === undefined ? String(value) : `${value} ${unit}`;
  const doubt = `${decisive ? "" : ", not for decisions"}${standing === "undisputed" ? "" : `, ${standing}`}`;
  return `    ${obis}  ${name}: ${amount}  ${time}, ${trustAtCapture}${doubt}`;
}

const MARKS = { done: "+", current: ">", ahead: ".", failed: "x" } as const;
