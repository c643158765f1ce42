import { DisconnectControl, type ModelObject, mount } from "@meterkeep/dlms";
import type { VirtualMeter } from "../virtual-meter.ts";

/** A relay for a load of the customer's, such as a heat pump; the home's own supply does not pass through it. */
export function loadRelayObjects(): ModelObject<VirtualMeter>[] {
  return [mount("0.1.96.3.10.255", DisconnectControl.serve<VirtualMeter>(relay(1)))];
}

function relay(number: number): Parameters<typeof DisconnectControl.serve<VirtualMeter>>[0] {
  const isOpen = ({ settings }: VirtualMeter) => settings.openRelays?.includes(number) ?? false;
  const turn = (open: boolean, meter: VirtualMeter): void => {
    const others = (meter.settings.openRelays ?? []).filter((one) => one !== number);
    meter.changeSettings({ ...meter.settings, openRelays: open ? [...others, number] : others });
  };
  return {
    get: {
      outputState: (meter) => !isOpen(meter),
      controlState: (meter) => (isOpen(meter) ? "disconnected" : "connected"),
      controlMode: () => 4,
    },
    call: {
      remoteDisconnect: (_, meter) => turn(true, meter),
      remoteReconnect: (_, meter) => turn(false, meter),
    },
  };
}
