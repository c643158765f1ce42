/** Whether an entry is in the tree that was signed: its proof, fetched, shown and followed in this browser. */
import type { LedgerRow, LedgerState } from "@meterkeep/api";
import { useQuery } from "@tanstack/react-query";
import { ledgerProofQuery, ledgerStateQuery } from "../api/queries.ts";
import { formatCount } from "../format/quantity.ts";
import { Failure } from "../shell/failure.tsx";
import { signedHead } from "./checkpoint.ts";
import { isIncluded } from "./leaves.ts";

/** How often an entry that no checkpoint has signed yet is looked for in the next one, and a proof that failed is asked for again, in milliseconds. */
const CHECKPOINT_LOOK_MS = 5_000;

export function EntryProof({ entry }: { entry: LedgerRow }) {
  /** The signed head that has the entry. */
  const signedFor = (state: LedgerState | undefined) => {
    const head = signedHead(state?.checkpoint?.note);
    return head !== undefined && entry.sequence <= head.size ? head : undefined;
  };
  // No event tells of a checkpoint: whoever waits for one asks.
  const { data: state } = useQuery({
    ...ledgerStateQuery,
    refetchInterval: (query) => (signedFor(query.state.data) === undefined ? CHECKPOINT_LOOK_MS : false),
  });
  const head = signedFor(state);
  const {
    data: proof,
    error,
    refetch,
  } = useQuery({
    ...ledgerProofQuery(entry.sequence, head?.size ?? 0),
    enabled: head !== undefined,
    refetchInterval: (query) => (query.state.status === "error" ? CHECKPOINT_LOOK_MS : false),
  });
  const { data: included } = useQuery({
    queryKey: ["ledger", "included", entry.leaf, head?.root ?? ""],
    queryFn: () => isIncluded(entry, { size: head?.size ?? 0, root: head?.root ?? "", hashes: proof?.hashes ?? [] }),
    enabled: head !== undefined && proof !== undefined,
  });
  if (state === undefined) return null;
  if (head === undefined) return <p className="dim">The next checkpoint will sign it.</p>;
  if (proof === undefined && error !== null) return <Failure error={error} retry={() => void refetch()} />;
  if (proof === undefined || included === undefined) return <p className="dim">Following its proof …</p>;
  return (
    <details>
      <summary className={included ? "tone-trusted" : "tone-quarantined"}>
        {included
          ? `It leads to the signed root of ${formatCount(head.size)} entries by ${formatCount(proof.hashes.length)} hashes, computed in this browser`
          : "It does not lead to the signed root"}
      </summary>
      <ol className="ledger-proof">
        {proof.hashes.map((hash) => (
          <li key={hash}>
            <code>{hash}</code>
          </li>
        ))}
      </ol>
    </details>
  );
}
