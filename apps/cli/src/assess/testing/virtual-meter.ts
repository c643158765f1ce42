import type { Duplex } from "node:stream";
import { type ApduServer, awaitModeE, listenWrapper, serveHdlc } from "@meterkeep/dlms-node";
import type { MeterConnection, ProductionRecord, VirtualMeter } from "@meterkeep/meter";
import { type BenchMeter, benchMeter } from "@meterkeep/meter/testing";

/** A meter of the virtual town. */
export interface ServedMeter {
  readonly meter: VirtualMeter;
  readonly keys: { readonly encryptionKey: Uint8Array; readonly authenticationKey: Uint8Array };
}

/** The same on a real TCP port. */
export interface ListeningMeter extends ServedMeter, AsyncDisposable {
  readonly address: string;
}

/** Puts a virtual meter with fresh factory keys on the line. */
export async function startVirtualMeter(
  profile: ProductionRecord["profile"],
  changes: Partial<ProductionRecord> = {},
): Promise<ListeningMeter> {
  const bench = benchMeter({ profile, ...changes });
  const listener = await listenWrapper<MeterConnection>({ server: serverOf(bench, "remote"), maxConnections: 64 });
  return {
    address: `tcp://${listener.host}:${listener.port}`,
    ...served(bench),
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}

/** Puts one behind an optical port: whoever comes opens it in mode E, speaks HDLC from then on, and leaves it to the next. */
export function virtualMeterAtPort(profile: ProductionRecord["profile"], port: Duplex): ServedMeter {
  const bench = benchMeter({ profile });
  const options = {
    manufacturer: "MKP",
    identification: "m",
    baudRate: 9600,
    acknowledgeMilliseconds: 60_000,
  } as const;
  const opened = () => awaitModeE(port, () => {}, options);
  const server = serverOf(bench, "local");
  const atPort: typeof server = {
    ...server,
    disconnect: (connection) => {
      server.disconnect(connection);
      // HDLC is served as before: it is only paused by the opening.
      void opened().then(
        () => port.resume(),
        () => {},
      );
    },
  };
  void opened().then(
    () => serveHdlc(port, { server: atPort, logicalDevices: [1] }),
    () => {},
  );
  return served(bench);
}

function serverOf({ meter, memory }: BenchMeter, way: "remote" | "local"): ApduServer<MeterConnection> {
  return {
    connect: (clientSap, serverSap) => meter.connect(clientSap, serverSap, way),
    disconnect: (connection) => meter.disconnect(connection),
    handle: (connection, apdu) => {
      const { response } = meter.serve(connection, apdu);
      memory.commit();
      return response;
    },
  };
}

function served({ meter, record }: BenchMeter): ServedMeter {
  const { globalUnicastEncryptionKey: encryptionKey, authenticationKey } = record.keys;
  return { meter, keys: { encryptionKey, authenticationKey } };
}
