import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ProductionRecord, productionLine } from "@meterkeep/meter";
import type { TownOptions } from "../town.ts";

/**
 * Where a test's towns listen. Linux has a network of loopback addresses: with one of its own, no head-end of another test that
 * looks for a town which is no longer there finds this one at its port.
 */
export const BENCH_HOST =
  process.platform === "linux"
    ? `127.${[16, 8, 0].map((shift) => (process.pid >> shift) & 0xff || 1).join(".")}`
    : "127.0.0.1";

/** Directories and production file of a town for tests. */
export interface BenchTown extends Disposable {
  readonly records: readonly ProductionRecord[];
  /** Options with ports of the system's choice. */
  readonly options: TownOptions;
  /** What the town wrote about its meters. */
  addresses(): Addresses;
}

/** addresses.json. */
export interface Addresses {
  readonly clock: { readonly epoch: string; readonly wallEpoch: string; readonly factor: number };
  readonly meters: readonly {
    readonly systemTitle: string;
    readonly host: string;
    readonly port: number;
    readonly depotHost?: string;
    readonly depotPort?: number;
  }[];
}

const PROFILES = ["idis-p2", "dsmr-5", "is15959"] as const;

/** Makes the directories and the production file of so many homes on two feeders, the second one in the depot. */
export function benchTown(homes: number, changes: Partial<TownOptions> = {}): BenchTown {
  const root = mkdtempSync(join(tmpdir(), "mk-town-"));
  const directories = ["town", "exchange"].map((name) => join(root, name));
  for (const directory of directories) mkdirSync(directory);
  const [stateDirectory = root, exchangeDirectory = root] = directories;
  const productionFile = join(stateDirectory, "production.json-lines");
  const records = Array.from({ length: homes + 2 }, (_, n) => benchRecord(n, homes));
  writeFileSync(productionFile, records.map(productionLine).join(""));
  return {
    records,
    options: {
      stateDirectory,
      exchangeDirectory,
      productionFile,
      host: BENCH_HOST,
      basePort: 0,
      speed: 60,
      pushHost: "127.0.0.1",
      // Discard: where a test listens for pushes it says so.
      pushPort: 9,
      manyWays: false,
      callers: 0,
      onFailure: (error) => {
        throw error;
      },
      ...changes,
    },
    addresses: () => JSON.parse(readFileSync(join(exchangeDirectory, "addresses.json"), "utf8")) as Addresses,
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** The first two are the transformer meters; odd homes are in the depot. */
function benchRecord(n: number, homes: number): ProductionRecord {
  const transformer = n < 2;
  const key = (): Uint8Array => new Uint8Array(randomBytes(16));
  const depot = n % 2 === 1;
  const profile = transformer ? "idis-p2" : (PROFILES[n % 3] ?? "idis-p2");
  return {
    systemTitle: `4D4B5601${(0x989681 + n).toString(16).padStart(8, "0").toUpperCase()}`,
    logicalDeviceName: `MKV001${String(n).padStart(10, "0")}`,
    serialNumber: `26${10_000_001 + n}`,
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
    role: transformer ? "transformer" : "home",
    phases: transformer ? 3 : 1,
    seed: 1000 + n,
    feeder: depot ? "F2" : "F1",
    position: transformer ? 0 : n / (homes + 2),
    ratedKva: transformer ? Math.max(50, homes * 4) : 0,
    depot,
    keyFault: "none",
    pushProtection: profile === "dsmr-5" && n % 4 === 0 ? "encrypted" : "authenticated-encrypted",
  };
}
