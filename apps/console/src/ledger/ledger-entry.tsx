import type { LedgerRow } from "@meterkeep/api";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { formatCount } from "../format/quantity.ts";
import { localTime } from "../live/live-context.tsx";
import { ScrollRegion } from "../shell/scroll-region.tsx";
import { briefBody } from "./brief.ts";
import { EntryProof } from "./entry-proof.tsx";

/** One leaf of the tree; its body on demand. */
export function LedgerEntry({ entry, broken, isProvable }: { entry: LedgerRow; broken: boolean; isProvable: boolean }) {
  const [open, setOpen] = useState(false);
  const refusal = entry.kind.includes("refus");
  return (
    <li className={`ledger-entry ${broken ? "broken" : ""} ${refusal ? "refusal" : ""}`}>
      <span className="ledger-sequence">{formatCount(entry.sequence)}</span>
      <time dateTime={entry.at} title={localTime.full(entry.at)} className="dim">
        {localTime.seconds(entry.at)}
      </time>
      <span className="ledger-what">
        <span className="ledger-kind">{entry.kind.replaceAll("-", " ")}</span>{" "}
        <span className="dim">{briefBody(entry.body)}</span>
      </span>
      <span className="ledger-principal dim">{entry.principal}</span>
      <span>
        {entry.meter === undefined ? null : (
          <Link to="/meters/$systemTitle" params={{ systemTitle: entry.meter }}>
            <code>{entry.meter}</code>
          </Link>
        )}
      </span>
      <button type="button" className="text-button" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span className="visually-hidden">Entry {entry.sequence}, hash </span>
        <code>{entry.leaf.slice(0, 8)}</code>
      </button>
      {open ? (
        <div className="ledger-open">
          <dl className="facts">
            <dt>Principal</dt>
            <dd>{entry.principal}</dd>
            <dt>Whose</dt>
            <dd>{entry.utility === "*" ? "the whole installation" : `${entry.utility}, island ${entry.island}`}</dd>
            <dt>Time</dt>
            <dd>{localTime.full(entry.at)}</dd>
            <dt>Leaf</dt>
            <dd>
              <code>{entry.leaf}</code>
            </dd>
          </dl>
          {isProvable ? <EntryProof entry={entry} /> : null}
          <ScrollRegion className="ledger-body" label="Body, as hashed">
            <pre>{pretty(entry.body)}</pre>
          </ScrollRegion>
        </div>
      ) : null}
    </li>
  );
}

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), undefined, 2);
  } catch {
    return body;
  }
}
