import { PkiError } from "../errors.ts";
import type { AuthorityRecord } from "../registry/registry.ts";
import type { RevocationReason } from "../revocation/reasons.ts";
import { lostKeysOf } from "./lost-keys.ts";
import type { AuthorityDependencies } from "./orders.ts";

type Parts = Pick<AuthorityDependencies, "registry" | "record" | "orders" | "lostKeys" | "onRevoked" | "now">;
type Issuer = Pick<AuthorityRecord, "authority" | "utility" | "island">;

/** Certificates of one authority that are revoked together. */
interface Revoking {
  readonly serials: readonly string[];
  readonly reason: RevocationReason;
  readonly requester: string;
}

/**
 * Revokes what an authority was ordered to sign, by the ledger, for good: the ledger has it first, then the keys that were
 * lost are noted, then the registry has it, and whoever keeps what it takes back hears of it.
 *
 * @returns how many were not revoked before
 * @throws PkiError `certificate-unknown`
 */
export async function revokeOrdered(
  parts: Parts,
  { authority, utility, island }: Issuer,
  { serials, reason, requester }: Revoking,
): Promise<number> {
  const { registry, record, orders, lostKeys, onRevoked, now } = parts;
  const wanted: string[] = [];
  const before: string[] = [];
  for (const serial of new Set(serials)) ((await registry.isRevoked(authority, serial)) ? before : wanted).push(serial);
  await loseKeys(parts, { authority, utility, island }, { serials: before, reason, requester });
  if (wanted.length === 0) return 0;
  const ordered = new Map((await orders.ofSerials(authority, wanted)).map((one) => [one.serial, one]));
  const unknown = wanted.find((serial) => !ordered.has(serial));
  if (unknown !== undefined)
    throw new PkiError("certificate-unknown", `authority ${authority} never issued ${unknown}`);
  const found = await registry.findAll(authority, wanted);
  const issued = new Set(found.flatMap(({ serial, octets }) => (octets === undefined ? [] : [serial])));
  const at = now();
  const meter = wanted.length === 1 ? ordered.get(wanted[0]!)?.systemTitle : undefined;
  const place = { utility, island, ...(meter !== undefined && { meter }) };
  const body = { authority, reason, serials: wanted };
  await record([{ at, kind: "certificates-revoked", principal: requester, ...place, body }]);
  await lostKeys?.add(lostKeysOf([...ordered.values()], reason));
  const [known, lost] = [wanted.filter((serial) => issued.has(serial)), wanted.filter((one) => !issued.has(one))];
  const revoked = known.length === 0 ? [] : await registry.revoke(authority, known, at, reason);
  const again = lost.length === 0 ? 0 : await registry.revokeAgain(authority, lost, at, reason);
  onRevoked?.(authority, wanted);
  return revoked.length + again;
}

/** That a key was lost is often known only after its certificate was revoked for something else. */
async function loseKeys(
  { orders, lostKeys, record, now }: Parts,
  { authority, utility, island }: Issuer,
  { serials, reason, requester }: Revoking,
): Promise<void> {
  if (lostKeys === undefined || serials.length === 0) return;
  const fresh = (await orders.ofSerials(authority, serials)).filter((one) =>
    lostKeysOf([one], reason).some((key) => !lostKeys.has(key)),
  );
  if (fresh.length === 0) return;
  const body = { authority, reason, serials: fresh.map(({ serial }) => serial) };
  await record([{ at: now(), kind: "certificates-revoked", principal: requester, utility, island, body }]);
  await lostKeys.add(lostKeysOf(fresh, reason));
}
