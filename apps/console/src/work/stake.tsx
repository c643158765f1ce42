import { formatCount, formatPower } from "../format/quantity.ts";
import { Amount } from "../shell/quantity.tsx";

/** What is at stake, before anything else is said: how many meters, and what they draw. */
export function Stake({ meters, loadW }: { meters: number; loadW: number }) {
  return (
    <dl className="stake">
      <div>
        <dt>{meters === 1 ? "meter" : "meters"}</dt>
        <dd>{formatCount(meters)}</dd>
      </div>
      <div>
        <dt>load at risk</dt>
        <dd>
          <Amount of={formatPower(loadW)} />
        </dd>
      </div>
    </dl>
  );
}
