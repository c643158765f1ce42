import type { ServedClass } from "@meterkeep/dlms";
import type { VirtualMeter } from "../virtual-meter.ts";

/** The class with whatever is written or called written down by `keep`, and logged. */
export function kept(
  served: ServedClass<VirtualMeter>,
  keep: (meter: VirtualMeter) => void,
): ServedClass<VirtualMeter> {
  const done = (result: string, meter: VirtualMeter): void => {
    if (result !== "success") return;
    keep(meter);
    meter.log("configurationChanged", meter.now());
  };
  return {
    ...served,
    attributes: served.attributes.map(
      (attribute) =>
        attribute && {
          ...attribute,
          write: (reader, meter, context) => {
            const result = attribute.write(reader, meter, context);
            done(result, meter);
            return result;
          },
        },
    ),
    methods: served.methods.map(
      (method) =>
        method && {
          ...method,
          invoke: (parameter, writer, meter, context) => {
            const result = method.invoke(parameter, writer, meter, context);
            done(result, meter);
            return result;
          },
        },
    ),
  };
}
