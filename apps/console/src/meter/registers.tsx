import { useQuery } from "@tanstack/react-query";
import { readingsQuery } from "../api/queries.ts";
import { EvidenceLink } from "../evidence/evidence-link.tsx";
import { formatGiven } from "../format/quantity.ts";
import { localTime, useTownTime } from "../live/live-context.tsx";
import { DataTable } from "../shell/data-table.tsx";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { ProtectionMark, SimulatedMark, TrustMark } from "../shell/marks.tsx";
import { Panel } from "../shell/panel.tsx";
import { Amount } from "../shell/quantity.tsx";
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
    <Panel name="registers" title="Newest readings" beside={simulated ? <SimulatedMark /> : null}>
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
        <DataTable
          label="Table of the newest readings"
          columns={["What", "OBIS", { number: "Value" }, "Time", "Trust then", "Protected"]}
          inset
        >
          {registers.map(
            ({ obis, name, value, unit, time, evidence, trustAtCapture, protection, decisive, standing }) => (
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
                  {standing === "undisputed" ? null : <span className="dim"> {standing}</span>}
                </td>
                <td>
                  <ProtectionMark protection={protection} />
                </td>
              </tr>
            ),
          )}
        </DataTable>
      )}
    </Panel>
  );
}
