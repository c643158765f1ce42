import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { companionProfile } from "@meterkeep/meter";
import { FactoryError } from "./errors.ts";
import type { PlannedMeter } from "./layout.ts";
import { writeDurably } from "./private-file.ts";

/** Three letters registered with the DLMS User Association for a manufacturer; the first octets of its system titles. */
export const FLAG = "MKV";

/** What a meter is called. */
export interface MeterIdentity {
  readonly systemTitle: string;
  readonly logicalDeviceName: string;
  readonly serialNumber: string;
  readonly model: string;
  readonly hardwareRevision: string;
  readonly firmware: string;
}

const FIRST_SERIAL = 10_000_001;
const LAST_SERIAL = 99_999_999;

/** Device type in system title and logical device name. */
const DEVICE_TYPES = { home: 1, transformer: 2 } as const;

/**
 * Takes serial numbers that were never given out before, durably before the first is used: a crash skips some and repeats none.
 * Returns the first of them.
 */
export function reserveSerials(stateDirectory: string, count: number): number {
  const file = join(stateDirectory, "next-serial");
  const next = existsSync(file) ? Number(readFileSync(file, "ascii")) : FIRST_SERIAL;
  if (!Number.isSafeInteger(next) || next < FIRST_SERIAL) {
    throw new FactoryError(
      "factory-sequence-damaged",
      `${file} does not hold a serial number. Write the number after the highest that was ever shipped into it.`,
    );
  }
  if (next + count > LAST_SERIAL + 1) {
    throw new FactoryError(
      "factory-sequence-exhausted",
      `Only ${LAST_SERIAL + 1 - next} serial numbers are left, ${count} are wanted. Make fewer meters.`,
    );
  }
  writeDurably(file, `${next + count}`, 0o600);
  return next;
}

/** The identity of the meter with the serial number. */
export function identityOf(meter: PlannedMeter, serial: number): MeterIdentity {
  const type = DEVICE_TYPES[meter.role];
  const { models } = companionProfile(meter.profile);
  const model =
    meter.role === "transformer" ? models.transformer : meter.phases === 3 ? models.threePhase : models.singlePhase;
  const title = Buffer.alloc(8);
  title.write(FLAG, "ascii");
  title.writeUInt8(type, 3);
  title.writeUInt32BE(serial, 4);
  return {
    systemTitle: title.toString("hex").toUpperCase(),
    // 16 characters: FLAG id, device type, serial number.
    logicalDeviceName: `${FLAG}${String(type).padStart(3, "0")}${String(serial).padStart(10, "0")}`,
    serialNumber: `26${serial}`,
    model,
    hardwareRevision: "C2",
    firmware: `${model.slice(4, 5)}${model.slice(5)}-2.4.1`,
  };
}
