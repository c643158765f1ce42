import type { LedgerDraft } from "@meterkeep/ledger";
import type {
  AcceptedMark,
  CounterMark,
  SetupPlace,
  StoredCounter,
  StoredTakeover,
  TakeoverMark,
  WindowRecord,
} from "../store/records.ts";

// Marks are what the ledger remembers of rows that must never go back. They are written in the commit that writes the
// row, so that each shows whether the other was put back.

/** The kinds of entries that mark journals, by what these are of. */
export const MARK_KINDS = { keys: "takeover-recorded", certificates: "enrolment-recorded" } as const;

/** The ledger's mark of a journal. */
export function takeoverMark(takeover: StoredTakeover, at: number): LedgerDraft {
  const { setup, subject, revision, mac } = takeover;
  const of = subject === undefined ? {} : { subject };
  const body: TakeoverMark = { setup, ...of, takeover: takeover.takeover, revision, mac: hex(mac) };
  return draft(MARK_KINDS[subject ?? "keys"], takeover, at, body);
}

/** The ledger's mark of a block of counters. */
export function counterMark(counter: StoredCounter, at: number): LedgerDraft {
  const { setup, keyVersion, next, mac } = counter;
  const body: CounterMark = { setup, keyVersion, next, mac: hex(mac) };
  return draft("counters-reserved", counter, at, body);
}

/** Kind of the entry that says how far a window of accepted counters has gone. */
export const COUNTERS_ACCEPTED = "counters-accepted";

/** The ledger's mark of a window; `mac` is that of the mark (`acceptedMacs`), not of the row. */
export function acceptedMark(window: WindowRecord, mac: Uint8Array | undefined, at: number): LedgerDraft {
  const { setup, keyVersion, highest } = window;
  const body: Omit<AcceptedMark, "at"> = { setup, keyVersion, highest, mac: hex(mac) };
  return draft(COUNTERS_ACCEPTED, window, at, body);
}

function draft(kind: string, { utility, island, systemTitle }: SetupPlace, at: number, body: unknown): LedgerDraft {
  return { at, kind, principal: "custodian", utility, island, meter: systemTitle, body };
}

function hex(mac: Uint8Array | undefined): string {
  return Buffer.from(mac ?? []).toString("hex");
}
