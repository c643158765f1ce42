/** How the custodian's ledger is kept: the head of its tree, who has signed it, and who outside has seen it. */
import type { LedgerState, LedgerWitnessView } from "@meterkeep/api";
import { useQuery } from "@tanstack/react-query";
import { ledgerStateQuery } from "../api/queries.ts";
import { formatCount } from "../format/quantity.ts";
import { localTime } from "../live/live-context.tsx";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";

export function TreePanel() {
  const { data: state, error, refetch } = useQuery(ledgerStateQuery);
  return (
    <Panel name="tree" title="Tree and witnesses" beside={state === undefined ? null : <Halted state={state} />}>
      <div className="panel-body">
        {error !== null ? <Failure error={error} retry={() => void refetch()} /> : null}
        {state === undefined ? null : <Facts state={state} />}
      </div>
    </Panel>
  );
}

function Halted({ state: { halt } }: { state: LedgerState }) {
  return halt === undefined ? (
    <span className="tone-trusted" role="status">
      What the witnesses have seen is in this ledger
    </span>
  ) : (
    <span className="tone-quarantined" role="alert">
      No key is used: {halt.message}
    </span>
  );
}

function Facts({ state }: { state: LedgerState }) {
  const { log, size, root, keys, checkpoint, witnesses } = state;
  return (
    <dl className="facts">
      <dt>Name</dt>
      <dd>
        <code>{log ?? "none before the first keys"}</code>
      </dd>
      <dt>Head</dt>
      <dd>
        {formatCount(size)} entries, root <code>{root}</code>
      </dd>
      <dt>Signed</dt>
      <dd>
        {checkpoint === undefined
          ? "not yet"
          : `the first ${formatCount(checkpoint.size)} entries, with ECDSA P-384 and ML-DSA-65, keys ${keys.at(-1)?.version ?? ""}`}
      </dd>
      <dt>Witnesses</dt>
      <dd>
        <ul className="ledger-witnesses">
          {witnesses.map((witness) => (
            <Witness key={witness.name} witness={witness} />
          ))}
        </ul>
      </dd>
    </dl>
  );
}

function Witness({ witness: { name, kind, state, size, since, problem } }: { witness: LedgerWitnessView }) {
  const seen = size === undefined ? "" : `, has seen ${formatCount(size)} entries`;
  return (
    <li className={state === "away" ? "tone-degraded" : ""}>
      {name}, {kind === "file" ? "a file" : "a second instance"}
      {state === "away" ? `: away since ${localTime.full(since)}` : seen}
      {problem === undefined ? null : <span className="dim"> ({problem})</span>}
    </li>
  );
}
