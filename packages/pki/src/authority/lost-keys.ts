import { isAuthorityProfile } from "../profile/profiles.ts";
import type { LedgeredOrder } from "./ledgered-orders.ts";

/**
 * The keys that others have where certificates were revoked for this reason: those of all of them, or, where an authority
 * fell (`cACompromise`), its own alone. The keys that it had certified are as good as they were.
 */
export function lostKeysOf(revoked: readonly Pick<LedgeredOrder, "key" | "profile">[], reason: string): string[] {
  if (reason === "keyCompromise") return revoked.map(({ key }) => key);
  if (reason !== "cACompromise") return [];
  return revoked.flatMap(({ key, profile }) => (isAuthorityProfile(profile) ? [key] : []));
}
