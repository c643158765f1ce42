import { toHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import { bytes, isUniqueViolation, type SqlClient } from "./certificate-rows.ts";
import type { CertificateRemoval, RevocationPlan, RevocationPlans } from "./pki-store.ts";
import type { MeterPlace } from "./registry.ts";

/** Revocations in stages, in PostgreSQL. */
export function plansIn(client: SqlClient): RevocationPlans {
  return {
    add: async (plan) => {
      const { rowCount } = await client
        .query(
          `insert into revocation_plans (id, authority, reason, planned_by, planned_ms, stage, state, meters, finished, serial)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing`,
          [
            plan.id,
            bytes(plan.authority),
            plan.reason,
            plan.plannedBy,
            plan.plannedAt,
            plan.stage,
            plan.state,
            plan.meters,
            plan.finished,
            plan.serial === undefined ? null : bytes(plan.serial),
          ],
        )
        .catch(unknownAuthority(plan));
      if (rowCount !== 1) throw new PkiError("revocation-refused", "a revocation of this authority is open");
    },
    list: async () => {
      const { rows } = await client.query("select * from revocation_plans order by planned_ms, id");
      return (rows as readonly PlanRow[]).map(planOf);
    },
    move: async (id, from, to) => {
      const { rowCount } = await client
        .query(
          `update revocation_plans set stage = $4, state = $5, finished = $6
           where id = $1 and stage = $2 and state = $3`,
          [id, from.stage, from.state, to.stage, to.state, to.finished],
        )
        .catch(anotherOpen);
      return rowCount === 1;
    },
    addRemovals: (plan, meters) => addRemovals(client, plan, meters, "nothing"),
    reopenRemovals: (plan, meters) =>
      addRemovals(client, plan, meters, "update set finished_ms = null, outcome = null"),
    removals: async (plan, after, limit) => {
      const { rows } = await client.query(
        `select * from certificate_removals where plan = $1 and finished_ms is null
         and system_title > coalesce($2::bytea, ''::bytea) order by system_title limit $3`,
        [plan, after === undefined ? null : bytes(after), limit],
      );
      return (rows as readonly RemovalRow[]).map(removalOf);
    },
    openRemovals: async (plan) => {
      const { rows } = await client.query(
        "select count(*)::integer as count from certificate_removals where plan = $1 and finished_ms is null",
        [plan],
      );
      return (rows[0] as { readonly count: number }).count;
    },
    plansOf: async (systemTitle) => {
      const { rows } = await client.query(
        "select plan from certificate_removals where system_title = $1 and finished_ms is null order by plan",
        [bytes(systemTitle)],
      );
      return (rows as readonly { readonly plan: string }[]).map(({ plan }) => plan);
    },
    finishRemoval: async (plan, systemTitle, at, outcome) => {
      const { rowCount } = await client.query(
        `update certificate_removals set finished_ms = $3, outcome = $4
         where plan = $1 and system_title = $2 and finished_ms is null`,
        [plan, bytes(systemTitle), at, outcome],
      );
      return rowCount === 1;
    },
    cut: async (plan, places, at) => {
      await client.query(
        `insert into island_cuts (plan, utility, island, cut_ms)
         select $1, places.*, $4 from unnest($2::text[], $3::text[]) as places on conflict do nothing`,
        [plan, places.map(({ utility }) => utility), places.map(({ island }) => island), at],
      );
    },
    lift: async (plan, at) => {
      await client.query("update island_cuts set lifted_ms = $2 where plan = $1 and lifted_ms is null", [plan, at]);
    },
    cuts: async () => {
      const { rows } = await client.query("select * from island_cuts where lifted_ms is null order by cut_ms, island");
      return (rows as readonly { plan: string; utility: string; island: string; cut_ms: string }[]).map(
        ({ plan, utility, island, cut_ms }) => ({ plan, utility, island, cutAt: Number(cut_ms) }),
      );
    },
  };
}

async function addRemovals(
  client: SqlClient,
  plan: string,
  meters: readonly MeterPlace[],
  onThose: "nothing" | "update set finished_ms = null, outcome = null",
): Promise<void> {
  await client.query(
    `insert into certificate_removals (plan, system_title, utility, island)
     select $1, meters.* from unnest($2::bytea[], $3::text[], $4::text[]) as meters
     on conflict (plan, system_title) do ${onThose}`,
    [
      plan,
      meters.map(({ systemTitle }) => bytes(systemTitle)),
      meters.map(({ utility }) => utility),
      meters.map(({ island }) => island),
    ],
  );
}

const FOREIGN_KEY_VIOLATION = "23503";

function unknownAuthority({ authority }: Pick<RevocationPlan, "authority">): (error: unknown) => never {
  return (error) => {
    if ((error as { readonly code?: unknown }).code !== FOREIGN_KEY_VIOLATION) throw error;
    throw new PkiError("authority-unknown", `there is no authority ${authority}`, { cause: error });
  };
}

function anotherOpen(error: unknown): never {
  if (!isUniqueViolation(error)) throw error;
  throw new PkiError("revocation-refused", "a revocation of this authority is open", { cause: error });
}

interface PlanRow extends Pick<RevocationPlan, "id" | "reason" | "stage" | "state" | "meters" | "finished"> {
  readonly authority: Buffer;
  readonly serial: Buffer | null;
  readonly planned_by: string;
  readonly planned_ms: string;
}

function planOf({ authority, serial, planned_by, planned_ms, ...plan }: PlanRow): RevocationPlan {
  const { id, reason, stage, state, meters, finished } = plan;
  return {
    id,
    authority: toHex(authority),
    serial: serial === null ? undefined : toHex(serial),
    reason,
    plannedBy: planned_by,
    plannedAt: Number(planned_ms),
    stage,
    state,
    meters,
    finished,
  };
}

interface RemovalRow {
  readonly plan: string;
  readonly system_title: Buffer;
  readonly utility: string;
  readonly island: string;
  readonly finished_ms: string | null;
  readonly outcome: string | null;
}

function removalOf({ plan, system_title, utility, island, finished_ms, outcome }: RemovalRow): CertificateRemoval {
  return {
    plan,
    systemTitle: toHex(system_title).toUpperCase(),
    utility,
    island,
    finishedAt: finished_ms === null ? undefined : Number(finished_ms),
    outcome: outcome ?? undefined,
  };
}
