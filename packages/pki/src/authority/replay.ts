import type { Registry } from "../registry/registry.ts";
import type { RevocationReason } from "../revocation/reasons.ts";
import type { JournaledRevocation } from "./orders.ts";

/** An entry of the ledger that may be a revocation. */
export interface ReplayedEntry {
  readonly at: number;
  readonly kind: string;
  readonly body: unknown;
}

/** What an entry of the ledger revoked; undefined where it revoked nothing. */
export function revocationOf({ at, kind, body }: ReplayedEntry): JournaledRevocation | undefined {
  if (kind !== "certificates-revoked") return undefined;
  const { authority, reason, serials } = body as Omit<JournaledRevocation, "at">;
  return { at, authority, reason, serials };
}

/**
 * Brings the registry up to what was ever revoked: one restored from yesterday un-revokes nothing, not even what was
 * issued after yesterday.
 *
 * @returns how many certificates had to be revoked again
 */
export async function replayRevocations(
  registry: Pick<Registry, "revokeAgain" | "authorities">,
  revocations: AsyncIterable<JournaledRevocation> | Iterable<JournaledRevocation>,
): Promise<number> {
  const known = new Set((await registry.authorities()).map(({ authority }) => authority));
  let again = 0;
  for await (const { at, authority, reason, serials } of revocations)
    if (known.has(authority)) again += await registry.revokeAgain(authority, serials, at, reason as RevocationReason);
  return again;
}
