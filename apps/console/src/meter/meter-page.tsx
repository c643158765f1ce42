/** One meter: who it is, how far it is trusted and why, which keys it has, what it said, and how. */
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { meterQuery, overviewQuery } from "../api/queries.ts";
import { asSentence } from "../format/words.ts";
import { ProtectionMark, SimulatedMark, TrustShape } from "../shell/marks.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { TRUST_LOOKS } from "../town/trust.ts";
import { Certificates } from "./certificates.tsx";
import { LeaveMeter } from "./departure.tsx";
import { Disputes } from "./disputes.tsx";
import { Identity } from "./identity.tsx";
import { Keys } from "./keys.tsx";
import { MeterEvents } from "./meter-events.tsx";
import { MeterWork } from "./meter-work.tsx";
import { PowerQuality } from "./power-quality.tsx";
import { ReadingsChart } from "./readings-chart.tsx";
import { Registers } from "./registers.tsx";
import { Sessions } from "./sessions.tsx";
import { Takeover } from "./takeover.tsx";
import { TrustHistory } from "./trust-history.tsx";
import "./meter.css";

const SUPPLY_WORDS = { connected: "supplied", disconnected: "dark", unknown: "supply not read yet" } as const;

export function MeterPage() {
  const { systemTitle } = useParams({ from: "/frame/meters/$systemTitle" });
  // Another meter is another page: what was opened on this one stays with it.
  return <Meter key={systemTitle} systemTitle={systemTitle} />;
}

function Meter({ systemTitle }: { systemTitle: string }) {
  const { data } = useSuspenseQuery(meterQuery(systemTitle));
  const overview = useQuery(overviewQuery);
  // The stream keeps the town's lines fresh; the page's own answer is read again when something else changes.
  const meter = overview.data?.meters.find((line) => line.systemTitle === systemTitle) ?? data.meter;
  const feeder = overview.data?.grid?.feeders.find(({ id }) => id === meter.feeder);
  const look = TRUST_LOOKS[meter.trust];
  usePageTitle(meter.label);
  const attached = meter.role === "attached";
  const hasLeft = meter.takeover === "left";
  return (
    <>
      <PageHead
        crumb={
          <>
            <Link to="/">Town</Link>
            {feeder === undefined ? null : ` / ${feeder.name}`}
          </>
        }
        title={
          <>
            <TrustShape trust={meter.trust} size={34} />
            {meter.label}
          </>
        }
        titleClass="meter-title"
        lede={
          <>
            <strong className={`tone-${look.tone}`}>{asSentence(look.word)}</strong> {meter.trustSentence}
          </>
        }
      >
        <span className="marks">
          {meter.kind === "simulated" ? <SimulatedMark /> : <span className="mark">real</span>}
          <span className="mark">{SUPPLY_WORDS[meter.supply]}</span>
          {meter.protection === undefined ? null : <ProtectionMark protection={meter.protection} />}
          {meter.stale ? <span className="mark">stale</span> : null}
          <span className="mark">{meter.profile}</span>
        </span>
      </PageHead>
      <div className="meter-grid">
        <div className="meter-main">
          <ReadingsChart detail={data} />
          <Registers systemTitle={systemTitle} simulated={meter.kind === "simulated"} attached={attached} />
          <Disputes systemTitle={systemTitle} />
          {attached ? null : (
            <>
              <MeterEvents systemTitle={systemTitle} />
              <PowerQuality systemTitle={systemTitle} />
              {hasLeft ? null : <MeterWork systemTitle={systemTitle} profile={meter.profile} />}
            </>
          )}
          <Sessions
            systemTitle={systemTitle}
            lastSession={data.lastSession}
            meterName={meter.label}
            attached={attached}
          />
        </div>
        <div className="meter-side">
          <Takeover takeover={data.takeover} />
          <Keys keys={data.keys} />
          <Certificates enrolment={data.enrolment} />
          <TrustHistory trust={data.trust} role={meter.role} />
          <Identity detail={data} />
          {attached || hasLeft ? null : <LeaveMeter systemTitle={systemTitle} />}
        </div>
      </div>
    </>
  );
}
