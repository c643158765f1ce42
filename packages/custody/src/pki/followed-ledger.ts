import { allEntries, type LedgerEntry, type LedgerReads } from "@meterkeep/ledger";
import {
  type AssignmentRecord,
  CERTIFICATE_ORDERED,
  type LedgeredOrders,
  lostKeysOf,
  type PkiStore,
  type RevocationMove,
  type RevocationPlan,
  revocationOf,
} from "@meterkeep/pki";
import { ENROLLED_OVER_EST } from "./enrollable.ts";
import type { Remembered } from "./remembered.ts";
import type { TrustLine } from "./trust-journal.ts";

/** Entries that are read again before the place up to which a journal has followed: some may have been on their way into it. */
const READ_AGAIN = 20_000;
/** That place is written down whenever the ledger has grown by so many. */
const MARKED_EVERY = 1_000;

/** What the ledger is followed with. */
export interface FollowingParts {
  readonly ledger: Pick<LedgerReads, "read" | "size">;
  readonly orders: Pick<LedgeredOrders, "ofSerials">;
  readonly assignments: Pick<PkiStore["assignments"], "newest">;
  readonly trust: Remembered;
  readonly write: (...lines: readonly TrustLine[]) => Promise<void>;
  readonly addLost: (keys: readonly string[]) => Promise<void>;
  /** Tells of what is not as it was written, once. */
  readonly refuse: (what: string) => Promise<void>;
  readonly now: () => number;
}

/**
 * Gives the journal what the ledger has and it lacks: of a process that died between the two, and where second storage was
 * put back from a backup, cut off, or lost, all since then. Read from the place up to which the journal says that it has
 * followed; from the beginning where it says none, or lines are gone from it.
 */
export async function followLedger(parts: FollowingParts): Promise<void> {
  const { ledger, trust, write } = parts;
  const after = Math.max(0, Math.min(trust.followed, await ledger.size()) - READ_AGAIN);
  /** Those whose place was read just now: every later move of them is believed. */
  const followedPlans = new Set<string>();
  let signed = 0;
  for await (const entry of allEntries(ledger, after)) {
    const line = lineOf(entry, trust);
    if (line !== undefined) await write(line);
    if (entry.kind === "certificates-revoked") await followLost(entry, parts);
    if (entry.kind === "revocation-planned") await followPlan(entry, followedPlans, parts);
    if (entry.kind === "revocation-moved") await followMove(entry, followedPlans, parts);
    if (entry.kind === "assignments-signed")
      signed = Math.max(signed, (JSON.parse(entry.body) as Pick<AssignmentRecord, "number">).number);
  }
  if (signed > (trust.table?.number ?? 0)) await followTable(signed, parts);
  await markFollowed(parts);
}

/** Notes how far the journal has followed, where the ledger is another than at the last note. */
export async function markFollowed({
  ledger,
  trust,
  write,
  now,
}: Pick<FollowingParts, "ledger" | "trust" | "write" | "now">): Promise<void> {
  const sequence = await ledger.size();
  // It is shorter where an older database was put back.
  if (Math.abs(sequence - trust.followed) < MARKED_EVERY) return;
  await write({ kind: "followed", at: now(), sequence, breaks: trust.breaks });
}

async function followLost({ body }: LedgerEntry, { orders, addLost }: FollowingParts): Promise<void> {
  const { authority, reason, serials } = JSON.parse(body) as {
    readonly authority: string;
    readonly reason: string;
    readonly serials: readonly string[];
  };
  if (reason !== "keyCompromise" && reason !== "cACompromise") return;
  await addLost(lostKeysOf(await orders.ofSerials(authority, serials), reason));
}

async function followPlan(
  entry: LedgerEntry,
  followedPlans: Set<string>,
  { trust, write }: FollowingParts,
): Promise<void> {
  const plan = planOf(entry);
  const isSame = (one: RevocationPlan) => one.authority === plan.authority && one.serial === plan.serial;
  // What was planned again since then stands for both.
  const isKnown = [...trust.plans.values()].some(
    (one) => one.id === plan.id || (isSame(one) && one.plannedAt >= plan.plannedAt),
  );
  if (isKnown) return;
  await write({ kind: "held", at: plan.plannedAt, plan });
  followedPlans.add(plan.id);
}

/**
 * A move that the journal lacks. Of a plan that it has, only what takes more trust: nothing is given back, or stopped, by an
 * entry alone, save what this reading itself has begun.
 */
async function followMove(
  { at, body }: LedgerEntry,
  followedPlans: Set<string>,
  { trust, write }: FollowingParts,
): Promise<void> {
  const said = JSON.parse(body) as Pick<RevocationPlan, "stage" | "state"> & {
    readonly plan: string;
    readonly move: RevocationMove;
  };
  const { plan: id, move, stage, state } = said;
  const plan = trust.plans.get(id);
  if (plan === undefined || plan.state === "withdrawn") return;
  const isSince = at > (trust.placedAt.get(id) ?? at) && (move === "start" || move === "next");
  if (!isSince && !followedPlans.has(id)) return;
  followedPlans.add(id);
  if (move === "lift") await write({ kind: "lifted", at, plan: id });
  await write({ kind: "moved", at, plan: id, stage, state, finished: stage === plan.stage ? plan.finished : 0 });
}

/**
 * The row of the newest table, which counts where a scheme has signed it: whoever reads it verifies that. Where it has none the one before
 * counts, as where a process has died in between; that is told, and no other table has its number.
 */
async function followTable(signed: number, { assignments, trust, write, refuse }: FollowingParts): Promise<void> {
  const row = await assignments.newest();
  if (row?.number !== signed) {
    trust.signedTable = signed;
    return refuse(
      `table ${signed} of assignments was signed, and neither the journal nor the database has it: sign it again`,
    );
  }
  const octets = Buffer.from(row.octets).toString("base64");
  await write({ kind: "table", at: row.addedAt, number: signed, octets });
}

/** The line that an entry of the ledger should have and has not; undefined for what has none, or its own. */
function lineOf({ at, kind, body }: LedgerEntry, trust: Remembered): TrustLine | undefined {
  if (kind === CERTIFICATE_ORDERED) {
    const { authority, serial, profile } = JSON.parse(body) as Readonly<
      Record<"authority" | "serial" | "profile", string>
    >;
    const isNew = ENROLLED_OVER_EST.has(profile) && trust.profileOf(authority, serial) === undefined;
    return isNew ? { kind: "certified", at, authority, profile, serials: [serial] } : undefined;
  }
  if (kind !== "certificates-revoked") return undefined;
  const revoked = revocationOf({ at, kind, body: JSON.parse(body) });
  const serials = revoked?.serials.filter((serial) => !trust.isRevoked(revoked.authority, serial)) ?? [];
  return revoked && serials.length > 0 ? { ...revoked, serials } : undefined;
}

/** A plan as the ledger has it: nobody has moved it. */
function planOf({ at, principal, body }: LedgerEntry): RevocationPlan {
  const said = JSON.parse(body) as Pick<RevocationPlan, "authority" | "reason" | "meters"> & {
    readonly plan: string;
    readonly serial?: string;
  };
  const { plan: id, authority, serial, reason, meters } = said;
  const place = { stage: "refuse", state: "planned", finished: 0 } as const;
  return { id, authority, serial, reason, plannedBy: principal, plannedAt: at, meters, ...place };
}
