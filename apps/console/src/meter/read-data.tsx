import { formatGiven } from "../format/quantity.ts";
import { localTime, useTownTime } from "../live/live-context.tsx";
import { DataTable } from "../shell/data-table.tsx";
import { Amount } from "../shell/quantity.tsx";
import { type ReadCell, readTable } from "./read-table.ts";

/** Beyond so many rows a page is no place to read them: they are with the meter's readings and in the export. */
const MOST_ROWS = 200;

/** What an operation has read of a meter, as people read it. */
export function ReadData({ data }: { data: unknown }) {
  const now = useTownTime();
  const { columns, rows } = readTable(data);
  return (
    <DataTable
      label="What was read"
      columns={columns}
      below={
        rows.length > MOST_ROWS ? (
          <p className="dim">
            The first {MOST_ROWS} of {rows.length}.
          </p>
        ) : null
      }
    >
      {rows.slice(0, MOST_ROWS).map((cells, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no name, and are never reordered
        <tr key={at}>
          {cells.map((cell, column) => (
            <td key={columns[column]} className={cell.kind === "quantity" ? "number" : undefined}>
              <Cell of={cell} now={now ?? Date.now()} />
            </td>
          ))}
        </tr>
      ))}
    </DataTable>
  );
}

function Cell({ of, now }: { of: ReadCell; now: number }) {
  switch (of.kind) {
    case "text":
      return of.text;
    case "quantity":
      return <Amount of={formatGiven(of.value, of.unit)} />;
    case "instant":
      return <span className="nowrap">{localTime.near(of.at, now)}</span>;
    default:
      return of satisfies never;
  }
}
