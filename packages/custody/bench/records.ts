import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync } from "node:fs";
import { fromHex } from "@meterkeep/dlms";
import { SecretKey } from "@meterkeep/dlms-node";
import { launchEmbedded } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import pg from "pg";
import { unsealKeys, workingKeys } from "../src/protocol/meter-keys.ts";
import { takeoverMark } from "../src/records/marks.ts";
import { withTakeoverMacs } from "../src/records/record-mac.ts";
import { GroupCommitter } from "../src/store/committer.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../src/store/postgres-store.ts";
import { PURPOSE } from "../src/store/records.ts";
import { openVault } from "../src/vault/open-vault.ts";
import type { Vault } from "../src/vault/vault.ts";
import { percentile, perSecond } from "./figures.ts";

const [UTILITY, ISLAND] = ["utility-1", "island-1"];
/** Octets of a sealed key of 16 (vault/envelope.ts). */
const SEALED_BYTES = 49;
/** Meters whose keys are really sealed, spread evenly over all: those that are looked up. */
const SEALED = 100_000;
const JOURNALS_PER_SECOND = 250;
/** 25 million meters, each with a session a day; and a million, each with a session every quarter of an hour. */
const LOOKUPS_PER_SECOND = [290, 1111];
/** Lookups that wait for a connection at most. */
const MOST_UNDER_WAY = 256;

/** `npm run bench -- custody --records N`: so many meters' key records in one database, and what looking one up costs. */
export async function benchRecords(count: number, seconds: number, folder: string): Promise<void> {
  // On a disk and losing nothing, as an installation's own: what tests use lies in memory.
  chmodSync(folder, 0o711);
  const server = await launchEmbedded({
    stateDirectory: `${folder}/postgres`,
    socketDirectory: `${folder}/run`,
    log: () => undefined,
  });
  process.env["METERKEEP_TEST_DATABASE_URL"] = server.adminUrl;
  try {
    await benchIn(count, seconds, folder);
  } finally {
    await server.stop();
  }
}

async function benchIn(count: number, seconds: number, folder: string): Promise<void> {
  await withTestDatabase(
    { migrations: CUSTODY_MIGRATIONS, maxConnections: 8 },
    async ({ pool, adminUrl, database }) => {
      const admin = new pg.Client({ connectionString: adminUrl });
      await admin.connect();
      const store = postgresCustodyStore(pool);
      const { vault } = await openVault(store, { kind: "file", path: `${folder}/root.key` }, 0);
      const began = performance.now();
      await load(adminUrl, admin, count, folder);
      const step = Math.max(1, Math.floor(count / SEALED));
      const sealed = Math.floor(count / step);
      await sealSome(admin, vault, step, sealed);
      console.log(
        `${count.toLocaleString("en")} meters, 4 keys each, loaded in ${Math.round((performance.now() - began) / 1000)} s`,
      );
      await printSizes(admin, database, count);
      const committer = new GroupCommitter(store);
      console.log("looking up a meter's whole file and unwrapping its two working keys, meters drawn uniformly:");
      const draw = () => titleOf((1 + Math.floor(Math.random() * (sealed - 1))) * step);
      const lookup = () => lookUp(store, vault, draw());
      await measure("cold, 4 under way", lookup, 4, seconds);
      await measure("4 under way", lookup, 4, seconds);
      await measure("one at a time", lookup, 1, seconds);
      let journals = 0;
      let isOver = false;
      const slowest: number[] = [];
      const write = async (at: number): Promise<void> => {
        const from = performance.now();
        const place = { utility: UTILITY, island: ISLAND, systemTitle: titleOf(at), setup: 0 };
        const record = {
          ...place,
          takeover: 1,
          revision: 1,
          journal: JOURNAL,
          openedAt: Date.now(),
          closedAt: undefined,
        };
        const [takeover] = await withTakeoverMacs(vault, [record]);
        await committer.submit({
          writes: [{ kind: "put-takeover", takeover: takeover! }],
          entries: [takeoverMark(takeover!, Date.now())],
        });
        journals += 1;
        slowest.push(performance.now() - from);
      };
      const writing = (async () => {
        const under: Promise<void>[] = [];
        const start = performance.now();
        for (let n = 0; !isOver; n += 1) {
          under.push(write(1 + ((n * 7919) % count)));
          const ahead = ((n + 1) * 1000) / JOURNALS_PER_SECOND - (performance.now() - start);
          if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
        }
        await Promise.all(under);
        return journals / ((performance.now() - start) / 1000);
      })();
      await measure("one at a time, beside journals", lookup, 1, seconds);
      for (const each of LOOKUPS_PER_SECOND)
        await measurePaced(`${each} a second, beside journals`, lookup, each, seconds);
      isOver = true;
      const rate = await writing;
      console.log(
        `journals of rotations beside that    ${rate.toFixed(0)} a second (asked for ${JOURNALS_PER_SECOND}), each with its ledger entry, p99 ${percentile(slowest, 0.99)} ms`,
      );
      await admin.end();
    },
  );
}

