import { type Direction, flowOf } from "@meterkeep/guard";
import { countingEntries, countingOnly, ENTRY_COLUMNS, type ForeignEntries } from "@meterkeep/ledger";
import type { Pool, PoolClient } from "pg";
import { DAY_MILLISECONDS } from "../../day.ts";
import { CustodyError } from "../../errors.ts";
import { titleOctets } from "../../store/postgres-writes.ts";
import {
  type AuthorityRecords,
  type AuthorityWrite,
  authorityMarkOf,
  type CriticalSeal,
  MONTH_MILLISECONDS,
  type SealOutcome,
  type StoredApproval,
  type StoredChange,
  type StoredManifest,
  type StoredSeal,
  TEN_MINUTES_MILLISECONDS,
} from "./records.ts";

/** What the custodian may do with the tables of the authority at run time. */
export const AUTHORITY_GRANTS = {
  authority: "select, insert, update (revision, document, mac)",
  manifests: "select, insert",
  manifest_parts: "select, insert",
  change_requests: "select, insert, update (executed_ms)",
  approvals: "select, insert",
  critical_seals: "select, insert, update (outcome, settled_ms, settled_lived_ms, mac)",
} as const;

const WHOLE = ["*", "*"] as const;
/** More than 256 approvers and 4096 who were removed come to; half a gigabyte is more than one text can have here. */
const MOST_DOCUMENT_CHARACTERS = 4 * 1024 * 1024;
/** One is enough for nothing to be sealed. */
const LOST_AT_ONCE = 8;
const hex = (octets: Buffer): string => octets.toString("hex");
const octetsOf = (text: string): Buffer => Buffer.from(text, "hex");

