import type { Overview } from "@meterkeep/api";
import { IconAlertTriangle } from "@tabler/icons-react";
import { Command } from "../shell/command.tsx";

/** What weakens this installation, each with what to do about it. */
export function Warnings({ warnings }: { warnings: Overview["warnings"] }) {
  if (warnings.length === 0) return null;
  return (
    <section className="panel warnings" aria-labelledby="warnings-title">
      <div className="panel-head">
        <h2 id="warnings-title">
          <IconAlertTriangle size={16} aria-hidden />{" "}
          {warnings.length === 1 ? "A warning" : `${warnings.length} warnings`}
        </h2>
      </div>
      <ul className="panel-body">
        {warnings.map(({ code, text, fix }) => (
          <li key={code}>
            <p>{text}</p>
            {isCommand(fix) ? <Command text={fix} /> : <p className="dim">{fix}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A fix that can be typed as it stands, rather than a sentence. */
function isCommand(fix: string): boolean {
  return /^(npm|npx|meterkeep|sudo|systemctl|METERKEEP_|DATABASE_URL)/.test(fix) && !fix.includes(". ");
}
