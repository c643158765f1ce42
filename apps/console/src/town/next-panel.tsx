import type { Overview } from "@meterkeep/api";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { configQuery, drillsQuery, meQuery } from "../api/queries.ts";
import { Command } from "../shell/command.tsx";
import { nextSteps } from "./next-steps.ts";

/** What to do next, with the command that does it. */
export function NextPanel({ counts }: { counts: Overview["counts"] }) {
  const drills = useQuery(drillsQuery);
  const me = useQuery(meQuery);
  const config = useQuery(configQuery);
  const steps = nextSteps({
    drillsRun: drills.data?.drills.length ?? 0,
    realMeters: counts.real,
    passkeys: me.data?.passkeys ?? 0,
    passkeysOffered: config.data?.passkeys ?? false,
  });
  return (
    <section className="panel next" aria-labelledby="next-title">
      <div className="panel-head">
        <h2 id="next-title">What you can do next</h2>
      </div>
      <ul className="panel-body">
        {steps.map(({ title, why, command, to }) => (
          <li key={title}>
            <p>
              {to === undefined ? <strong>{title}</strong> : <Link to={to}>{title}</Link>}.{" "}
              <span className="dim">{why}</span>
            </p>
            {command === undefined ? null : <Command text={command} />}
          </li>
        ))}
      </ul>
    </section>
  );
}