/** Reads the authority in PostgreSQL. */
export function authorityIn(pool: Pool, foreign: ForeignEntries): AuthorityRecords {
  return {
    document: async () => {
      const { rows } = await pool.query<{ revision: number; document: string; mac: Buffer }>(
        `select revision, left(document, ${MOST_DOCUMENT_CHARACTERS + 1}) as document, substring(mac from 1 for 33) as mac
         from authority where utility = $1 and island = $2`,
        [...WHOLE],
      );
      const [mark] = await countingEntries(
        pool,
        foreign,
        `select ${ENTRY_COLUMNS} from ledger where kind = 'authority-recorded' ${countingOnly(1)} order by sequence desc limit 1`,
        [],
      );
      return { stored: rows[0], mark: mark && authorityMarkOf(mark) };
    },
    manifest: async (hash) => {
      const { rows } = await pool.query<ManifestRow>(
        "select hash, utility, island, header, submitted_ms, submitted_by from manifests where hash = $1",
        [octetsOf(hash)],
      );
      return rows.map(manifestOf)[0];
    },
    manifestPart: async (hash, part) => {
      const { rows } = await pool.query<{ octets: Buffer }>(
        "select octets from manifest_parts where hash = $1 and part = $2",
        [octetsOf(hash), part],
      );
      return rows[0]?.octets;
    },
    manifests: async (limit) => {
      const { rows } = await pool.query<ManifestRow>(
        "select hash, utility, island, header, submitted_ms, submitted_by from manifests order by submitted_ms desc limit $1",
        [limit],
      );
      return rows.map(manifestOf);
    },
    unapprovedManifests: async (submittedBy, since) => {
      const { rows } = await pool.query<{ count: string }>(
        `select count(*) from manifests m where submitted_by = $1 and submitted_ms >= $2
           and not exists (select 1 from approvals a where a.hash = m.hash)`,
        [submittedBy, since],
      );
      return Number(rows[0]?.count);
    },
    change: async (hash) => {
      const { rows } = await pool.query<ChangeRow>(`${CHANGES} where hash = $1`, [octetsOf(hash)]);
      return rows.map(changeOf)[0];
    },
    wasExecuted: async (hash) => {
      // Not read as JSON, which what was changed need not be.
      const executed = await countingEntries(
        pool,
        foreign,
        `select ${ENTRY_COLUMNS} from ledger
         where kind = 'change-executed' and position($1 in body) > 0 ${countingOnly(2)}`,
        [hash],
      );
      return executed.some(({ body }) => (JSON.parse(body) as { readonly hash: string }).hash === hash);
    },
    changes: async (limit) => {
      const { rows } = await pool.query<ChangeRow>(`${CHANGES} order by submitted_ms desc limit $1`, [limit]);
      return rows.map(changeOf);
    },
    approvals: async (hash) => {
      const { rows } = await pool.query<{ approver: string; approval: string; received_ms: string }>(
        "select approver, approval, received_ms from approvals where hash = $1 order by received_ms, approver",
        [octetsOf(hash)],
      );
      return rows.map(
        ({ approver, approval, received_ms }): StoredApproval => ({
          hash,
          approver,
          approval,
          receivedAt: Number(received_ms),
        }),
      );
    },
    openSeals: async (of) => {
      const { rows } = await pool.query<SealRow>(
        `${SEALS} where outcome is null and ($1::bytea is null or (system_title = $1 and setup = $2))`,
        of === undefined ? [null, null] : [titleOctets(of.systemTitle), of.setup],
      );
      return rows.map(sealOf);
    },
    countingSeals: async () => {
      const { rows } = await pool.query<StoredSealRow>(
        `select * from (${SEALS}) seals where settled_lived_ms is null or settled_lived_ms >= (
           select coalesce(greatest(max(sealed_lived_ms), max(settled_lived_ms)), 0) from critical_seals) - $1::bigint`,
        [MONTH_MILLISECONDS],
      );
      // By the text, since what was changed need not be JSON.
      const lost = await countingEntries(
        pool,
        foreign,
        `select ${ENTRY_COLUMNS} from ledger where kind = 'critical-sealed' and not exists (select from critical_seals
             where encode(nonce, 'hex') = substring(body from '"nonce":"([0-9a-f]+)"'))
           ${countingOnly(1)} order by sequence limit ${LOST_AT_ONCE}`,
        [],
      );
      return {
        seals: rows.map(storedSealOf),
        lost: lost.map(({ body }) => (JSON.parse(body) as { nonce: string }).nonce),
      };
    },
    progress: async (hash) => {
      const { rows } = await pool.query<{ outcome: SealOutcome | null; count: string }>(
        "select outcome, count(*) from critical_seals where manifest = $1 group by outcome",
        [octetsOf(hash)],
      );
      const counts = { executed: 0, refused: 0, superseded: 0, open: 0 };
      for (const { outcome, count } of rows) counts[outcome ?? "open"] = Number(count);
      return counts;
    },
    lived: async () => {
      const { rows } = await pool.query<{ lived: string | null }>(
        "select greatest(max(sealed_lived_ms), max(settled_lived_ms)) as lived from critical_seals",
      );
      return Number(rows[0]?.lived ?? 0);
    },
  };
}

/** Carries out what is the authority's of a commit, in order. @throws CustodyError `custody-write-conflict`. */
export async function writeAuthority(client: PoolClient, writes: readonly AuthorityWrite[]): Promise<void> {
  for (const write of writes) await writeOne(client, write);
}

