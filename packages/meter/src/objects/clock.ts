import { type ModelObject, mount, type ServedClass, serveClock } from "@meterkeep/dlms";
import type { VirtualMeter } from "../virtual-meter.ts";

const TIME = 2;

/** The clock object: its time can be set and shifted; its zone and summer time are the meter's. */
export function clockObject(): ModelObject<VirtualMeter> {
  const served = serveClock<VirtualMeter>((meter) => meter.clock);
  return mount("0.0.1.0.0.255", onlyTimeWritable(served));
}

function onlyTimeWritable(served: ServedClass<VirtualMeter>): ServedClass<VirtualMeter> {
  return {
    ...served,
    attributes: served.attributes.map((attribute) =>
      attribute === undefined || attribute.index === TIME
        ? attribute
        : { ...attribute, writable: false, write: () => "read-write-denied" },
    ),
  };
}
