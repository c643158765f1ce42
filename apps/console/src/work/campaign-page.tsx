/** A campaign: what is at stake, who approved, its waves and meters, and everything that was decided. When it has ended this is its report. */
import type { CampaignView } from "@meterkeep/api";
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { campaignQuery, campaignTargetsQuery, meQuery } from "../api/queries.ts";
import { counted, formatPower } from "../format/quantity.ts";
import { usePageTitle } from "../shell/page-title.ts";
import { Amount } from "../shell/quantity.tsx";
import { ScrollRegion } from "../shell/scroll-region.tsx";
import { When } from "../shell/when.tsx";
import { CampaignActs } from "./campaign-acts.tsx";
import { countWords, hasEnded, STATE_WORDS } from "./campaign-words.ts";
import { DryRunView } from "./dry-run-view.tsx";
import { RuleLinks } from "./rule-link.tsx";
import { SignLink } from "./sign-link.tsx";
import { Stake } from "./stake.tsx";
import "../pki/pki.css";
import "./work.css";

export function CampaignPage() {
  const { id } = useParams({ from: "/frame/work/$id" });
  const { data: me } = useSuspenseQuery(meQuery);
  const { data } = useSuspenseQuery(campaignQuery(id));
  const { campaign, manifest, note, workOrder, history, dryRun, releasedBy } = data;
  usePageTitle(campaign.words);
  return (
    <>
      <div className="page-head">
        <div>
          <p className="crumb">
            <Link to="/work">Work</Link>
          </p>
          <h1>{campaign.words}</h1>
          <p className="lede" role="status">
            {`It ${STATE_WORDS[campaign.state].replace(/^set/, "was set")}. ${campaign.sentence}`}
          </p>
        </div>
        <CampaignActs campaign={campaign} scopes={me.scopes} />
      </div>
      <div className="work-stack">
        <section className="panel" aria-labelledby="stake-title">
          <div className="panel-head">
            <h2 id="stake-title">{hasEnded(campaign.state) ? "Report" : "At stake"}</h2>
          </div>
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
        </section>
        <Waves waves={data.waves} />
        <Targets id={id} />
        <section className="panel" aria-labelledby="dry-title">
          <div className="panel-head">
            <h2 id="dry-title">Dry run</h2>
          </div>
          <div className="panel-body">
            <DryRunView dryRun={dryRun} />
          </div>
        </section>
        <section className="panel" aria-labelledby="history-title">
          <div className="panel-head">
            <h2 id="history-title">Decided so far</h2>
          </div>
          <ol className="panel-body history">
            {history.map(({ at, by, what, sentence }) => (
              <li key={`${at} ${what} ${sentence}`}>
                <When at={at} seconds /> <strong>{by}</strong> {sentence}
              </li>
            ))}
          </ol>
        </section>
      </div>
    </>
  );
}

function Waves({ waves }: Pick<CampaignView, "waves">) {
  if (waves.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="waves-title">
      <div className="panel-head">
        <h2 id="waves-title">{counted(waves.length, "wave")}</h2>
      </div>
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
    </section>
  );
}

function Targets({ id }: { id: string }) {
  const { data } = useQuery(campaignTargetsQuery(id));
  const targets = data?.targets ?? [];
  if (targets.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="targets-title">
      <div className="panel-head">
        <h2 id="targets-title">Meters</h2>
      </div>
      <ScrollRegion className="scroll-x" label="What became of each meter">
        <table className="pki-table">
          <thead>
            <tr>
              <th scope="col">Meter</th>
              <th scope="col">Wave</th>
              <th scope="col">State</th>
              <th scope="col">Drew</th>
              <th scope="col">Read back</th>
              <th scope="col">Session</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {targets.map((one) => (
              <tr key={one.meter}>
                <th scope="row">
                  <Link to="/meters/$systemTitle" params={{ systemTitle: one.meter }}>
                    {one.label}
                  </Link>
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
          </tbody>
        </table>
      </ScrollRegion>
    </section>
  );
}
