import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { type Custodian, MAX_PAGE_STATES, type TakeoverState } from "@meterkeep/api/custodian";
import type { CustodianClient } from "@meterkeep/api/custodian-channel";
import { type SystemTitle, systemTitleText } from "@meterkeep/dlms";
import { CliError } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { type RunningServer, runningServer } from "../operator/server.ts";
import { type Terminal, type TerminalOutput, write } from "../terminal.ts";
import {
  algorithmComponents,
  authorityComponent,
  type Component,
  documentHead,
  type MeterFound,
  meterComponent,
  protocolComponent,
} from "./document.ts";

/** Meters that are asked about at a time. */
const AT_ONCE = 16;

/**
 * `meterkeep cbom`: the cryptographic bill of materials of a running Meterkeep (CycloneDX 1.6), drawn from what is there:
 * connections as they were negotiated (to the custodian, and to concentrators), the authorities, and of every meter its suite, keys, certificates and takeover.
 * Meters are written as they come; a fleet is never in memory.
 */
export async function cbom(options: OperatorOptions & { readonly out?: string }, terminal: Terminal): Promise<void> {
  const server = runningServer(options.state, terminal);
  const output: TerminalOutput = options.out === undefined ? terminal.stdout : createWriteStream(options.out);
  let count = 0;
  const put = async (component: Component): Promise<void> => {
    await write(output, `${count === 0 ? "" : ","}\n${JSON.stringify(component)}`);
    count += 1;
  };
  await asOperator(options.state, terminal, async (custodian) => {
    const now = Date.now();
    const { version } = await custodian.status({});
    await write(output, documentHead({ version, serial: randomUUID(), now }));
    for (const component of algorithmComponents()) await put(component);
    const negotiated = await custodian.negotiated();
    if (negotiated !== undefined) await put(protocolComponent({ name: "custodian-channel", ...negotiated }));
    for (const { since: _, name, ...one } of (await server.call("connections", {})).connections)
      await put(
        protocolComponent({ name: name === "custodian" ? "head-end-to-custodian" : `concentrator-${name}`, ...one }),
      );
    for (const authority of (await custodian.authorities({})).authorities) await put(authorityComponent(authority));
    for (let after: SystemTitle | undefined; ; ) {
      const { states } = await custodian.takeoverStates({ meters: [], after });
      for (let from = 0; from < states.length; from += AT_ONCE) {
        const some = states.slice(from, from + AT_ONCE);
        const found = await Promise.all(some.map((state) => meterFound(custodian, server, state)));
        for (const meter of found) await put(meterComponent(meter, now));
      }
      after = states.at(-1)?.meter;
      if (states.length < MAX_PAGE_STATES) break;
    }
  });
  await write(output, "\n]}\n");
  if (output === terminal.stdout) return;
  output.end();
  await finished(output);
  await write(terminal.stderr, `${count} components: ${options.out}\n`);
}

async function meterFound(
  custodian: Pick<Custodian, "describeKeys" | "searchCertificates"> & CustodianClient,
  server: RunningServer,
  state: TakeoverState,
): Promise<MeterFound> {
  const title = systemTitleText(state.meter);
  const [{ keys }, { certificates }, suite] = await Promise.all([
    custodian.describeKeys({ meter: state.meter }),
    custodian.searchCertificates({
      utility: undefined,
      authority: undefined,
      serial: undefined,
      keyIdentifier: undefined,
      subject: undefined,
      endsBefore: undefined,
      after: undefined,
      systemTitle: title,
      state: "valid",
      limit: 20,
    }),
    suiteOf(server, title),
  ]);
  return { state, suite, keys, certificates };
}

/** A meter that is in custody and that the head-end does not know has no known suite. */
async function suiteOf(server: RunningServer, systemTitle: string): Promise<number | undefined> {
  try {
    return (await server.call("meter", { params: { systemTitle } })).identity.securitySuite;
  } catch (error) {
    if (error instanceof CliError && error.code === "server-refused") return undefined;
    throw error;
  }
}
