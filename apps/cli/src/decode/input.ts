import { createReadStream, readdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { connectTcp, METER_SERIAL_SETTINGS, openSerial, type SerialSettings } from "@meterkeep/dlms-node";
import { parseMeterAddress } from "../access/meter-address.ts";
import { CliError } from "../error.ts";
import type { Terminal } from "../terminal.ts";
import { HexText, hexOctets, looksLikeHex } from "./hex-text.ts";

/** Where telegrams come from. */
export interface TelegramInput {
  /** For messages: the path, the address, `standard input` or `the argument`. */
  readonly name: string;
  /** Whether octets come as they are sent, without a known end. */
  readonly isLive: boolean;
  /** The octets of telegrams: hex text is already read. */
  chunks(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** More than this in a file is no recording of telegrams. */
export const LARGEST_INPUT_BYTES = 64 * 1024 * 1024;

/**
 * Finds out what the arguments of `decode` are: an address, files or devices, hex, or nothing for standard input.
 *
 * @throws CliError when an argument is none of these.
 */
export function openInputs(
  args: readonly string[],
  terminal: Pick<Terminal, "stdin">,
  serial: SerialSettings = METER_SERIAL_SETTINGS,
): TelegramInput[] {
  if (args.length === 0 || (args.length === 1 && args[0] === "-")) return [standardInput(terminal)];
  const [first = ""] = args;
  if (first.startsWith("tcp:")) return args.map(tcpInput);
  const paths = args.map((path) => ({ path, stats: statsOf(path) }));
  if (paths.every(({ stats }) => stats === undefined)) return [hexArgument(args)];
  return paths.map(({ path, stats }) => {
    if (stats === undefined) throw new CliError("input-unreadable", `there is no file ${path}`);
    if (stats.isDirectory()) throw new CliError("input-unreadable", `${path} is a directory: ${adviceFor(path)}`);
    if (stats.isCharacterDevice()) return serialInput(path, serial);
    if (stats.size > LARGEST_INPUT_BYTES)
      throw new CliError(
        "input-too-large",
        `${path} has ${stats.size} octets, at most ${LARGEST_INPUT_BYTES} are read`,
      );
    return fileInput(path, stats.isFIFO());
  });
}

const TELEGRAM_NAME = /\.(hex|bin|dat|txt|log|raw|p1)$/i;

/** Which of the files in a directory may have been meant. */
function adviceFor(directory: string): string {
  const names = readdirSync(directory).filter((name) => TELEGRAM_NAME.test(name));
  const [first] = names.sort();
  if (first === undefined) return "name a file in it that holds a telegram";
  const ending = first.slice(first.lastIndexOf("."));
  return `name a file in it, for instance ${join(directory, first)}, or several: ${join(directory, `*${ending}`)}`;
}

/** What stands at a path, undefined for nothing: hex may be too long for a path, and then it is none. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    if (["ENOENT", "ENAMETOOLONG", "ENOTDIR", "EINVAL"].includes(code)) return undefined;
    throw new CliError("input-unreadable", `${path}: ${(cause as Error).message}`, { cause });
  }
}

/** All octets of an input that has an end. @throws CliError `input-too-large`. */
export async function readWhole(input: TelegramInput, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input.chunks(signal)) {
    length += chunk.length;
    if (length > LARGEST_INPUT_BYTES)
      throw new CliError("input-too-large", `${input.name} has more than ${LARGEST_INPUT_BYTES} octets`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function hexArgument(args: readonly string[]): TelegramInput {
  const text = args.join(" ");
  if (!looksLikeHex(new TextEncoder().encode(text))) {
    const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
    throw new CliError("input-unreadable", `"${shown}" is no hex, no file, no device and no tcp://host:port`);
  }
  const octets = hexOctets(text, "the argument");
  return { name: "the argument", isLive: false, chunks: () => once(octets) };
}

function fileInput(path: string, isLive: boolean): TelegramInput {
  const open = (signal: AbortSignal): AsyncIterable<Uint8Array> => asOctets(createReadStream(path, { signal }), path);
  // A pipe may begin in the midst of anything.
  return { name: path, isLive, chunks: isLive ? open : (signal) => refuseOtherText(open(signal), path) };
}

function standardInput({ stdin }: Pick<Terminal, "stdin">): TelegramInput {
  const name = "standard input";
  // Somebody who pastes means all of it; a pipe may go on for ever.
  const isLive = stdin.isTTY !== true;
  return { name, isLive, chunks: (signal) => asOctets(untilAborted(stdin, signal), name) };
}

function tcpInput(address: string): TelegramInput {
  const { host, port } = parseMeterAddress(address);
  return {
    name: address,
    isLive: true,
    async *chunks(signal) {
      const socket = await connectTcp({ host, port, signal });
      yield* untilAborted(socket, signal);
    },
  };
}

function serialInput(path: string, settings: SerialSettings): TelegramInput {
  return {
    name: path,
    isLive: true,
    async *chunks(signal) {
      yield* untilAborted(await openSerial(path, settings, signal), signal);
    },
  };
}

type ChunkStream = AsyncIterable<Uint8Array | string> & { destroy(): unknown };

/** The chunks of a stream, which is destroyed when the signal aborts: that is an end and no failure. */
async function* untilAborted(stream: ChunkStream, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const stop = () => stream.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const chunk of stream) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Reads hex where the first chunk is hex, and passes octets on as they are otherwise. */
async function* asOctets(chunks: AsyncIterable<Uint8Array>, name: string): AsyncIterable<Uint8Array> {
  let hex: HexText | undefined | "none";
  for await (const chunk of chunks) {
    hex ??= looksLikeHex(chunk) ? new HexText(name) : "none";
    yield hex === "none" ? chunk : hex.push(chunk);
  }
  if (hex !== undefined && hex !== "none") hex.end();
}

/** P1 begins with a line such as `/KFM5KAIFA-METER`. */
const P1_OPENING = /^\/[A-Za-z0-9]{3}/m;
/** Printable ASCII, as all P1 text is, and UTF-8 beyond it, as other text may be. */
const TEXT = /^[\t\n\r\f -~\u00a0-\uffff]+$/;

/** Refuses a file that is text of another kind before a telegram is looked for in its words. */
async function* refuseOtherText(chunks: AsyncIterable<Uint8Array>, path: string): AsyncIterable<Uint8Array> {
  let isFirst = true;
  for await (const chunk of chunks) {
    if (isFirst) checkText(chunk, path);
    isFirst = false;
    yield chunk;
  }
}

function checkText(octets: Uint8Array, path: string): void {
  // The last characters of a piece may be cut.
  const text = new TextDecoder("utf-8").decode(octets.subarray(0, 16_384), { stream: true });
  if (text.includes("\ufffd") || !TEXT.test(text) || P1_OPENING.test(text)) return;
  const isJson = /^\s*[{[]\s*["{[\]}\d]/.test(text);
  const isKeyFile = isJson && /"(key|authKey|meters)"\s*:/.test(text);
  const what = isJson ? "JSON" : "text";
  const advice = isKeyFile
    ? `to use the keys in it, decode TELEGRAM --key-file ${path}`
    : "give the telegram alone, as hex, as the octets that were sent, or as P1 text";
  throw new CliError("input-unreadable", `${path} is ${what} and no telegram: ${advice}`);
}

async function* once(octets: Uint8Array): AsyncIterable<Uint8Array> {
  yield octets;
}