async function writeOne(client: PoolClient, write: AuthorityWrite): Promise<void> {
  switch (write.kind) {
    case "put-authority": {
      const { revision, document, mac } = write.authority;
      const values = [...WHOLE, revision, document, Buffer.from(mac)];
      const { rowCount } =
        revision === 1
          ? await client.query(
              "insert into authority (utility, island, revision, document, mac) values ($1, $2, $3, $4, $5)",
              values,
            )
          : await client.query(
              "update authority set revision = $3, document = $4, mac = $5 where utility = $1 and island = $2 and revision = $3 - 1",
              values,
            );
      requireOne(rowCount, "the authority is at another revision");
      return;
    }
    case "put-authority-right": {
      const { revision, document, mac } = write.authority;
      await client.query(
        `insert into authority (utility, island, revision, document, mac) values ($1, $2, $3, $4, $5)
         on conflict (utility, island) do update
           set revision = excluded.revision, document = excluded.document, mac = excluded.mac`,
        [...WHOLE, revision, document, Buffer.from(mac)],
      );
      return;
    }
    case "add-manifest-part": {
      const { utility, island, hash, part, octets } = write.part;
      await client.query(
        "insert into manifest_parts (utility, island, hash, part, octets) values ($1, $2, $3, $4, $5) on conflict do nothing",
        [utility, island, octetsOf(hash), part, Buffer.from(octets.buffer, octets.byteOffset, octets.length)],
      );
      return;
    }
    case "add-manifest": {
      const { utility, island, hash, header, submittedAt, submittedBy } = write.manifest;
      await client.query(
        "insert into manifests (utility, island, hash, header, submitted_ms, submitted_by) values ($1, $2, $3, $4, $5, $6)",
        [utility, island, octetsOf(hash), header, submittedAt, submittedBy],
      );
      return;
    }
    case "add-change": {
      const { hash, kind, document, submittedAt, submittedBy } = write.change;
      await client.query(
        "insert into change_requests (utility, island, hash, kind, document, submitted_ms, submitted_by) values ($1, $2, $3, $4, $5, $6, $7)",
        [...WHOLE, octetsOf(hash), kind, document, submittedAt, submittedBy],
      );
      return;
    }
    case "execute-change": {
      const { rowCount } = await client.query(
        "update change_requests set executed_ms = $2 where hash = $1 and executed_ms is null",
        [octetsOf(write.hash), write.at],
      );
      requireOne(rowCount, "a change is executed once");
      return;
    }
    case "add-approval": {
      const { hash, approver, approval, receivedAt } = write.approval;
      await client.query(
        "insert into approvals (utility, island, hash, approver, approval, received_ms) values ($1, $2, $3, $4, $5, $6)",
        [...WHOLE, octetsOf(hash), approver, approval, receivedAt],
      );
      return;
    }
    case "seal-critical":
      await sealCritical(client, write);
      return;
    case "settle-seals":
      await client.query(
        `update critical_seals c set outcome = w.outcome, settled_ms = w.settled_ms, settled_lived_ms = w.settled_lived_ms,
           mac = w.mac
         from unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[])
           as w (nonce, outcome, settled_ms, settled_lived_ms, mac)
         where c.nonce = w.nonce and c.outcome is null`,
        [
          write.seals.map(({ nonce }) => octetsOf(nonce)),
          write.seals.map(({ outcome }) => outcome),
          write.seals.map(({ settledAt }) => settledAt),
          write.seals.map(({ settledLived }) => settledLived),
          write.seals.map(({ mac }) => mac && Buffer.from(mac)),
        ],
      );
      return;
    default:
      write satisfies never;
  }
}

type SealCounts = Readonly<
  Record<"day" | "month" | "ten" | "own_day" | "own_month" | "own_ten" | "recent" | "often", string>
>;

