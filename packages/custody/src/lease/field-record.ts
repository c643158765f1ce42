import type { LeaseCount } from "@meterkeep/api/custodian";
import type { LedgerEntry, LedgerReads } from "@meterkeep/ledger";
import { DAY_MILLISECONDS } from "../day.ts";
import { meterFacts } from "../protocol/meter-facts.ts";
import { type Handheld, handheldOf } from "./handheld.ts";
import type { LeasedMeter, LeaseTerms } from "./lease-file.ts";
import { type LogRead, localSessionsCompared, type Visit, type Visits } from "./local-sessions.ts";
import {
  type AnswersCounted,
  type CounterRead,
  type JournalWord,
  type PassedCounters,
  wordsOf,
} from "./reconciliation.ts";

/** Kinds of the entries that leases are: the ledger is the only place where they stand. */
export const FIELD_KINDS = {
  enrolled: "handheld-enrolled",
  given: "lease-given",
  returned: "lease-returned",
  expired: "lease-expired",
  lost: "handheld-lost",
  /** What a meter's counter showed when a lease was over. */
  counted: "lease-counter-read",
  /** What its keys were used for is not what its journal says. */
  disputed: "lease-disputed",
  /** How many answers of its own a meter has counted since, as its next authentic one shows. */
  answered: "lease-answers-counted",
  /** What its own log told of local sessions in the time of the lease. */
  logged: "lease-log-read",
} as const;

/** So long after the end of a lease the logs of its meters are asked for: they are short, and what is new pushes out what is old. */
export const LOGS_AWAITED_MILLISECONDS = 30 * DAY_MILLISECONDS;

/** Why a lease is disputed: over one meter, or, where the journal itself does not add up, over all of them. */
export interface Dispute {
  readonly lease: string;
  readonly of?: string;
  /** Whether the meter's log says it; its counters do unless so. */
  readonly byLog?: boolean;
  readonly why: string;
}

/** A lease with what became of it. */
export interface RecordedLease {
  readonly terms: LeaseTerms;
  state: "open" | "returned" | "expired" | "lost";
  /** When it was over; absent while it is open. Milliseconds since 1970 UTC. */
  endedAt?: number;
  /** What its journal says, by system title; absent where none came. */
  journal?: ReadonlyMap<string, JournalWord>;
  /** The visits of its journal. */
  visits?: Visits;
  /** By system title. */
  readonly reads: Map<string, CounterRead>;
  readonly logs: Map<string, LogRead>;
  readonly answers: Map<string, AnswersCounted>;
  /** The highest counter that was heard of each meter when it was lent; of none where nothing was. */
  readonly heard: Readonly<Record<string, number>>;
  readonly disputes: Dispute[];
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

/** What is to be said of a lease: a handheld that is lost is worse than one whose journal is doubted. */
export function standingOf({ state, disputes }: Pick<RecordedLease, "state" | "disputes">) {
  return state !== "lost" && disputes.length > 0 ? "disputed" : state;
}

/** What a journal says of a meter of its lease; one that it does not name was not visited. */
export function journalWord({ terms, journal }: RecordedLease, meter: string): JournalWord | undefined {
  const leased = terms.meters.find((one) => one.meter === meter);
  return journal && (journal.get(meter) ?? { next: leased?.first ?? 0, passed: [] });
}

/** What a meter's log says of local sessions, held against the journal. */
export function loggedWord(lease: RecordedLease, { meter, profile }: LeasedMeter, now: number): LeaseCount {
  const { terms, state, endedAt = now, visits } = lease;
  const isKnown = meterFacts(profile).localLogs !== undefined;
  const isGivenUp = now > endedAt + LOGS_AWAITED_MILLISECONDS;
  return localSessionsCompared({
    meter,
    read: lease.logs.get(meter),
    standing: !isKnown ? "unknown" : isGivenUp ? "given-up" : "awaited",
    journal: visits,
    from: terms.from,
    lostAt: state === "lost" ? endedAt : undefined,
  });
}

interface Said extends CounterRead, AnswersCounted, Dispute {
  readonly publicKey: string;
  readonly technician: string;
  readonly handheld: string;
  readonly lease: string;
  readonly terms: LeaseTerms;
  readonly visits: readonly Visit[];
  readonly cuts?: Visits["cuts"];
  readonly used: readonly { readonly meter: string; readonly next: number }[];
  readonly passed: readonly PassedCounters[];
  readonly heard: Readonly<Record<string, number>>;
}

function apply({ handhelds, leases }: FieldRecord, { kind, at, body }: LedgerEntry): void {
  const said = JSON.parse(body) as Said;
  if (kind === FIELD_KINDS.enrolled) {
    const handheld = handheldOf(said.publicKey, said.technician);
    handhelds.set(handheld.recipient.name, { ...handheld, lostAt: undefined });
  } else if (kind === FIELD_KINDS.given)
    leases.set(said.terms.lease, {
      terms: said.terms,
      state: "open",
      reads: new Map(),
      answers: new Map(),
      logs: new Map(),
      heard: said.heard,
      disputes: [],
    });
  else if (kind === FIELD_KINDS.lost) {
    const handheld = handhelds.get(said.handheld);
    if (handheld !== undefined) handheld.lostAt = at;
    for (const lease of leases.values()) if (lease.terms.handheld === said.handheld) end(lease, "lost", at);
  } else {
    const lease = leases.get(said.lease);
    if (lease === undefined) return;
    if (kind === FIELD_KINDS.counted) lease.reads.set(said.meter, said);
    else if (kind === FIELD_KINDS.answered) lease.answers.set(said.meter, said);
    else if (kind === FIELD_KINDS.logged) lease.logs.set(said.meter, JSON.parse(body) as LogRead);
    else if (kind === FIELD_KINDS.disputed) lease.disputes.push(said);
    else {
      if (kind === FIELD_KINDS.returned) {
        const { used, passed, visits, cuts } = said;
        lease.journal = wordsOf(used, passed);
        lease.visits = { visits, ...(cuts !== undefined && { cuts }) };
      }
      // A journal that comes late is better than none.
      end(lease, kind === FIELD_KINDS.returned ? "returned" : "expired", at);
    }
  }
}

function end(lease: RecordedLease, state: Exclude<RecordedLease["state"], "open">, at: number): void {
  lease.endedAt ??= at;
  if (lease.state !== "lost") lease.state = state;
}
