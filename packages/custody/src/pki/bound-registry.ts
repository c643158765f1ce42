import { fromHex, Turn } from "@meterkeep/dlms";
import {
  type CertificateQuery,
  type CertificateRecord,
  inPageOrder,
  isLike,
  type LedgeredOrders,
  type Registry,
  type RevocationReason,
  type RevokedCertificate,
  replayRevocations,
  SHARDS,
  shardOf,
} from "@meterkeep/pki";
import { ENROLLED_OVER_EST } from "./enrollable.ts";
import type { Remembered } from "./remembered.ts";
import { revocationsOf, type TrustJournal, type TrustLine } from "./trust-journal.ts";

/** What is said of a certificate that is for something which nobody here has ordered it for. No profile has this name. */
const UNFOUNDED = "unfounded";

/** Certificates that are looked up together. */
const PAGE_SERIALS = 500;

/** What the registry is bound with. */
export interface RegistryParts {
  readonly registry: Registry;
  readonly trust: Remembered;
  readonly journal: TrustJournal;
  readonly orders: Pick<LedgeredOrders, "ofMeter">;
  readonly write: (...lines: readonly TrustLine[]) => Promise<void>;
  /** Authorities that are believed. */
  readonly authorities: Registry["authorities"];
  /** A row was not believed; said once for each. */
  readonly refuse: (what: string) => Promise<void>;
  /** Revocations were put back; said each time. */
  readonly onRefused: (what: string) => Promise<void>;
  /** What was revoked again, by whatever way: an adopted list, the ledger, the journal. */
  readonly onRevoked?: ((authority: string, serials: readonly string[]) => void) | undefined;
  readonly now: () => number;
}

/** What of a registry depends on what the journal says, and its mending. */
export type BoundRegistry = Pick<
  Registry,
  | "order"
  | "find"
  | "findAll"
  | "page"
  | "search"
  | "newest"
  | "revoke"
  | "revokeAgain"
  | "isRevoked"
  | "revoked"
  | "revokedIn"
> & {
  /** Holds every revocation against its rows, and puts back what is missing; how many those were. */
  mend(): Promise<number>;
};

/**
 * Certificates of which these things are not believed of their rows: whether, when and why one was revoked, which the
 * journal has; the place that it is for, which is that of its authority; what it is for where its octets do not say so
 * (a worker's and a technician's look the same), and whom, which has a line as well. Searches by a device find what the
 * ledger has of it, and by a name what the journal has, also where rows name another.
 */
