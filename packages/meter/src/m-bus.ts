import { createDecipheriv } from "node:crypto";
import { MBusChannel, type MBusIdentity } from "@meterkeep/dlms";
import type { MeterSettings, StoredMBusChannel } from "./nvm/settings.ts";

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
const KEY_BYTES = 16;
/** Security mode 5, one encrypted block: what a telegram of a device with a key says of itself. */
const ENCRYPTED = 0x0510;

/**
 * Channel 1: a gas meter is within reach of the bus, and is installed when a client says so. With a default key it takes a key of
 * its own, and from then on its meter reads it by the same key alone.
 */
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
        if (!readsGas(owner.settings)) return undefined;
        accessNumber = (accessNumber + 1) & 0xff;
        return { accessNumber, status: 0, configuration: owner.settings.mBus?.deviceKey === undefined ? 0 : ENCRYPTED };
      },
      synchronizeClock: () => true,
      send: () => false,
      useKey: (_, key) => {
        const { usedKey: before, ...others } = storedChannel(owner);
        const usedKey = key && hexOf(key);
        if (usedKey !== before) keep(owner, usedKey === undefined ? others : { ...others, usedKey });
      },
      transferKey: (_, wrapped) => {
        const deviceKey = unwrapped(owner.settings.mBus?.defaultKey, wrapped);
        if (deviceKey !== undefined) keep(owner, { ...storedChannel(owner), deviceKey });
        return deviceKey !== undefined;
      },
    },
    { portReference: "0.0.24.6.0.255", captureDefinition: [], capturePeriod: stored?.capturePeriod ?? HOUR },
  );
  if (stored !== undefined && stored.primaryAddress !== 0) {
    channel.install(stored.primaryAddress);
    if (stored.usedKey !== undefined) channel.setKey(Buffer.from(stored.usedKey, "hex"));
  }
  return channel;
}

/** Hangs another gas meter on the bus, made with a default key: whatever key the one before it had went with it. */
export function hangGasMeter(owner: MBusOwner, defaultKey: Uint8Array): void {
  const { deviceKey: _, ...others } = storedChannel(owner);
  keep(owner, { ...others, defaultKey: hexOf(defaultKey) });
}

/** Whether the meter can read what its gas meter sends: in clear, or under one key on both sides. */
export function readsGas({ mBus }: Pick<MeterSettings, "mBus">): boolean {
  return mBus?.deviceKey === undefined || mBus.deviceKey === mBus.usedKey;
}

function storedChannel({ settings: { mBus } }: MBusOwner): StoredMBusChannel {
  return mBus ?? { primaryAddress: 0, capturePeriod: HOUR };
}

function keep(owner: MBusOwner, mBus: StoredMBusChannel): void {
  owner.changeSettings({ ...owner.settings, mBus });
}

/** As DSMR has it: AES-128 in CBC mode, vector zero, under what the device was made with. It has no tag: a wrong default gives another key. */
function unwrapped(defaultKey: string | undefined, wrapped: Uint8Array): string | undefined {
  if (defaultKey === undefined || wrapped.length !== KEY_BYTES) return undefined;
  const key = Buffer.from(defaultKey, "hex");
  const decipher = createDecipheriv("aes-128-cbc", key, new Uint8Array(KEY_BYTES)).setAutoPadding(false);
  return hexOf(Buffer.concat([decipher.update(wrapped), decipher.final()]));
}

function hexOf(octets: Uint8Array): string {
  return Buffer.from(octets).toString("hex");
}
