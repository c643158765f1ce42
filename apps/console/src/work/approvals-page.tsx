/** What waits for people: campaigns to be signed at the custodian, with meters and load before anything else, and what the guard has set aside. */
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { campaignQuery, campaignsQuery, meQuery, quarantineQuery, rulesQuery } from "../api/queries.ts";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { When } from "../shell/when.tsx";
import { KillSwitch } from "./kill-switch.tsx";
import { QuarantineCard } from "./quarantine-card.tsx";
import { SignLink } from "./sign-link.tsx";
import { Stake } from "./stake.tsx";
import "./work.css";

export function ApprovalsPage() {
  usePageTitle("Approvals");
  const { data: me } = useSuspenseQuery(meQuery);
  const campaigns = useQuery(campaignsQuery);
  const quarantine = useQuery(quarantineQuery);
  const rules = useQuery(rulesQuery);
  const waiting = campaigns.data?.campaigns.filter(({ state }) => state === "awaiting-approval") ?? [];
  const held = quarantine.data?.items.filter(({ state }) => state === "waiting") ?? [];
  const decided = quarantine.data?.items.filter(({ state }) => state !== "waiting") ?? [];
  const error = campaigns.error ?? quarantine.error;
  return (
    <>
      <PageHead
        title="Approvals"
        lede="You sign at the custodian, what it shows you there. Whoever asks does not approve, and two people with two sets of roles decide what can darken homes."
      >
        <KillSwitch frozen={rules.data?.frozen} may={me.scopes.includes("freeze")} />
      </PageHead>
      {error === null ? null : <Failure error={error} retry={() => void campaigns.refetch()} />}
      <div className="work-stack">
        <section aria-labelledby="waiting-title" className="cards">
          <h2 id="waiting-title">To be signed</h2>
          {campaigns.data !== undefined && waiting.length === 0 ? <Empty>Nothing waits for a signature.</Empty> : null}
          {waiting.map(({ id }) => (
            <ApprovalCard key={id} id={id} />
          ))}
        </section>
        <section aria-labelledby="held-title" className="cards">
          <h2 id="held-title">Set aside by the guard</h2>
          {quarantine.data !== undefined && held.length === 0 ? <Empty>Nothing is set aside.</Empty> : null}
          {held.map((item) => (
            <QuarantineCard key={item.id} item={item} me={me} />
          ))}
        </section>
        {decided.length === 0 ? null : (
          <Panel name="decided" title="Decided">
            <ul className="panel-body history">
              {decided.map(({ id, campaign, words, state, decidedBy, decidedAt, decision }) => (
                <li key={id}>
                  <Link to="/work/$id" params={{ id: campaign }}>
                    {words}
                  </Link>{" "}
                  {state} by {decidedBy} {decidedAt === undefined ? null : <When at={decidedAt} />}
                  {decision === undefined ? "" : `: ${decision}`}
                </li>
              ))}
            </ul>
          </Panel>
        )}
      </div>
    </>
  );
}

function ApprovalCard({ id }: { id: string }) {
  const { data, error } = useQuery(campaignQuery(id));
  if (error !== null) return <Failure error={error} />;
  if (data === undefined) return null;
  const { campaign, manifest, note } = data;
  return (
    <article className="panel card" aria-labelledby={`card-${id}`}>
      <h3 id={`card-${id}`}>
        <Link to="/work/$id" params={{ id }}>
          {campaign.words}
        </Link>
      </h3>
      <Stake meters={campaign.targets} loadW={campaign.loadAtRiskW} />
      <p>
        {`Asked for by ${campaign.requester}: ${[campaign.reason, note].filter(Boolean).join(", ")}. `}
        {manifest === undefined || manifest.approvedBy.length === 0
          ? "Nobody has signed it."
          : `Signed by ${manifest.approvedBy.join(", ")}.`}
      </p>
      {manifest === undefined ? null : <SignLink manifest={manifest} words={campaign.words} />}
    </article>
  );
}
