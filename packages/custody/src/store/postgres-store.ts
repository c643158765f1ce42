import {
  ForeignEntries,
  type Growth,
  LEDGER_GRANTS,
  LEDGER_MIGRATIONS,
  postgresCheckpointStore,
  postgresLedgerStore,
} from "@meterkeep/ledger";
import { PKI_GRANTS, PKI_MIGRATIONS, postgresPkiStore } from "@meterkeep/pki";
import { inTransaction, type MigrationSource } from "@meterkeep/postgres";
import type { Pool, PoolClient } from "pg";
import { AUTHORITY_GRANTS, authorityIn, writeAuthority } from "../authority/store/postgres-authority.ts";
import type { AuthorityWrite } from "../authority/store/records.ts";
import { CustodyError } from "../errors.ts";
import { postgresPkiLedger } from "../pki/pki-ledger.ts";
import { fenced, isFenced } from "../standby/instance.ts";
import { gatheredLoad } from "./gathered-load.ts";
import { enrolmentsIn, markEnrolment, planEnrolment } from "./postgres-enrolments.ts";
import {
  counterLine,
  countMeters,
  countProvenMeters,
  entriesBehind,
  loadFiles,
  sampleProvenMeters,
  shipmentMeters,
} from "./postgres-reads.ts";
import { resealKeys, rewrapVault } from "./postgres-rewrap.ts";
import { destroyKey, markRotation, planSuccessors, rotationsIn } from "./postgres-rotations.ts";
import {
  addKeys,
  addMeters,
  insertShipment,
  putTakeovers,
  putWindows,
  readmitMeters,
  reserveCounters,
  setKeyStates,
  setStandings,
} from "./postgres-writes.ts";
import type {
  CustodyStore,
  InstallationRecords,
  Restorations,
  RootRecord,
  ShipmentStage,
  VaultKeyRecord,
  Write,
} from "./store.ts";
import { vaultSecretsIn } from "./vault-secrets.ts";

/**
 * What the custodian may do at run time, table by table: nowhere delete or truncate, and change only the columns that do
 * change. The schema belongs to another role.
 */
const CUSTODY_GRANTS = {
  vault_roots: "select, insert",
  vault_keys: "select, insert, update (sealed)",
  vault_secrets: "select, insert",
  vault_secret_copies: "select, insert, update (wrapped)",
  named_secrets: "select, insert",
  shipments: "select, insert",
  meters:
    "select, insert, update (standing, standing_ms, mac, firmware, manufacturer_flag, manufacturer_name, holders, shipment, shipment_line, counter_floor)",
  meter_keys: "select, insert, update (state, proven_ms, changed_ms)",
  key_check_values: "select, insert",
  send_counters: "select, insert, update (next, mac)",
  receive_windows: "select, insert, update (highest, seen, mac)",
  takeovers: "select, insert, update (revision, journal, closed_ms, mac)",
  set_aside_meters: "select",
  enrolments: "select, insert, update (begun_ms, ended_ms, outcome, expires_ms)",
  enrolment_policies: "select, insert, update (renew_after_days, renew_before_days, per_day)",
  rotations: "select, insert, update (begun_ms, ended_ms, outcome, cause, purposes, risk, planned_ms, planned_by)",
  restorations: "select",
  custodian_instance: "select",
  key_policies: "select, insert, update (crypto_period_days, count_limit, per_hour, retain_days)",
} as const;

/** The migrations of a custodian's database: the ledger's, custody's own, and those of its authorities. */
export const CUSTODY_MIGRATIONS: readonly MigrationSource[] = [
  { component: "ledger", directory: LEDGER_MIGRATIONS, grants: LEDGER_GRANTS },
  { component: "custody", directory: new URL("../../migrations/", import.meta.url), grants: CUSTODY_GRANTS },
  { component: "custody-life", directory: new URL("../../migrations/life/", import.meta.url), grants: {} },
  { component: "custody-enrolment", directory: new URL("../../migrations/enrolment/", import.meta.url), grants: {} },
  {
    component: "custody-authority",
    directory: new URL("../../migrations/authority/", import.meta.url),
    grants: AUTHORITY_GRANTS,
  },
  { component: "custody-records", directory: new URL("../../migrations/records/", import.meta.url), grants: {} },
  { component: "custody-scale", directory: new URL("../../migrations/scale/", import.meta.url), grants: {} },
  { component: "pki", directory: PKI_MIGRATIONS, grants: PKI_GRANTS },
];

