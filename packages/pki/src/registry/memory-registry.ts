import { fromHex } from "@meterkeep/dlms";
import { shardOf } from "../authority/shards.ts";
import { PkiError } from "../errors.ts";
import { byIssuer, compare, inPageOrder, isLike } from "./query.ts";
import {
  type AuthorityRecord,
  type CertificateRecord,
  type ListRecord,
  type Registry,
  type RevokedCertificate,
  stateOf,
} from "./registry.ts";

/** A registry in memory, for tests and for ceremonies that keep nothing. */
export function memoryRegistry(): Registry {
  const authorities: AuthorityRecord[] = [];
  const certificates = new Map<string, CertificateRecord>();
  const alone = new Map<string, RevokedCertificate & Pick<CertificateRecord, "authority" | "shard">>();
  const lists = new Map<string, ListRecord>();
  const known = (authority: string, serial: string): CertificateRecord => {
    const found = certificates.get(`${authority}/${serial}`);
    if (found === undefined)
      throw new PkiError("certificate-unknown", `authority ${authority} never ordered ${serial}`);
    return found;
  };
  const revokedOf = (authority: string, shard: number): RevokedCertificate[] => {
    const found = new Map<string, RevokedCertificate>();
    for (const one of [...alone.values(), ...certificates.values()]) {
      const { serial, revokedAt, reason } = one;
      if (one.authority === authority && one.shard === shard && revokedAt !== undefined && reason !== undefined)
        found.set(serial, { serial, revokedAt, reason });
    }
    return [...found.values()].sort(
      (one, other) => one.revokedAt - other.revokedAt || compare(one.serial, other.serial),
    );
  };
  return {
    addAuthority: async (record) => {
      authorities.push(record);
    },
    authorities: async () => [...authorities],
    order: async (records) => {
      const names = records.map(({ authority, serial }) => `${authority}/${serial}`);
      const taken = names.find((name, at) => certificates.has(name) || names.indexOf(name) !== at);
      if (taken !== undefined) throw new PkiError("serial-taken", `serial number ${taken} was given before`);
      records.forEach((record, at) => {
        certificates.set(names[at]!, record);
      });
    },
    issued: async (authority, signed) => {
      for (const { serial } of signed)
        if (known(authority, serial).octets !== undefined)
          throw new PkiError("certificate-unknown", `${serial} was signed before`);
      for (const { serial, octets } of signed)
        certificates.set(`${authority}/${serial}`, { ...known(authority, serial), octets });
    },
    find: async (authority, serial) => certificates.get(`${authority}/${serial}`),
    count: async () => certificates.size,
    findAll: async (authority, serials) =>
      serials.flatMap((serial) => certificates.get(`${authority}/${serial}`) ?? []),
    search: async (query, now) => {
      const found = [...certificates.values()].filter((one) => isLike(one, query, now));
      return found.sort(inPageOrder).slice(0, query.limit);
    },
    page: async (authority, after = "", now, limit) =>
      [...certificates.values()]
        .filter(
          (one) => one.authority === authority && one.octets !== undefined && one.notAfter >= now && one.serial > after,
        )
        .sort((one, other) => compare(one.serial, other.serial))
        .slice(0, limit),
    revoke: async (authority, serials, at, reason) => {
      const records = serials.map((serial) => known(authority, serial));
      const unsigned = records.find(({ octets }) => octets === undefined);
      if (unsigned !== undefined) throw new PkiError("certificate-unknown", `${unsigned.serial} was never signed`);
      const fresh = records.filter(({ revokedAt }) => revokedAt === undefined);
      for (const record of fresh)
        certificates.set(`${authority}/${record.serial}`, { ...record, revokedAt: at, reason });
      return fresh.map(({ serial }) => serial);
    },
    revokeAgain: async (authority, serials, at, reason) => {
      let changed = 0;
      for (const serial of serials) {
        const name = `${authority}/${serial}`;
        const record = certificates.get(name);
        if (record?.revokedAt !== undefined || alone.has(name)) continue;
        changed += 1;
        if (record?.octets !== undefined) certificates.set(name, { ...record, revokedAt: at, reason });
        else alone.set(name, { authority, serial, shard: shardOf(fromHex(serial)), revokedAt: at, reason });
      }
      return changed;
    },
    isRevoked: async (authority, serial) =>
      certificates.get(`${authority}/${serial}`)?.revokedAt !== undefined || alone.has(`${authority}/${serial}`),
    revoked: async (authority, shard) => revokedOf(authority, shard),
    revokedIn: async (authority, shard) => revokedOf(authority, shard).length,
    extent: async (wanted, now) => {
      const valid = [...certificates.values()].filter(
        (one) => wanted.includes(one.authority) && stateOf(one, now) === "valid",
      );
      const places = Map.groupBy(valid, ({ utility, island }) => JSON.stringify([utility, island]));
      return [...places.values()]
        .map((all) => ({
          utility: all[0]!.utility,
          island: all[0]!.island,
          certificates: all.length,
          meters: new Set(all.flatMap(({ systemTitle }) => systemTitle ?? [])).size,
        }))
        .sort((one, other) => compare(one.utility, other.utility) || compare(one.island, other.island));
    },
    meters: async (wanted, after, limit) => {
      const found = [...certificates.values()].flatMap(
        ({ authority, systemTitle, utility, island, octets, revokedAt }) =>
          wanted.includes(authority) &&
          octets !== undefined &&
          revokedAt === undefined &&
          systemTitle !== undefined &&
          (after === undefined || systemTitle > after)
            ? [{ systemTitle, utility, island }]
            : [],
      );
      return [...new Map(found.map((one) => [one.systemTitle, one])).values()]
        .sort((one, other) => compare(one.systemTitle, other.systemTitle))
        .slice(0, limit);
    },
    endings: async (now, moments) => {
      const valid = [...certificates.values()].filter((one) => stateOf(one, now) === "valid");
      const profiles = [...new Set(valid.map(({ profile }) => profile))].sort(compare);
      return profiles.flatMap((profile) =>
        moments.flatMap((before, at) => {
          const from = moments[at - 1] ?? 0;
          const count = valid.filter(
            (one) => one.profile === profile && one.notAfter < before && one.notAfter >= from,
          ).length;
          return count === 0 ? [] : [{ profile, before, count }];
        }),
      );
    },
    newest: async ({ before, after }, limit) =>
      [...certificates.values()]
        .filter(
          (one) =>
            one.octets !== undefined &&
            (one.orderedAt < before || (after !== undefined && one.orderedAt === before && byIssuer(one, after) > 0)),
        )
        .sort((one, other) => other.orderedAt - one.orderedAt || byIssuer(one, other))
        .slice(0, limit),
    newestList: async (authority, shard, kind, atMost) =>
      [...lists.values()]
        .filter(
          (one) =>
            one.authority === authority &&
            one.shard === shard &&
            (one.since === undefined) === (kind === "full") &&
            (atMost === undefined || one.number <= atMost),
        )
        .reduce<ListRecord | undefined>(
          (newest, one) => (newest === undefined || one.number > newest.number ? one : newest),
          undefined,
        ),
    addList: async (...records) => {
      const nameOf = ({ authority, shard, number }: ListRecord) => `${authority}/${shard}/${number}`;
      const taken = records.find((record) => lists.has(nameOf(record)));
      if (taken !== undefined) throw new PkiError("serial-taken", `list number ${taken.number} was given before`);
      for (const record of records) lists.set(nameOf(record), record);
    },
  };
}