export function bindRegistry(parts: RegistryParts): BoundRegistry {
  const { registry, trust, journal, orders, write, refuse, onRefused, onRevoked, now } = parts;
  /** Whoever looks closer waits for the row of a revocation whose line is written. */
  const turn = new Turn();
  const lines = () => revocationsOf(journal.read(() => undefined));
  const putBack: Registry["revokeAgain"] = async (authority, serials, at, reason) => {
    const again = await registry.revokeAgain(authority, serials, at, reason);
    if (again > 0) onRevoked?.(authority, serials);
    return again;
  };
  /** What the journal has, once more. */
  const replay = async (): Promise<number> => {
    const again = await replayRevocations({ authorities: () => registry.authorities(), revokeAgain: putBack }, lines());
    if (again > 0) await onRefused(`${again} certificates were un-revoked in the database`);
    return again;
  };
  const places = new Map<string, Pick<CertificateRecord, "utility" | "island">>();
  const learnPlaces = async (): Promise<void> => {
    for (const { authority, utility, island } of await parts.authorities()) places.set(authority, { utility, island });
  };
  /** As the authority's own record has the place, and the journal what it is for. */
  const placed = (record: CertificateRecord): CertificateRecord => {
    const { authority, serial } = record;
    const said = trust.profileOf(authority, serial);
    const profile = said ?? (ENROLLED_OVER_EST.has(record.profile) ? UNFOUNDED : record.profile);
    const subject = trust.subjectOf(authority, serial) ?? record.subject;
    const { utility, island } = places.get(authority) ?? record;
    const isSame = profile === record.profile && utility === record.utility && island === record.island;
    return isSame && subject === record.subject ? record : { ...record, profile, subject, utility, island };
  };
  /** What a search by a device or a name passes over, since its row names another. */
  const hidden = async ({ systemTitle, subject }: CertificateQuery): Promise<readonly CertificateRecord[]> => {
    const wanted = new Map<string, readonly string[]>();
    if (systemTitle !== undefined)
      for (const [authority, all] of Map.groupBy(await orders.ofMeter(systemTitle), (one) => one.authority))
        wanted.set(
          authority,
          all.map(({ serial }) => serial),
        );
    else if (subject !== undefined)
      for (const [authority, all] of trust.subjectsLike(subject)) wanted.set(authority, all);
    const rows: CertificateRecord[] = [];
    for (const [authority, serials] of wanted)
      for (let from = 0; from < serials.length; from += PAGE_SERIALS)
        rows.push(...(await registry.findAll(authority, serials.slice(from, from + PAGE_SERIALS))));
    return systemTitle === undefined
      ? rows.filter((row) => !row.subject.startsWith(subject ?? ""))
      : rows.flatMap((row) => (row.systemTitle === systemTitle ? [] : [{ ...row, systemTitle }]));
  };
  const isStrange = (record: CertificateRecord): boolean => {
    const { authority, serial, revokedAt, reason } = record;
    if (revokedAt !== undefined) return !trust.says({ authority, serial, revokedAt, reason });
    return trust.isRevoked(authority, serial);
  };
  /** An order that was revoked before anybody signed it: the row of such a one never says so. */
  const isUnsigned = ({ octets, revokedAt }: CertificateRecord): boolean =>
    octets === undefined && revokedAt === undefined;
  /** When and why, of those that the journal has. */
  const saidOf = async (isWanted: (authority: string, serial: string) => boolean) => {
    const said = new Map<string, RevokedCertificate>();
    for await (const { authority, serials, at, reason } of lines())
      for (const serial of serials) {
        const name = `${authority}/${serial}`;
        if (isWanted(authority, serial) && !said.has(name))
          said.set(name, { serial, revokedAt: at, reason: reason as RevocationReason });
      }
    return said;
  };
  const mended = async (records: readonly CertificateRecord[]): Promise<readonly CertificateRecord[]> => {
    const strange = records.filter(isStrange);
    if (strange.length === 0) return records;
    for (const { authority } of strange.filter((record) => !isUnsigned(record)))
      await refuse(`revocations of authority ${authority} are not in the database as they were made`);
    const names = new Set(strange.map(({ authority, serial }) => `${authority}/${serial}`));
    const said = await saidOf((authority, serial) => names.has(`${authority}/${serial}`));
    return records.map((record) => {
      const name = `${record.authority}/${record.serial}`;
      if (!names.has(name)) return record;
      const { revokedAt, reason } = said.get(name) ?? {};
      return { ...record, revokedAt, reason };
    });
  };
  /** Reads certificates, and what the journal says of those whose rows say otherwise. */
  const checked = async (read: () => Promise<readonly CertificateRecord[]>): Promise<readonly CertificateRecord[]> => {
    let found = await read();
    if (found.some(isStrange))
      found = await turn.run(async () => {
        const again = await read();
        if (
          again.some(
            (one) => one.revokedAt === undefined && !isUnsigned(one) && trust.isRevoked(one.authority, one.serial),
          )
        )
          if ((await replay()) > 0) return mended(await read());
        return mended(again);
      });
    if (found.some(({ authority }) => !places.has(authority))) await learnPlaces();
    const sound = found.map(placed);
    for (const [at, { authority }] of found.entries())
      if (sound[at] !== found[at]) await refuse(`certificates of authority ${authority} were changed in the database`);
    return sound;
  };
  /** Whether rows are just what the journal has of a shard. */
  const isAsSaid = (authority: string, shard: number, rows: readonly RevokedCertificate[]): boolean =>
    rows.length === trust.revokedIn(authority, shard) &&
    new Set(rows.map(({ serial }) => serial)).size === rows.length &&
    // Its serial number says the shard: a row that was moved would be on no list, and another in its place on two.
    rows.every((row) => shardOf(fromHex(row.serial)) === shard && trust.says({ authority, ...row }));
  return {
    order: async (records) => {
      const roles = records.filter(({ profile }) => ENROLLED_OVER_EST.has(profile));
      for (const one of Map.groupBy(roles, ({ authority, profile }) => `${authority}/${profile}`).values()) {
        const { authority, profile } = one[0]!;
        const [serials, subjects] = [one.map(({ serial }) => serial), one.map(({ subject }) => subject)];
        await write({ kind: "certified", at: now(), authority, profile, serials, subjects });
      }
      await registry.order(records);
    },
    find: async (authority, serial) =>
      (await checked(async () => [(await registry.find(authority, serial)) ?? []].flat()))[0],
    findAll: (authority, serials) => checked(() => registry.findAll(authority, serials)),
    page: (authority, after, at, limit) => checked(() => registry.page(authority, after, at, limit)),
    search: async (query, at) => {
      const found = await checked(() => registry.search(query, at));
      const passed = await checked(() => hidden(query));
      const more = passed.filter((one) => isLike(one, query, at));
      if (passed.length > 0) await refuse("devices and names of certificates were changed in the database");
      return more.length === 0 ? found : [...found, ...more].sort(inPageOrder).slice(0, query.limit);
    },
    newest: (from, limit) => checked(() => registry.newest(from, limit)),
    revoke: (authority, serials, at, reason) =>
      turn.run(async () => {
        const fresh = serials.filter((serial) => !trust.isRevoked(authority, serial));
        if (fresh.length > 0) await write({ at, authority, reason, serials: fresh });
        await registry.revoke(authority, serials, at, reason);
        return fresh;
      }),
    revokeAgain: (authority, serials, at, reason) =>
      turn.run(async () => {
        const fresh = serials.filter((serial) => !trust.isRevoked(authority, serial));
        if (fresh.length > 0) await write({ at, authority, reason, serials: fresh });
        const again = await putBack(authority, serials, at, reason);
        // A row that called itself revoked before its line was written is not put back, and yet it is news.
        if (again === 0 && fresh.length > 0) onRevoked?.(authority, fresh);
        return again;
      }),
    isRevoked: async (authority, serial) => trust.isRevoked(authority, serial),
    revoked: async (authority, shard) => {
      const rows = await registry.revoked(authority, shard);
      if (isAsSaid(authority, shard, rows)) return rows;
      return turn.run(async () => {
        const again = await registry.revoked(authority, shard);
        if (isAsSaid(authority, shard, again)) return again;
        await refuse(`revocations of authority ${authority} are not in the database as they were made`);
        const said = await saidOf((one, serial) => one === authority && shardOf(fromHex(serial)) === shard);
        return [...said.values()].sort(
          (one, other) => one.revokedAt - other.revokedAt || (one.serial < other.serial ? -1 : 1),
        );
      });
    },
    revokedIn: async (authority, shard) => trust.revokedIn(authority, shard),
    mend: () =>
      turn.run(async () => {
        for (const { authority, name } of await parts.authorities())
          for (let shard = 0; shard < SHARDS; shard += 1) {
            const wanted = trust.revokedIn(authority, shard);
            if (wanted === 0 || isAsSaid(authority, shard, await registry.revoked(authority, shard))) continue;
            const again = await replay();
            if (!isAsSaid(authority, shard, await registry.revoked(authority, shard)))
              await refuse(`revocations of ${name} (${authority}) are not in the database as they were made`);
            return again;
          }
        return 0;
      }),
  };
}
