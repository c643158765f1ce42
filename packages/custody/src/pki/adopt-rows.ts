import { allEntries, type LedgerEntry, type LedgerReads } from "@meterkeep/ledger";
import {
  CERTIFICATE_ORDERED,
  type PlanState,
  type RevocationPlan,
  type RevocationStage,
  revocationOf,
} from "@meterkeep/pki";
import { ENROLLED_OVER_EST } from "./enrollable.ts";
import type { Remembered } from "./remembered.ts";
import type { TrustLine } from "./trust-journal.ts";

type Place = Pick<RevocationPlan, "stage" | "state">;

/** What is adopted by. */
export interface AdoptionParts {
  readonly ledger: Pick<LedgerReads, "read">;
  /** Rows of plans, from before each had its line. */
  readonly rows: readonly RevocationPlan[];
  readonly trust: Remembered;
  readonly write: (line: TrustLine) => Promise<void>;
}

/**
 * Gives lines to what was done before the journal alone counted, once in the life of an installation, by the whole ledger,
 * which is witnessed where the database is not: plans that it knows as planned, at the stage to which people moved them;
 * revocations; and what certificates were ordered for whose octets do not say it.
 */
export async function adoptRows({ ledger, rows, trust, write }: AdoptionParts): Promise<void> {
  const planned = new Map<string, RevocationPlan>();
  const moves = new Map<string, Place>();
  for await (const entry of allEntries(ledger)) {
    const line = lineOf(entry, trust);
    if (line !== undefined) await write(line);
    if (entry.kind === "revocation-planned") {
      const plan = planOf(entry);
      planned.set(plan.id, plan);
    }
    if (entry.kind !== "revocation-moved") continue;
    const { plan, stage, state } = JSON.parse(entry.body) as {
      plan: string;
      stage: RevocationStage;
      state: PlanState;
    };
    // Of two moves at once the ledger had both: that a plan was taken back has a line of its own.
    if (state !== "withdrawn") moves.set(plan, { stage, state });
  }
  for (const plan of planned.values())
    if (!trust.plans.has(plan.id) && rows.some(({ id }) => id === plan.id))
      await write({ kind: "held", at: plan.plannedAt, plan });
  for (const { id, state, plannedAt: at } of [...trust.plans.values()]) {
    if (state === "withdrawn") continue;
    const row = rows.find((one) => one.id === id);
    // Nobody moved it, as far as the ledger goes: it stands where it is, and goes on when people say so.
    const unmoved: Place = { stage: "refuse", state: row?.state === "planned" ? "planned" : "stopped" };
    await write({ kind: "moved", at, plan: id, ...(moves.get(id) ?? unmoved), finished: 0 });
  }
}

/** The line that an entry of the ledger should have and has not; undefined for what has none, or its own. */
export function lineOf({ at, kind, body }: LedgerEntry, trust: Remembered): TrustLine | undefined {
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
export function planOf({ at, principal, body }: LedgerEntry): RevocationPlan {
  const said = JSON.parse(body) as Pick<RevocationPlan, "authority" | "reason" | "meters"> & {
    readonly plan: string;
    readonly serial?: string;
  };
  const { plan: id, authority, serial, reason, meters } = said;
  const place = { stage: "refuse", state: "planned", finished: 0 } as const;
  return { id, authority, serial, reason, plannedBy: principal, plannedAt: at, meters, ...place };
}
