/** Real meters beside the virtual town, marked as what they are. */
import type { MeterSummary } from "@meterkeep/api";
import { EvidenceLink } from "../evidence/evidence-link.tsx";
import { formatEnergy, formatPower } from "../format/quantity.ts";
import { localTime } from "../live/live-context.tsx";
import { ProtectionMark, TrustMark } from "../shell/marks.tsx";
import { MeterLink } from "../shell/meter-link.tsx";
import { Amount } from "../shell/quantity.tsx";

export function AttachedMeters({ meters }: { meters: readonly MeterSummary[] }) {
  if (meters.length === 0) return null;
  return (
    <section className="attached" aria-labelledby="attached-title">
      <h3 id="attached-title">Real meters, attached</h3>
      <ul>
        {meters.map((meter) => (
          <li key={meter.systemTitle}>
            <MeterLink systemTitle={meter.systemTitle} label={meter.label} />
            <span className="mark">real</span>
            <TrustMark trust={meter.trust} />
            {meter.protection === undefined ? (
              <span className="dim">waiting for its first push</span>
            ) : (
              <ProtectionMark protection={meter.protection} />
            )}
            {meter.powerW === undefined ? null : (
              <EvidenceLink hash={meter.lastReadingEvidence}>
                <Amount of={formatPower(meter.powerW)} />
              </EvidenceLink>
            )}
            {meter.energyWh === undefined ? null : (
              <EvidenceLink hash={meter.lastReadingEvidence}>
                <Amount of={formatEnergy(meter.energyWh)} />
              </EvidenceLink>
            )}
            {meter.lastReadingAt === undefined ? null : (
              <span className="dim">at {localTime.near(meter.lastReadingAt, Date.now())}</span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
