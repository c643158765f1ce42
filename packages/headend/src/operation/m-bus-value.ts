import { ExtendedRegister, instantOf, remote, unitSymbol } from "@meterkeep/dlms";
import { type FieldValue, object, whole } from "@meterkeep/guard";
import { logicalName } from "../profile/object-name.ts";
import type { RegisterRecord } from "../reading/result.ts";
import { scaledValue } from "../session/scaler-table.ts";
import { snapshotByClock, storedRead } from "./clock-seen.ts";
import { mBusDevice, mBusDeviceWords } from "./m-bus-install.ts";
import { offered } from "./not-offered.ts";
import type { Operation } from "./operation.ts";
import { reading } from "./reading.ts";

const parameters = object({
  /** From 1. */
  channel: whole(1, 8),
});
type ValueParameters = FieldValue<typeof parameters>;

/** Attribute of an M-Bus client: the identification number. */
const DEVICE = 6;
/** Attribute of an extended register: the value. */
const VALUE = 2;

/** Reads what the M-Bus device on a channel has counted, such as cubic metres of gas, with the time at which the meter heard it. */
export const mBusValueOperation: Operation<ValueParameters> = reading({
  name: "m-bus-value",
  parameters,
  example: { channel: 1 },
  words: ({ channel }) => `read the M-Bus device on channel ${channel}`,
  run: async (on, { channel }) => {
    const code = offered(on.profile.mBus.values[channel - 1], `M-Bus channel ${channel}`, on.profile);
    const device = await mBusDevice(on, { channel });
    const who = {
      name: `device on channel ${channel}`,
      object: `${logicalName(on.profile.mBus.channels[channel - 1] as string)}/${DEVICE}`,
      found: device.primaryAddress === 0 ? "none" : mBusDeviceWords(device),
      holds: device.primaryAddress !== 0,
      evidence: on.evidence(),
    };
    if (device.primaryAddress === 0)
      return { outcome: "not-taken", sentence: `Channel ${channel} is free.`, readBack: [who], findings: [] };
    on.begin();
    const register = remote(on.session, ExtendedRegister, logicalName(code));
    const { value, scalerUnit, captureTime } = await register.getAll("value", "scalerUnit", "captureTime");
    const evidence = on.evidence();
    const count = "value" in value && typeof value.value === "number" ? value.value : undefined;
    const at = instantOf(captureTime);
    const what = { name: code, object: `${logicalName(code)}/${VALUE}`, evidence };
    if (count === undefined || at === undefined)
      return {
        outcome: "not-taken",
        sentence: `The meter has heard nothing yet of the device on channel ${channel}.`,
        readBack: [who, { ...what, found: "nothing", holds: false }],
        findings: [],
      };
    const unit = unitSymbol(scalerUnit.unit);
    const record: RegisterRecord = {
      obis: code,
      value: scaledValue(count, { scaler: scalerUnit.scaler, unit }),
      unit,
      at,
      evidence,
    };
    return {
      outcome: "unchanged",
      sentence: `The device on channel ${channel} has counted ${record.value} ${unit}.`,
      readBack: [who, { ...what, found: `${record.value} ${unit}`, holds: true }],
      findings: [],
      data: [{ obis: code, value: record.value, unit, at: new Date(at).toISOString() }],
      // The meter's clock says when it heard the device.
      read: storedRead(await snapshotByClock(on, []), { registers: [record] }),
    };
  },
});
