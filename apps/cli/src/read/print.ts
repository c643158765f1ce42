import Table from "cli-table3";
import type { MeterRead } from "./meter-read.ts";

/** What was read, for people: who the meter is, what it holds, and its readings. */
export function readText({ meter, association, objects, readings, profiles, unread }: MeterRead, all: boolean): string {
  const heading = (name: string, text: string): string => `${name.padEnd(12)} ${text}\n`;
  let text = heading("Meter", [meter.deviceName, meter.systemTitle].filter((part) => part !== null).join(", "));
  text += heading("Association", association);
  text += heading("Holds", `${objects.length} objects${all ? "" : " (--objects lists them)"}`);
  if (all) text += `${objectTable(objects)}\n`;
  if (readings.length > 0) text += `${readingTable(readings)}\n`;
  for (const { obis, name, columns, capturePeriodSeconds, entries, rows } of profiles) {
    const period =
      capturePeriodSeconds === null || capturePeriodSeconds === 0 ? "" : ` every ${capturePeriodSeconds} s`;
    text += heading("Profile", `${obis} ${name}: ${entries ?? "?"} entries of ${columns.length} columns${period}`);
    if (rows.length > 0) text += `${rowTable(columns, rows)}\n`;
  }
  if (unread.length > 0) text += heading("Not read", summary(unread.map(({ reason }) => reason)));
  return text;
}

/** `12 × read-write-denied, 1 × other-reason` */
function summary(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} × ${reason}`).join(", ");
}

function readingTable(readings: MeterRead["readings"]): string {
  const table = newTable(["OBIS", "what it is", "value", "unit", "time"], ["left", "left", "right", "left", "left"]);
  for (const { obis, name, value, unit, time } of readings)
    table.push([obis, name, String(value ?? ""), unit ?? "", time ?? ""]);
  return table.toString();
}

function rowTable(
  columns: MeterRead["profiles"][number]["columns"],
  rows: MeterRead["profiles"][number]["rows"],
): string {
  const head = columns.map(({ obis, attribute, unit }) => {
    const place = attribute === 2 ? obis : `${obis}/${attribute}`;
    return unit === null ? place : `${place} ${unit}`;
  });
  const table = newTable(
    head,
    columns.map(({ unit }) => (unit === null ? "left" : "right")),
  );
  for (const row of rows) table.push(row.map((value) => String(value ?? "")));
  return table.toString();
}

function objectTable(objects: MeterRead["objects"]): string {
  const table = newTable(["OBIS", "what it is", "class", "version"], ["left", "left", "left", "right"]);
  for (const { obis, name, classId, version, ...object } of objects)
    table.push([obis, name, `${classId} ${object.class ?? ""}`.trim(), String(version)]);
  return table.toString();
}

function newTable(head: string[], colAligns: ("left" | "right")[]) {
  return new Table({ head, colAligns, style: { head: [], border: [], compact: true } });
}
