import type { ModeEClientOptions } from "@meterkeep/dlms";
import { HdlcConnection, type HdlcSettings } from "./hdlc-client.ts";
import { openModeE } from "./mode-e-opening.ts";
import { openSerial, type SerialSettings, setSerial } from "./serial.ts";

/** How the octets of a serial line that speaks HDLC mostly look. */
export const HDLC_SERIAL_SETTINGS: SerialSettings = { baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1 };

export interface SerialTarget extends HdlcSettings {
  /** The device file. */
  readonly path: string;
  /** How the line is set where it speaks HDLC from the beginning; 9600 8N1 unless given. */
  readonly serial?: SerialSettings;
  /** Opens an optical port in mode E first; the meter then chooses the speed. */
  readonly modeE?: ModeEClientOptions;
  readonly signal?: AbortSignal;
}

/**
 * Connects to a meter on a serial line, through an optical head for instance.
 *
 * @throws TransportError as `openSerial`; LineError as `openModeE` and `HdlcConnection.open`.
 */
export async function connectHdlcSerial(target: SerialTarget): Promise<HdlcConnection> {
  const { path, serial = HDLC_SERIAL_SETTINGS, modeE, signal } = target;
  const stream = await openSerial(path, serial, signal, "read-write");
  try {
    if (modeE !== undefined)
      await openModeE(stream, (settings) => setSerial(path, { ...settings, stopBits: 1 }), modeE, signal);
    const connection = new HdlcConnection(stream, target, path);
    await connection.open(signal);
    return connection;
  } catch (error) {
    stream.destroy();
    throw error;
  }
}
