import { builtInLayoutFile, type LayoutFile } from "../telegram/layout-file.ts";
import dsmr from "./families/dsmr.json" with { type: "json" };
import examples from "./families/examples.json" with { type: "json" };
import gateways from "./families/gateways.json" with { type: "json" };
import gbcs from "./families/gbcs.json" with { type: "json" };
import idis from "./families/idis.json" with { type: "json" };
import is15959 from "./families/is15959.json" with { type: "json" };
import kamstrup from "./families/kamstrup-clients.json" with { type: "json" };
import landisGyr from "./families/landis-gyr.json" with { type: "json" };
import type { MeterFacts } from "./meter-profile.ts";

/** The families whose meter profiles come with the package. */
export const BUILT_IN_PROFILE_FILES: readonly LayoutFile[] = [
  idis,
  dsmr,
  is15959,
  landisGyr,
  kamstrup,
  gbcs,
  gateways,
  examples,
].map(builtInLayoutFile);

/** All meter profiles of {@link BUILT_IN_PROFILE_FILES}; see `resolveProfile`. */
export const BUILT_IN_PROFILES: readonly MeterFacts[] = BUILT_IN_PROFILE_FILES.flatMap(({ profiles }) => profiles);
