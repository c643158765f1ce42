import { MBusChannel, type MBusIdentity } from "@meterkeep/dlms";
import type { MeterSettings } from "./nvm/settings.ts";

/** A meter, as far as its M-Bus channel needs it. */
export interface MBusOwner {
  readonly record: { readonly seed: number };
  readonly settings: MeterSettings;
  changeSettings(settings: MeterSettings): void;
}

const GAS = 3;
const HOUR = 3600;
/** FLAG id MKV, as M-Bus packs it: five bits a letter. */
const MANUFACTURER = 0x3576;
const VERSION = 0x50;

/** Channel 1: a gas meter is within reach of the bus, and is installed when a client says so. */
export function mBusChannel(owner: MBusOwner): MBusChannel {
  const stored = owner.settings.mBus;
  const identity: MBusIdentity = {
    identificationNumber: (owner.record.seed % 90_000_000) + 10_000_000,
    manufacturerId: MANUFACTURER,
    version: VERSION,
    deviceType: GAS,
  };
  let accessNumber = 0;
  const channel = new MBusChannel(
    {
      install: () => identity,
      deinstall: () => undefined,
      capture: () => {
        accessNumber = (accessNumber + 1) & 0xff;
        return { accessNumber, status: 0, configuration: 0 };
      },
      synchronizeClock: () => true,
      send: () => false,
      useKey: () => undefined,
      transferKey: () => true,
    },
    { portReference: "0.0.24.6.0.255", captureDefinition: [], capturePeriod: stored?.capturePeriod ?? HOUR },
  );
  if (stored !== undefined && stored.primaryAddress !== 0) channel.install(stored.primaryAddress);
  return channel;
}