/** Custody in PostgreSQL. */
export function postgresCustodyStore(pool: Pool): CustodyStore {
  const foreign = new ForeignEntries();
  return {
    commit: async (writes, growth) => {
      try {
        await inTransaction(pool, (client) => commitAll(client, writes, growth, foreign));
      } catch (error) {
        throw asConflict(error);
      }
    },
    load: gatheredLoad((titles) => loadFiles(pool, foreign, titles, undefined, titles.length)),
    loadPage: (titles, after, limit) => loadFiles(pool, foreign, titles, after, limit),
    counterLine: (place) => counterLine(pool, foreign, place),
    entriesBehind: (titles) => entriesBehind(pool, foreign, titles),
    meterCount: (utility) => countMeters(pool, utility),
    provenMeterCount: (utility) => countProvenMeters(pool, utility),
    provenMeterSample: (meters) => sampleProvenMeters(pool, meters),
    shipmentMeters: (shipment, from, limit) => shipmentMeters(pool, shipment, from, limit),
    stageShipment: () => stageShipment(pool),
    ledger: postgresLedgerStore(pool, foreign),
    rotations: rotationsIn(pool),
    enrolments: enrolmentsIn(pool),
    authority: authorityIn(pool, foreign),
    checkpoints: postgresCheckpointStore(pool),
    vaultKeys: vaultKeysIn(pool),
    vaultSecrets: vaultSecretsIn(pool),
    installation: installationIn(pool),
    pki: postgresPkiStore(pool),
    pkiLedger: postgresPkiLedger(pool, foreign),
    restorations: restorationsIn(pool),
  };
}

async function commitAll(
  client: PoolClient,
  writes: readonly Write[],
  growth: Growth | undefined,
  foreign: ForeignEntries,
): Promise<void> {
  const of = <K extends Write["kind"]>(kind: K) =>
    writes.filter((write): write is Extract<Write, { kind: K }> => write.kind === kind);
  for (const write of of("rewrap-vault")) await rewrapVault(client, write);
  for (const { keys } of of("reseal-keys")) await resealKeys(client, keys);
  await reserveCounters(client, of("reserve-counters"));
  for (const write of of("add-meter")) {
    const { conflict } = await addMeters(client, [write]);
    if (conflict !== undefined)
      throw new CustodyError("custody-write-conflict", `meter ${conflict.systemTitle}: ${conflict.problem}`);
  }
  await readmitMeters(client, of("readmit-meter"));
  for (const { shipment } of of("add-shipment")) await insertShipment(client, shipment);
  for (const { keys, checkValues } of of("add-keys")) await addKeys(client, [{ keys, checkValues }]);
  await setStandings(client, of("set-standing"));
  await setKeyStates(client, of("set-key-state"));
  for (const write of of("destroy-key")) await destroyKey(client, write);
  for (const write of of("mark-rotation")) await markRotation(client, write);
  for (const write of of("plan-enrolment")) await planEnrolment(client, write);
  for (const write of of("mark-enrolment")) await markEnrolment(client, write);
  await putWindows(
    client,
    of("put-windows").flatMap(({ windows }) => windows),
  );
  await putTakeovers(
    client,
    of("put-takeover").map(({ takeover }) => takeover),
  );
  await planSuccessors(client, writes);
  await writeAuthority(client, writes.filter(isAuthorityWrite));
  if (growth !== undefined) await postgresLedgerStore(client, foreign).append(growth);
}

const AUTHORITY_WRITES: ReadonlySet<string> = new Set<AuthorityWrite["kind"]>([
  "put-authority",
  "put-authority-right",
  "add-manifest-part",
  "add-manifest",
  "add-change",
  "execute-change",
  "add-approval",
  "seal-critical",
  "settle-seals",
]);

function isAuthorityWrite(write: Write): write is AuthorityWrite {
  return AUTHORITY_WRITES.has(write.kind);
}

async function stageShipment(pool: Pool): Promise<ShipmentStage> {
  const client = await pool.connect();
  let open = true;
  const end = async (statement: "commit" | "rollback") => {
    if (!open) return;
    open = false;
    try {
      await client.query(statement);
      client.release();
    } catch (error) {
      client.release(true);
      throw asConflict(error);
    }
  };
  await client.query("begin");
  return {
    knows: async (manufacturerKey, shipment) => {
      const { rows } = await client.query("select 1 from shipments where manufacturer_key = $1 and shipment = $2", [
        manufacturerKey,
        shipment,
      ]);
      return rows.length > 0;
    },
    left: async (titles) => {
      const { rows } = await client.query<{ title: string }>(
        `select upper(encode(system_title, 'hex')) as title from meters
         where standing <> 'in-service' and standing in ('transferred', 'returned') and system_title = any($1::bytea[])`,
        [titles.map((title) => Buffer.from(title, "hex"))],
      );
      return rows.map(({ title }) => title);
    },
    add: async (meters) => {
      try {
        return await addMeters(client, meters);
      } catch (error) {
        throw asConflict(error);
      }
    },
    commit: async (shipment) => {
      try {
        await insertShipment(client, shipment);
        // Else the planner takes them for empty until autovacuum comes by, and looks at every row for every meter.
        await client.query("select take_statistics()");
      } catch (error) {
        throw asConflict(error);
      }
      await end("commit");
    },
    drop: () => end("rollback"),
  };
}

