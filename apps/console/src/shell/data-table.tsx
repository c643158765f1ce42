import type { ReactNode } from "react";
import { ScrollRegion } from "./scroll-region.tsx";

/** The head of a column: its words, or words over numbers, which stand at the end of their cells. */
export type Column = string | { readonly number: string } | { readonly key: string; readonly head: ReactNode };

/** A table that scrolls sideways by itself where the page is narrower than it. Its rows are the children. */
export function DataTable({
  label,
  columns,
  className,
  inset = false,
  below,
  children,
}: {
  /** What it lists, for who listens instead of looking. */
  label: string;
  columns: readonly Column[];
  className?: string;
  /** Whether it keeps the panel's distance to the edges. */
  inset?: boolean;
  /** What stands under the last row. */
  below?: ReactNode;
  children: ReactNode;
}) {
  return (
    <ScrollRegion className={inset ? "panel-body scroll-x" : "scroll-x"} label={label}>
      <table className={inset ? className : ["listing", className].filter(Boolean).join(" ")}>
        <thead>
          <tr>
            {columns.map((column) =>
              typeof column === "string" ? (
                <th key={column} scope="col">
                  {column}
                </th>
              ) : "number" in column ? (
                <th key={column.number} scope="col" className="number">
                  {column.number}
                </th>
              ) : (
                <th key={column.key} scope="col">
                  {column.head}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
      {below}
    </ScrollRegion>
  );
}
