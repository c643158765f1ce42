import { type ModelObject, mount, servePortProtection } from "@meterkeep/dlms";
import type { VirtualMeter } from "../virtual-meter.ts";

/** Protection of the port that the meter is reached on. */
export function portProtection(): ModelObject<VirtualMeter> {
  return mount(
    "0.0.44.2.0.255",
    servePortProtection<VirtualMeter>({
      settings: (meter) => meter.portGuard.settings,
      change: (settings, meter) => meter.portGuard.change(settings),
      read: (meter) => meter.portGuard.state,
      keep: (state, meter) => meter.portGuard.keep(state),
      now: (meter) => meter.now() * 1000,
    }),
  );
}
