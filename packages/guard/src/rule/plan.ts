import { takesOff } from "../operation/direction.ts";
import { directionOf, type Operation } from "../operation/operation.ts";
import type { CommandRules } from "../threshold/command-rules.ts";

/** One wave: how many, and how long they are watched before the next. */
export interface WavePlan {
  readonly targets: number;
  readonly soakSeconds: number;
}

const MINUTE_SECONDS = 60;
/** A manifest has no more. */
const MOST_WAVES = 32;
/** MC-13: one, ten, then shares of the fleet. The custodian knows no fleet's shares, and holds to the first two. */
export const FIRST_WAVES = [1, 10] as const;
const WAVE_SHARES = [0.001, 0.01, 0.1] as const;

/**
 * MC-13: one meter, ten, 0.1 %, 1 %, 10 % of the fleet, the rest, each watched. No wave is larger than `most`, which is what
 * may happen in the time in which a wave is watched (MC-02); where that takes more waves than a manifest has, the last one
 * holds the rest, and its size is refused.
 */
export function planWaves(targets: number, fleet: number, most: number, soakSeconds: number): readonly WavePlan[] {
  const sizes = [...FIRST_WAVES, ...WAVE_SHARES.map((share) => Math.ceil(fleet * share))];
  const waves: WavePlan[] = [];
  for (let left = targets; left > 0; ) {
    const wanted = sizes[waves.length] ?? left;
    const size = waves.length === MOST_WAVES - 1 ? left : Math.min(left, Math.max(1, Math.min(wanted, most)));
    left -= size;
    waves.push({ targets: size, soakSeconds: left > 0 ? soakSeconds : 0 });
  }
  return waves;
}

/**
 * MC-13: how long a wave of an operation is watched before the next, in seconds. What is activated later is watched from then on:
 * a meter's own moment comes within two windows.
 */
export function soakOf(operation: Operation, { supply, firmware, other }: CommandRules["soakSeconds"]): number {
  if (takesOff(directionOf(operation))) return supply;
  if (operation.kind === "firmware-schedule") return Math.max(firmware, 2 * operation.windowMinutes * MINUTE_SECONDS);
  return operation.kind === "firmware-activation" ? firmware : other;
}

/** MC-13: whether an operation comes in waves that are watched, whoever asks: what takes something off, and what brings new firmware to life. */
export function isWatched(operation: Operation): boolean {
  return (
    takesOff(directionOf(operation)) ||
    operation.kind === "firmware-activation" ||
    operation.kind === "firmware-schedule"
  );
}

/** MC-15: so many of one transformer come back in a minute. */
const PICKUP_SHARE = 0.1;

/** MC-15: how many of the homes of one transformer may come back in a minute, whoever asks for it and in however many requests. */
export const pickupPerMinute = (meters: number): number => Math.max(1, Math.floor(meters * PICKUP_SHARE));

/** MC-15: a delay for each of so many meters of one transformer, in their order, in seconds. */
export function pickupDelays(meters: number): readonly number[] {
  const perMinute = pickupPerMinute(meters);
  return Array.from(
    { length: meters },
    (_, at) =>
      Math.floor(at / perMinute) * MINUTE_SECONDS + Math.floor(((at % perMinute) * MINUTE_SECONDS) / perMinute),
  );
}

/** What has become of the targets of a wave. */
export interface WaveCounts {
  readonly tried: number;
  readonly failed: number;
  readonly lost: number;
  /** The relay stood otherwise than it should. */
  readonly unexpected: number;
}

/** MC-13 and MC-14: why a campaign stops by itself, or undefined. */
export function stopsBecause(
  { tried, failed, lost, unexpected }: WaveCounts,
  { failedPermyriad, lostPermyriad, unexpected: mostUnexpected }: CommandRules["autoStop"],
): { readonly rule: "MC-13" | "MC-14"; readonly sentence: string } | undefined {
  if (unexpected >= mostUnexpected)
    return { rule: "MC-14", sentence: `${unexpected} of ${tried} read back another state than the wanted one` };
  const beyond = (count: number, permyriad: number): boolean => count * 10_000 > tried * permyriad;
  if (beyond(failed, failedPermyriad)) return { rule: "MC-13", sentence: `${failed} of ${tried} failed` };
  if (beyond(lost, lostPermyriad)) return { rule: "MC-13", sentence: `${lost} of ${tried} did not answer` };
  return undefined;
}
