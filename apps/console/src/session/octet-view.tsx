/** Octets on demand: on the wire, in plain, and as a tree. */

import { Tabs } from "@mantine/core";
import type { LadderStep } from "@meterkeep/api";
import { counted } from "../format/quantity.ts";
import { keyed } from "../shell/keyed.ts";
import { ScrollRegion } from "../shell/scroll-region.tsx";
import { hexDump } from "./octets.ts";
import "@mantine/core/styles/UnstyledButton.layer.css";
import "@mantine/core/styles/Tabs.layer.css";
import "./octet-view.css";

interface OctetViewProps {
  readonly wire: string | undefined;
  readonly plain: string | undefined;
  readonly decoded: LadderStep["decoded"];
}

export function OctetView({ wire, plain, decoded }: OctetViewProps) {
  const first = decoded !== undefined ? "decoded" : plain !== undefined ? "plain" : "wire";
  return (
    <Tabs defaultValue={first} className="octet-view" keepMounted={false}>
      <Tabs.List aria-label="Views of these octets">
        {decoded === undefined ? null : <Tabs.Tab value="decoded">Decoded</Tabs.Tab>}
        {plain === undefined ? null : <Tabs.Tab value="plain">Plain octets</Tabs.Tab>}
        {wire === undefined ? null : <Tabs.Tab value="wire">On the wire</Tabs.Tab>}
      </Tabs.List>
      {decoded === undefined ? null : (
        <Tabs.Panel value="decoded">
          <DecodedTree lines={decoded} />
        </Tabs.Panel>
      )}
      {plain === undefined ? null : (
        <Tabs.Panel value="plain">
          <Dump hex={plain} label="Plain octets" />
        </Tabs.Panel>
      )}
      {wire === undefined ? null : (
        <Tabs.Panel value="wire">
          <Dump hex={wire} label="Octets on the wire" />
        </Tabs.Panel>
      )}
    </Tabs>
  );
}

export function DecodedTree({ lines }: { lines: NonNullable<LadderStep["decoded"]> }) {
  return (
    <ScrollRegion className="decoded" label="Decoded">
      <dl>
        {keyed(lines).map(({ key, item: { depth, name, value } }) => (
          <div key={key} style={{ paddingInlineStart: `${depth * 1.1}rem` }}>
            <dt>{name}</dt>
            <dd>{value ?? ""}</dd>
          </div>
        ))}
      </dl>
    </ScrollRegion>
  );
}

export function Dump({ hex, label }: { hex: string; label: string }) {
  const lines = hexDump(hex);
  return (
    <ScrollRegion className="dump" label={label}>
      <pre>
        {lines.map(({ offset, hex: octets, text }) => (
          <span key={offset} className="dump-line">
            <span className="dump-offset">{offset} </span>
            <span className="dump-hex">{octets.padEnd(47)}</span>
            <span className="dump-text"> {text}</span>
            {"\n"}
          </span>
        ))}
      </pre>
      <p className="dim">{counted(hex.length / 2, "octet")}</p>
    </ScrollRegion>
  );
}