/** SQLSTATE class 23, integrity constraint violation: surely rolled back. */
function asConflict(error: unknown): unknown {
  if (isFenced(error)) return fenced(undefined, (error as Error).message);
  const { code, constraint } = error as { code?: string; constraint?: string };
  if (typeof code !== "string" || !code.startsWith("23")) return error;
  const exhausted = constraint === "send_counters_next_check";
  return new CustodyError(
    exhausted ? "counter-line-exhausted" : "custody-write-conflict",
    exhausted
      ? "the invocation counters of a security setup are used up: its key must be changed"
      : `the database refused a write: ${(error as Error).message}`,
    { cause: error },
  );
}

/** Whoever owns the schema writes them: a custodian that was restored more often than that knows since when all the same. */
const MOST_RESTORATIONS = 64;
const MOST_NAME_CHARACTERS = 64;

function restorationsIn(pool: Pool): Restorations {
  return {
    list: async () => {
      const { rows } = await pool.query<{ backup: string; restored_ms: string; known_until_ms: string }>(
        `select left(backup, ${MOST_NAME_CHARACTERS}) as backup, restored_ms, known_until_ms from restorations
         order by known_until_ms, restored_ms limit ${MOST_RESTORATIONS}`,
      );
      return rows.map((row) => ({
        backup: row.backup,
        restoredAt: Number(row.restored_ms),
        knownUntil: Number(row.known_until_ms),
      }));
    },
  };
}

function vaultKeysIn(pool: Pool): CustodyStore["vaultKeys"] {
  const find = async (utility: string, island: string): Promise<VaultKeyRecord[]> => {
    const { rows } = await pool.query<VaultKeyRecord>(
      `select utility, island, version, sealed from vault_keys
       where utility = $1 and island = $2 and octet_length(sealed) > 0 order by version`,
      [utility, island],
    );
    return rows.map((row) => ({ ...row, sealed: new Uint8Array(row.sealed) }));
  };
  return {
    find,
    all: async () => {
      const { rows } = await pool.query<VaultKeyRecord>(
        `select utility, island, version, sealed from vault_keys where octet_length(sealed) > 0
         order by utility, island, version`,
      );
      return rows.map((row) => ({ ...row, sealed: new Uint8Array(row.sealed) }));
    },
    destroy: async ({ utility, island, version }) => {
      await pool.query(
        "update vault_keys set sealed = '' where (utility, island, version) = ($1, $2, $3) and octet_length(sealed) > 0",
        [utility, island, version],
      );
    },
    insert: async ({ utility, island, version, sealed }) => {
      await pool.query(
        "insert into vault_keys (utility, island, version, sealed) values ($1, $2, $3, $4) on conflict do nothing",
        [utility, island, version, Buffer.from(sealed)],
      );
      return (await find(utility, island)).find((record) => record.version === version) as VaultKeyRecord;
    },
  };
}

// The installation itself: no utility and no island in particular.
const WHOLE = ["*", "*"] as const;

function installationIn(pool: Pool): InstallationRecords {
  const root = async (): Promise<RootRecord | undefined> => {
    const { rows } = await pool.query<{
      kind: RootRecord["kind"];
      parameters: string;
      proof: Buffer;
      created_ms: string;
    }>("select kind, parameters, proof, created_ms from vault_roots where utility = $1 and island = $2", [...WHOLE]);
    const [row] = rows;
    return row && { kind: row.kind, parameters: row.parameters, proof: row.proof, createdAt: Number(row.created_ms) };
  };
  const namedSecret = async (name: string): Promise<Uint8Array | undefined> => {
    const { rows } = await pool.query<{ sealed: Buffer }>(
      "select sealed from named_secrets where utility = $1 and island = $2 and name = $3",
      [...WHOLE, name],
    );
    return rows[0]?.sealed;
  };
  return {
    inUse: async () => {
      const { rows } = await pool.query<{ used: boolean }>(
        `select exists (select from vault_roots) or exists (select from vault_keys) or exists (select from vault_secrets) or exists (select from named_secrets)
           or exists (select from meters) or exists (select from ledger) as used`,
      );
      return rows[0]?.used === true;
    },
    root,
    insertRoot: async (record) => {
      await pool.query(
        `insert into vault_roots (utility, island, kind, parameters, proof, created_ms) values ($1, $2, $3, $4, $5, $6)
         on conflict do nothing`,
        [...WHOLE, record.kind, record.parameters, Buffer.from(record.proof), record.createdAt],
      );
      return (await root()) as RootRecord;
    },
    namedSecret,
    namedSecrets: async () => {
      const { rows } = await pool.query<{ name: string; sealed: Buffer }>(
        "select name, sealed from named_secrets where utility = $1 and island = $2 order by name",
        [...WHOLE],
      );
      return rows.map(({ name, sealed }) => ({ name, sealed: new Uint8Array(sealed) }));
    },
    insertNamedSecret: async (name, sealed) => {
      await pool.query(
        "insert into named_secrets (utility, island, name, sealed) values ($1, $2, $3, $4) on conflict do nothing",
        [...WHOLE, name, Buffer.from(sealed)],
      );
      return (await namedSecret(name)) as Uint8Array;
    },
  };
}
