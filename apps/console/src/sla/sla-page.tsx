/** Whether readings are there in time: the same count that makes the work, against 98 % by 08:00 and 99.5 % by 24:00. */
import type { SlaBoard, SlaTarget } from "@meterkeep/api";
import { obisInWords, parseObis } from "@meterkeep/dlms";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { plausibilityQuery, slaGapsQuery, slaQuery } from "../api/queries.ts";
import { counted, formatCount } from "../format/quantity.ts";
import { DataTable } from "../shell/data-table.tsx";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { useFeederName } from "../town/feeder-name.ts";
import "../pki/pki.css";
import "./sla.css";
import { MeterLink } from "../shell/meter-link.tsx";

const STATES: Readonly<Record<SlaTarget["state"], string>> = { met: "met", open: "still open", missed: "missed" };

export function SlaPage() {
  usePageTitle("Service level");
  const queries = useQueryClient();
  const { data, error } = useQuery(slaQuery);
  const again = () => void queries.invalidateQueries({ queryKey: slaQuery.queryKey });
  return (
    <>
      <PageHead
        title="Are the readings there in time?"
        lede={
          data === undefined
            ? "What should be held of the day, what is, and what is missing."
            : `${data.day}, by the clock of the ${data.kind} meters: ${counted(data.held, "interval")} of ${formatCount(data.wanted)} held, ${formatCount(data.missing)} missing; ${formatCount(data.complete)} of ${counted(data.meters, "meter")} whole.`
        }
      >
        <button type="button" className="button" onClick={again}>
          Count again
        </button>
      </PageHead>
      {error === null ? null : <Failure error={error} retry={again} />}
      {data === undefined ? null : <Board board={data} />}
    </>
  );
}

function Board({ board }: { board: SlaBoard }) {
  const feederName = useFeederName();
  return (
    <div className="sla-stack">
      <Panel name="targets" title="Targets of the day">
        <ul className="panel-body sla-targets">
          {board.targets.map(({ share, dueAt, state, counted: mark }) => (
            <li key={dueAt} className={`sla-${state}`}>
              <strong>{`${percent(share)} by ${clockTime(dueAt, board.timeZone)}: ${STATES[state]}`}</strong>
              <span>
                {mark === undefined ? `${percent(board.share)} now` : `${percent(shareOf(mark))} at the deadline`}
              </span>
            </li>
          ))}
        </ul>
        <p className="panel-body dim">
          {`${counted(board.notInService, "meter")} not taken over yet and ${formatCount(board.unreadable)} of an unknown profile are not counted, nor are devices behind a meter, such as gas: they are read when somebody asks.`}
        </p>
      </Panel>
      <SimBudgets budgets={board.simBudgets} />
      <Panel name="feeders" title="By feeder, the worst first">
        <DataTable
          label="What is held of each feeder"
          columns={["Feeder", "Held", "Intervals", "Excused", "Absent", "Whole meters"]}
        >
          {board.feeders.map(({ feeder = "none", share, held, wanted, excused, absent, complete, meters }) => (
            <tr key={feeder}>
              <th scope="row">{feederName(feeder)}</th>
              <td>{percent(share)}</td>
              <td>{`${formatCount(held)} of ${formatCount(wanted)}`}</td>
              <td>{formatCount(excused)}</td>
              <td>{formatCount(absent)}</td>
              <td>{`${formatCount(complete)} of ${formatCount(meters)}`}</td>
            </tr>
          ))}
        </DataTable>
      </Panel>
      <Panel name="channels" title="By channel">
        <DataTable
          label="What is held of each channel"
          columns={["Channel", "Intervals", "Excused: no power", "Absent", "Missing"]}
        >
          {board.channels.map(({ obis, held, wanted, excused, absent, missing }) => (
            <tr key={obis}>
              <th scope="row">
                {wordsOf(obis)} <code>{obis}</code>
              </th>
              <td>{`${formatCount(held)} of ${formatCount(wanted)}`}</td>
              <td>{formatCount(excused)}</td>
              <td>{formatCount(absent)}</td>
              <td>{formatCount(missing)}</td>
            </tr>
          ))}
          {board.powerQuality === undefined ? null : (
            <tr>
              <th scope="row">Power quality, whole rows</th>
              <td>{`${formatCount(board.powerQuality.held)} of ${formatCount(board.powerQuality.wanted)}`}</td>
              <td>{formatCount(board.powerQuality.excused)}</td>
              <td>{formatCount(board.powerQuality.absent)}</td>
              <td>{formatCount(board.powerQuality.missing)}</td>
            </tr>
          )}
        </DataTable>
      </Panel>
      <Gaps />
      <Implausible />
      <Panel name="history" title="Deadlines of the last days">
        <ul className="panel-body sla-targets">
          {board.history.length === 0 ? <li>No deadline has passed yet.</li> : null}
          {board.history.map(({ day, target, dueAt, held, wanted, excused, met }) => (
            <li key={`${day} ${dueAt}`} className={met ? "sla-met" : "sla-missed"}>
              <strong>{`${day}, ${percent(target)} by ${clockTime(dueAt, board.timeZone)}`}</strong>
              <span>{`${percent(shareOf({ held, wanted, excused }))}, ${met ? "met" : "missed"}`}</span>
            </li>
          ))}
        </ul>
      </Panel>
    </div>
  );
}

