import { COMPANION_PROFILES } from "@meterkeep/meter";
import { FactoryError } from "./errors.ts";

/** The companion profiles of a town's homes, each with its share. */
export type ProfileMix = readonly { readonly profile: string; readonly share: number }[];

/**
 * Reads `idis-p2=3,metcom-mcs301=1`: three homes of the one to one of the other; a profile without a number has a share of 1,
 * and one with 0 none of the homes.
 *
 * @throws FactoryError `factory-profiles-unknown`
 */
export function parseProfileMix(text: string): ProfileMix {
  const mix = text.split(",").map((part) => {
    const [, profile, share = "1"] = /^([a-z0-9-]+)(?:=(0|[1-9]\d{0,3}))?$/.exec(part.trim()) ?? [];
    if (profile !== undefined && Object.hasOwn(COMPANION_PROFILES, profile)) return { profile, share: Number(share) };
    const known = Object.keys(COMPANION_PROFILES).join(", ");
    throw new FactoryError(
      "factory-profiles-unknown",
      `"${part}" is no profile with its share, such as idis-p2=3. Known profiles are ${known}.`,
    );
  });
  if (mix.every(({ share }) => share === 0))
    throw new FactoryError("factory-profiles-unknown", `"${text}" gives no profile a share.`);
  return mix;
}

/** The profile that a draw from 0 to 1 falls on. */
export function profileAt(mix: ProfileMix, draw: number): string {
  let left = draw * mix.reduce((sum, { share }) => sum + share, 0);
  for (const { profile, share } of mix) {
    left -= share;
    if (left < 0) return profile;
  }
  return mix.at(-1)?.profile ?? "";
}
