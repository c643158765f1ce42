import { createWriteStream, statSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { LedgerState } from "@meterkeep/api";
import { type ExportSource, exportLines, keysFromJson, type Verification, verifyExport } from "@meterkeep/ledger";
import { CliError, EXIT } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { fileContent, openFile } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { remoteServer } from "../operator/remote-server.ts";
import { type RunningServer, runningServer } from "../operator/server.ts";
import { type Terminal, write } from "../terminal.ts";

/** Options of `meterkeep ledger verify`. */
export interface ExportOptions extends OperatorOptions {
  readonly url?: string;
  readonly entry?: string;
  readonly checkpoint?: string;
  readonly log?: string;
  readonly witness?: readonly string[];
}

export interface WitnessOptions {
  readonly listen: string;
  readonly folder: string;
  readonly name: string;
  readonly trust?: readonly string[];
  readonly certificate?: string;
  readonly privateKey?: string;
}

/** `meterkeep ledger state` */
export async function ledgerState(options: OperatorOptions, terminal: Terminal): Promise<void> {
  const state = await runningServer(options.state, terminal).call("ledgerState");
  const witnesses = state.witnesses.map(
    ({ name, kind, state: is, size, problem }) =>
      `  ${name} (${kind}): ${is}${size === undefined ? "" : `, has seen ${size}`}${problem === undefined ? "" : `\n    ${problem}`}\n`,
  );
  const halt = state.halt === undefined ? "" : `HALTED: ${state.halt.message} [${state.halt.code}]\n`;
  const wanted = state.wanted === undefined ? "" : `To be approved by two people: ${state.wanted}\n`;
  const text = `${halt}${state.log ?? "no name yet"}\n${state.size} entries, root ${state.root}\n${state.checkpoint === undefined ? "No checkpoint yet." : `Signed up to entry ${state.checkpoint.size}.`}\nWitnesses:\n${witnesses.join("")}${wanted}`;
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(state)}\n` : text);
  if (state.halt !== undefined) terminal.exitStatus = EXIT.refused;
}

/** `meterkeep ledger keys` */
export async function ledgerKeys(options: OperatorOptions, terminal: Terminal): Promise<void> {
  const { log, keys } = await runningServer(options.state, terminal).call("ledgerState");
  const newest = keys.at(-1);
  if (log === undefined || newest === undefined) throw new CliError("server-refused", "the ledger has no keys yet");
  const { version, ecdsa, mldsa } = newest;
  await write(
    terminal.stdout,
    `${JSON.stringify({ log, version, ecdsa, mldsa }, undefined, options.json === true ? 0 : 2)}\n`,
  );
}

/** `meterkeep ledger rotate-key` */
export async function rotateLedgerKey(options: OperatorOptions, terminal: Terminal): Promise<void> {
  const { version } = await asOperator(options.state, terminal, (custodian) => custodian.renewLedger({}));
  const text = `The ledger is signed with keys ${version} from now on.\n`;
  await write(terminal.stdout, options.json === true ? `${JSON.stringify({ version })}\n` : text);
}

/** `meterkeep ledger export` */
export async function exportLedger(file: string, options: OperatorOptions, terminal: Terminal): Promise<void> {
  const server = runningServer(options.state, terminal);
  const lines = withLineFeeds(exportLines(await sourceOf(server), new Date()));
  if (file === "-") for await (const line of lines) await write(terminal.stdout, line);
  else {
    await pipeline(Readable.from(lines), createWriteStream(file, { mode: 0o600 }));
    const { size } = statSync(file);
    const text = `${file}: ${size} octets. Check them, anywhere: npx meterkeep ledger verify ${file}\n`;
    await write(terminal.stdout, options.json === true ? `${JSON.stringify({ file, octets: size })}\n` : text);
  }
}

/** `meterkeep ledger verify` */
export async function verifyLedger(
  file: string | undefined,
  options: ExportOptions,
  terminal: Terminal,
): Promise<void> {
  const { url, log } = options;
  const entry = options.entry === undefined ? undefined : Number(options.entry);
  if (entry !== undefined && !(Number.isSafeInteger(entry) && entry > 0))
    throw new CliError("option-invalid", "--entry is the number of an entry, from 1");
  if ((file === undefined) === (url === undefined))
    throw new CliError("option-invalid", "name a file to verify, or the --url of an API");
  // What is compared with comes first: a name that was mistyped says nothing about a ledger.
  const older = options.checkpoint === undefined ? undefined : checkpointIn(options.checkpoint);
  const witnesses = (options.witness ?? []).map(witnessKeys);
  const chunks =
    file === undefined
      ? octetsOf(exportLines(await sourceOf(remoteServer(url ?? "", terminal)), new Date()))
      : (await openFile(file)).createReadStream({ highWaterMark: CHUNK_OCTETS });
  const report = await verifyExport(chunks, { log, entry, older, witnesses });
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(report)}\n` : reportText(report));
  if (report.faults.length > 0) terminal.exitStatus = EXIT.refused;
}

