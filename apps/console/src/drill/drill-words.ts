/** A drill in words, and the wall of asks. Pure. */
import type { DrillReport } from "@meterkeep/api";
import { counted } from "../format/quantity.ts";

export type DrillCounts = Pick<
  DrillReport,
  "asked" | "sealed" | "refused" | "dark" | "readBack" | "onItsWay" | "state"
>;

export const DRILL_STATE_WORDS = {
  starting: "The thief's process is starting, with the head-end's own credentials.",
  asking: "It asks the custodian to switch off every home, and for a key.",
  "reading-back": "Every meter's disconnect control is read back.",
  done: "Done.",
  failed: "The drill could not be finished.",
} as const satisfies Record<DrillReport["state"], string>;

/** `201 asked, 0 sealed, 0 homes dark`. */
export function drillSentence({ asked, sealed, dark }: DrillCounts): string {
  return `${asked} asked, ${sealed} sealed, ${counted(dark, "home")} dark`;
}

/** Whether it went as it must: nothing sealed, nothing dark, everything read back. */
export function drillVerdict(drill: DrillCounts): "pending" | "held" | "broken" {
  if (drill.sealed > 0 || drill.dark > 0) return "broken";
  return drill.state === "done" ? "held" : "pending";
}

export interface Cell {
  readonly state: "ahead" | "asked" | "refused" | "sealed" | "failed";
  readonly item: DrillReport["items"][number] | undefined;
}

/** What the meters said in the end; nothing while it runs or when it went wrong. */
export function outcomeSentence(drill: DrillCounts, homes: number): string {
  if (drillVerdict(drill) !== "held") return "";
  const away = drill.onItsWay ?? 0;
  const unread = homes - drill.readBack - away;
  if (unread > 0) return `No home is dark, but ${counted(unread, "home")} could not be read back.`;
  return away === 0
    ? "The town stayed lit."
    : `The town stayed lit; ${counted(away, "meter is on its way", "meters are on their way")} into service, to be asked there.`;
}

/** One cell an ask: from the items where they are known, from the counts while they come in. */
export function wallOf(report: DrillReport, expected: number): readonly Cell[] {
  const size = Math.max(expected, report.asked, report.items.length);
  return Array.from({ length: size }, (_, index): Cell => {
    const item = report.items[index];
    if (item !== undefined) return { state: item.outcome, item };
    // While nothing was sealed, the answers that came in belong to the asks that went out first.
    if (report.sealed === 0 && index < report.refused) return { state: "refused", item: undefined };
    return { state: index < report.asked ? "asked" : "ahead", item: undefined };
  });
}

/** What the wall's cell says to those who hear it. */
export function cellSentence({ state, item }: Cell, index: number, label: string | undefined): string {
  if (item === undefined) return `Ask ${index + 1}, ${state === "ahead" ? "not asked yet" : state}`;
  const supply =
    item.supply === undefined
      ? ""
      : item.onItsWay === true
        ? ", on its way into service"
        : `, read back ${item.supply === "connected" ? "supplied" : item.supply}`;
  return `${item.ask}${label === undefined ? "" : `, ${label}`}: ${item.outcome}${supply}`;
}
