/** Who sends us telegrams and is nobody we know: shown, never believed. */
import { useQuery } from "@tanstack/react-query";
import { pushSourcesQuery } from "../api/queries.ts";
import { counted } from "../format/quantity.ts";
import { localTime } from "../live/live-context.tsx";
import { Command } from "../shell/command.tsx";

const SHOWN = 5;

export function Strangers() {
  const { data } = useQuery(pushSourcesQuery);
  const strangers = data?.sources.filter(({ stranger }) => stranger) ?? [];
  if (strangers.length === 0) return null;
  return (
    <section className="attached" aria-labelledby="strangers-title">
      <h3 id="strangers-title">Strangers at the push port</h3>
      <ul>
        {strangers.slice(0, SHOWN).map(({ address, transport, systemTitle, refused, lastRefusal, lastSeenAt }) => (
          <li key={`${transport} ${address} ${systemTitle}`}>
            <code>{systemTitle ?? "no system title"}</code>
            <span className="dim">
              from {address} over {transport.toUpperCase()}, {counted(refused, "telegram")} refused
              {lastRefusal === undefined ? "" : ` (${lastRefusal.replaceAll("-", " ")})`}, last at{" "}
              {localTime.near(lastSeenAt, Date.now())}
            </span>
          </li>
        ))}
      </ul>
      {strangers.length > SHOWN ? <p className="dim">and {strangers.length - SHOWN} more</p> : null}
      <p className="dim">Is one of them yours? With its keys it stands beside the town:</p>
      <Command
        text={`npx meterkeep meter add ${strangers[0]?.systemTitle ?? "SYSTEM-TITLE"} --label "My meter" --key -`}
      />
    </section>
  );
}
