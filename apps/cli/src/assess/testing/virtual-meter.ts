import { listenWrapper, nodeRandom } from "@meterkeep/dlms-node";
import {
  Feeder,
  HomeConsumption,
  household,
  INTERVAL_SECONDS,
  type MeterConnection,
  MeterModels,
  type ProductionRecord,
  RelayHistory,
  VirtualMeter,
  VolatileMemory,
  Weather,
} from "@meterkeep/meter";

/** A meter of the virtual town on a real TCP port. */
export interface ListeningMeter extends AsyncDisposable {
  readonly address: string;
  readonly meter: VirtualMeter;
  readonly keys: { readonly encryptionKey: Uint8Array; readonly authenticationKey: Uint8Array };
}

/** 12 November 2026, 10:00:30 UTC. */
const NOW = Date.UTC(2026, 10, 12, 10, 0, 30) / 1_000;
const FIRST_INTERVAL = Math.floor(Date.UTC(2026, 10, 10, 9) / 1_000 / INTERVAL_SECONDS);
const KEY_BYTES = 16;

/** Puts a virtual meter with fresh factory keys on the line. */
export async function startVirtualMeter(
  profile: ProductionRecord["profile"],
  changes: Partial<ProductionRecord> = {},
): Promise<ListeningMeter> {
  const key = (): Uint8Array => nodeRandom(KEY_BYTES);
  const record: ProductionRecord = {
    systemTitle: "4D4B560100989681",
    logicalDeviceName: "MKV0010010000001",
    serialNumber: "2610000001",
    model: "MKV-I120",
    hardwareRevision: "C2",
    firmware: "I120-2.4.1",
    profile,
    securitySuite: 0,
    keys: {
      globalUnicastEncryptionKey: key(),
      globalBroadcastEncryptionKey: key(),
      authenticationKey: key(),
      keyEncryptionKey: key(),
    },
    role: "home",
    phases: 1,
    seed: 77,
    feeder: "F1",
    position: 0.5,
    ratedKva: 0,
    depot: false,
    keyFault: "none",
    pushProtection: "authenticated-encrypted",
    ...changes,
  };
  const memory = new VolatileMemory();
  memory.install([{ record, firstInterval: FIRST_INTERVAL }]);
  const stored = memory.meters()[0]!;
  const feeder = new Feeder({ seed: 3, ratedKva: 250, firstInterval: FIRST_INTERVAL });
  const home = new HomeConsumption({
    household: household(record.seed, "family"),
    weather: new Weather(1),
    relay: new RelayHistory(stored.relay),
    firstInterval: FIRST_INTERVAL,
  });
  feeder.add(home, record.position);
  const meter = new VirtualMeter({
    stored,
    model: new MeterModels().of(record),
    consumption: home,
    clock: () => NOW,
    memory,
    pushDestination: "127.0.0.1:9598",
  });
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
