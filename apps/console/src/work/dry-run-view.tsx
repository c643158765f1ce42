import type { DryRun } from "@meterkeep/api";
import { counted, formatPower, spoken } from "../format/quantity.ts";
import { dryRunWords } from "./dry-run-words.ts";
import { RuleLinks } from "./rule-link.tsx";
import { Stake } from "./stake.tsx";

/** What a command would do, and what the guard finds. */
export function DryRunView({ dryRun }: { dryRun: DryRun }) {
  const { words, targets, loadAtRiskW, findings, leftOut } = dryRun;
  const { verdict, approval, hasStake } = dryRunWords(dryRun);
  return (
    <div className="dry-run">
      <p>
        <strong>{words}</strong>. {verdict}
      </p>
      {hasStake ? <Stake meters={targets} loadW={loadAtRiskW} /> : null}
      <p>{approval}</p>
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
