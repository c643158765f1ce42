import { PkiError } from "../errors.ts";
import { type AuthorityRecord, type CertificateRecord, type ListRecord, type Registry, stateOf } from "./registry.ts";

/** A registry in memory, for tests and for ceremonies that keep nothing. */
export function memoryRegistry(): Registry {
  const authorities: AuthorityRecord[] = [];
  const certificates = new Map<string, CertificateRecord>();
  const lists = new Map<string, ListRecord>();
  const known = (authority: string, serial: string): CertificateRecord => {
    const found = certificates.get(`${authority}/${serial}`);
    if (found === undefined)
      throw new PkiError("certificate-unknown", `authority ${authority} never ordered ${serial}`);
    return found;
  };
  return {
    addAuthority: async (record) => {
      authorities.push(record);
    },
    authorities: async () => authorities,
    order: async (record) => {
      const name = `${record.authority}/${record.serial}`;
      if (certificates.has(name)) throw new PkiError("serial-taken", `serial number ${record.serial} was given before`);
      certificates.set(name, record);
    },
    issued: async (authority, serial, octets) => {
      const record = known(authority, serial);
      if (record.octets !== undefined) throw new PkiError("certificate-unknown", `${serial} was signed before`);
      certificates.set(`${authority}/${serial}`, { ...record, octets });
    },
    find: async (authority, serial) => certificates.get(`${authority}/${serial}`),
    search: async (query, now) => {
      const { utility, authority, serial, systemTitle, keyIdentifier, subject, state, endsBefore, limit, after } =
        query;
      const fits = (record: CertificateRecord): boolean =>
        (utility === undefined || record.utility === utility) &&
        (authority === undefined || record.authority === authority) &&
        (serial === undefined || record.serial === serial) &&
        (systemTitle === undefined || record.systemTitle === systemTitle) &&
        (keyIdentifier === undefined || record.keyIdentifier === keyIdentifier) &&
        (subject === undefined || record.subject.startsWith(subject)) &&
        (state === undefined || stateOf(record, now) === state) &&
        (endsBefore === undefined || record.notAfter < endsBefore) &&
        (after === undefined || inOrder(after, record) < 0);
      return [...certificates.values()].filter(fits).sort(inOrder).slice(0, limit);
    },
    orderedSince: async (requester, since) =>
      [...certificates.values()].filter((one) => one.requester === requester && one.orderedAt >= since).length,
    revoke: async (authority, serial, at, reason) => {
      const record = known(authority, serial);
      if (record.octets === undefined) throw new PkiError("certificate-unknown", `${serial} was never signed`);
      if (record.revokedAt !== undefined) return false;
      certificates.set(`${authority}/${serial}`, { ...record, revokedAt: at, reason });
      return true;
    },
    revoked: async (authority, shard, since, until) =>
      [...certificates.values()]
        .filter((one) => one.authority === authority && one.shard === shard)
        .filter(({ revokedAt }) => revokedAt !== undefined && revokedAt > since && revokedAt <= until)
        .sort((one, other) => one.revokedAt! - other.revokedAt! || one.serial.localeCompare(other.serial)),
    newestList: async (authority, shard, kind) =>
      [...lists.values()]
        .filter(
          (one) =>
            one.authority === authority && one.shard === shard && (one.since === undefined) === (kind === "full"),
        )
        .reduce<ListRecord | undefined>(
          (newest, one) => (newest === undefined || one.number > newest.number ? one : newest),
          undefined,
        ),
    addList: async (record) => {
      const name = `${record.authority}/${record.shard}/${record.number}`;
      if (lists.has(name)) throw new PkiError("serial-taken", `list number ${record.number} was given before`);
      lists.set(name, record);
    },
  };
}

type Place = Pick<CertificateRecord, "notAfter" | "authority" | "serial">;

function inOrder(one: Place, other: Place): number {
  return one.notAfter - other.notAfter || compare(one.authority, other.authority) || compare(one.serial, other.serial);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
