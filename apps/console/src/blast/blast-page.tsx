/** How much somebody or something could switch off under the caps, and the drill that last proved it. */
import type { BlastRadius, Reach } from "@meterkeep/api";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { blastQuery } from "../api/queries.ts";
import { counted, formatCount, formatPower, formatShare, spoken } from "../format/quantity.ts";
import { DataTable } from "../shell/data-table.tsx";
import { Failure } from "../shell/failure.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { Amount } from "../shell/quantity.tsx";
import { When } from "../shell/when.tsx";
import { useFeederName } from "../town/feeder-name.ts";
import { RuleLinks } from "../work/rule-link.tsx";
import "../pki/pki.css";
import "./blast.css";

const KINDS: Readonly<Record<Reach["kind"], string>> = {
  person: "Alone",
  pair: "Two together",
  worker: "A process of the head-end",
  handheld: "A handheld",
  key: "A key",
  island: "The whole island",
  "policy-service": "The policy service",
  firmware: "A firmware",
  manufacturer: "A manufacturer",
  authority: "An authority",
};

export function BlastPage() {
  usePageTitle("Blast radius");
  const { data, error, refetch } = useQuery(blastQuery);
  const feederName = useFeederName();
  return (
    <>
      <PageHead
        title="Who could darken how much?"
        lede={
          data === undefined
            ? "Meters and load within reach of each person, pair, process, handheld and key, under the caps."
            : `Of ${counted(data.meters, "meter")} that draw ${spoken(formatPower(data.loadW))}: what is within reach under the caps, in 24 hours. No feeder can lose more than ${spoken(formatShare(data.largestFeederShare, 1))} of its load. Of today's ${counted(data.used.dayCap, "command")} that can switch off, ${data.used.day} are used up.`
        }
      >
        {data === undefined ? null : (
          <p className="dim">
            As of <When at={data.asOf} seconds />
          </p>
        )}
      </PageHead>
      {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
      {data === undefined ? null : (
        <Panel name="reach" title="Within reach">
          <DataTable
            label="Who reaches how much"
            columns={["Who", "Meters", "Share", "Load", "In 10 minutes", "Takes", "Held by, and proven by"]}
            className="blast-table"
          >
            {data.reach.map((one) => (
              <tr key={`${one.kind} ${one.name}`}>
                <th scope="row">
                  <strong>{one.name}</strong>
                  <span className="dim blast-kind">{KINDS[one.kind]}</span>
                </th>
                <td>{formatCount(one.meters)}</td>
                <td>
                  <meter
                    min={0}
                    max={1}
                    low={0.1}
                    high={0.5}
                    optimum={0}
                    value={one.share}
                    aria-label={`Share of the island for ${one.name}`}
                  />{" "}
                  <Amount of={formatShare(one.share, 1)} />
                </td>
                <td>
                  <Amount of={formatPower(one.loadW)} />
                </td>
                <td>{formatCount(one.metersInTenMinutes)}</td>
                <td>{one.meters === 0 ? "" : counted(one.minutes, "minute")}</td>
                <td className="blast-words">
                  <RuleLinks rules={one.bounds} /> {one.sentence}
                  <p className="dim">
                    {one.drill === undefined ? (one.undrilled ?? "no drill yet") : <DrillLink drill={one.drill} />}
                  </p>
                </td>
              </tr>
            ))}
          </DataTable>
        </Panel>
      )}
      {data === undefined ? null : (
        <Panel name="parts" title="What a part of the grid can lose in an hour">
          <DataTable
            label="Feeders and transformers"
            columns={["Part", "Meters", "Load", "At most", "Load of these", "Share"]}
          >
            {data.parts.map((part) => (
              <tr key={`${part.kind} ${part.id}`}>
                <th scope="row">
                  {part.kind} {part.kind === "feeder" ? feederName(part.id) : part.id}
                </th>
                <td>{formatCount(part.meters)}</td>
                <td>
                  <Amount of={formatPower(part.loadW)} />
                </td>
                <td>{formatCount(part.mostMeters)}</td>
                <td>
                  <Amount of={formatPower(part.mostLoadW)} />
                </td>
                <td>
                  <Amount of={formatShare(part.share, 1)} />
                </td>
              </tr>
            ))}
          </DataTable>
          <Times times={data.times} />
        </Panel>
      )}
    </>
  );
}

/** How long things take, as measured here. */
function Times({ times: { cut, rekey, autonomyHours } }: Pick<BlastRadius, "times">) {
  return (
    <dl className="panel-body facts">
      <dt>From alarm to freeze</dt>
      <dd>
        {cut === undefined ? (
          "nothing was frozen from here yet"
        ) : (
          <>
            <When at={cut.at} />
            {cut.afterAlarmSeconds === undefined ? "" : `, ${counted(cut.afterAlarmSeconds, "second")} after the alarm`}
            {cut.afterFirstActMilliseconds === undefined
              ? ""
              : `, in a drill, ${cut.afterFirstActMilliseconds} ms after the first act was seen`}
            {cut.freezeMilliseconds === undefined ? "" : `; the freeze itself took ${cut.freezeMilliseconds} ms`}
          </>
        )}
      </dd>
      <dt>New keys for everybody</dt>
      <dd>
        {rekey === undefined
          ? "not measured yet"
          : `${counted(rekey.minutes, "minute")}, at ${formatCount(rekey.metersAnHour)} meters an hour`}
      </dd>
      <dt>Readings kept while nobody reads</dt>
      <dd>{autonomyHours === undefined ? "not known" : `95 % of them for ${counted(autonomyHours, "hour")}`}</dd>
    </dl>
  );
}

function DrillLink({ drill }: { drill: NonNullable<Reach["drill"]> }) {
  return (
    <Link to="/drill/$id" params={{ id: drill.id }}>
      {drill.sentence} <When at={drill.at} />
    </Link>
  );
}
