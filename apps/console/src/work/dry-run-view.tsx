import type { DryRun } from "@meterkeep/api";
import { counted, formatPower, spoken } from "../format/quantity.ts";
import { RuleLinks } from "./rule-link.tsx";
import { Stake } from "./stake.tsx";

const VERDICTS: Readonly<Record<DryRun["verdict"], string>> = {
  "goes-on": "The guard lets it go on.",
  quarantined: "The guard sets it aside: somebody else has to release it.",
  "nothing-left": "Nothing is left to do.",
};

/** What a command would do, and what the guard finds. */
export function DryRunView({ dryRun }: { dryRun: DryRun }) {
  const { words, targets, loadAtRiskW, selected, people, waves, findings, leftOut, verdict } = dryRun;
  return (
    <div className="dry-run">
      <p>
        <strong>{words}</strong>. {VERDICTS[verdict]}
      </p>
      <Stake meters={targets} loadW={loadAtRiskW} />
      <p>
        {`${counted(selected, "meter")} selected, ${counted(waves.length, "wave")}, `}
        {people === 0 ? "nobody has to approve it." : `${counted(people, "person", "people")} must approve it.`}
      </p>
      {findings.length === 0 ? null : (
        <ul className="findings" aria-label="What the guard finds">
          {findings.map(({ rule, effect, sentence, meters, loadW }) => (
            <li key={`${rule} ${sentence}`} className={`finding-${effect}`}>
              <RuleLinks rules={[rule]} /> {effect}: {sentence}{" "}
              <span className="dim">
                {counted(meters, "meter")}, {spoken(formatPower(loadW))}
              </span>
            </li>
          ))}
        </ul>
      )}
      {leftOut.map(({ reason, meters }) => (
        <p key={reason} className="dim">
          {counted(meters, "meter")} left out: {reason}
        </p>
      ))}
    </div>
  );
}
