import { useQuery } from "@tanstack/react-query";
import { readingsQuery } from "../api/queries.ts";
import { EvidenceLink } from "../evidence/evidence-link.tsx";
import { formatGiven } from "../format/quantity.ts";
import { localTime, useTownTime } from "../live/live-context.tsx";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { ProtectionMark, SimulatedMark, TrustMark } from "../shell/marks.tsx";
import { Amount } from "../shell/quantity.tsx";
import { ScrollRegion } from "../shell/scroll-region.tsx";
import { newestRegisters } from "./newest-registers.ts";

interface RegistersProps {
  readonly systemTitle: string;
  readonly simulated: boolean;
  /** It only pushes: no session reads it. */
  readonly attached: boolean;
}

/** The newest value of each register, with the trust it had when it was captured. */
export function Registers({ systemTitle, simulated, attached }: RegistersProps) {
  const { data, error, refetch } = useQuery(readingsQuery(systemTitle));
  const now = useTownTime();
  const registers = data === undefined ? [] : newestRegisters(data.readings);
  return (
    <section className="panel" aria-labelledby="registers-title">
      <div className="panel-head">
        <h2 id="registers-title">Newest readings</h2>
        {simulated ? <SimulatedMark /> : null}
      </div>
      {error !== null ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : data !== undefined && registers.length === 0 ? (
        <div className="panel-body">
          <Empty {...(attached ? {} : { command: `npx meterkeep meter show ${systemTitle}` })}>
            {attached
              ? "It has pushed nothing yet. Its first push that opens stands here."
              : "No register has been read yet. The first session after the takeover reads them."}
          </Empty>
        </div>
      ) : (
        <ScrollRegion className="panel-body scroll-x" label="Table of the newest readings">
          <table>
            <thead>
              <tr>
                <th scope="col">What</th>
                <th scope="col">OBIS</th>
                <th scope="col" className="number">
                  Value
                </th>
                <th scope="col">Time</th>
                <th scope="col">Trust then</th>
                <th scope="col">Protected</th>
              </tr>
            </thead>
            <tbody>
              {registers.map(({ obis, name, value, unit, time, evidence, trustAtCapture, protection, decisive }) => (
                <tr key={obis}>
                  <td>{name}</td>
                  <td>
                    <code>{obis}</code>
                  </td>
                  <td className="number">
                    <EvidenceLink hash={evidence}>
                      <Amount of={formatGiven(value, unit)} />
                    </EvidenceLink>
                  </td>
                  <td className="nowrap">{localTime.near(time, now ?? Date.now())}</td>
                  <td>
                    <TrustMark trust={trustAtCapture} />
                    {decisive ? null : <span className="dim"> not for decisions</span>}
                  </td>
                  <td>
                    <ProtectionMark protection={protection} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </section>
  );
}
