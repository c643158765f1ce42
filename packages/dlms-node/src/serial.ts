import { execFile } from "node:child_process";
import { constants, open } from "node:fs";
import { stat } from "node:fs/promises";
import { platform } from "node:os";
import { ReadStream } from "node:tty";
import { promisify } from "node:util";
import { TransportError } from "./transport-error.ts";

/** How the octets of a serial line look. */
export interface SerialSettings {
  readonly baudRate: number;
  readonly dataBits: 7 | 8;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: 1 | 2;
}

/** How the octets of a customer interface over M-Bus or a current loop mostly look. */
export const METER_SERIAL_SETTINGS: SerialSettings = { baudRate: 2400, dataBits: 8, parity: "none", stopBits: 1 };

const SETTINGS = /^(\d{2,7})[ ,/-]([78])([NEO])([12])$/i;
const PARITIES = { N: "none", E: "even", O: "odd" } as const;

/** Reads settings as people write them: `2400-8E1`, `115200 8N1`. Undefined for anything else. */
export function parseSerialSettings(text: string): SerialSettings | undefined {
  const match = SETTINGS.exec(text.trim());
  if (match === null) return undefined;
  const [, baudRate, dataBits, parity = "", stopBits] = match;
  return {
    baudRate: Number(baudRate),
    dataBits: dataBits === "7" ? 7 : 8,
    parity: PARITIES[parity.toUpperCase() as keyof typeof PARITIES],
    stopBits: stopBits === "2" ? 2 : 1,
  };
}

/** What one does with a serial device: some may only be read. */
export type SerialAccess = "read" | "read-write";

/**
 * Opens a serial device: sets its line with `stty`, then gives its octets as they come, and takes those to send where
 * it was opened for that. The stream ends when the signal aborts.
 *
 * @throws TransportError `connection-failed` when the path is no serial device, may not be opened or cannot be set.
 */
export async function openSerial(
  path: string,
  settings: SerialSettings,
  signal?: AbortSignal,
  access: SerialAccess = "read",
): Promise<ReadStream> {
  const found = await stat(path).catch((cause: Error) => {
    throw failed(path, cause.message, cause);
  });
  if (!found.isCharacterDevice()) throw failed(path, "is no serial device");
  await setSerial(path, settings);
  // Without NOCTTY the line would become the terminal of this process and could interrupt it. The stream owns and closes
  // the descriptor, so no FileHandle may.
  const flags = (access === "read" ? constants.O_RDONLY : constants.O_RDWR) | constants.O_NOCTTY | constants.O_NONBLOCK;
  const descriptor = await promisify(open)(path, flags).catch((cause: Error) => {
    throw failed(path, cause.message, cause);
  });
  const stream = new ReadStream(descriptor);
  signal?.addEventListener("abort", () => stream.destroy(), { once: true });
  if (signal?.aborted === true) stream.destroy();
  return stream;
}

/**
 * Sets the line of a serial device, after all that was written has left.
 *
 * @throws TransportError `connection-failed` when it cannot be set.
 */
export async function setSerial(path: string, settings: SerialSettings): Promise<void> {
  const file = platform() === "darwin" ? "-f" : "-F";
  await promisify(execFile)("stty", [file, path, ...sttyArguments(settings)]).catch((cause: Error) => {
    throw failed(path, `stty could not set it to ${settings.baudRate} baud: ${cause.message.trim()}`, cause);
  });
}

function failed(path: string, what: string, cause?: unknown): TransportError {
  return new TransportError("connection-failed", `serial device ${path}: ${what}`, { cause });
}

function sttyArguments({ baudRate, dataBits, parity, stopBits }: SerialSettings): string[] {
  return [
    String(baudRate),
    "raw",
    "-echo",
    "clocal",
    "-crtscts",
    `cs${dataBits}`,
    parity === "none" ? "-parenb" : "parenb",
    ...(parity === "none" ? [] : [parity === "odd" ? "parodd" : "-parodd"]),
    stopBits === 2 ? "cstopb" : "-cstopb",
  ];
}
