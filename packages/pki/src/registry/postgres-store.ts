import { toHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import { bytes, type SqlClient } from "./certificate-rows.ts";
import type { EnrolmentPassword, PkiStore } from "./pki-store.ts";
import { answersIn } from "./postgres-answers.ts";
import { plansIn } from "./postgres-plans.ts";
import { postgresRegistry } from "./postgres-registry.ts";

/** The folder of this package's migrations. */
export const PKI_MIGRATIONS = new URL("../../migrations/", import.meta.url);

/** What the role at run time may do: sign what was ordered, revoke what was issued, and nothing else to a row. */
export const PKI_GRANTS = {
  authorities: "select, insert, update (mac)",
  certificates: "select, insert, update (octets, revoked_ms, reason)",
  revocation_lists: "select, insert",
  revocations_alone: "select, insert",
  assignment_tables: "select, insert",
  enrolment_passwords: "select, insert, update (used_ms)",
  revocation_plans: "select, insert, update (stage, state, finished)",
  certificate_removals: "select, insert, update (finished_ms, outcome)",
  ocsp_answers: "select, insert, update (is_revoked, until_ms, octets)",
  island_cuts: "select, insert, update (lifted_ms)",
} as const;

/** Everything a PKI remembers, in PostgreSQL. */
export function postgresPkiStore(client: SqlClient): PkiStore {
  return {
    registry: postgresRegistry(client),
    assignments: {
      newest: async () => {
        const { rows } = await client.query("select * from assignment_tables order by number desc limit 1");
        const [row] = rows as readonly { number: number; octets: Buffer; added_ms: string }[];
        return row && { number: row.number, octets: new Uint8Array(row.octets), addedAt: Number(row.added_ms) };
      },
      add: async ({ number, octets, addedAt }) => {
        const { rowCount } = await client.query(
          "insert into assignment_tables (number, octets, added_ms) values ($1, $2, $3) on conflict do nothing",
          [number, Buffer.from(octets), addedAt],
        );
        if (rowCount !== 1) throw new PkiError("serial-taken", `table ${number} was given before`);
      },
    },
    passwords: {
      add: async (one) => {
        await client.query(
          `insert into enrolment_passwords (hash, name, authority, profile, subject, made_by, made_ms, ends_ms, mac)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
          [
            Buffer.from(one.hash),
            one.name,
            bytes(one.authority),
            one.profile,
            one.subject,
            one.madeBy,
            one.madeAt,
            one.endsAt,
            one.mac === undefined ? null : Buffer.from(one.mac),
          ],
        );
      },
      take: async (hash, at) => {
        const { rows } = await client.query(
          "update enrolment_passwords set used_ms = $2 where hash = $1 and used_ms is null and ends_ms > $2 returning *",
          [Buffer.from(hash), at],
        );
        const [row] = rows as readonly PasswordRow[];
        return row && passwordOf(row);
      },
      giveBack: async (hash) => {
        await client.query("update enrolment_passwords set used_ms = null where hash = $1", [Buffer.from(hash)]);
      },
    },
    plans: plansIn(client),
    answers: answersIn(client),
  };
}

interface PasswordRow {
  readonly hash: Buffer;
  readonly name: string;
  readonly authority: Buffer;
  readonly profile: string;
  readonly subject: string;
  readonly made_by: string;
  readonly made_ms: string;
  readonly ends_ms: string;
  readonly used_ms: string | null;
  readonly mac: Buffer | null;
}

function passwordOf(row: PasswordRow): EnrolmentPassword {
  return {
    hash: new Uint8Array(row.hash),
    name: row.name,
    authority: toHex(row.authority),
    profile: row.profile,
    subject: row.subject,
    madeBy: row.made_by,
    madeAt: Number(row.made_ms),
    endsAt: Number(row.ends_ms),
    usedAt: row.used_ms === null ? undefined : Number(row.used_ms),
    ...(row.mac !== null && { mac: new Uint8Array(row.mac) }),
  };
}
