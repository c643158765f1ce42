import type { Infer } from "../codec/codec.ts";
import { MBusClient, MBusClientV0 } from "../cosem/classes/m-bus-client.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";

type Attributes = typeof MBusClient.attributes;
type CaptureDefinition = Infer<Attributes["captureDefinition"]["codec"]>;
type KeyStatus = Exclude<Infer<Attributes["encryptionKeyStatus"]["codec"]>, number>;

/** What an M-Bus device says of itself in the header of its telegrams. */
export interface MBusIdentity {
  readonly identificationNumber: number;
  readonly manufacturerId: number;
  readonly version: number;
  readonly deviceType: number;
}

/** What a telegram of the device brought besides its values, which the bus has stored. */
export interface MBusReading {
  readonly accessNumber: number;
  readonly status: number;
  /** Encryption mode and count of encrypted blocks. */
  readonly configuration: number;
}

/** One element of what `data_send` passes on. */
export type MBusData = Infer<(typeof MBusClient)["methods"]["dataSend"]["parameter"]>[number];

/** The bus, wired or wireless, as the meter reaches a device on it. Each answers undefined or false where the device does not. */
export interface MBus {
  /** Finds the device that is to be installed, gives it the address, and says who it is. */
  readonly install: (primaryAddress: number) => MBusIdentity | undefined;
  readonly deinstall: (primaryAddress: number) => void;
  /** Reads the device and stores the values of the capture definition where the meter keeps them. */
  readonly capture: (primaryAddress: number, definition: CaptureDefinition) => MBusReading | undefined;
  readonly synchronizeClock: (primaryAddress: number) => boolean;
  readonly send: (primaryAddress: number, elements: readonly MBusData[]) => boolean;
  /** The key that the meter itself uses for what the device sends; none where it is empty. */
  readonly useKey: (primaryAddress: number, key: Uint8Array | undefined) => void;
  /** Passes on a key that is encrypted under the device's own default key. */
  readonly transferKey: (primaryAddress: number, encryptedKey: Uint8Array) => boolean;
}

/** How a channel is set up. */
export interface MBusChannelSettings {
  readonly portReference: string;
  readonly captureDefinition: CaptureDefinition;
  /** Seconds; 0 for only when asked. */
  readonly capturePeriod: number;
}

const NOBODY: MBusIdentity = { identificationNumber: 0, manufacturerId: 0, version: 0, deviceType: 0 };
const NOT_READ: MBusReading = { accessNumber: 0, status: 0, configuration: 0 };
/** An address that no device has. */
const NO_ADDRESS = 0;
/** Bits 2 to 7 of the status of a telegram are alarms: low power, permanent and temporary error, and the maker's own. */
const ALARM_BITS = 0xfc;

/**
 * One channel of a meter to an M-Bus device, such as a gas meter (class 72, Blue Book 4.8.3).
 *
 * States: no device installed, or one with its primary address; and of its key: none, set in the meter, transferred to the
 * device, both, in use, which it is once an encrypted telegram was read with it. Taking the device off forgets both.
 */
export class MBusChannel {
  readonly #bus: MBus;
  settings: MBusChannelSettings;
  #primaryAddress = NO_ADDRESS;
  #identity = NOBODY;
  #reading = NOT_READ;
  #alarm = 0;
  #keyStatus: KeyStatus = "noEncryptionKey";
  #capturedAt: number | undefined;

  constructor(bus: MBus, settings: MBusChannelSettings) {
    this.#bus = bus;
    this.settings = settings;
  }

  get primaryAddress(): number {
    return this.#primaryAddress;
  }

  get identity(): MBusIdentity {
    return this.#identity;
  }

  get reading(): MBusReading {
    return this.#reading;
  }

  get alarm(): number {
    return this.#alarm;
  }

  get keyStatus(): KeyStatus {
    return this.#keyStatus;
  }

  get isInstalled(): boolean {
    return this.#primaryAddress !== NO_ADDRESS;
  }

  /** slave_install: false while another device is installed, or where none answers. */
  install(primaryAddress: number): boolean {
    if (this.isInstalled || primaryAddress === NO_ADDRESS) return false;
    const identity = this.#bus.install(primaryAddress);
    if (identity === undefined) return false;
    this.#primaryAddress = primaryAddress;
    this.#identity = identity;
    return true;
  }

  /** slave_deinstall: also forgets its key. */
  deinstall(): boolean {
    if (!this.isInstalled) return false;
    this.#bus.useKey(this.#primaryAddress, undefined);
    this.#bus.deinstall(this.#primaryAddress);
    this.#primaryAddress = NO_ADDRESS;
    this.#identity = NOBODY;
    this.#reading = NOT_READ;
    this.#alarm = 0;
    this.#keyStatus = "noEncryptionKey";
    return true;
  }

