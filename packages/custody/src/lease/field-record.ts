import type { LedgerEntry, LedgerReads } from "@meterkeep/ledger";
import { type Handheld, handheldOf } from "./handheld.ts";
import type { LeaseTerms } from "./lease-file.ts";

/** Kinds of the entries that leases are: the ledger is the only place where they stand. */
export const FIELD_KINDS = {
  enrolled: "handheld-enrolled",
  given: "lease-given",
  returned: "lease-returned",
  expired: "lease-expired",
  lost: "handheld-lost",
} as const;

/** A lease with what became of it. */
export interface RecordedLease {
  readonly terms: LeaseTerms;
  state: "open" | "returned" | "expired" | "lost";
}

/** What the ledger says of the field, by names of handhelds and ids of leases. */
export interface FieldRecord {
  readonly handhelds: Map<string, Handheld & { lostAt: number | undefined }>;
  readonly leases: Map<string, RecordedLease>;
}

/** Reads the field from the ledger. */
export async function readField(ledger: Pick<LedgerReads, "ofKinds">): Promise<FieldRecord> {
  const record: FieldRecord = { handhelds: new Map(), leases: new Map() };
  for (const entry of await ledger.ofKinds(Object.values(FIELD_KINDS))) apply(record, entry);
  return record;
}

interface Said {
  readonly publicKey: string;
  readonly technician: string;
  readonly handheld: string;
  readonly lease: string;
  readonly terms: LeaseTerms;
}

function apply({ handhelds, leases }: FieldRecord, { kind, at, body }: LedgerEntry): void {
  const said = JSON.parse(body) as Said;
  if (kind === FIELD_KINDS.enrolled) {
    const handheld = handheldOf(said.publicKey, said.technician);
    handhelds.set(handheld.recipient.name, { ...handheld, lostAt: undefined });
  } else if (kind === FIELD_KINDS.given) leases.set(said.terms.lease, { terms: said.terms, state: "open" });
  else if (kind === FIELD_KINDS.lost) {
    const handheld = handhelds.get(said.handheld);
    if (handheld !== undefined) handheld.lostAt = at;
    for (const lease of leases.values()) if (lease.terms.handheld === said.handheld) lease.state = "lost";
  } else {
    const lease = leases.get(said.lease);
    // A journal that comes late is better than none.
    if (lease !== undefined && lease.state !== "lost")
      lease.state = kind === FIELD_KINDS.returned ? "returned" : "expired";
  }
}
