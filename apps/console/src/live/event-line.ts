/** One line of the event stream on the page, made from what the server sent: from its list of recent events, or live. */
import type { EventData, RecentEvent } from "@meterkeep/api";
import { counted } from "../format/quantity.ts";

/** What an event says on the page; undefined for those that only move the picture (a meter's line, the clock, a heartbeat). */
export function eventLine<K extends keyof EventData>(type: K, data: EventData[K], id: string): RecentEvent | undefined {
  const make = LINES[type];
  const line = make?.(data);
  return line === undefined ? undefined : { id, type, ...line };
}

type Line = Omit<RecentEvent, "id" | "type">;

const LINES: { readonly [K in keyof EventData]?: (data: EventData[K]) => Line | undefined } = {
  reading: ({ meter, at, intervals, registers, evidence }) => {
    const parts = [
      ...(intervals > 0 ? [counted(intervals, "interval")] : []),
      ...(registers > 0 ? [counted(registers, "register")] : []),
    ];
    if (parts.length === 0) return undefined;
    const line = { at, meter, sentence: `Stored ${parts.join(" and ")}`, severity: "info" } as const;
    return evidence === undefined ? line : { ...line, evidence };
  },
  takeover: ({ meter, at, sentence, verdict }) => ({
    at,
    meter,
    sentence,
    severity: verdict.startsWith("keeps") ? "warning" : verdict === "proven" ? "notice" : "info",
  }),
  session: ({ id, meter, sentence, outcome, startedAt, endedAt }) =>
    outcome === "running"
      ? undefined
      : {
          at: endedAt ?? startedAt,
          meter,
          sentence,
          session: id,
          severity: outcome === "refused" || outcome === "failed" ? "warning" : outcome === "lost" ? "notice" : "info",
        },
  push: ({ at, meter, sentence, accepted }) => ({
    at,
    ...(meter === undefined ? {} : { meter }),
    sentence,
    severity: accepted ? "info" : "warning",
  }),
  implausible: ({ at, meter, rule, sentence }) => ({
    at,
    ...(meter === undefined ? {} : { meter }),
    sentence: `${rule}: ${sentence}`,
    severity: "warning",
  }),
  import: ({ at, sentence, imported }) => ({ at, sentence, severity: imported ? "notice" : "warning" }),
  ledger: ({ at, meter, sentence, kind }) => ({
    at,
    ...(meter === undefined ? {} : { meter }),
    sentence,
    severity: kind.includes("refus") ? "warning" : "info",
  }),
};

/** Newest first, without doubles (by id), at most `limit` lines. */
export function joinLines(
  newer: readonly RecentEvent[],
  older: readonly RecentEvent[],
  limit: number,
): readonly RecentEvent[] {
  if (newer.length === 0) return older.length <= limit ? older : older.slice(0, limit);
  const seen = new Set<string>();
  const joined: RecentEvent[] = [];
  for (const event of [...newer, ...older]) {
    const key = `${event.type} ${event.id}`;
    if (seen.has(key)) continue;
    seen.add(key);
    joined.push(event);
    if (joined.length === limit) break;
  }
  return joined;
}