  /** capture: reads the device now. */
  capture(): boolean {
    const reading = this.isInstalled
      ? this.#bus.capture(this.#primaryAddress, this.settings.captureDefinition)
      : undefined;
    if (reading === undefined) return false;
    this.#reading = reading;
    this.#alarm |= reading.status & ALARM_BITS;
    const isEncrypted = reading.configuration !== 0;
    if (isEncrypted && this.#keyStatus !== "noEncryptionKey") this.#keyStatus = "encryptionKeyInUse";
    return true;
  }

  resetAlarm(): void {
    this.#alarm = 0;
  }

  synchronizeClock(): boolean {
    return this.isInstalled && this.#bus.synchronizeClock(this.#primaryAddress);
  }

  send(elements: readonly MBusData[]): boolean {
    return this.isInstalled && this.#bus.send(this.#primaryAddress, elements);
  }

  /** set_encryption_key: an empty one takes it away. */
  setKey(key: Uint8Array): boolean {
    if (!this.isInstalled) return false;
    this.#bus.useKey(this.#primaryAddress, key.length === 0 ? undefined : key);
    const transferred = this.#keyStatus === "encryptionKeyTransferred";
    this.#keyStatus =
      key.length === 0 ? "noEncryptionKey" : transferred ? "encryptionKeySetAndTransferred" : "encryptionKeySet";
    return true;
  }

  /** transfer_key: to the device, which answers whether it could decrypt it. */
  transferKey(encryptedKey: Uint8Array): boolean {
    if (!this.isInstalled || !this.#bus.transferKey(this.#primaryAddress, encryptedKey)) return false;
    const isSet = this.#keyStatus !== "noEncryptionKey" && this.#keyStatus !== "encryptionKeyTransferred";
    this.#keyStatus = isSet ? "encryptionKeySetAndTransferred" : "encryptionKeyTransferred";
    return true;
  }

  /** Lets time pass, in milliseconds since 1970 UTC: reads the device each capture period. */
  tick(instant: number): void {
    const { capturePeriod } = this.settings;
    this.#capturedAt ??= instant;
    if (capturePeriod === 0 || instant - this.#capturedAt < capturePeriod * 1000) return;
    this.#capturedAt = instant;
    this.capture();
  }
}

/** Serves class 72 in the version wanted from a channel of the meter. */
export function serveMBusClient<State>(
  version: 0 | 1,
  channelOf: (state: State, context: ServeContext) => MBusChannel,
): ServedClass<State> {
  const orRefuse = (done: boolean) => (done ? undefined : refuse("other-reason"));
  const change = (part: Partial<MBusChannelSettings>, state: State, context: ServeContext): void => {
    const channel = channelOf(state, context);
    channel.settings = { ...channel.settings, ...part };
  };
  const get = {
    mBusPortReference: (state: State, context: ServeContext) => channelOf(state, context).settings.portReference,
    captureDefinition: (state: State, context: ServeContext) => channelOf(state, context).settings.captureDefinition,
    capturePeriod: (state: State, context: ServeContext) => channelOf(state, context).settings.capturePeriod,
    primaryAddress: (state: State, context: ServeContext) => channelOf(state, context).primaryAddress,
    identificationNumber: (state: State, context: ServeContext) =>
      channelOf(state, context).identity.identificationNumber,
    manufacturerId: (state: State, context: ServeContext) => channelOf(state, context).identity.manufacturerId,
    dataHeaderVersion: (state: State, context: ServeContext) => channelOf(state, context).identity.version,
    deviceType: (state: State, context: ServeContext) => channelOf(state, context).identity.deviceType,
    accessNumber: (state: State, context: ServeContext) => channelOf(state, context).reading.accessNumber,
    status: (state: State, context: ServeContext) => channelOf(state, context).reading.status,
    alarm: (state: State, context: ServeContext) => channelOf(state, context).alarm,
  };
  const set = {
    mBusPortReference: (portReference: string, state: State, context: ServeContext) =>
      change({ portReference }, state, context),
    captureDefinition: (definition: CaptureDefinition, state: State, context: ServeContext) =>
      change({ captureDefinition: definition.map(ownedBlocks) }, state, context),
    capturePeriod: (capturePeriod: number, state: State, context: ServeContext) =>
      change({ capturePeriod }, state, context),
  };
  const call = {
    slaveInstall: (address: number, state: State, context: ServeContext) =>
      orRefuse(channelOf(state, context).install(address)),
    slaveDeinstall: (_: unknown, state: State, context: ServeContext) =>
      orRefuse(channelOf(state, context).deinstall()),
    capture: (_: unknown, state: State, context: ServeContext) => orRefuse(channelOf(state, context).capture()),
    resetAlarm: (_: unknown, state: State, context: ServeContext) => channelOf(state, context).resetAlarm(),
    synchronizeClock: (_: unknown, state: State, context: ServeContext) =>
      orRefuse(channelOf(state, context).synchronizeClock()),
    dataSend: (elements: readonly MBusData[], state: State, context: ServeContext) =>
      orRefuse(channelOf(state, context).send(elements)),
    setEncryptionKey: (key: Uint8Array, state: State, context: ServeContext) =>
      orRefuse(channelOf(state, context).setKey(key.slice())),
    transferKey: (key: Uint8Array, state: State, context: ServeContext) =>
      orRefuse(channelOf(state, context).transferKey(key.slice())),
  };
  if (version === 0) return MBusClientV0.serve<State>({ get, set, call });
  return MBusClient.serve<State>({
    get: {
      ...get,
      configuration: (state, context) => channelOf(state, context).reading.configuration,
      encryptionKeyStatus: (state, context) => channelOf(state, context).keyStatus,
    },
    set,
    call,
  });
}

/** Blocks that outlive the request they came in. */
function ownedBlocks({
  dataInformationBlock,
  valueInformationBlock,
}: CaptureDefinition[number]): CaptureDefinition[number] {
  return {
    dataInformationBlock: dataInformationBlock.slice(),
    valueInformationBlock: valueInformationBlock.slice(),
  };
}
