/** A command as it is being written, and what of it can be asked for. */
import type { CommandOrder, CommandReason, Selection } from "@meterkeep/api";

export interface Draft {
  readonly operation: string;
  /** `all`, `list`, `feeder:ID` or `transformer:ID`. */
  readonly place: string;
  readonly titles: string;
  readonly reason: CommandReason;
  readonly note: string;
  readonly workOrder: string;
  /** JSON, or nothing. */
  readonly parameters: string;
}

export const EMPTY_DRAFT: Draft = {
  operation: "disconnect",
  place: "list",
  titles: "",
  reason: "arrears",
  note: "",
  workOrder: "",
  parameters: "",
};

/** What switches a supply, and what else people ask for most. */
export const OFFERED = [
  { name: "disconnect", says: "disconnect the supply" },
  { name: "reconnect", says: "reconnect the supply" },
  { name: "arm", says: "let the customer reconnect" },
  { name: "limit", says: "limit the load" },
  { name: "restore", says: "lift a limit" },
  { name: "clock", says: "correct the clock" },
] as const;

/** What is asked for; undefined while it cannot be asked. */
export function orderOf(draft: Draft): CommandOrder | undefined {
  const { operation, reason, note, workOrder } = draft;
  const [selection, parameters] = [selectionOf(draft), parametersOf(draft.parameters)];
  if (selection === undefined || parameters === undefined) return undefined;
  return {
    operation,
    selection,
    reason,
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
    ...(note.trim() === "" ? {} : { note: note.trim() }),
    ...(workOrder.trim() === "" ? {} : { workOrder: workOrder.trim() }),
  };
}

function selectionOf({ place, titles }: Draft): Selection | undefined {
  if (place === "all") return { kind: "all" };
  const [kind, id = ""] = place.split(/:(.*)/s);
  if (kind === "feeder") return { kind, feeder: id };
  if (kind === "transformer") return { kind, transformer: id };
  const meters = [...new Set(titles.toUpperCase().split(/[\s,;]+/))].filter((title) => title !== "");
  return meters.length > 0 && meters.every((title) => /^[0-9A-F]{16}$/.test(title))
    ? { kind: "list", meters }
    : undefined;
}

/** An object written as JSON, empty for no text; undefined for anything else. */
export function parametersOf(text: string): Record<string, unknown> | undefined {
  if (text.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
