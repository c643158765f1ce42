import { systemTitleText } from "@meterkeep/dlms";
import type { AccessOptions } from "../access/access-options.ts";
import { keptCountersFile, openKeptCounters } from "../access/kept-counters.ts";
import { type MeterAccess, resolveAccess } from "../access/meter-access.ts";
import { openMeter } from "../access/open-meter.ts";
import { CliError } from "../error.ts";
import { type Terminal, write } from "../terminal.ts";
import { discover } from "./discover.ts";
import type { MeterRead } from "./meter-read.ts";
import { readText } from "./print.ts";

/** The options of `meterkeep read`. */
export interface ReadOptions extends AccessOptions {
  readonly objects?: boolean;
  readonly rows?: string;
  readonly json?: boolean;
}

const MOST_ROWS = 1_000;

/** Runs `meterkeep read`. @throws CliError, TransportError, SessionError */
export async function readMeter(address: string, options: ReadOptions, terminal: Terminal): Promise<void> {
  const rows = Number(options.rows ?? 0);
  if (!Number.isInteger(rows) || rows < 0 || rows > MOST_ROWS)
    throw new CliError("option-invalid", `--rows must be a whole number from 0 to ${MOST_ROWS}`);
  const access = await resolveAccess(address, options, terminal);
  const counters = openKeptCounters(keptCountersFile(terminal.env));
  await using meter = await openMeter(access, { counters, signal: terminal.interrupted });
  const { deviceName, ...holdings } = await discover(meter.session, rows);
  const { serverSystemTitle } = meter.session.negotiated;
  const read: MeterRead = {
    meter: { systemTitle: serverSystemTitle === undefined ? null : systemTitleText(serverSystemTitle), deviceName },
    association: associationInWords(access),
    ...holdings,
  };
  const text = options.json === true ? `${JSON.stringify(read)}\n` : readText(read, options.objects === true);
  await write(terminal.stdout, text);
}

/** Who was let in how, and what protects what is read. */
export function associationInWords({ clientSap, mechanism, keys, protection, suite, form }: MeterAccess): string {
  const who = `client ${clientSap}, mechanism ${mechanism}`;
  if (keys === undefined) return `${who}; nothing is protected: whoever is on the line can read and change it`;
  const kinds = [
    ...(protection.authenticated ? ["authenticated"] : []),
    ...(protection.encrypted ? ["encrypted"] : []),
  ];
  return `${who}; ${kinds.join(" and ")}, suite ${suite}, ${form}`;
}
