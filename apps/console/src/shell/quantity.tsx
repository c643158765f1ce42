import type { Quantity } from "../format/quantity.ts";

/** A number and its unit, the unit set back. */
export function Amount({ of }: { of: Quantity }) {
  return (
    <span className="amount">
      {of.text}
      {of.unit === "" ? null : <span className="unit">{of.unit}</span>}
    </span>
  );
}