const JOURNAL = JSON.stringify({ form: 1, note: "x".repeat(900) });

function titleOf(number: number): string {
  return `545354${number.toString(16).toUpperCase().padStart(10, "0")}`;
}

/**
 * Bulk COPY of rows that the server makes itself: in key order, each table in one transaction with its truncation, so that
 * it is synced at the end instead of logged row by row and its rows are frozen from the start, and without the checks of
 * foreign keys. Indexes that no other table refers to are built afterwards. Octets that would be random are of their
 * length, and differ; those of check values come in no order.
 */
async function load(adminUrl: string, admin: pg.Client, count: number, folder: string): Promise<void> {
  const title = "decode('545354' || lpad(to_hex(n), 10, '0'), 'hex')";
  const filler = (octets: number) => `'\\x${"5a".repeat(octets - 8)}'::bytea`;
  const numbers = `generate_series(1, ${count}) n`;
  const meters = `select '${UTILITY}', '${ISLAND}', ${title}, 'shipped', 'TST' || n, n::text, 'T-100', 'A', '1.0',
      'idis-p2', 0::smallint, 'TST', 'Test Meters', '{Test Meters}'::text[], '00112233445566778899aabbccddeeff', n,
      1795000000000, ${filler(32)} || int8send(n) from ${numbers}`;
  const keys = `select '${UTILITY}', '${ISLAND}', ${title}, 0::smallint, p::smallint, 1, 'active', 'generated',
      ${filler(SEALED_BYTES)} || int8send(n), 1795000000000 from ${numbers}, generate_series(0, 3) p`;
  const checks = `select int8send(hashint8extended(4 * n::bigint + p, 1)) || int8send(hashint8extended(4 * n::bigint + p, 2)), ${title}
    from ${numbers}, generate_series(0, 2) p`;
  const run = async (
    table: string,
    columns: string,
    rows: string,
    { before = [], after = [] }: { readonly before?: readonly string[]; readonly after?: readonly string[] },
  ): Promise<void> => {
    const began = performance.now();
    const pipe = `${folder}/${table}.pipe`;
    execFileSync("mkfifo", ["-m", "666", pipe]);
    const [source, client] = [1, 2].map(() => new pg.Client({ connectionString: adminUrl })) as [pg.Client, pg.Client];
    await Promise.all([source.connect(), client.connect()]);
    await client.query("set session_replication_role = replica");
    await client.query("set maintenance_work_mem = '1GB'");
    await client.query("begin");
    for (const one of before) await client.query(one);
    await Promise.all([
      source.query(`copy (${rows}) to '${pipe}' (format binary)`),
      client.query(`copy ${table} (${columns}) from '${pipe}' (format binary, freeze)`),
    ]);
    for (const one of after) await client.query(one);
    await client.query("commit");
    await Promise.all([source.end(), client.end()]);
    console.log(`  ${table} loaded in ${Math.round((performance.now() - began) / 1000)} s`);
  };
  const keyIndexes = await indexesOf(admin, "meter_keys", ["meter_keys_one_active"]);
  const checkIndexes = await indexesOf(admin, "key_check_values", []);
  await run(
    "meters",
    `utility, island, system_title, origin, logical_device_name, serial_number, model, hardware_revision, firmware, profile,
      security_suite, manufacturer_flag, manufacturer_name, holders, shipment, shipment_line, created_ms, mac`,
    meters,
    { before: ["truncate meters cascade"] },
  );
  await Promise.all([
    run(
      "meter_keys",
      "utility, island, system_title, setup, purpose, version, state, origin, sealed, created_ms",
      keys,
      { before: ["truncate meter_keys", ...keyIndexes.drop], after: keyIndexes.make },
    ),
    run("key_check_values", "check_value, system_title", checks, {
      before: ["truncate key_check_values", ...checkIndexes.drop],
      after: checkIndexes.make,
    }),
  ]);
  await admin.query("vacuum analyze");
}

/** How a table's primary key, and indexes of it, are dropped and made again as they were. */
async function indexesOf(admin: pg.Client, table: string, indexes: readonly string[]) {
  const { rows: keys } = await admin.query<{ name: string; made: string }>(
    "select conname as name, pg_get_constraintdef(oid) as made from pg_constraint where conrelid = $1::regclass and contype = 'p'",
    [table],
  );
  const { rows: others } = await admin.query<{ name: string; made: string }>(
    "select indexname as name, indexdef as made from pg_indexes where tablename = $1 and indexname = any($2)",
    [table, indexes],
  );
  return {
    drop: [
      ...keys.map(({ name }) => `alter table ${table} drop constraint ${name}`),
      ...others.map(({ name }) => `drop index ${name}`),
    ],
    make: [
      ...keys.map(({ name, made }) => `alter table ${table} add constraint ${name} ${made}`),
      ...others.map(({ made }) => made),
    ],
  };
}

