import { formatObis } from "../obis/code.ts";
import { QUANTITY_UNITS, type Quantity, quantityOf } from "../obis/quantity.ts";
import { unitSymbol } from "../obis/unit.ts";
import type { TaggedItem } from "./item.ts";
import type { LayoutScale } from "./layout.ts";
import { scaled } from "./scaling.ts";
import { parseSelector } from "./selector.ts";
import { numberOf } from "./value.ts";
import { type TelegramWarning, warning } from "./warning.ts";

/** Scaler and unit of a value; the unit is null where nothing tells it. */
export interface ItemScale {
  readonly scaler: number;
  readonly unit: string | null;
}

/** The scales of a list, by item, and what is to be said about them. */
export interface ListScales {
  readonly scales: ReadonlyMap<TaggedItem, ItemScale>;
  readonly warnings: readonly TelegramWarning[];
}

/**
 * Finds scaler and unit of every number in a list: those sent along, else those of the layout. What has neither stays
 * as it came, without a unit.
 */
export function scaleItems(items: readonly TaggedItem[], rules: readonly LayoutScale[]): ListScales {
  const scales = new Map<TaggedItem, ItemScale>();
  const byRule = new Map<LayoutScale, TaggedItem[]>();
  const unknown: string[] = [];
  for (const item of items) {
    if (numberOf(item.value) === undefined) continue;
    if (item.scaling !== undefined) {
      scales.set(item, { scaler: item.scaling.scaler, unit: unitSymbol(item.scaling.unit) });
      continue;
    }
    const rule = rules.find((one) => applies(one, item));
    if (rule !== undefined) byRule.set(rule, [...(byRule.get(rule) ?? []), item]);
    else if (quantityOf(item.code) !== undefined) unknown.push(formatObis(item.code));
  }
  const warnings: TelegramWarning[] = [];
  for (const [rule, ruled] of byRule) {
    const { scaler, inferred } = chooseScaler(rule, ruled);
    for (const item of ruled) scales.set(item, { scaler, unit: rule.unit ?? defaultUnit(item) });
    if (inferred) warnings.push(inferredWarning(ruled, scaler));
  }
  if (unknown.length > 0) {
    const codes =
      unknown.length > 4 ? `${unknown.slice(0, 4).join(", ")} and ${unknown.length - 4} more` : unknown.join(", ");
    const message = `the meter sends no scaler and no unit for ${codes}, and no layout tells them: the numbers are as sent`;
    warnings.push(warning("scale-unknown", message));
  }
  return { scales, warnings };
}

function applies(rule: LayoutScale, item: TaggedItem): boolean {
  if (rule.quantity !== undefined && quantityOf(item.code) !== rule.quantity) return false;
  return rule.obis === undefined || parseSelector(rule.obis)?.(item.code) === true;
}

function defaultUnit(item: TaggedItem): string | null {
  const quantity: Quantity | undefined = quantityOf(item.code);
  return quantity === undefined ? null : QUANTITY_UNITS[quantity];
}

/** The rule's scaler; of several, the one with which every value that is not 0 is plausible. */
function chooseScaler(rule: LayoutScale, items: readonly TaggedItem[]): { scaler: number; inferred: boolean } {
  if (typeof rule.scaler === "number") return { scaler: rule.scaler, inferred: false };
  const [first = 0] = rule.scaler;
  const values = items
    .map((item) => numberOf(item.value))
    .filter((value) => value !== undefined && Number(value) !== 0);
  if (rule.plausible === undefined || values.length === 0) return { scaler: first, inferred: false };
  const [least, most] = rule.plausible;
  const fitting = rule.scaler.find((scaler) =>
    values.every((value) => {
      const shown = Number(scaled(value as number | bigint, scaler));
      return shown >= least && shown <= most;
    }),
  );
  return { scaler: fitting ?? first, inferred: fitting !== undefined && fitting !== first };
}

function inferredWarning(items: readonly TaggedItem[], scaler: number): TelegramWarning {
  const codes = items.map((item) => formatObis(item.code)).join(", ");
  const message = `scaler ${scaler} of ${codes} was inferred from the size of the values: the meter can be configured either way`;
  return warning("scale-inferred", message);
}
