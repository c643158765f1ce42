import { MBusClient, MBusClientV0, remote } from "@meterkeep/dlms";
import { type FieldValue, object, whole } from "@meterkeep/guard";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { instanceOf, logicalName } from "../profile/object-name.ts";
import { offered } from "./not-offered.ts";
import type { Operation, OperationSession, ReadBack } from "./operation.ts";

const parameters = object({
  /** From 1. */
  channel: whole(1, 8),
  /** The primary address that the device gets. */
  address: whole(1, 250),
});
type InstallParameters = FieldValue<typeof parameters>;

/** Who is on a channel, as its client object says. */
export interface MBusDevice {
  readonly primaryAddress: number;
  readonly identificationNumber: number;
  readonly manufacturerId: number;
  readonly dataHeaderVersion: number;
  readonly deviceType: number;
}

/** Lets a meter take the M-Bus device in its reach, such as a gas meter, and says who came. Its keys are the custodian's business. */
export const mBusInstallOperation: Operation<InstallParameters> = {
  name: "m-bus-install",
  parameters,
  example: { channel: 1, address: 1 },
  words: ({ channel, address }) => `install an M-Bus device on channel ${channel} under address ${address}`,

  command: ({ channel, address }, profile) => ({
    kind: "m-bus-install",
    instance: instanceOf(channelOf(channel, profile)),
    primaryAddress: address,
  }),

  async preview(on, of) {
    const { device, fact } = await deviceOn(on, of);
    const changes = device.primaryAddress === 0;
    const sentence = changes
      ? `Channel ${of.channel} is free.`
      : `Channel ${of.channel} has ${mBusDeviceWords(device)}.`;
    return { changes, sentence, readBack: [fact], findings: [] };
  },

  async run(on, of) {
    const before = await deviceOn(on, of);
    if (before.device.primaryAddress !== 0) {
      const outcome = before.fact.holds ? "unchanged" : "not-taken";
      const sentence = `Channel ${of.channel} had ${mBusDeviceWords(before.device)} already.`;
      return { outcome, sentence, readBack: [before.fact], findings: [], data: before.device };
    }
    await client(on, of).call("slaveInstall", of.address);
    const after = await deviceOn(on, of);
    return {
      outcome: after.fact.holds ? "done" : "not-taken",
      sentence: `Channel ${of.channel} has ${mBusDeviceWords(after.device)}.`,
      readBack: [{ ...after.fact, before: before.fact.found }],
      findings: [],
      data: after.device,
    };
  },
};

function client(on: OperationSession, { channel }: Pick<InstallParameters, "channel">) {
  const { version } = on.profile.mBus;
  const name = logicalName(channelOf(channel, on.profile));
  // What is used here is the same in both versions but for what short names are added to.
  return remote(on.session, version === 0 ? (MBusClientV0 as unknown as typeof MBusClient) : MBusClient, name);
}

/** Reads who is on a channel. */
export async function mBusDevice(on: OperationSession, of: Pick<InstallParameters, "channel">): Promise<MBusDevice> {
  on.begin();
  return client(on, of).getAll(
    "primaryAddress",
    "identificationNumber",
    "manufacturerId",
    "dataHeaderVersion",
    "deviceType",
  );
}

async function deviceOn(
  on: OperationSession,
  of: InstallParameters,
): Promise<{ readonly device: MBusDevice; readonly fact: ReadBack }> {
  const device = await mBusDevice(on, of);
  const fact: ReadBack = {
    name: `device on channel ${of.channel}`,
    object: `${logicalName(channelOf(of.channel, on.profile))}/5`,
    wanted: `address ${of.address}`,
    found: device.primaryAddress === 0 ? "none" : mBusDeviceWords(device),
    holds: device.primaryAddress === of.address,
    evidence: on.evidence(),
  };
  return { device, fact };
}

/** A device in words. */
export function mBusDeviceWords({
  primaryAddress,
  identificationNumber,
  manufacturerId,
  deviceType,
}: MBusDevice): string {
  return `device ${identificationNumber} of ${flagOf(manufacturerId)}, type ${deviceType}, at address ${primaryAddress}`;
}

/** The three letters of a manufacturer, five bits each. */
function flagOf(manufacturerId: number): string {
  const letters = [10, 5, 0].map((shift) => ((manufacturerId >> shift) & 0x1f) + 64);
  return String.fromCharCode(...letters);
}

function channelOf(channel: number, profile: MeterProfile): string {
  return offered(profile.mBus.channels[channel - 1], `M-Bus channel ${channel}`, profile);
}
