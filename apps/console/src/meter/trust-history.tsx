import type { MeterDetail } from "@meterkeep/api";
import { localTime } from "../live/live-context.tsx";
import { TrustMark } from "../shell/marks.tsx";
import { TRUST_LOOKS } from "../town/trust.ts";

/** Trust now, what it allows, and every change with its reason. */
export function TrustHistory({ trust }: { trust: MeterDetail["trust"] }) {
  return (
    <section className="panel" aria-labelledby="trust-title">
      <div className="panel-head">
        <h2 id="trust-title">Trust</h2>
        <TrustMark trust={trust.state} />
      </div>
      <div className="panel-body">
        <p className="why">{TRUST_LOOKS[trust.state].means}</p>
        <ol className="history">
          {newestFirst(trust.history).map(({ at, to, sentence }) => (
            <li key={`${at} ${to}`}>
              <time dateTime={at} className="dim">
                {localTime.near(at, Date.now())}
              </time>
              <div>
                <TrustMark trust={to} size={12} />
                <p>{sentence}</p>
              </div>
            </li>
          ))}
        </ol>
      </div>
    </section>
  );
}

function newestFirst(history: MeterDetail["trust"]["history"]): MeterDetail["trust"]["history"] {
  return history.toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
}
