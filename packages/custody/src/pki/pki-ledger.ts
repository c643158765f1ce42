import { countingEntries, countingOnly, ENTRY_COLUMNS, type ForeignEntries, type SqlClient } from "@meterkeep/ledger";
import {
  AUTHORITY_MADE,
  CERTIFICATE_ORDERED,
  CERTIFICATES_REMOVED,
  type EntriesInMemory,
  type LedgeredOrder,
  type LedgeredOrders,
  orderOf,
  ordersOfEntries,
  PASSWORD_MADE,
} from "@meterkeep/pki";

/** What the PKI asks of the ledger, which is witnessed where its own rows are not. Every adapter passes `pkiLedgerContract`. */
export interface PkiLedger extends LedgeredOrders {
  /** Those of these meters that a revocation has freed, as upper-case hex. */
  freed(plan: string, meters: readonly string[]): Promise<ReadonlySet<string>>;
}

/** By the entries of a ledger that is in memory. */
export function pkiLedgerOfEntries(entries: EntriesInMemory): PkiLedger {
  return {
    ...ordersOfEntries(entries),
    freed: async (plan, meters) => {
      const freed = new Set<string>();
      for (const { kind, body } of await entries()) {
        if (kind !== CERTIFICATES_REMOVED) continue;
        const said = (typeof body === "string" ? JSON.parse(body) : body) as { plan: string; meter: string };
        if (said.plan === plan && meters.includes(said.meter)) freed.add(said.meter);
      }
      return freed;
    },
  };
}

const IS_ORDER = `kind = '${CERTIFICATE_ORDERED}'`;
/** By the text, since what was changed need not be JSON: reading it as such would fail for all. In text, a quote in a name is escaped. */
const member = (name: string): string => `substring(body from '"${name}":"([^"]*)"') collate "C"`;
const [AUTHORITY, SERIAL] = [member("authority"), member("serial")];

/** In PostgreSQL, each by an index of the ledger; without what somebody else has appended to it or changed in it. */
export function postgresPkiLedger(client: SqlClient, foreign: ForeignEntries): PkiLedger {
  const orders = async (text: string, ...values: readonly unknown[]): Promise<LedgeredOrder[]> =>
    (await countingEntries(client, foreign, text, values)).flatMap((entry) => orderOf(entry) ?? []);
  return {
    ofSerials: (authority, serials) =>
      orders(
        // One by one, also where nothing has gathered statistics: joined otherwise, all orders of the authority are read.
        `select found.* from (select distinct serial from unnest($2::text[]) as serial) as wanted, lateral (
           select ${ENTRY_COLUMNS} from ledger
           where ${IS_ORDER} and ${AUTHORITY} = $1 and ${SERIAL} = wanted.serial ${countingOnly(3)} offset 0
         ) as found
         union all select ${ENTRY_COLUMNS} from ledger where kind = '${AUTHORITY_MADE}'
           and coalesce(${member("parent")}, ${AUTHORITY}) = $1 and ${SERIAL} = any($2::text[]) ${countingOnly(3)}`,
        authority,
        [...serials],
      ),
    ofMeter: (systemTitle) =>
      orders(
        `select ${ENTRY_COLUMNS} from ledger where ${IS_ORDER} and meter = $1 ${countingOnly(2)} order by sequence`,
        systemTitle,
      ),
    page: (authority, after, limit) =>
      orders(
        `select ${ENTRY_COLUMNS} from ledger
         where ${IS_ORDER} and ${AUTHORITY} = $1 and ${SERIAL} > $2 ${countingOnly(3)}
         order by ${AUTHORITY}, ${SERIAL} limit ${Math.trunc(limit)}`,
        authority,
        after ?? "",
      ),
    countSince: async (requester, since) => {
      // Whole, so that none counts that somebody has changed to be one.
      const counted = await countingEntries(
        client,
        foreign,
        `select ${ENTRY_COLUMNS} from ledger where ${IS_ORDER} and principal = $1 and at_ms >= $2 ${countingOnly(3)}
         union all
         select ${ENTRY_COLUMNS} from ledger where kind = '${PASSWORD_MADE}' and principal = $1 and at_ms >= $2 ${countingOnly(3)}`,
        [requester, since],
      );
      return counted.length;
    },
    freed: async (plan, meters) => {
      const removed = await countingEntries(
        client,
        foreign,
        `select ${ENTRY_COLUMNS} from ledger where kind = '${CERTIFICATES_REMOVED}' and ${member("plan")} = $1
           and ${member("meter")} = any($2::text[]) ${countingOnly(3)}`,
        [plan, [...meters]],
      );
      return new Set(removed.map(({ body }) => (JSON.parse(body) as { readonly meter: string }).meter));
    },
  };
}
