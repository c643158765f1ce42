import type { CampaignState } from "@meterkeep/api";
import { type CommandRules, stopsBecause, type WaveCounts } from "@meterkeep/guard";

/** A campaign as its moves depend on it. */
export interface CampaignNow {
  readonly state: CampaignState;
  readonly notBefore: number;
  readonly notAfter: number;
  /** From 0; undefined before the first has begun. */
  readonly wave: number | undefined;
  readonly waves: readonly { readonly soakSeconds: number }[];
  readonly isGrave: boolean;
  /** It changes nothing on any meter: nothing of it can go wrong in a way that others must be spared. */
  readonly onlyReads: boolean;
}

export interface StepFacts {
  readonly now: number;
  /** What the custodian says of its manifest; `none` where it needs none. */
  readonly approval: "none" | "planned" | "approved" | "expired" | "unknown";
  readonly frozen: string | undefined;
  /** Of all targets so far. */
  readonly counts: WaveCounts;
  /** Targets of this wave of which nobody knows yet what becomes. */
  readonly openInWave: number;
  /** And those among them that may have been sent. */
  readonly underWay: number;
  readonly lastSettledAt: number | undefined;
  readonly autoStop: CommandRules["autoStop"];
}

/** What is to be done with a campaign. */
export type Move =
  | { readonly kind: "state"; readonly state: CampaignState; readonly sentence: string; readonly rule?: string }
  | { readonly kind: "begin-wave"; readonly wave: number }
  /** Make those due whose time has come. */
  | { readonly kind: "dispatch" };

/**
 * The next move of a campaign; undefined where it waits. States: *awaiting-approval* (people sign at the custodian), *running*
 * (a wave is under way or watched, or, where nobody has to sign, the first one waits for its time), *paused* (by a person or the kill switch), and the ends *done*, *stopped*, *expired*.
 */
export function step(campaign: CampaignNow, facts: StepFacts): Move | undefined {
  const { state, notBefore, notAfter, wave, waves } = campaign;
  const { now, approval, frozen } = facts;
  switch (state) {
    case "awaiting-approval":
      if (now >= notAfter || approval === "expired")
        return ended("expired", "Its window is over, and nothing was sent.");
      if (approval !== "approved" && approval !== "none") return undefined;
      return now >= notBefore ? { kind: "begin-wave", wave: 0 } : undefined;
    case "paused":
      return now >= notAfter ? ended("expired", "Its window was over while it was paused.") : undefined;
    case "running": {
      if (frozen !== undefined && campaign.isGrave)
        return { kind: "state", state: "paused", sentence: `Frozen: ${frozen}.`, rule: "MC-19" };
      const stop = campaign.onlyReads ? undefined : stopsBecause(facts.counts, facts.autoStop);
      if (stop !== undefined) return ended("stopped", `Stopped by itself: ${stop.sentence}.`, stop.rule);
      if (now >= notAfter && facts.underWay === 0) return ended("expired", "Its window is over.", "MC-17");
      if (wave === undefined) return now >= notBefore ? { kind: "begin-wave", wave: 0 } : undefined;
      if (facts.openInWave > 0) return { kind: "dispatch" };
      if (wave + 1 >= waves.length) return ended("done", "Every meter was served.");
      const watchedUntil = (facts.lastSettledAt ?? now) + (waves[wave]?.soakSeconds ?? 0) * 1000;
      return now >= watchedUntil ? { kind: "begin-wave", wave: wave + 1 } : undefined;
    }
    case "quarantined":
    case "stopped":
    case "done":
    case "expired":
      return undefined;
    default:
      return state satisfies never;
  }
}

function ended(state: CampaignState, sentence: string, rule?: string): Move {
  return { kind: "state", state, sentence, ...(rule !== undefined && { rule }) };
}
