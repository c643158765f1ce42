import type { CaptureObject } from "@meterkeep/dlms";
import type { Column, CompanionProfile } from "./companion-profile.ts";
import { QUANTITIES } from "./quantity.ts";

/** A column of a profile as capture object. */
export function captureObject(profile: CompanionProfile, column: Column): CaptureObject {
  const whole = { attributeIndex: 2, dataIndex: 0 } as const;
  if (column === "clock") return { classId: 8, logicalName: "0.0.1.0.0.255", ...whole };
  if (column === "status") return { classId: 1, logicalName: profile.status.obis, ...whole };
  return { classId: 3, logicalName: QUANTITIES[column].obis, ...whole };
}

/** The columns of a profile as capture objects. */
export function captureObjects(profile: CompanionProfile, columns: readonly Column[]): CaptureObject[] {
  return columns.map((column) => captureObject(profile, column));
}
