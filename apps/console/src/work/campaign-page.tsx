/** A campaign: what is at stake, who approved, its waves and meters, and everything that was decided. When it has ended this is its report. */
import type { CampaignView } from "@meterkeep/api";
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { campaignQuery, campaignTargetsQuery, meQuery } from "../api/queries.ts";
import { counted, formatPower } from "../format/quantity.ts";
import { DataTable } from "../shell/data-table.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { Amount } from "../shell/quantity.tsx";
import { When } from "../shell/when.tsx";
import { CampaignActs } from "./campaign-acts.tsx";
import { countWords, hasEnded, STATE_WORDS } from "./campaign-words.ts";
import { DryRunView } from "./dry-run-view.tsx";
import { RuleLinks } from "./rule-link.tsx";
import { SignLink } from "./sign-link.tsx";
import { Stake } from "./stake.tsx";
import "../pki/pki.css";
import "./work.css";
import { MeterLink } from "../shell/meter-link.tsx";

export function CampaignPage() {
  const { id } = useParams({ from: "/frame/work/$id" });
  const { data: me } = useSuspenseQuery(meQuery);
  const { data } = useSuspenseQuery(campaignQuery(id));
  const { campaign, manifest, note, workOrder, history, dryRun, releasedBy } = data;
  usePageTitle(campaign.words);
  return (
    <>
      <PageHead
        crumb={<Link to="/work">Work</Link>}
        title={campaign.words}
        lede={`It ${STATE_WORDS[campaign.state].replace(/^set/, "was set")}. ${campaign.sentence}`}
        live
      >
        <CampaignActs campaign={campaign} scopes={me.scopes} />
      </PageHead>
      <div className="work-stack">
        <Panel name="stake" title={hasEnded(campaign.state) ? "Report" : "At stake"}>
          <div className="panel-body">
            <Stake meters={campaign.targets} loadW={campaign.loadAtRiskW} />
            <dl className="facts">
              <dt>Meters</dt>
              <dd>{countWords(campaign.counts)}</dd>
              <dt>Asked for by</dt>
              <dd>
                {campaign.requester}
                {releasedBy === undefined ? "" : `, released by ${releasedBy}`}
              </dd>
              <dt>Why</dt>
              <dd>
                {[campaign.reason, note, workOrder === "" ? "" : `work order ${workOrder}`].filter(Boolean).join(", ")}
              </dd>
              <dt>Window</dt>
              <dd>
                <When at={campaign.notBefore} /> to <When at={campaign.notAfter} />
              </dd>
              <dt>Approved by</dt>
              <dd>
                {manifest === undefined || manifest.approvedBy.length === 0 ? "nobody" : manifest.approvedBy.join(", ")}
                {manifest?.missing === undefined ? "" : `; ${manifest.missing}`}
              </dd>
            </dl>
            {manifest !== undefined && campaign.state === "awaiting-approval" ? (
              <SignLink manifest={manifest} words={campaign.words} />
            ) : null}
          </div>
        </Panel>
        <Waves waves={data.waves} />
        <Targets id={id} />
        <Panel name="dry" title="Dry run">
          <div className="panel-body">
            <DryRunView dryRun={dryRun} />
          </div>
        </Panel>
        <Panel name="history" title="Decided so far">
          <ol className="panel-body history">
            {history.map(({ at, by, what, sentence }) => (
              <li key={`${at} ${what} ${sentence}`}>
                <When at={at} seconds /> <strong>{by}</strong> {sentence}
              </li>
            ))}
          </ol>
        </Panel>
      </div>
    </>
  );
}

function Waves({ waves }: Pick<CampaignView, "waves">) {
  if (waves.length === 0) return null;
  return (
    <Panel name="waves" title={counted(waves.length, "wave")}>
      <ol className="panel-body waves">
        {waves.map(({ number, targets, state, counts, begunAt }) => (
          <li key={number} className={`wave-${state}`}>
            <strong>
              {counted(targets, "meter")}: {state.replace("-", " ")}
            </strong>
            <span>{countWords(counts)}</span>
            {begunAt === undefined ? null : <When at={begunAt} seconds />}
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Targets({ id }: { id: string }) {
  const { data } = useQuery(campaignTargetsQuery(id));
  const targets = data?.targets ?? [];
  if (targets.length === 0) return null;
  return (
    <Panel name="targets" title="Meters">
      <DataTable
        label="What became of each meter"
        columns={["Meter", "Wave", "State", "Drew", "Read back", "Session", "Why"]}
      >
        {targets.map((one) => (
          <tr key={one.meter}>
            <th scope="row">
              <MeterLink systemTitle={one.meter} label={one.label} />
            </th>
            <td>{one.wave}</td>
            <td>{one.state}</td>
            <td>
              <Amount of={formatPower(one.loadW)} />
            </td>
            <td>
              {one.supply ?? ""} {one.powerW === undefined ? null : <Amount of={formatPower(one.powerW)} />}
            </td>
            <td>
              {one.session === undefined ? (
                ""
              ) : (
                <Link to="/sessions/$id" params={{ id: one.session }}>
                  step by step<span className="visually-hidden"> with {one.label}</span>
                </Link>
              )}
            </td>
            <td>
              {one.rule === undefined ? null : <RuleLinks rules={[one.rule]} />}
              {one.sentence}
            </td>
          </tr>
        ))}
      </DataTable>
    </Panel>
  );
}