const CHUNK_OCTETS = 1024 * 1024;

async function sourceOf(server: Pick<RunningServer, "call">): Promise<ExportSource> {
  const { log, size, checkpoint }: LedgerState = await server.call("ledgerState");
  return {
    log,
    // What is after the last checkpoint is signed by the next one; nothing is left out for that.
    size: Math.max(size, checkpoint?.size ?? 0),
    entries: async (after) => {
      const { entries } = await server.call("ledger", { query: { source: "custodian", after, limit: 500 } });
      return entries.map(({ at, meter, ...rest }) => ({ ...rest, at: Date.parse(at), meter }));
    },
    checkpoints: async (from) => (await server.call("ledgerCheckpoints", { query: { from } })).checkpoints,
  };
}

async function* withLineFeeds(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`;
}

async function* octetsOf(lines: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const line of lines) yield Buffer.from(`${line}\n`, "utf8");
}

/** A checkpoint in a file: the note itself, or the last line of a witness's file. @throws CliError `input-unreadable` */
function checkpointIn(path: string): string {
  return fileContent(path, "holds no checkpoint: name a note, or the file of a witness", (text) => {
    if (!text.startsWith("{")) return text;
    const last = text.trimEnd().split("\n").at(-1) ?? "";
    return (JSON.parse(last) as { readonly note: string }).note;
  });
}

/** Name and keys of a witness. @throws CliError `input-unreadable` */
function witnessKeys(path: string) {
  return fileContent(path, "holds no keys of a witness", (text) => {
    const value = JSON.parse(text) as { readonly name: string };
    return { name: value.name, keys: keysFromJson(value) };
  });
}

function reportText(report: Verification): string {
  const { log, size, root, checkpoints, signed, witnessed, resumptions, entry, faults } = report;
  const lines = [
    `${log ?? "a ledger without keys"}`,
    `${size} entries, root ${root}`,
    `${checkpoints} checkpoints verified, both signatures each; the last covers ${signed} entries${size > signed ? `, ${size - signed} are not signed yet` : ""}`,
    ...Object.entries(witnessed).map(([name, seen]) => `witness ${name} has signed up to entry ${seen}`),
    ...resumptions.map(
      ({ sequence, lost, approvedBy, reason }) =>
        `entry ${sequence}: the ledger was resumed after ${lost} entries were lost, approved by ${approvedBy.join(" and ")}: ${reason}`,
    ),
    ...(entry === undefined
      ? []
      : [entry.line, `is in the checkpoint of ${entry.size} entries, by`, ...entry.proof.map((hash) => `  ${hash}`)]),
    ...faults.map(({ problem, message }) => `FAULT ${problem}: ${message}`),
    faults.length === 0 ? "The ledger is whole." : "The ledger is NOT whole.",
  ];
  return `${lines.join("\n")}\n`;
}
