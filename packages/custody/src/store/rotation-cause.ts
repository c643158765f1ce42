import type { RotationCause } from "@meterkeep/api/custodian";
import type { Purpose } from "./records.ts";

/** What the cause adds to a meter's risk: what strangers may have goes before what is merely old, used or lent. */
export const CAUSE_RISK: Readonly<Record<RotationCause, number>> = {
  age: 0,
  count: 100,
  demand: 200,
  exposure: 500,
  compromise: 1000,
};

/** What goes before every other cause: keys that somebody has who was lent them, and lost them. */
export const LOST_HANDHELD_RISK = 10_000;
/** After a restore: keys that may have changed since the backup go before what is merely exposed, after what is compromised. */
export const RESTORED_RISK = 900;

export const ALL_PURPOSES: readonly Purpose[] = [0, 1, 2, 3];
/**
 * What goes after a compromise unless somebody names the master too: a master that is marked vouches for nothing ever
 * again, so it is marked when it is meant and never by default.
 */
export const WITHOUT_MASTER: readonly Purpose[] = [0, 1, 2];
