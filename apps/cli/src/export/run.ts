import { open, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { CliError, EXIT } from "../error.ts";
import { runningServerOctets } from "../operator/server.ts";
import type { Terminal } from "../terminal.ts";

export interface ExportOptions {
  readonly from: string;
  readonly to: string;
  readonly format: string;
  readonly trust: string;
  readonly meter?: string;
  readonly out?: string;
  readonly state?: string;
}

const ROUTES = { intervals: "exportIntervals", registers: "exportRegisters", events: "exportEvents" } as const;

/** `meterkeep export`: the octets go on as they come. A file that is not whole is taken away. */
export async function exportReadings(
  what: keyof typeof ROUTES,
  { from, to, format, trust, meter, out, state }: ExportOptions,
  terminal: Terminal,
): Promise<void> {
  if (out === undefined && format === "parquet" && terminal.stdout.isTTY === true)
    throw new CliError("option-invalid", "Parquet is not for a terminal: name a file with --out, or pipe it on");
  const query = { format, from, to, trust, ...(meter === undefined ? {} : { meter: meter.toUpperCase() }) };
  const octets = await runningServerOctets(state, terminal, ROUTES[what], { query });
  const { interrupted: signal } = terminal;
  if (out === undefined) {
    await pipeline(octets, terminal.stdout, { signal, end: false }).catch((cause: NodeJS.ErrnoException) => {
      // Whoever read it has enough.
      if (cause.code !== "EPIPE") throw brokenOff(cause, signal);
    });
    return;
  }
  const file = await open(out, "wx", 0o600).catch((cause: Error) => {
    octets.destroy();
    throw new CliError("option-invalid", `--out: ${cause.message}`, { cause });
  });
  await pipeline(octets, file.createWriteStream(), { signal }).catch(async (cause: Error) => {
    await rm(out, { force: true });
    throw brokenOff(cause, signal);
  });
}

function brokenOff(cause: Error, { aborted }: AbortSignal): CliError {
  const [code, message] = aborted
    ? (["interrupted", "the export was stopped before it was whole"] as const)
    : (["server-refused", "the export broke off and is not whole: try again"] as const);
  return new CliError(code, message, { exitStatus: EXIT.refused, cause });
}
