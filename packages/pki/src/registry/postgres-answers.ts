import { toHex } from "@meterkeep/dlms";
import { bytes, type SqlClient } from "./certificate-rows.ts";
import type { AnswerRecords } from "./pki-store.ts";

interface AnswerRow {
  readonly serial: Buffer;
  readonly is_revoked: boolean;
  readonly until_ms: string;
  readonly octets: Buffer;
}

/** Answers that were signed ahead, in PostgreSQL. */
export function answersIn(client: SqlClient): AnswerRecords {
  return {
    put: async (answers) => {
      await client.query(
        `insert into ocsp_answers (authority, serial, is_revoked, until_ms, octets)
         select * from unnest($1::bytea[], $2::bytea[], $3::boolean[], $4::bigint[], $5::bytea[])
         on conflict (authority, serial) do update set
           is_revoked = excluded.is_revoked, until_ms = excluded.until_ms, octets = excluded.octets`,
        [
          answers.map(({ authority }) => bytes(authority)),
          answers.map(({ serial }) => bytes(serial)),
          answers.map(({ isRevoked }) => isRevoked),
          answers.map(({ until }) => until),
          answers.map(({ octets }) => Buffer.from(octets)),
        ],
      );
    },
    find: async (authority, serial) => {
      const { rows } = await client.query(
        "select serial, is_revoked, until_ms, octets from ocsp_answers where authority = $1 and serial = $2",
        [bytes(authority), bytes(serial)],
      );
      const [row] = rows as readonly AnswerRow[];
      return row && { authority, ...termOf(row), octets: new Uint8Array(row.octets) };
    },
    terms: async (authority, serials) => {
      const { rows } = await client.query(
        "select serial, is_revoked, until_ms from ocsp_answers where authority = $1 and serial = any($2::bytea[])",
        [bytes(authority), serials.map(bytes)],
      );
      return (rows as readonly AnswerRow[]).map(termOf);
    },
  };
}

function termOf({ serial, is_revoked: isRevoked, until_ms: until }: Omit<AnswerRow, "octets">) {
  return { serial: toHex(serial), isRevoked, until: Number(until) };
}
