import { createHash } from "node:crypto";
import { toHex } from "@meterkeep/dlms";
import {
  type AuthorityRecord,
  coversCertificate,
  decodeCertificate,
  OFFLINE,
  openCrl,
  PkiError,
  type Registry,
  type Revocation,
  type RevocationList,
  SHARDS,
} from "@meterkeep/pki";
import { type AdoptedList, LIST_ADOPTED } from "./bound-lists.ts";
import type { Pki } from "./open-pki.ts";
import { soundCertificate } from "./sound-certificate.ts";

/** Serial numbers that one entry of the ledger names. */
const ENTRY_SERIALS = 500;

/**
 * Takes a list that a ceremony has signed, full or delta, and revokes what it names. A list that goes back, because it
 * was made of an older register or of one from which somebody took an entry, is not published: it would say of what is
 * revoked that it is not.
 *
 * @throws PkiError `crl-refused`, `authority-unknown`
 */
export async function adoptList(
  {
    authorities,
    publisher,
    store,
    ledger,
    record,
    now,
  }: Pick<Pki, "authorities" | "publisher" | "store" | "ledger" | "record" | "now">,
  { authority, shard, octets }: { readonly authority: string; readonly shard: number; readonly octets: Uint8Array },
  requester: string,
): Promise<void> {
  const { registry } = store;
  const bound = await authorities.recordOf(authority);
  if (!bound.keyName.startsWith(OFFLINE))
    throw new PkiError("crl-refused", `the key of ${bound.name} is here: it signs its lists itself`);
  const issuer = decodeCertificate(bound.certificate);
  const list = openCrl(octets, issuer, new Date(now()));
  for (const { serial, reason } of list.revocations)
    if (reason === "removeFromCRL")
      throw new PkiError("crl-refused", `it takes ${toHex(serial)} off the lists: nothing here is un-revoked`);
  if (shard >= SHARDS) throw new PkiError("crl-refused", `there are ${SHARDS} shards`);
  const { number, since } = list;
  const address = publisher.addressOf(authority, shard);
  if (list.shard !== undefined && list.shard !== address)
    throw new PkiError("crl-refused", `it is about ${list.shard}, and shard ${shard} is at ${address}`);
  for (const { body } of await ledger.ofKinds([LIST_ADOPTED])) {
    const adopted = JSON.parse(body) as AdoptedList;
    const isOfThis = adopted.authority === authority && adopted.shard === shard;
    if (isOfThis && (adopted.since === undefined) === (since === undefined) && BigInt(adopted.number) > number)
      throw new PkiError("crl-refused", `list ${adopted.number} was adopted before: this one is list ${number}`);
  }
  const newest = await registry.newestList(authority, shard, since === undefined ? "full" : "delta");
  if (newest !== undefined && newest.number >= number)
    throw new PkiError("crl-refused", `list ${newest.number} was published before: this one is list ${number}`);
  const full = since === undefined ? newest : await registry.newestList(authority, shard, "full");
  if (since !== undefined && (full?.number !== since || number <= since))
    throw new PkiError(
      "crl-refused",
      `it begins at list ${since}, and the newest full one is ${full?.number ?? "none"}`,
    );
  const wanted = await revokedUnder(registry, bound, list, shard);
  if (newest !== undefined)
    for (const { serial } of openCrl(newest.octets, issuer).revocations) wanted.add(toHex(serial));
  // A delta need not repeat what the list that it begins at names.
  if (since !== undefined && full !== undefined)
    for (const { serial } of openCrl(full.octets, issuer).revocations) wanted.delete(toHex(serial));
  for (const { serial } of list.revocations) wanted.delete(toHex(serial));
  const [missing] = wanted;
  if (missing !== undefined)
    throw new PkiError(
      "crl-refused",
      `${missing} was revoked, and this list does not name it: put it into the register that the list is made of`,
    );
  const fresh: Revocation[] = [];
  for (const one of list.revocations) if (!(await registry.isRevoked(authority, toHex(one.serial)))) fresh.push(one);
  // As every revocation: the ledger has it first.
  for (const [reason, all] of Map.groupBy(fresh, (one) => one.reason))
    for (let from = 0; from < all.length; from += ENTRY_SERIALS) {
      const serials = all.slice(from, from + ENTRY_SERIALS).map(({ serial }) => toHex(serial));
      await record("certificates-revoked", requester, { authority, reason, serials, list: String(number) });
    }
  for (const { serial, revokedAt, reason } of list.revocations)
    await registry.revokeAgain(authority, [toHex(serial)], revokedAt.getTime(), reason);
  const digest = createHash("sha256").update(octets).digest("hex");
  const named = { number: String(number), ...(since !== undefined && { since: String(since) }), digest };
  await record(LIST_ADOPTED, requester, { authority, shard, ...named } satisfies AdoptedList);
  const [thisUpdate, nextUpdate] = [list.thisUpdate.getTime(), list.nextUpdate.getTime()];
  await publisher.adopt([{ authority, shard, number, since, thisUpdate, nextUpdate, octets }]);
}

/**
 * Serial numbers of what was revoked here and what this list is about.
 *
 * @param of the shard that the list is published for
 */
async function revokedUnder(
  registry: Pick<Registry, "revoked" | "findAll">,
  issuer: AuthorityRecord,
  list: RevocationList,
  of: number,
): Promise<Set<string>> {
  const { authority } = issuer;
  const about = new Set<string>();
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const revoked = await registry.revoked(authority, shard);
    const found = await registry.findAll(
      authority,
      revoked.map(({ serial }) => serial),
    );
    const rows = new Map(found.map((one) => [one.serial, one]));
    for (const { serial } of revoked) {
      const row = rows.get(serial);
      const certificate = row && soundCertificate(row, issuer);
      // What cannot be read may be what it is about; what the registry lost, or never had, where its number goes there.
      const isAbout =
        certificate === undefined
          ? row !== undefined || list.shard === undefined || shard === of
          : coversCertificate(list, certificate);
      if (isAbout) about.add(serial);
    }
  }
  return about;
}
