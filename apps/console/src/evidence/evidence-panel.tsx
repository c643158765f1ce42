/** What a number rests on, beside the page it stands on: the octets as they came in, how they were protected, what they said of their source. */
import { Drawer } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { evidenceQuery, overviewQuery } from "../api/queries.ts";
import { counted } from "../format/quantity.ts";
import { localTime } from "../live/live-context.tsx";
import { OctetView } from "../session/octet-view.tsx";
import { Failure } from "../shell/failure.tsx";
import { ProtectionMark, SimulatedMark, TrustMark } from "../shell/marks.tsx";
import { useDecodedApdu } from "./decoded-apdu.ts";
import "@mantine/core/styles/ModalBase.layer.css";
import "@mantine/core/styles/Drawer.layer.css";
import "@mantine/core/styles/Overlay.layer.css";
import "@mantine/core/styles/Paper.layer.css";
import "@mantine/core/styles/CloseButton.layer.css";
import "@mantine/core/styles/UnstyledButton.layer.css";
import "./evidence.css";

export function EvidencePanel({ hash }: { hash: string }) {
  const navigate = useNavigate();
  const close = () =>
    void navigate({
      to: ".",
      search: (before) => ({ ...before, evidence: undefined }) as never,
      resetScroll: false,
    });
  return (
    <Drawer.Root opened onClose={close} position="right" size="min(44rem, 100vw)" lockScroll={false}>
      <Drawer.Overlay />
      {/* The title names the panel only once it has been drawn. */}
      <Drawer.Content aria-label="Evidence">
        <div className="layer-head">
          <Drawer.Title>Evidence</Drawer.Title>
          <Drawer.CloseButton aria-label="Close" />
        </div>
        <Drawer.Body>
          <EvidenceFacts hash={hash} />
        </Drawer.Body>
      </Drawer.Content>
    </Drawer.Root>
  );
}

function EvidenceFacts({ hash }: { hash: string }) {
  const { data, error, refetch } = useQuery(evidenceQuery(hash));
  const overview = useQuery(overviewQuery);
  const decoded = useDecodedApdu(data?.plain);
  if (error !== null) return <Failure error={error} retry={() => void refetch()} />;
  if (data === undefined) return <p className="dim">Fetching the octets …</p>;
  const meter = overview.data?.meters.find(({ systemTitle }) => systemTitle === data.meter);
  return (
    <div className="evidence">
      <p>
        {[
          ...(data.intervals > 0 ? [counted(data.intervals, "interval")] : []),
          ...(data.registers > 0 ? [counted(data.registers, "register")] : []),
        ].join(" and ") || "No stored value"}{" "}
        {data.intervals + data.registers === 1 ? "rests" : "rest"} on these octets, kept as they came in.
      </p>
      <dl className="facts">
        <dt>Meter</dt>
        <dd>
          <Link to="/meters/$systemTitle" params={{ systemTitle: data.meter }}>
            {meter?.label ?? data.meter}
          </Link>{" "}
          {meter?.kind === "simulated" ? <SimulatedMark /> : null}
        </dd>
        <dt>Received</dt>
        <dd>{localTime.full(data.receivedAt)}</dd>
        <dt>By</dt>
        <dd>
          {data.session !== undefined ? (
            <Link to="/sessions/$id" params={{ id: data.session }}>
              a session, step by step
            </Link>
          ) : data.push !== undefined ? (
            `a push from ${data.push.source} over ${data.push.transport.toUpperCase()}`
          ) : (
            "unknown"
          )}
        </dd>
        <dt>Protection</dt>
        <dd>
          <ProtectionMark protection={data.protection} />
        </dd>
        <dt>Trust then</dt>
        <dd>
          <TrustMark trust={data.trustAtCapture} />
        </dd>
        <dt>Trust now</dt>
        <dd>
          <TrustMark trust={data.trustNow} />
        </dd>
        <dt>SHA-256</dt>
        <dd>
          <code>{data.hash}</code>
        </dd>
      </dl>
      <OctetView
        key={decoded === undefined ? "octets" : "decoded"}
        wire={data.apdu}
        plain={data.plain}
        decoded={decoded}
      />
    </div>
  );
}
