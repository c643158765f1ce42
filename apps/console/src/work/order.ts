/** A command as it is being written, and what of it can be asked for. */

import {
  type CommandOrder,
  type CommandReason,
  type OperationView,
  SELECTABLE_BY,
  type Selection,
} from "@meterkeep/api";
import { operationTitle } from "./operation-title.ts";
import { type Parameters, written } from "./parameter-shape.ts";

export interface Draft {
  readonly operation: string;
  /** `all`, `list`, or one of the others with what it is called: `feeder:ID`, `model:NAME`, `group:NAME`. */
  readonly place: string;
  readonly titles: string;
  readonly reason: CommandReason;
  readonly note: string;
  readonly workOrder: string;
  readonly parameters: Parameters;
  /** All at once and at any hour: three people approve that. */
  readonly emergency: boolean;
}

export const EMPTY_DRAFT: Draft = {
  operation: "disconnect",
  place: "list",
  titles: "",
  reason: "arrears",
  note: "",
  workOrder: "",
  parameters: {},
  emergency: false,
};

/** What people ask for most; the rest follows. */
const FIRST = ["disconnect", "reconnect", "arm", "limiter", "load-control", "clock"];

/** Everything that can be asked for, in the order in which it is offered. */
export function offered(operations: readonly OperationView[]): readonly OperationView[] {
  const rank = ({ name }: OperationView): number => (FIRST.indexOf(name) + FIRST.length + 1) % (FIRST.length + 1);
  return operations.toSorted((one, other) => rank(one) - rank(other));
}

/** An operation in words, without the parameters of its example. */
export function saysOf({ name, words, example }: OperationView): string {
  return Object.keys(example).length === 0 ? words : operationTitle(name);
}

/** What is asked for; undefined while it cannot be asked. */
export function orderOf(draft: Draft): CommandOrder | undefined {
  const { operation, reason, note, workOrder, emergency } = draft;
  const selection = selectionOf(draft);
  const parameters = written(draft.parameters) as Record<string, unknown>;
  if (selection === undefined) return undefined;
  return {
    operation,
    selection,
    reason,
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
    ...(note.trim() === "" ? {} : { note: note.trim() }),
    ...(workOrder.trim() === "" ? {} : { workOrder: workOrder.trim() }),
    ...(emergency ? { urgency: "emergency" as const } : {}),
  };
}

/** Selections by one name, which their member of that kind says. */
const NAMED = [...SELECTABLE_BY, "group"] as const;

function isNamed(kind: string | undefined): kind is (typeof NAMED)[number] {
  return (NAMED as readonly (string | undefined)[]).includes(kind);
}

function selectionOf({ place, titles }: Draft): Selection | undefined {
  if (place === "all") return { kind: "all" };
  const [kind, id = ""] = place.split(/:(.*)/s);
  if (isNamed(kind)) return { kind, [kind]: id } as Selection;
  const meters = [...new Set(titles.toUpperCase().split(/[\s,;]+/))].filter((title) => title !== "");
  return meters.length > 0 && meters.every((title) => /^[0-9A-F]{16}$/.test(title))
    ? { kind: "list", meters }
    : undefined;
}
