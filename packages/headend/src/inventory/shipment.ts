import { type Custodian, CustodianCallError, type ImportedMeter, type ShipmentOutcome } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import type { Scope } from "../database/scope.ts";
import { HeadEndError } from "../errors.ts";
import type { NewMeter } from "./inventory.ts";

const CHUNK_BYTES = 256 * 1024;

type ShipmentCalls = Pick<Custodian, "beginShipment" | "shipmentChunk" | "commitShipment" | "shipmentMeters">;

/** A shipment that is in custody, with what may be known of its meters. */
export interface ShipmentInCustody {
  readonly shipment: string;
  readonly meters: readonly NewMeter[];
  readonly warnings: readonly { readonly systemTitle: string; readonly purpose: string; readonly message: string }[];
}

/**
 * Carries a shipment file to the custodian, who alone can open it.
 *
 * A file that was imported before is no failure: its meters are asked for again, so that an import that was cut off
 * between the two databases is completed by the next start.
 *
 * @throws HeadEndError `shipment-refused` with the custodian's code, line and meter; `shipment-awaits-approval` while people
 * have not agreed to it.
 */
export async function importShipment(
  custodian: ShipmentCalls,
  scope: Scope,
  file: Uint8Array,
): Promise<ShipmentInCustody> {
  const place = { utility: scope.utility, island: scope.island };
  const { upload } = await custodian.beginShipment(place);
  for (let at = 0; at < file.length; at += CHUNK_BYTES)
    await custodian.shipmentChunk({ upload, bytes: file.subarray(at, at + CHUNK_BYTES) });
  const outcome = await custodian.commitShipment({ upload }).catch((cause: unknown) => {
    if (!(cause instanceof CustodianCallError && cause.code === "approval-required")) throw cause;
    throw new HeadEndError("shipment-awaits-approval", cause.message, { cause });
  });
  if (outcome.kind === "refused" && outcome.code !== "shipment-already-imported") throw refused(outcome);
  const shipment = outcome.kind === "imported" ? outcome.shipment : shipmentId(file);
  const meters: ImportedMeter[] = outcome.kind === "imported" ? [...outcome.meters] : [];
  for (;;) {
    if (outcome.kind === "imported" && meters.length >= outcome.count) break;
    const page = await custodian.shipmentMeters({ ...place, shipment, from: meters.length });
    if (page.meters.length === 0) break;
    meters.push(...page.meters);
  }
  const warnings = outcome.kind === "imported" ? outcome.warnings : [];
  return {
    shipment,
    meters: meters.map((meter) => newMeterOf(meter, shipment)),
    warnings: warnings.map(({ systemTitle, purpose, message }) => ({
      systemTitle: systemTitleText(systemTitle),
      purpose,
      message,
    })),
  };
}

/** The id in the header line, for a file that the custodian knows already. */
function shipmentId(file: Uint8Array): string {
  const end = file.indexOf(0x0a);
  const header = JSON.parse(new TextDecoder().decode(file.subarray(0, end < 0 ? file.length : end))) as {
    shipment?: unknown;
  };
  if (typeof header.shipment !== "string") throw new HeadEndError("shipment-refused", "the header names no shipment");
  return header.shipment;
}

function newMeterOf(meter: ImportedMeter, shipment: string): NewMeter {
  return {
    systemTitle: systemTitleText(meter.systemTitle),
    kind: meter.simulated ? "simulated" : "real",
    profile: meter.profile,
    securitySuite: meter.securitySuite,
    manufacturer: meter.manufacturer.name,
    logicalDeviceName: meter.logicalDeviceName,
    serialNumber: meter.serialNumber,
    model: meter.model,
    hardwareRevision: meter.hardwareRevision,
    firmware: meter.firmware,
    shipment,
    holders: meter.holders,
  };
}

function refused(outcome: Extract<ShipmentOutcome, { kind: "refused" }>): HeadEndError {
  const meter = outcome.systemTitle === undefined ? "" : `, meter ${systemTitleText(outcome.systemTitle)}`;
  return new HeadEndError("shipment-refused", `${outcome.code} in line ${outcome.line}${meter}: ${outcome.message}`);
}
