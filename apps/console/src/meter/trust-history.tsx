import type { MeterDetail, MeterSummary } from "@meterkeep/api";
import { TrustMark, WallClock } from "../shell/marks.tsx";
import { Panel } from "../shell/panel.tsx";
import { When } from "../shell/when.tsx";
import { trustMeans } from "../town/trust.ts";

/** Trust now, what it allows, and every change with its reason. */
export function TrustHistory({ trust, role }: { trust: MeterDetail["trust"]; role: MeterSummary["role"] }) {
  return (
    <Panel
      name="trust"
      title="Trust"
      beside={
        <>
          <WallClock />
          <TrustMark trust={trust.state} />
        </>
      }
    >
      <div className="panel-body">
        <p className="why">{trustMeans(trust.state, role)}</p>
        <ol className="history">
          {newestFirst(trust.history).map(({ at, to, sentence }) => (
            <li key={`${at} ${to}`}>
              <span className="dim">
                <When at={at} />
              </span>
              <div>
                <TrustMark trust={to} size={12} />
                <p>{sentence}</p>
              </div>
            </li>
          ))}
        </ol>
      </div>
    </Panel>
  );
}

function newestFirst(history: MeterDetail["trust"]["history"]): MeterDetail["trust"]["history"] {
  return history.toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
}
