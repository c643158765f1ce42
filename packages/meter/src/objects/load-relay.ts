import { DisconnectControl, type ModelObject, mount } from "@meterkeep/dlms";
import type { VirtualMeter } from "../virtual-meter.ts";

/** The relay through which the home feeds in. */
const FEED_RELAY = 2;

/**
 * A relay for a load of the customer's, such as a heat pump, and one through which panels on the roof feed in; the home's own
 * supply passes through neither.
 */
export function loadRelayObjects(): ModelObject<VirtualMeter>[] {
  return [1, FEED_RELAY].map((number) =>
    mount(`0.${number}.96.3.10.255`, DisconnectControl.serve<VirtualMeter>(relay(number))),
  );
}

function relay(number: number): Parameters<typeof DisconnectControl.serve<VirtualMeter>>[0] {
  const isOpen = ({ settings }: VirtualMeter) => settings.openRelays?.includes(number) ?? false;
  const turn = (open: boolean, meter: VirtualMeter): void => {
    const others = (meter.settings.openRelays ?? []).filter((one) => one !== number);
    meter.changeSettings({ ...meter.settings, openRelays: open ? [...others, number] : others });
    if (number === FEED_RELAY) meter.supply?.feed(meter.now(), !open);
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
