import { listenWrapper } from "@meterkeep/dlms-node";
import type { MeterConnection, ProductionRecord, VirtualMeter } from "@meterkeep/meter";
import { benchMeter } from "@meterkeep/meter/testing";

/** A meter of the virtual town on a real TCP port. */
export interface ListeningMeter extends AsyncDisposable {
  readonly address: string;
  readonly meter: VirtualMeter;
  readonly keys: { readonly encryptionKey: Uint8Array; readonly authenticationKey: Uint8Array };
}

/** Puts a virtual meter with fresh factory keys on the line. */
export async function startVirtualMeter(
  profile: ProductionRecord["profile"],
  changes: Partial<ProductionRecord> = {},
): Promise<ListeningMeter> {
  const { meter, memory, record } = benchMeter({ profile, ...changes });
  const listener = await listenWrapper<MeterConnection>({
    server: {
      connect: (clientSap, serverSap) => meter.connect(clientSap, serverSap),
      disconnect: (connection) => meter.disconnect(connection),
      handle: (connection, apdu) => {
        const { response } = meter.serve(connection, apdu);
        memory.commit();
        return response;
      },
    },
    maxConnections: 64,
  });
  return {
    address: `tcp://${listener.host}:${listener.port}`,
    meter,
    keys: {
      encryptionKey: record.keys.globalUnicastEncryptionKey,
      authenticationKey: record.keys.authenticationKey,
    },
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}
