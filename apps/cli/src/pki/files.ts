import { readFile, writeFile } from "node:fs/promises";
import { text as textOf } from "node:stream/consumers";
import { fromPem } from "@meterkeep/pki";
import { CliError } from "../error.ts";
import type { Terminal } from "../terminal.ts";

/** The text of a file; of standard input for `-`. @throws CliError `input-unreadable` */
export async function readText(path: string, terminal: Pick<Terminal, "stdin">): Promise<string> {
  if (path === "-") return textOf(terminal.stdin);
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw new CliError("input-unreadable", `${path} cannot be read: ${(cause as Error).message}`, { cause });
  });
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

/** Writes a file that everybody may read, and that must not be there yet. @throws CliError `input-unreadable` */
export async function writeNew(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await writeFile(path, content, { mode, flag: "wx" }).catch((cause: unknown) => {
    throw new CliError("input-unreadable", `${path} cannot be written: ${(cause as Error).message}`, { cause });
  });
}
