/** What a dry run comes to, in words: what the guard stopped is not what needs nothing done. */
import type { DryRun } from "@meterkeep/api";
import { counted, formatPower, spoken } from "../format/quantity.ts";

export interface DryRunWords {
  readonly verdict: string;
  readonly approval: string;
  /** Whether anything is left that could be at stake. */
  readonly hasStake: boolean;
}

export function dryRunWords({ verdict, findings, selected, people, waves }: DryRun): DryRunWords {
  const stops = findings.filter(({ effect }) => effect === "stop");
  if (verdict === "nothing-left") {
    const verdictWords =
      stops.length === 0
        ? "None of what is selected takes it."
        : `Stopped by the guard: ${stops.map(({ rule, sentence }) => `${rule}, ${sentence}`).join("; ")}.`;
    // Several rules may have set aside the same meters: what they draw together is not the sum.
    const [only, ...more] = stops;
    const without =
      only !== undefined && more.length === 0
        ? `Without that: ${counted(only.meters, "meter")}, ${spoken(formatPower(only.loadW))}, and people who approve it. `
        : "";
    return {
      verdict: verdictWords,
      approval: `${without}${counted(selected, "meter")} selected, none left: nothing would be sent, and nobody is asked.`,
      hasStake: false,
    };
  }
  return {
    verdict:
      verdict === "goes-on" ? "The guard lets it go on." : "The guard sets it aside: somebody else has to release it.",
    approval: `${counted(selected, "meter")} selected, ${counted(waves.length, "wave")}, ${
      people === 0 ? "nobody has to approve it." : `${counted(people, "person", "people")} must approve it.`
    }`,
    hasStake: true,
  };
}
