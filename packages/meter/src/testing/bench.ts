import { generateKeyPairSync, randomBytes } from "node:crypto";
import { Feeder } from "../load/feeder.ts";
import { HomeConsumption } from "../load/home.ts";
import { type HouseholdKind, household } from "../load/household.ts";
import { RelayHistory } from "../load/relay-history.ts";
import { Weather } from "../load/weather.ts";
import { MeterModels } from "../meter-model.ts";
import type { StoredMeter } from "../nvm/memory.ts";
import { VolatileMemory } from "../nvm/volatile.ts";
import type { FactoryKeys, ProductionRecord } from "../production.ts";
import { companionProfile } from "../profile/companion-profiles.ts";
import { INTERVAL_SECONDS, type UnixSeconds } from "../time/calendar.ts";
import { VirtualMeter } from "../virtual-meter.ts";

/** A meter on a bench: its clock is set by hand, its memory can be cut. */
export interface BenchMeter {
  readonly meter: VirtualMeter;
  readonly record: ProductionRecord;
  readonly memory: VolatileMemory;
  now: UnixSeconds;
  /** The same meter as it comes up from what its memory holds now, without what was not committed. */
  restarted(): BenchMeter;
}

/** 12 November 2026, 10:00:30 UTC, two days after the meter was first powered. */
export const BENCH_NOW = Date.UTC(2026, 10, 12, 10, 0, 30) / 1000;
const FIRST_INTERVAL = Math.floor(Date.UTC(2026, 10, 10, 9) / 1000 / INTERVAL_SECONDS);

/** The maker of the meters on the bench signs firmware with it. */
export const BENCH_MAKER = generateKeyPairSync("ec", { namedCurve: "P-384" });
const BENCH_MAKER_KEY = BENCH_MAKER.publicKey.export({ type: "spki", format: "der" }).toString("base64");

/** Keys that no meter has yet; of 16 octets, of 32 in suite 2. */
export function freshKeys(octets = 16): FactoryKeys {
  const key = (): Uint8Array => new Uint8Array(randomBytes(octets));
  return {
    globalUnicastEncryptionKey: key(),
    globalBroadcastEncryptionKey: key(),
    authenticationKey: key(),
    keyEncryptionKey: key(),
  };
}

/** The production record of a bench meter, with fresh keys. */
export function benchRecord(changes: Partial<ProductionRecord> = {}): ProductionRecord {
  const octets = changes.securitySuite === 2 ? 32 : 16;
  const { furtherSetups } = companionProfile(changes.profile ?? "idis-p2");
  return {
    systemTitle: "4D4B560100989681",
    logicalDeviceName: "MKV0010010000001",
    serialNumber: "2610000001",
    model: "MKV-I120",
    hardwareRevision: "C2",
    firmware: "I120-2.4.1",
    profile: "idis-p2",
    securitySuite: 0,
    keys: freshKeys(octets),
    ...(furtherSetups && { setups: furtherSetups.map(({ setup }) => ({ setup, keys: freshKeys(octets) })) }),
    firmwareKey: BENCH_MAKER_KEY,
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
}

/** Puts a meter on the bench. */
export function benchMeter(changes: Partial<ProductionRecord> = {}, kind: HouseholdKind = "family"): BenchMeter {
  const record = benchRecord(changes);
  const memory = new VolatileMemory();
  memory.install([{ record, firstInterval: FIRST_INTERVAL }]);
  return powered(record, memory, kind, BENCH_NOW);
}

function powered(record: ProductionRecord, memory: VolatileMemory, kind: HouseholdKind, now: UnixSeconds): BenchMeter {
  const stored = memory.meters()[0] as StoredMeter;
  const feeder = new Feeder({ seed: 3, ratedKva: 250, firstInterval: FIRST_INTERVAL });
  const home = new HomeConsumption({
    household: household(record.seed, kind),
    weather: new Weather(1),
    relay: new RelayHistory(stored.relay),
    firstInterval: FIRST_INTERVAL,
  });
  feeder.add(home, record.position);
  const bench = {
    record,
    memory,
    now,
    restarted: () => powered(record, memory.restart(), kind, bench.now),
  };
  const meter = new VirtualMeter({
    stored,
    model: new MeterModels().of(record),
    consumption: record.role === "home" ? home : feeder,
    clock: () => bench.now,
    memory,
    pushDestination: "127.0.0.1:9598",
  });
  return Object.assign(bench, { meter });
}
