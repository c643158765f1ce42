import { chmodSync, copyFileSync, existsSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CliError, EXIT } from "../error.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { operatorConfig } from "../operator/server.ts";
import { type Terminal, write } from "../terminal.ts";

const MOST_HEADER_BYTES = 16 * 1024;

/**
 * `meterkeep shipment import`: puts a shipment where the running Meterkeep takes shipments from. The custodian judges it; what
 * it says stands on the page, in the ledger, and in `meterkeep meter list`.
 */
export async function importShipment(file: string, options: OperatorOptions, terminal: Terminal): Promise<void> {
  const { exchangeDirectory } = operatorConfig(options.state, terminal);
  const shipment = shipmentIn(file);
  const target = join(exchangeDirectory, "shipments", `${shipment}.mks`);
  const isNew = !existsSync(target);
  if (isNew) {
    // Under another name first: a file that is still being copied is nobody's shipment.
    const part = `${target}.part`;
    try {
      copyFileSync(file, part);
      // The server runs as somebody else; what is in it is sealed.
      chmodSync(part, 0o644);
      renameSync(part, target);
    } catch (cause) {
      rmSync(part, { force: true });
      throw new CliError("input-unreadable", `${file} cannot be copied to ${exchangeDirectory}: ${messageOf(cause)}`, {
        cause,
      });
    }
  }
  const text = isNew
    ? `Shipment ${shipment} is handed over. What becomes of it: npx meterkeep meter list, and the page's events.\n`
    : `Shipment ${shipment} was handed over before: nothing is done twice.\n`;
  await write(terminal.stdout, options.json === true ? `${JSON.stringify({ shipment, isNew })}\n` : text);
}

/** The id in the first line. */
function shipmentIn(file: string): string {
  let first: string;
  try {
    const octets = Buffer.alloc(MOST_HEADER_BYTES);
    const length = readSync(openSync(file, "r"), octets);
    first = octets.toString("utf8", 0, length).split("\n")[0] as string;
  } catch (cause) {
    throw new CliError("input-unreadable", `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  const id = /^\{"type":"meterkeep-shipment","version":\d+,"shipment":"([0-9a-f]{32})",/.exec(first)?.[1];
  if (id === undefined)
    throw new CliError("input-unreadable", `${file} is no shipment: see docs/formats/shipment.md`, {
      exitStatus: EXIT.refused,
    });
  return id;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