/** MC-23: whose SIMs have carried what they may this month. Shown where somebody has set a budget. */
function SimBudgets({ budgets }: { budgets: SlaBoard["simBudgets"] }) {
  if (budgets.length === 0) return null;
  return (
    <Panel name="sim-budgets" title="SIM budgets of the month">
      <DataTable
        label="What SIM cards have carried"
        columns={["Network", "Month", "Budget of a SIM", "SIMs", "Used up", "The most of one", "All"]}
      >
        {budgets.map(({ network, month, budgetOctets, sims, usedUp, mostOctets, octets }) => (
          <tr key={network}>
            <th scope="row">{network}</th>
            <td>{month}</td>
            <td>{megabytes(budgetOctets)}</td>
            <td>{formatCount(sims)}</td>
            <td>{usedUp === 0 ? "none" : `${formatCount(usedUp)}, not read until next month`}</td>
            <td>{megabytes(mostOctets)}</td>
            <td>{megabytes(octets)}</td>
          </tr>
        ))}
      </DataTable>
    </Panel>
  );
}

function megabytes(octets: number): string {
  return `${(octets / 1_000_000).toFixed(2)} MB`;
}

/** What rules find in what is held. */
function Implausible() {
  const { data, error } = useQuery(plausibilityQuery);
  const [day] = data?.days ?? [];
  return (
    <Panel name="plausibility" title="What is not plausible">
      {error === null ? null : <Failure error={error} />}
      <p className="panel-body dim">
        {day === undefined
          ? "No day has been judged yet: each is when it is closed."
          : `${day.day}: ${counted(day.meters, "meter")} judged, ${counted(day.findings, "finding")}. ${counted(data?.rereads.asked ?? 0, "day")} of meters asked for again, ${formatCount(data?.rereads.differs ?? 0)} differed.`}
      </p>
      {data === undefined || data.findings.length === 0 ? null : (
        <DataTable label="What the rules found" columns={["Rule", "About", "Day", "Severity", "Finding", "Score"]}>
          {data.findings.map(({ rule, words, meter, about, from, foundAt, severity, sentence }) => (
            <tr key={`${rule} ${about} ${from} ${foundAt}`}>
              <th scope="row" title={words}>
                {rule}
              </th>
              <td>{meter === undefined ? about : <MeterLink systemTitle={meter} label={about} />}</td>
              <td>{from.slice(0, 10)}</td>
              <td>{severity}</td>
              <td>{sentence}</td>
              <td>{scoreText(data.scores.find((one) => one.meter === meter)?.score)}</td>
            </tr>
          ))}
        </DataTable>
      )}
    </Panel>
  );
}

function scoreText(score: number | undefined): string {
  return score === undefined ? "" : score.toFixed(0);
}

function Gaps() {
  const { data, error } = useQuery(slaGapsQuery);
  return (
    <Panel name="gaps" title="What is missing">
      {error === null ? null : <Failure error={error} />}
      {data?.meters.length === 0 ? (
        <div className="panel-body">
          <Empty>Nothing is missing.</Empty>
        </div>
      ) : (
        <DataTable
          label="Meters of which intervals are missing"
          columns={["Meter", "Intervals", "Gaps", "Of power quality", "Last refusal"]}
        >
          {data?.meters.map(({ systemTitle, label, missing, gaps, quality, lastCode, attempts }) => (
            <tr key={systemTitle}>
              <th scope="row">
                <MeterLink systemTitle={systemTitle} label={label} />
              </th>
              <td>{formatCount(missing)}</td>
              <td>{counted(gaps.length, "gap")}</td>
              <td>{formatCount(quality?.missing ?? 0)}</td>
              <td>{lastCode === undefined ? "" : <code>{`${lastCode} (${attempts})`}</code>}</td>
            </tr>
          ))}
        </DataTable>
      )}
    </Panel>
  );
}

/** Of what was measured at all. */
function shareOf({ held, wanted, excused }: { held: number; wanted: number; excused: number }): number {
  return wanted === excused ? 1 : held / (wanted - excused);
}

/** Never rounded up: 97.99 % is not 98 %. */
function percent(share: number): string {
  return `${Math.floor(share * 1000) / 10} %`;
}

/** Deadlines count by the clocks of the utility. */
function clockTime(at: string, timeZone: string): string {
  const time = new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit" }).format(new Date(at));
  return time === "00:00" ? "24:00" : time;
}

function wordsOf(text: string): string {
  const code = parseObis(text);
  return code === undefined ? "" : obisInWords(code);
}
