import { readFileSync } from "node:fs";
import { encodeWrapper, fromHex, WRAPPER_HEADER_BYTES } from "@meterkeep/dlms";
import { listenForPushesTcp, listenForPushesUdp, type PushListener } from "@meterkeep/dlms-node";
import { CliError } from "../error.ts";
import type { BenchParts, SeenPush } from "./bench.ts";

/** Where pushes for the test come from. */
export interface PushOptions {
  /** `port` or `address:port`. */
  readonly pushListen?: string;
  /** Seconds. */
  readonly pushWait?: string;
  readonly pushFile?: string;
}

/** Collects pushes until it is disposed. */
export interface PushCollector extends AsyncDisposable {
  readonly pushes: BenchParts["pushes"];
}

const DEFAULT_WAIT_SECONDS = 60;
const MOST_KEPT = 100;

/** Reads the file and opens the port, as far as they are named. @throws CliError, TransportError `listen-failed` */
export async function collectPushes(options: PushOptions, pause: BenchParts["pause"]): Promise<PushCollector> {
  const { pushListen, pushFile } = options;
  const recorded = pushFile === undefined ? [] : readPushFile(pushFile);
  if (pushListen === undefined)
    return { pushes: pushFile === undefined ? undefined : async () => recorded, [Symbol.asyncDispose]: async () => {} };
  const waitSeconds = Number(options.pushWait ?? DEFAULT_WAIT_SECONDS);
  if (!(waitSeconds >= 1 && waitSeconds <= 86_400))
    throw new CliError("option-invalid", "--push-wait must be a number of seconds from 1 to 86400");
  const seen: SeenPush[] = [...recorded];
  const listeners = await listen(pushListen, (push) => {
    if (seen.length < MOST_KEPT) seen.push(push);
  });
  const over = pause(waitSeconds * 1_000);
  return {
    pushes: async () => {
      // One is enough to judge; where there is one already, nobody waits.
      while (
        seen.length === 0 &&
        (await Promise.race([over.then(() => true), pause(200).then(() => false)])) === false
      );
      return [...seen];
    },
    [Symbol.asyncDispose]: async () => {
      for (const listener of listeners) await listener[Symbol.asyncDispose]();
    },
  };
}

async function listen(text: string, take: (push: SeenPush) => void): Promise<PushListener[]> {
  const match = /^(?:(.+):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535)
    throw new CliError("option-invalid", `--push-listen ${text}: write a port, or address:port`);
  const host = match[1]?.replace(/^\[(.*)\]$/, "$1");
  const options = {
    ...(host === undefined ? {} : { host }),
    port,
    onPush: ({ transport, remoteAddress, apdu }: { transport: string; remoteAddress: string; apdu: Uint8Array }) =>
      take({ from: `${transport}://${remoteAddress}`, apdu: apdu.slice() }),
  };
  const tcp = await listenForPushesTcp(options);
  try {
    return [tcp, await listenForPushesUdp(options)];
  } catch (error) {
    await tcp[Symbol.asyncDispose]();
    throw error;
  }
}

/** One push a line as hex, with or without a wrapper. */
function readPushFile(path: string): SeenPush[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new CliError("input-unreadable", `--push-file ${path}: ${(cause as Error).message}`, { cause });
  }
  const lines = text.split("\n").map((line) => line.replace(/#.*/, "").replace(/\s/g, ""));
  return lines.flatMap((line, at) => {
    if (line === "") return [];
    if (!/^([0-9A-Fa-f]{2})+$/.test(line))
      throw new CliError("input-not-hex", `--push-file ${path}, line ${at + 1}: not pairs of hex digits`);
    return [{ from: `${path}, line ${at + 1}`, apdu: withoutWrapper(fromHex(line)) }];
  });
}

function withoutWrapper(octets: Uint8Array): Uint8Array {
  const apdu = octets.subarray(WRAPPER_HEADER_BYTES);
  const [source, destination] = [(octets[2]! << 8) | octets[3]!, (octets[4]! << 8) | octets[5]!];
  const isWrapped =
    octets.length > WRAPPER_HEADER_BYTES && Buffer.from(encodeWrapper(source, destination, apdu)).equals(octets);
  return isWrapped ? apdu : octets;
}
