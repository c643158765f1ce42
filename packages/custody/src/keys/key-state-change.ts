import type { KeyState } from "@meterkeep/api/custodian";
import type { LedgerDraft } from "@meterkeep/ledger";
import type { KeyRecord, PurposeNumber } from "../store/records.ts";
import type { Write } from "../store/store.ts";
import { purposeName } from "./purposes.ts";

/** Keys of one meter go to a state, with the ledger's entry of it: both for one commit. */
export function stateChange(
  keys: readonly KeyRecord[],
  to: KeyState,
  principal: string,
  at: number,
  reason: string,
): { readonly writes: readonly Write[]; readonly entries: readonly LedgerDraft[] } {
  const [first] = keys;
  if (first === undefined) return { writes: [], entries: [] };
  const { utility, island, systemTitle: meter } = first;
  const changes = keys.map(({ purpose, setup, version, state }) => ({
    purpose: purposeName(purpose),
    setup,
    version,
    from: state,
    to,
  }));
  return {
    writes: keys.map((key) => stateWrite(key, to, at)),
    entries: [{ at, kind: "key-states-changed", principal, utility, island, meter, body: { changes, reason } }],
  };
}

function stateWrite(key: KeyRecord, to: KeyState, at: number): Write {
  const { utility, island, systemTitle, setup, version } = key;
  const named = {
    place: { utility, island, systemTitle, setup },
    purpose: key.purpose as PurposeNumber,
    version,
    at,
  };
  return to.startsWith("destroyed")
    ? { kind: "destroy-key", ...named }
    : { kind: "set-key-state", ...named, state: to };
}
