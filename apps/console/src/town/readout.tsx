/** The line under the diagram that says what the pointer or the focus is on. */
import type { MeterSummary } from "@meterkeep/api";
import { formatEnergy, formatPower } from "../format/quantity.ts";
import { localTime, useTownTime } from "../live/live-context.tsx";
import { TrustMark } from "../shell/marks.tsx";
import { Amount } from "../shell/quantity.tsx";

const SUPPLY_WORDS = { connected: "supplied", disconnected: "dark", unknown: "supply not read yet" } as const;

export function Readout({ meter }: { meter: MeterSummary | undefined }) {
  const now = useTownTime();
  if (meter === undefined)
    return (
      <p className="readout dim">
        Point at a home, or step in with Tab and walk with the arrow keys. Enter opens its meter.
      </p>
    );
  return (
    <div className="readout">
      <strong>{meter.label}</strong>
      <code className="dim">{meter.systemTitle}</code>
      <TrustMark trust={meter.trust} />
      {meter.role === "transformer" ? null : <span>{SUPPLY_WORDS[meter.supply]}</span>}
      {meter.powerW === undefined ? null : <Amount of={formatPower(meter.powerW)} />}
      {meter.energyWh === undefined ? null : <Amount of={formatEnergy(meter.energyWh)} />}
      {meter.lastReadingAt === undefined || now === undefined ? null : (
        <span className="dim">
          at {localTime.near(meter.lastReadingAt, now)}
          {meter.stale ? ", stale" : ""}
        </span>
      )}
      <span className="readout-why">{meter.trustSentence}</span>
    </div>
  );
}
