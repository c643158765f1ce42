import type { MeterDetail } from "@meterkeep/api";
import type { ReactNode } from "react";
import { localTime } from "../live/live-context.tsx";
import { keyed } from "../shell/keyed.ts";
import { Panel } from "../shell/panel.tsx";

/** As the route is written of a meter whose address changes. */
const MOVES = /[?&]moves=yes$/;

/** Who it says it is, where that was checked against, and how it is reached. */
export function Identity({ detail }: { detail: MeterDetail }) {
  const { identity, profile, destinations, incidents, intervals } = detail;
  const facts: readonly (readonly [string, ReactNode])[] = [
    ["System title", <code key="st">{identity.systemTitle}</code>],
    ["Manufacturer", identity.manufacturer],
    ["Logical device", identity.logicalDeviceName],
    ["Serial number", identity.serialNumber],
    ["Model", joined(identity.model, identity.hardwareRevision)],
    ["Firmware", identity.firmware],
    ["Security suite", String(identity.securitySuite)],
    ["Shipment", identity.shipment === undefined ? undefined : <code key="sh">{identity.shipment}</code>],
    ["Factory keys held by", identity.holders.join(", ")],
    ["Imported", localTime.full(identity.importedAt)],
    [
      "Intervals",
      `${intervals.held} held, ${intervals.missing} missing${
        intervals.missingQuality === undefined ? "" : `; of power quality ${intervals.missingQuality} missing`
      }`,
    ],
    ...(profile === undefined
      ? []
      : ([
          ["Profile", profile.name],
          ["Clients", `${profile.managementClient} management, ${profile.publicClient} public`],
          ["Ciphering", profile.securityHeader === "general" ? "general-glo-ciphering" : "service-specific"],
          ["Load profile", `${profile.loadProfile}, every ${profile.periodSeconds / 60} min, by ${profile.access}`],
          ["PDU size", `${profile.maxPduSizeBytes} octets`],
        ] as const)),
    ...destinations.map(({ purpose, address, authenticated }): readonly [string, ReactNode] => [
      { read: "Read at", depot: "Depot bench", "push-source": "Pushes from" }[purpose],
      <>
        <code>{address.replace(MOVES, "")}</code>
        {MOVES.test(address) ? ", and from wherever it proves itself next" : ""}{" "}
        {authenticated ? "" : <span className="dim">not authenticated</span>}
      </>,
    ]),
    ...incidents.map(({ sentence, at, count }): readonly [string, ReactNode] => [
      "Destination incident",
      `${localTime.full(at)}: ${sentence}${count > 1 ? ` (${count} times)` : ""}`,
    ]),
  ];
  return (
    <Panel name="identity" title="Identity">
      <dl className="panel-body facts">
        {keyed(facts).map(({ key, item: [name, value] }) =>
          value === undefined || value === "" ? null : <FactRow key={key} name={name} value={value} />,
        )}
      </dl>
    </Panel>
  );
}

function FactRow({ name, value }: { name: string; value: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

function joined(a: string | undefined, b: string | undefined): string | undefined {
  return a === undefined ? b : b === undefined ? a : `${a}, ${b}`;
}
