import { exactly, type FieldValue, object, optional, whole } from "../canonical/field.ts";
import { areRulesNotLooser, type CommandRules, commandRules, DEFAULT_COMMAND_RULES } from "./command-rules.ts";
import { isShareNotLooser, share, shareOf } from "./share.ts";

/**
 * The numbers of the rule set that the custodian itself holds to (`MC-01`, `MC-02`, `MC-05`, `MC-07`). Changing them is a
 * change: tighter at once, looser with two people and after a day.
 */
export const thresholds = object({
  format: exactly("meterkeep-thresholds-1"),
  /** MC-01: what can switch off, in 24 hours. */
  offPerDay: share,
  /** MC-01: from here on it is said loudly. */
  offPerDayWarning: share,
  /** MC-02: what can switch off, in ten minutes. */
  offPerTenMinutes: share,
  /** MC-05: nothing is switched off on a meter that was switched less than so long ago. */
  toggleMinutes: whole(0, 1440),
  /** MC-05: nor on one that was switched so often in 24 hours. */
  togglesPerDay: whole(1, 1000),
  /** MC-07: how many people approve. */
  approvals: object({
    c1: whole(1, 5),
    c2: whole(1, 5),
    /** More than one target. */
    c2Batch: whole(2, 5),
    off: whole(1, 5),
    /** More targets than `offFew`. */
    offBatch: whole(2, 5),
    offFew: whole(0, 1000),
    reconnect: whole(1, 5),
    change: whole(2, 5),
    breakGlass: whole(3, 9),
  }),
  /** What the head-end's guard holds to; {@link DEFAULT_COMMAND_RULES} where it is absent. */
  commands: optional(commandRules),
});
export type Thresholds = FieldValue<typeof thresholds>;

/** What holds unless somebody decided otherwise. */
export const DEFAULT_THRESHOLDS: Thresholds = {
  format: "meterkeep-thresholds-1",
  offPerDay: shareOf(50, 50),
  offPerDayWarning: shareOf(10, 20),
  offPerTenMinutes: shareOf(2, 10),
  toggleMinutes: 15,
  togglesPerDay: 4,
  approvals: {
    c1: 1,
    c2: 1,
    c2Batch: 2,
    off: 1,
    offBatch: 2,
    offFew: 10,
    reconnect: 1,
    change: 2,
    breakGlass: 3,
  },
  commands: undefined,
};

/** The numbers of the head-end's guard that hold. */
export function commandRulesOf({ commands }: Pick<Thresholds, "commands">): CommandRules {
  return commands ?? DEFAULT_COMMAND_RULES;
}

/** Whether no number of `next` allows more than `now` does. */
export function isNotLooser(next: Thresholds, now: Thresholds): boolean {
  const shares = ["offPerDay", "offPerDayWarning", "offPerTenMinutes"] as const;
  const people = ["c1", "c2", "c2Batch", "off", "offBatch", "reconnect", "change", "breakGlass"] as const;
  return (
    shares.every((name) => isShareNotLooser(next[name], now[name])) &&
    areRulesNotLooser(commandRulesOf(next), commandRulesOf(now)) &&
    next.toggleMinutes >= now.toggleMinutes &&
    next.togglesPerDay <= now.togglesPerDay &&
    next.approvals.offFew <= now.approvals.offFew &&
    people.every((name) => next.approvals[name] >= now.approvals[name])
  );
}
