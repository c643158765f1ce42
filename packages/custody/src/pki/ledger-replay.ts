import type { LedgerReads } from "@meterkeep/ledger";
import {
  CERTIFICATE_ORDERED,
  type JournaledRevocation,
  type Registry,
  replayRevocations,
  revocationOf,
} from "@meterkeep/pki";

/** Entries of the ledger that are read together. */
const PAGE_ENTRIES = 1000;

/** The most missing certificates that a replay names. */
const NAMED_LOST = 100;

/** A certificate that was ordered and that the registry does not know: it may be out there, and is trusted. */
export interface LostCertificate {
  readonly authority: string;
  readonly serial: string;
  readonly profile: string;
}

/** What a replay found: everything but the first two is zero where nobody has touched the registry. */
export interface LedgerReplay {
  /** Entries of the ledger that were read, and orders for certificates among them. */
  readonly entries: number;
  readonly ordered: number;
  /** Certificates that the registry had as not revoked: they are now. */
  readonly revokedAgain: number;
  /** Certificates that were ordered and are not in the registry, and those that it has for another key or profile. */
  readonly missing: number;
  /** The first of those that are missing: each can be revoked all the same. */
  readonly lost: readonly LostCertificate[];
  readonly altered: number;
  /** Certificates that the registry has and the ledger knows no order of. */
  readonly unordered: number;
}

/** What a replay reads and mends. */
export interface ReplayParts {
  readonly ledger: Pick<LedgerReads, "read">;
  /** What lies beside the database, verified line by line. */
  readonly journal: AsyncIterable<JournaledRevocation>;
  readonly registry: Pick<Registry, "revokeAgain" | "authorities" | "findAll" | "count">;
}

interface Order {
  readonly authority: string;
  readonly serial: string;
  readonly key: string;
  readonly profile: string;
}

/**
 * Holds the registry of certificates against the whole ledger, from its first entry: what was ever revoked is revoked
 * again, and what was ever ordered is looked for. Somebody who owns the database can change the registry; the ledger is
 * witnessed, so that it shows.
 */
export async function replayLedger({ ledger, journal, registry }: ReplayParts): Promise<LedgerReplay> {
  let revokedAgain = await replayRevocations(registry, journal);
  const lost: LostCertificate[] = [];
  let [entries, ordered, missing, altered] = [0, 0, 0, 0];
  for (let after = 0; ; ) {
    const page = await ledger.read(after, PAGE_ENTRIES);
    const orders: Order[] = [];
    const revocations: JournaledRevocation[] = [];
    for (const { at, kind, body, sequence } of page) {
      after = sequence;
      entries += 1;
      if (kind === CERTIFICATE_ORDERED) orders.push(JSON.parse(body) as Order);
      const revoked = kind === "certificates-revoked" ? revocationOf({ at, kind, body: JSON.parse(body) }) : undefined;
      if (revoked !== undefined) revocations.push(revoked);
    }
    revokedAgain += await replayRevocations(registry, revocations);
    ordered += orders.length;
    for (const [authority, all] of Map.groupBy(orders, (order) => order.authority)) {
      const rows = await registry.findAll(
        authority,
        all.map(({ serial }) => serial),
      );
      const found = new Map(rows.map((row) => [row.serial, row]));
      for (const { serial, key, profile } of all) {
        const row = found.get(serial);
        if (row === undefined) {
          missing += 1;
          if (lost.length < NAMED_LOST) lost.push({ authority, serial, profile });
        } else if (row.keyIdentifier !== key || row.profile !== profile) altered += 1;
      }
    }
    if (page.length < PAGE_ENTRIES) break;
  }
  // Authorities stand in the registry of the one above them, and in the ledger as made.
  const authorities = (await registry.authorities()).filter(({ parent }) => parent !== undefined).length;
  const unordered = Math.max(0, (await registry.count()) - authorities - (ordered - missing));
  return { entries, ordered, revokedAgain, missing, lost, altered, unordered };
}
