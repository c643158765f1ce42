import { createHash } from "node:crypto";
import type { ModelObject } from "@meterkeep/dlms";
import { DataClass, type Data as DataValue, mount, SapAssignment } from "@meterkeep/dlms";
import { ascii } from "../text.ts";
import type { VirtualMeter } from "../virtual-meter.ts";

/** The objects that say which meter this is. */
export function identityObjects(): ModelObject<VirtualMeter>[] {
  return [
    text("0.0.42.0.0.255", ({ record }) => record.logicalDeviceName),
    text("0.0.96.1.0.255", ({ record }) => record.serialNumber),
    text("0.0.96.1.1.255", ({ record }) => record.model),
    text("0.0.96.1.2.255", ({ record }) => record.hardwareRevision),
    text("1.0.0.2.0.255", ({ firmware }) => firmware),
    data("1.0.0.2.8.255", ({ firmware }) => ({ type: "octet-string", value: firmwareSignature(firmware) })),
    mount(
      "0.0.41.0.0.255",
      SapAssignment.serve<VirtualMeter>({
        get: { sapAssignmentList: ({ record }) => [{ sap: 1, logicalDeviceName: ascii(record.logicalDeviceName) }] },
      }),
    ),
  ];
}

/** A Data object whose value is computed. */
export function data(logicalName: string, value: (meter: VirtualMeter) => DataValue): ModelObject<VirtualMeter> {
  return mount(logicalName, DataClass.serve<VirtualMeter>({ get: { value } }));
}

function text(logicalName: string, value: (meter: VirtualMeter) => string): ModelObject<VirtualMeter> {
  return data(logicalName, (meter) => ({ type: "octet-string", value: ascii(value(meter)) }));
}

/** What the firmware says of itself: a digest over its name stands for one over its image, which these meters do not have. */
function firmwareSignature(firmware: string): Uint8Array {
  return createHash("sha256").update(`meterkeep virtual firmware ${firmware}`).digest();
}
