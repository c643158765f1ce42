import type { LedgerEntry } from "./entry.ts";
import { LedgerError } from "./errors.ts";
import { countingOnly, ForeignEntries } from "./foreign-entries.ts";
import type { Growth } from "./growth.ts";
import type { LedgerStore } from "./store.ts";
import { ENTRY_COLUMNS, type EntryRow, entryAsStored, entryOfRow, storedEntryOf } from "./stored-entry.ts";
import type { CompletedNode } from "./tree/frontier.ts";

/** What the adapter needs of a `pg` pool or client. */
export interface SqlClient {
  query(
    text: string,
    values?: unknown[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly rowCount: number | null }>;
}

/** The folder of this package's migrations, for the databases that hold a ledger. */
export const LEDGER_MIGRATIONS = new URL("../migrations/", import.meta.url);

/** What the role at run time may do with a ledger: neither change nor remove what was written; nodes are derived from it. */
export const LEDGER_GRANTS = {
  ledger: "select, insert",
  ledger_nodes: "select, insert, update (hash)",
  ledger_checkpoints: "select, insert",
  ledger_cosignatures: "select, insert",
} as const;

/**
 * Entries to decide by, as a statement gives them: it selects `ENTRY_COLUMNS`, under `countingOnly` of the parameter that follows
 * those that are given. All that decides by entries of the table reads them so, or by `ForeignEntries.counting` itself.
 */
export async function countingEntries(
  client: SqlClient,
  foreign: ForeignEntries,
  text: string,
  values: readonly unknown[],
): Promise<LedgerEntry[]> {
  const found = await foreign.counting(
    async (listed) => {
      const { rows } = await client.query(text, [...values, listed]);
      return (rows as readonly EntryRow[]).map(storedEntryOf);
    },
    (entries) => entries,
  );
  return found.map(({ entry }) => entry);
}

/** A ledger in the table `ledger`; give it a client inside a transaction to append together with other writes. */
export function postgresLedgerStore(client: SqlClient, foreign = new ForeignEntries()): LedgerStore {
  const counting = (where: string, ...values: readonly unknown[]) =>
    countingEntries(client, foreign, `select ${ENTRY_COLUMNS} from ledger where ${where}`, values);
  const rowsOf = async (after: number, limit: number) => {
    const { rows } = await client.query(
      `select ${ENTRY_COLUMNS} from ledger where sequence > greatest($1::bigint, 0) and sequence <= $3 order by sequence limit $2`,
      [after, limit, foreign.limit],
    );
    return rows as readonly EntryRow[];
  };
  return {
    foreign,
    size: async () => {
      const { rows } = await client.query(
        "select greatest(max(sequence), 0) as size from ledger where sequence <= $1",
        [foreign.limit],
      );
      return Number((rows[0] as { readonly size: string }).size);
    },
    append: async (growth) => {
      await appendEntries(client, growth, foreign);
      await putNodes(client, growth.nodes);
    },
    putNodes: (nodes) => putNodes(client, nodes),
    read: async (after, limit) => (await rowsOf(after, limit)).map(entryOfRow),
    rows: async (after, limit) => (await rowsOf(after, limit)).map(entryAsStored),
    kinds: async ({ from, to }, limit) => {
      const { rows } = await client.query(
        `select kind from (select sequence, left(kind, ${MOST_KIND_CHARACTERS}) as kind from ledger
           where sequence between $1 and $2 order by sequence limit $3) first group by kind order by min(sequence)`,
        [from, to, limit],
      );
      return (rows as readonly { readonly kind: string }[]).map(({ kind }) => kind);
    },
    follow: async (after) => {
      for (let last = after; ; ) {
        const { rows } = await client.query(
          "select sequence from ledger where sequence > $1 order by sequence limit 1000",
          [last],
        );
        for (const { sequence } of rows as readonly { readonly sequence: string }[]) {
          if (BigInt(sequence) !== BigInt(last) + 1n) return { last, next: BigInt(sequence) };
          last += 1;
        }
        if (rows.length === 0) return { last, next: undefined };
      }
    },
    counted: (after, limit) => counting(`sequence > $1 ${countingOnly(3)} order by sequence limit $2`, after, limit),
    ofItself: () => counting(`kind like 'ledger-%' ${countingOnly(1)} order by sequence`),
    ofKinds: (kinds) => counting(`kind = any($1) ${countingOnly(2)} order by sequence`, [...kinds]),
    ofMeters: (meters, kinds) =>
      counting(`kind = any($1) and meter = any($2) ${countingOnly(3)} order by sequence`, [...kinds], [...meters]),
    lastOf: async (kinds, principal, utility) => {
      const text = `select ${ENTRY_COLUMNS} from ledger where kind = any($1) and principal = $2 and utility = $3
        ${countingOnly(5)} order by sequence desc limit $4`;
      const found = await foreign.counting(
        async (listed, time) => {
          // Where the newest were changed, ever more of them at once.
          const limit = Math.min(4 ** time, MOST_OF_LAST);
          const { rows } = await client.query(text, [[...kinds], principal, utility, limit, listed]);
          return (rows as readonly EntryRow[]).map(storedEntryOf);
        },
        (entries) => entries,
      );
      return found[0]?.entry;
    },
    scattered: async (after, limit) => {
      const { rows } = await client.query(
        `select ${ENTRY_COLUMNS} from ledger where sequence > greatest($1::bigint, 0) and sequence <= ${Number.MAX_SAFE_INTEGER}
         order by sequence limit $2`,
        [after, limit],
      );
      return (rows as readonly EntryRow[]).map(entryOfRow);
    },
    ends: async (size, limit) => {
      const { rows } = await client.query(
        "select sequence, end_mac from ledger where end_mac is not null and sequence between 1 and $1 order by sequence desc limit $2",
        [size, limit],
      );
      return (rows as readonly { readonly sequence: string; readonly end_mac: Uint8Array }[]).map((row) => ({
        size: Number(row.sequence),
        mac: new Uint8Array(row.end_mac),
      }));
    },
    nodes: async (level, from, count) => {
      const { rows } =
        level === 0
          ? await client.query(
              "select leaf as hash from ledger where sequence > $1 and sequence <= $2 order by sequence",
              [from, from + count],
            )
          : await client.query(
              "select hash from ledger_nodes where level = $1 and index >= $2 and index < $3 order by index",
              [level, from, from + count],
            );
      return (rows as readonly { readonly hash: Uint8Array }[]).map(({ hash }) => new Uint8Array(hash));
    },
  };
}

// The stored ledger must end where the new entries begin: with as many entries, and with the same one.
const APPEND = `
  insert into ledger (sequence, at_ms, kind, principal, utility, island, meter, body, leaf, end_mac, mac)
  select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::bytea[], $12::bytea[], $13::bytea[])
  where (select greatest(max(sequence), 0) from ledger where sequence <= $14::bigint) = $10::bigint
    and ($10 = 0 or (select leaf from ledger where sequence = $10) = $11::bytea)`;

async function appendEntries(
  client: SqlClient,
  { from, entries, macs }: Growth,
  { limit }: ForeignEntries,
): Promise<void> {
  if (entries.length === 0) return;
  const { size } = from.frontier;
  const inserted = await client
    .query(APPEND, [
      entries.map((entry) => entry.sequence),
      entries.map((entry) => entry.at),
      entries.map((entry) => entry.kind),
      entries.map((entry) => entry.principal),
      entries.map((entry) => entry.utility),
      entries.map((entry) => entry.island),
      entries.map((entry) => entry.meter ?? null),
      entries.map((entry) => entry.body),
      entries.map((entry) => Buffer.from(entry.leaf)),
      size,
      from.lastLeaf === undefined ? null : Buffer.from(from.lastLeaf),
      entries.map((_, at) => octets(at === entries.length - 1 ? macs?.end : undefined)),
      entries.map((_, at) => octets(macs?.entries[at])),
      limit,
    ])
    .catch((error: unknown) => {
      throw (error as { code?: string }).code === UNIQUE_VIOLATION ? forked(size + 1, error) : error;
    });
  if (inserted.rowCount !== entries.length) throw forked(size + 1);
}

function octets(bytes: Uint8Array | undefined): Buffer | null {
  return bytes === undefined ? null : Buffer.from(bytes);
}

/** Whatever is stored in their place: somebody may have put another there before its time. */
async function putNodes(client: SqlClient, nodes: readonly CompletedNode[]): Promise<void> {
  if (nodes.length === 0) return;
  await client.query(
    `insert into ledger_nodes (level, index, hash)
     select * from unnest($1::smallint[], $2::bigint[], $3::bytea[])
     on conflict (level, index) do update set hash = excluded.hash where ledger_nodes.hash <> excluded.hash`,
    [nodes.map(({ level }) => level), nodes.map(({ index }) => index), nodes.map(({ hash }) => Buffer.from(hash))],
  );
}

const MOST_KIND_CHARACTERS = 64;
/** Entries that are read to find the newest. */
const MOST_OF_LAST = 4096;

const UNIQUE_VIOLATION = "23505";

function forked(sequence: number, cause?: unknown): LedgerError {
  return new LedgerError(
    "ledger-forked",
    `entry ${sequence} is not the next one of the stored ledger: does another process write it, or was an older one put back?`,
    { cause },
  );
}
