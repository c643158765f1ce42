import type { LedgerReads } from "@meterkeep/ledger";

const PAGE_ENTRIES = 1000;

/** Serial numbers that authorities were ever ordered to sign, by authority, page by page from the ledger's first entry. */
export async function* ordersOf(
  { read }: Pick<LedgerReads, "read">,
  authorities: ReadonlySet<string>,
): AsyncGenerator<ReadonlyMap<string, readonly string[]>> {
  for (let after = 0; ; ) {
    const page = await read(after, PAGE_ENTRIES);
    const found = new Map<string, string[]>();
    for (const { kind, body, sequence } of page) {
      after = sequence;
      if (kind !== "certificate-ordered") continue;
      const { authority, serial } = JSON.parse(body) as { readonly authority: string; readonly serial: string };
      if (!authorities.has(authority)) continue;
      const serials = found.get(authority) ?? [];
      serials.push(serial);
      found.set(authority, serials);
    }
    yield found;
    if (page.length < PAGE_ENTRIES) return;
  }
}
