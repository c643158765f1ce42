import type { MeterDetail } from "@meterkeep/api";
import { stepWords } from "../session/ladder-rows.ts";
import { DataTable } from "../shell/data-table.tsx";
import { WallClock } from "../shell/marks.tsx";
import { Panel } from "../shell/panel.tsx";
import { When } from "../shell/when.tsx";

type Enrolment = NonNullable<MeterDetail["enrolment"]>;

const USES: Readonly<Record<Enrolment["certificates"][number]["use"], string>> = {
  digitalSignature: "signs",
  keyAgreement: "agrees on keys",
  tls: "calls over TLS",
};

const STATES: Readonly<Record<Enrolment["certificates"][number]["state"], string>> = {
  issued: "issued, not on it yet",
  "on-meter": "on it, octet for octet",
  proven: "proven",
  former: "the one before",
};

const ANCHORS: Readonly<Record<Enrolment["anchor"], string>> = {
  unknown: "nobody has said or seen which it was made with",
  ordered: "ours, as its signed shipment says",
  verified: "ours, as it exported it itself",
  missing: "it was not made with ours; that takes firmware or a visit",
  other: "another than ours; that takes firmware or a visit",
  compromised: "compromised; that takes firmware or a visit",
};

/** A meter's certificates and how it came by them. Its private keys are in the meter and nowhere else. */
export function Certificates({ enrolment }: { enrolment: MeterDetail["enrolment"] }) {
  if (enrolment === undefined) return null;
  const { anchor, certificates, sentence, steps } = enrolment;
  return (
    <Panel name="certificates" title="Certificates" beside={<WallClock />}>
      <p className="keys-note">{sentence}</p>
      <p className="keys-note">{`Trust anchor: ${ANCHORS[anchor]}.`}</p>
      {certificates.length === 0 ? null : (
        <DataTable label="Certificates by use" columns={["Subject", "Serial", "Valid", "State"]} inset>
          {certificates.map(({ use, subject, serial, issuedBy, notBefore, notAfter, state }) => (
            <tr key={serial} className={state === "former" ? "dim" : undefined}>
              <td>
                {subject}
                <span className="key-says">{USES[use]}</span>
              </td>
              <td>
                <code>{serial}</code>
                <span className="key-says">{issuedBy}</span>
              </td>
              <td>
                <When at={notBefore} />
                <span className="key-says">{notAfter === undefined ? "no end" : <When at={notAfter} />}</span>
              </td>
              <td>{STATES[state]}</td>
            </tr>
          ))}
        </DataTable>
      )}
      {steps.length === 0 ? null : (
        <details className="panel-body">
          <summary>{steps.length} steps</summary>
          <ol>
            {steps.map(({ step, detail, outcome, at }) => (
              <li key={`${at} ${step} ${detail}`} className={outcome === "passed" ? undefined : "dim"}>
                {stepWords(step)}: {detail} (<When at={at} />)
              </li>
            ))}
          </ol>
        </details>
      )}
    </Panel>
  );
}
