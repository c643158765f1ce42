import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { EXIT } from "../error.ts";
import { type Terminal, write } from "../terminal.ts";

/** Options of `meterkeep shipment convert`. */
export interface ConvertOptions {
  readonly from: string;
  readonly mapping: string;
  readonly recipient: readonly string[];
  readonly signing: string;
  readonly sender: string;
  readonly flag: string;
  readonly customer: string;
  readonly kind: string;
  readonly passwordFile?: string;
  readonly output: string;
  readonly json?: boolean;
}

/** `meterkeep shipment convert`: in a process of the factory's, so that no key of the list is in this one. */
export async function convert(file: string, options: ConvertOptions, terminal: Terminal): Promise<void> {
  const { recipient, json, passwordFile, from, mapping, signing, sender, flag, customer, kind, output } = options;
  const given = { from, mapping, signing, sender, flag, customer, kind, output };
  const args = [
    ...Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]),
    ...recipient.flatMap((path) => ["--recipient", path]),
    ...(passwordFile === undefined ? [] : ["--password-file", passwordFile]),
    ...(json === true ? ["--json"] : []),
    "--",
    file,
  ];
  const program = fileURLToPath(new URL("../../../factory/src/convert/main.ts", import.meta.url));
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.setEncoding("utf8").on("data", (text: string) => void write(terminal.stdout, text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => void write(terminal.stderr, text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) terminal.exitStatus = EXIT.refused;
}
