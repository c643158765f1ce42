import { equalBytes } from "@meterkeep/dlms";
import type { LedgerReads } from "@meterkeep/ledger";
import { type ListRecord, OFFLINE, PkiError, type Registry, SHARDS } from "@meterkeep/pki";
import { LIST_KINDS, type ListKind, listKind, listName } from "./list-name.ts";
import type { Remembered } from "./remembered.ts";
import type { TrustLine } from "./trust-journal.ts";

/** The kind of the entry for a list that people adopted. */
export const LIST_ADOPTED = "list-adopted";

/** The body of such an entry. */
export interface AdoptedList {
  readonly authority: string;
  readonly shard: number;
  /** Decimal; `since` for a delta. */
  readonly number: string;
  readonly since?: string;
  /** SHA-256 of its octets, hex. */
  readonly digest: string;
}

/** What lists are bound with. */
export interface ListParts {
  readonly registry: Pick<Registry, "newestList" | "addList">;
  readonly trust: Remembered;
  readonly write: (...lines: readonly TrustLine[]) => Promise<void>;
  /** Authorities that are believed. */
  readonly authorities: Registry["authorities"];
  readonly ledger: Pick<LedgerReads, "ofKinds">;
  /** A row was not believed; said once for each. */
  readonly refuse: (what: string) => Promise<void>;
  readonly now: () => number;
}

/** The lists of a registry, and their mending. */
export type BoundLists = Pick<Registry, "newestList" | "addList"> & {
  /** Gives rows back to lists that lost theirs. */
  mend(): Promise<void>;
};

/**
 * Lists of authorities whose key is in a drawer are what the journal has of them: nobody here can sign another, and an older
 * one that is still in force would say of what was revoked since that it is not. What the ledger says was adopted and the
 * journal has lost is served by no older one: it is adopted again. Authorities whose key is here sign anew whenever a list
 * lacks anything, so that their rows are only verified.
 */
export async function bindLists(parts: ListParts): Promise<BoundLists> {
  const { registry, trust, write, authorities, ledger, refuse, now } = parts;
  const least = new Map<string, bigint>();
  for (const { body } of await ledger.ofKinds([LIST_ADOPTED])) {
    const { authority, shard, number, since } = JSON.parse(body) as AdoptedList;
    const name = listName(authority, shard, listKind(since));
    if (BigInt(number) > (least.get(name) ?? 0n)) least.set(name, BigInt(number));
  }
  const places = new Map<string, boolean>();
  const isInDrawer = async (authority: string): Promise<boolean> => {
    if (!places.has(authority))
      for (const one of await authorities()) places.set(one.authority, one.keyName.startsWith(OFFLINE));
    return places.get(authority) ?? false;
  };
  const kept = async (authority: string, shard: number, kind: ListKind): Promise<ListRecord | undefined> => {
    const list = trust.listOf(authority, shard, kind);
    const wanted = least.get(listName(authority, shard, kind));
    if (wanted === undefined || (list !== undefined && list.number >= wanted)) return list;
    await refuse(
      `list ${wanted} of authority ${authority} was adopted, and the journal beside the database does not have it: adopt it again`,
    );
    return undefined;
  };
  const put = async (...lists: readonly ListRecord[]): Promise<void> => {
    try {
      await registry.addList(...lists);
    } catch (error) {
      // The journal has it: a row that somebody has put in its place stops nothing.
      if (!(error instanceof PkiError) || error.code !== "serial-taken") throw error;
    }
  };
  return {
    newestList: async (authority, shard, kind, atMost) => {
      if (!(await isInDrawer(authority))) return registry.newestList(authority, shard, kind, atMost);
      const list = await kept(authority, shard, kind);
      return list === undefined || (atMost !== undefined && list.number > atMost) ? undefined : list;
    },
    addList: async (...lists) => {
      const adopted: ListRecord[] = [];
      for (const list of lists) if (await isInDrawer(list.authority)) adopted.push(list);
      const made = lists.filter((one) => !adopted.includes(one));
      if (made.length > 0) await registry.addList(...made);
      if (adopted.length === 0) return;
      await write(...adopted.map((list) => lineOf(list, now())));
      await put(...adopted);
    },
    mend: async () => {
      for (const { authority, name } of await authorities()) {
        if (!(await isInDrawer(authority))) continue;
        for (let shard = 0; shard < SHARDS; shard += 1)
          for (const kind of LIST_KINDS) {
            const list = trust.listOf(authority, shard, kind);
            const row = await registry.newestList(authority, shard, kind);
            // An older database lacks the newest one, and nobody is to be told of that.
            const isStrange =
              row !== undefined && (list === undefined || row.number > list.number || isOther(row, list));
            if (isStrange) await refuse(`lists of ${name} (${authority}) are not in the database as they were adopted`);
            if (list !== undefined && row?.number !== list.number) await put(list);
          }
      }
    },
  };
}

/** Whether a row has other octets under the number of a list. */
function isOther(row: ListRecord, list: ListRecord): boolean {
  return row.number === list.number && !equalBytes(row.octets, list.octets);
}

function lineOf(
  { authority, shard, number, since, thisUpdate, nextUpdate, octets }: ListRecord,
  at: number,
): TrustLine {
  return {
    kind: "listed",
    at,
    authority,
    shard,
    number: String(number),
    ...(since !== undefined && { since: String(since) }),
    thisUpdate,
    nextUpdate,
    octets: Buffer.from(octets).toString("base64"),
  };
}
