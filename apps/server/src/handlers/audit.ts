import {
  type LedgerPage,
  type LedgerRow,
  type LedgerWindow,
  type RecipientKeys,
  ROUTINE_LEDGER_KINDS,
} from "@meterkeep/api";
import { type CustodianLedgerEntry, recipientFile } from "@meterkeep/api/custodian";
import { toHex } from "@meterkeep/dlms";
import type { Scope } from "@meterkeep/headend";
import type { LedgerEntry } from "@meterkeep/ledger";
import type { Handlers } from "../http/mount.ts";
import type { Context } from "./context.ts";

const DEFAULT_LIMIT = 100;
/** The custodian gives pages of this many. */
const CUSTODIAN_PAGE = 200;

/** The two ledgers and the custodian's public keys. */
export function auditHandlers(context: Context): Pick<Handlers, "ledger" | "recipient"> {
  return {
    ledger: ({ query }) => (query.source === "head-end" ? ownPage(context, query) : custodianPage(context, query)),
    recipient: async (): Promise<RecipientKeys> => recipientFile((await context.custodian.status({})).recipient),
  };
}

async function ownPage(context: Context, query: LedgerWindow): Promise<LedgerPage> {
  const head = await context.ledger.head();
  const found = await page(context.scope, query, head.size, async (after, limit) =>
    (await context.ledger.read(after, limit)).map(ownRow),
  );
  return { source: "head-end", head: { size: head.size, root: toHex(head.root) }, ...found };
}

async function custodianPage(context: Context, query: LedgerWindow): Promise<LedgerPage> {
  const { ledgerHead } = await context.custodian.status({});
  const read = async (after: number, limit: number): Promise<LedgerRow[]> => {
    const { entries } = await context.custodian.ledgerEntries({ after, limit: Math.min(limit, CUSTODIAN_PAGE) });
    return entries.map(custodianRow);
  };
  return {
    source: "custodian",
    head: { size: ledgerHead.size, root: toHex(ledgerHead.root) },
    ...(await page(context.scope, query, ledgerHead.size, read)),
  };
}

/**
 * `after` reads on from there, oldest first. Otherwise the newest come first, below `before` where given. What is not
 * wanted, or is about another utility, is left out, looking back as far as {@link LOOK_BACK}; `older` says where to go on.
 */
async function page(
  { utility }: Pick<Scope, "utility">,
  query: LedgerWindow,
  head: number,
  read: (after: number, limit: number) => Promise<LedgerRow[]>,
): Promise<Pick<LedgerPage, "entries" | "older">> {
  const limit = query.limit ?? DEFAULT_LIMIT;
  const isWanted = (row: LedgerRow): boolean =>
    (row.utility === utility || row.utility === EVERYBODYS) &&
    (query.meter === undefined || row.meter === query.meter) &&
    (query.routine !== false || !ROUTINE_LEDGER_KINDS.has(row.kind));
  if (query.after !== undefined) return { entries: (await read(query.after, limit)).filter(isWanted) };
  const top = Math.min(query.before ?? head + 1, head + 1);
  const kept: LedgerRow[] = [];
  let upper = top;
  while (upper > 1 && kept.length < limit && top - upper < LOOK_BACK) {
    const after = Math.max(0, upper - 1 - CUSTODIAN_PAGE);
    const rows = (await read(after, CUSTODIAN_PAGE)).filter(({ sequence }) => sequence < upper).reverse();
    kept.push(...rows.filter(isWanted));
    upper = after + 1;
  }
  const entries = kept.slice(0, limit);
  const older = kept.length > limit ? (entries.at(-1)?.sequence ?? upper) : upper;
  return { entries, ...(older > 1 && { older }) };
}

/** What is about no utility more than another. */
const EVERYBODYS = "*";
/** Entries that a page looks through at most. */
const LOOK_BACK = 5_000;

function ownRow(entry: LedgerEntry): LedgerRow {
  return rowOf({ ...entry, meter: entry.meter });
}

function custodianRow(entry: CustodianLedgerEntry): LedgerRow {
  return rowOf({ ...entry, meter: entry.meter });
}

function rowOf(
  entry: Pick<LedgerEntry, "sequence" | "at" | "kind" | "principal" | "utility" | "island" | "meter" | "body" | "leaf">,
): LedgerRow {
  return {
    sequence: entry.sequence,
    at: new Date(entry.at).toISOString(),
    kind: entry.kind,
    principal: entry.principal,
    utility: entry.utility,
    island: entry.island,
    ...(entry.meter === undefined || entry.meter === "" ? {} : { meter: entry.meter }),
    body: entry.body,
    leaf: toHex(entry.leaf),
  };
}