/** Seals keys of every `step`th meter in the place of what stands there. */
async function sealSome(admin: pg.Client, vault: Vault, step: number, sealed: number): Promise<void> {
  for (let at = 0; at < sealed; at += 1000) {
    const titles = Array.from({ length: Math.min(1000, sealed - at) }, (_, n) => titleOf((at + n + 1) * step));
    const keys = titles.flatMap((systemTitle) =>
      [PURPOSE.GUEK, PURPOSE.GAK].map((purpose) => ({
        place: { utility: UTILITY, island: ISLAND, systemTitle: fromHex(systemTitle), setup: 0, purpose, version: 1 },
        key: SecretKey.take(new Uint8Array(randomBytes(16))),
      })),
    );
    const records = await vault.seal(keys);
    await admin.query(
      `update meter_keys k set sealed = w.sealed from unnest($1::bytea[], $2::smallint[], $3::bytea[]) as w (title, purpose, sealed)
       where (k.utility, k.island, k.system_title, k.setup, k.purpose, k.version) = ($4, $5, w.title, 0, w.purpose, 1)`,
      [
        keys.map(({ place }) => Buffer.from(place.systemTitle)),
        keys.map(({ place }) => place.purpose),
        records.map((record) => Buffer.from(record)),
        UTILITY,
        ISLAND,
      ],
    );
  }
}

async function printSizes(admin: pg.Client, database: string, count: number): Promise<void> {
  const { rows } = await admin.query<{ name: string; bytes: string }>(
    `select relname as name, pg_relation_size(oid) as bytes from pg_class
     where relname in ('meters', 'meter_keys', 'key_check_values')
     union all select relname, pg_relation_size(c.oid) from pg_class c join pg_index i on c.oid = i.indexrelid
       where i.indrelid in ('meters'::regclass, 'meter_keys'::regclass, 'key_check_values'::regclass)
       and pg_relation_size(c.oid) > 1000000
     union all select 'database', pg_database_size($1)`,
    [database],
  );
  for (const { name, bytes } of rows)
    console.log(
      `  ${name.padEnd(24)} ${(Number(bytes) / 1e9).toFixed(2).padStart(7)} GB, ${Math.round(Number(bytes) / count)} octets a meter`,
    );
}

async function lookUp(store: ReturnType<typeof postgresCustodyStore>, vault: Vault, title: string): Promise<void> {
  const file = await store.load(title);
  if (file === undefined) throw new Error(`${title} is not there`);
  const names = [
    { purpose: PURPOSE.GUEK, version: 1 },
    { purpose: PURPOSE.GAK, version: 1 },
  ];
  const [unicast, authentication] = (await unsealKeys(vault, file.keys, names)) as [SecretKey, SecretKey];
  using keys = workingKeys(unicast, authentication);
  void keys;
}

async function measure(name: string, call: () => Promise<void>, lanes: number, seconds: number): Promise<void> {
  const latencies: number[] = [];
  const began = performance.now();
  const lane = async (): Promise<void> => {
    while (performance.now() - began < seconds * 1000) {
      const from = performance.now();
      await call();
      latencies.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const rate = (latencies.length * 1000) / (performance.now() - began);
  console.log(
    `  ${name.padEnd(34)} ${perSecond(rate)} a second, p50 ${percentile(latencies, 0.5)} ms, p99 ${percentile(latencies, 0.99)} ms`,
  );
}

/** Calls that arrive at a rate, whether those before are answered or not; where very many are not, they wait. */
async function measurePaced(name: string, call: () => Promise<void>, rate: number, seconds: number): Promise<void> {
  const latencies: number[] = [];
  const under = new Set<Promise<void>>();
  const began = performance.now();
  for (let n = 0; n < rate * seconds; n += 1) {
    const due = began + (n * 1000) / rate;
    const ahead = due - performance.now();
    if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
    if (under.size >= MOST_UNDER_WAY) await Promise.race(under);
    const one = call().then(() => {
      latencies.push(performance.now() - due);
      under.delete(one);
    });
    under.add(one);
  }
  await Promise.all(under);
  const done = (latencies.length * 1000) / (performance.now() - began);
  console.log(
    `  ${name.padEnd(34)} ${perSecond(done)} a second, p50 ${percentile(latencies, 0.5)} ms, p99 ${percentile(latencies, 0.99)} ms`,
  );
}