async function sealCritical(
  client: PoolClient,
  { seal, mac, caps }: Extract<AuthorityWrite, { kind: "seal-critical" }>,
): Promise<void> {
  if (caps !== undefined) {
    const counted = (window: string, more = ""): string =>
      `(select count(*) from critical_seals where direction = $7 ${more}
          and (settled_lived_ms is null or settled_lived_ms > $1::bigint - ${window}::bigint))`;
    const own = (window: string): string => counted(window, "and utility = $9");
    const switched = (window: string): string =>
      `(select count(*) from critical_seals where system_title = $5 and direction = any($8)
          and coalesce(settled_lived_ms, $1) > $1::bigint - ${window}::bigint)`;
    const { rows } = await client.query<SealCounts>(
      `select ${counted("$2")} as day, ${counted("$3")} as month, ${counted("$4")} as ten,
         ${own("$2")} as own_day, ${own("$3")} as own_month, ${own("$4")} as own_ten,
         ${switched("$6")} as recent, ${switched("$2")} as often`,
      [
        seal.sealedLived,
        DAY_MILLISECONDS,
        MONTH_MILLISECONDS,
        TEN_MINUTES_MILLISECONDS,
        titleOctets(seal.systemTitle),
        caps.toggleMilliseconds,
        seal.direction,
        [...flowOf(seal.direction)],
        seal.utility,
      ],
    );
    const [row] = rows;
    const isOver =
      row === undefined ||
      Number(row.day) >= caps.offPerDay ||
      Number(row.month) >= caps.offPerMonth ||
      Number(row.ten) >= caps.offPerTenMinutes ||
      Number(row.own_day) >= caps.ofUtility.offPerDay ||
      Number(row.own_month) >= caps.ofUtility.offPerMonth ||
      Number(row.own_ten) >= caps.ofUtility.offPerTenMinutes ||
      (caps.toggleMilliseconds > 0 && Number(row.recent) > 0) ||
      Number(row.often) >= caps.togglesPerDay;
    if (isOver) throw new CustodyError("custody-write-conflict", "a cap on critical commands is reached");
  }
  await client.query(
    `insert into critical_seals (utility, island, nonce, manifest, system_title, setup, key_version, counter, act, once, direction,
       load_w, sealed_ms, sealed_lived_ms, mac, signed) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
    [
      seal.utility,
      seal.island,
      octetsOf(seal.nonce),
      octetsOf(seal.manifest),
      titleOctets(seal.systemTitle),
      seal.setup,
      seal.keyVersion,
      seal.counter,
      seal.act,
      seal.once,
      seal.direction,
      seal.loadW,
      seal.sealedAt,
      seal.sealedLived,
      Buffer.from(mac),
      seal.isSigned,
    ],
  );
}

function requireOne(rowCount: number | null, message: string): void {
  if (rowCount !== 1) throw new CustodyError("custody-write-conflict", message);
}

interface ManifestRow {
  readonly utility: string;
  readonly island: string;
  readonly hash: Buffer;
  readonly header: string;
  readonly submitted_ms: string;
  readonly submitted_by: string;
}

function manifestOf({ hash, utility, island, header, submitted_ms, submitted_by }: ManifestRow): StoredManifest {
  return { utility, island, hash: hex(hash), header, submittedAt: Number(submitted_ms), submittedBy: submitted_by };
}

const CHANGES = "select hash, kind, document, submitted_ms, submitted_by, executed_ms from change_requests";
interface ChangeRow {
  readonly hash: Buffer;
  readonly kind: string;
  readonly document: string;
  readonly submitted_ms: string;
  readonly submitted_by: string;
  readonly executed_ms: string | null;
}

function changeOf(row: ChangeRow): StoredChange {
  return {
    hash: hex(row.hash),
    kind: row.kind,
    document: row.document,
    submittedAt: Number(row.submitted_ms),
    submittedBy: row.submitted_by,
    executedAt: row.executed_ms === null ? undefined : Number(row.executed_ms),
  };
}

const SEALS = `select utility, island, nonce, manifest, upper(encode(system_title, 'hex')) as title, setup, key_version, counter,
  act, once, direction, load_w, sealed_ms, sealed_lived_ms, outcome, settled_ms, settled_lived_ms, mac, signed from critical_seals`;
interface SealRow {
  readonly utility: string;
  readonly island: string;
  readonly nonce: Buffer;
  readonly manifest: Buffer;
  readonly title: string;
  readonly setup: number;
  readonly key_version: number;
  readonly counter: string;
  readonly act: number;
  readonly once: boolean;
  readonly direction: Direction;
  readonly load_w: string;
  readonly sealed_ms: string;
  readonly sealed_lived_ms: string;
  readonly signed: boolean;
}

interface StoredSealRow extends SealRow {
  readonly outcome: SealOutcome | null;
  readonly settled_ms: string | null;
  readonly settled_lived_ms: string | null;
  readonly mac: Buffer | null;
}

function storedSealOf(row: StoredSealRow): StoredSeal {
  const { outcome, settled_ms, settled_lived_ms, mac } = row;
  return {
    ...sealOf(row),
    outcome: outcome ?? undefined,
    settledAt: settled_ms === null ? undefined : Number(settled_ms),
    settledLived: settled_lived_ms === null ? undefined : Number(settled_lived_ms),
    mac: mac === null ? undefined : new Uint8Array(mac),
  };
}

function sealOf(row: SealRow): CriticalSeal {
  const { utility, island, title: systemTitle, setup, act, once, direction } = row;
  return {
    utility,
    island,
    systemTitle,
    setup,
    act,
    once,
    direction,
    nonce: hex(row.nonce),
    manifest: hex(row.manifest),
    keyVersion: row.key_version,
    counter: Number(row.counter),
    loadW: Number(row.load_w),
    sealedAt: Number(row.sealed_ms),
    sealedLived: Number(row.sealed_lived_ms),
    isSigned: row.signed,
  };
}
