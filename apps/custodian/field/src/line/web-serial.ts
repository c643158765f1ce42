import { type LineSettings, OPENING_LINE } from "@meterkeep/dlms";
import { FieldError } from "../field-error.ts";
import type { ByteLine } from "./byte-line.ts";

/** What is used of a serial port of the browser (Web Serial). */
interface BrowserPort {
  readonly readable: ReadableStream<Uint8Array> | null;
  readonly writable: WritableStream<Uint8Array> | null;
  open(options: LineSettings & { readonly stopBits: 1 }): Promise<void>;
  close(): Promise<void>;
}
interface BrowserSerial {
  getPorts(): Promise<BrowserPort[]>;
  requestPort(): Promise<BrowserPort>;
}

const serial = (): BrowserSerial | undefined => (navigator as { readonly serial?: BrowserSerial }).serial;

/** Whether this browser has serial ports at all: Chromium on computers, and on Android where a head is at USB. */
export function hasWebSerial(): boolean {
  return serial() !== undefined;
}

/** The optical head at this device: the one that was chosen before, else the browser asks. @throws FieldError */
export async function openOpticalHead(): Promise<ByteLine> {
  const found = serial();
  if (found === undefined) throw new FieldError("This browser has no serial ports: take the bridge.");
  const [known] = await found.getPorts();
  const port = known ?? (await found.requestPort().catch(() => undefined));
  if (port === undefined) throw new FieldError("No optical head was chosen.");
  return openPort(port);
}

/**
 * A serial port as a line. Web Serial sets a speed on opening alone, so that a change is a close and an open.
 *
 * States: *open* (a reader is at the port), *changing* (between two openings; nothing is read or written), *closed*.
 */
async function openPort(port: BrowserPort): Promise<ByteLine> {
  let [onOctets, onGone]: Parameters<ByteLine["listen"]> = [() => {}, () => {}];
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let reading: Promise<void> = Promise.resolve();
  const begin = async (settings: LineSettings): Promise<void> => {
    await port.open({ ...settings, stopBits: 1 });
    const own = port.readable?.getReader();
    reader = own;
    if (own !== undefined) reading = read(own);
  };
  const read = async (own: ReadableStreamDefaultReader<Uint8Array>): Promise<void> => {
    try {
      for (;;) {
        const { value, done } = await own.read();
        if (done) break;
        onOctets(value);
      }
    } catch (error) {
      onGone(error instanceof Error ? error.message : String(error));
    } finally {
      own.releaseLock();
    }
  };
  const end = async (): Promise<void> => {
    const own = reader;
    reader = undefined;
    await own?.cancel();
    await reading;
    await port.close();
  };
  try {
    await begin(OPENING_LINE);
  } catch (cause) {
    throw new FieldError("The optical head cannot be opened: another program may have it.", { cause });
  }
  return {
    address: "serial port of this device",
    link: "hdlc",
    isOptical: true,
    listen: (octets, gone) => {
      [onOctets, onGone] = [octets, gone];
    },
    write: async (octets) => {
      const writer = port.writable?.getWriter();
      if (writer === undefined) throw new FieldError("The optical head is gone.");
      try {
        await writer.write(octets);
      } finally {
        writer.releaseLock();
      }
    },
    set: async (settings) => {
      await end();
      await begin(settings);
    },
    close: async () => {
      if (reader !== undefined) await end().catch(() => {});
    },
  };
}
