import { text as textOf } from "node:stream/consumers";
import { fromPem } from "@meterkeep/pki";
import { CliError } from "../error.ts";
import { fileText } from "../named-file.ts";
import type { Terminal } from "../terminal.ts";

/** The text of a file; of standard input for `-`. @throws CliError `input-unreadable` */
export async function readText(path: string, terminal: Pick<Terminal, "stdin">): Promise<string> {
  return path === "-" ? textOf(terminal.stdin) : fileText(path);
}

/** The first block of a label in a PEM file. @throws CliError `input-unreadable` */
export async function readPem(
  label: "CERTIFICATE" | "CERTIFICATE REQUEST",
  path: string,
  terminal: Pick<Terminal, "stdin">,
): Promise<Uint8Array> {
  const [block] = fromPem(label, await readText(path, terminal));
  if (block === undefined) throw new CliError("input-unreadable", `${path} holds no ${label} in PEM`);
  return block;
}
