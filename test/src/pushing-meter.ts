import {
  apdu,
  type Data,
  type DateTime,
  dateTime,
  dateTimeOctets,
  encode,
  fromHex,
  obis,
  obisOctets,
  protectApdu,
  softwareCiphers,
  softwareKey,
  systemTitle,
  unitNumber,
} from "@meterkeep/dlms";
import { sendPush } from "@meterkeep/dlms-node";

/** A meter that is no part of the virtual town: it knows its keys and pushes what it is told. */
export interface PushingMeter {
  /** Upper-case hex. */
  readonly title: string;
  readonly encryptionKey: Uint8Array;
  readonly authenticationKey: Uint8Array;
}

/** Makes a push of an energy register, protected under a counter; without a tag where it is not `authenticated`. */
export function makePush(
  meter: PushingMeter,
  counter: number,
  {
    energyWh,
    authenticated = true,
    now = new Date(),
  }: { readonly energyWh: number; readonly authenticated?: boolean; readonly now?: Date },
): Uint8Array {
  const clock = clockOf(now);
  const octets = (value: Uint8Array): Data => ({ type: "octet-string", value });
  const body: Data = {
    type: "structure",
    value: [
      octets(obisOctets(obis("0-0:1.0.0"))),
      octets(encode(dateTimeOctets, clock)),
      octets(obisOctets(obis("1-0:1.8.0"))),
      { type: "double-long-unsigned", value: energyWh },
      {
        type: "structure",
        value: [
          { type: "integer", value: 0 },
          { type: "enum", value: unitNumber("Wh") ?? 30 },
        ],
      },
    ],
  };
  return protect(meter, counter, clock, body, authenticated);
}

/** Makes an alarm as meters of the town push it: their name, the time, and the bits of alarm register 1. */
export function makeAlarm(meter: PushingMeter, counter: number, bits: number, now: Date): Uint8Array {
  const clock = clockOf(now);
  const body: Data = {
    type: "structure",
    value: [
      { type: "octet-string", value: new TextEncoder().encode(meter.title) },
      { type: "octet-string", value: encode(dateTimeOctets, clock) },
      { type: "double-long-unsigned", value: bits },
    ],
  };
  return protect(meter, counter, clock, body, true);
}

function clockOf(now: Date): DateTime {
  return dateTime({
    year: now.getUTCFullYear(),
    month: now.getUTCMonth() + 1,
    dayOfMonth: now.getUTCDate(),
    dayOfWeek: now.getUTCDay() === 0 ? 7 : now.getUTCDay(),
    hour: now.getUTCHours(),
    minute: now.getUTCMinutes(),
    second: now.getUTCSeconds(),
    hundredths: 0,
    deviation: 0,
    status: 0,
  });
}

function protect(
  meter: PushingMeter,
  counter: number,
  clock: DateTime,
  body: Data,
  authenticated: boolean,
): Uint8Array {
  const flags = { selfDescriptive: false, breakOnError: false, confirmed: false, highPriority: false };
  const value = { invokeIdAndPriority: { invokeId: counter % 0x100_0000, ...flags }, dateTime: clock, body };
  return protectApdu(
    softwareCiphers,
    { encryption: softwareKey(meter.encryptionKey), authentication: meter.authenticationKey },
    {
      form: "general-global",
      control: { suite: 0, authenticated, encrypted: true, broadcast: false, compressed: false },
      originator: systemTitle(fromHex(meter.title)),
      counter,
    },
    encode(apdu, { kind: "data-notification", value }),
  );
}

/** Sends octets to the push port as a meter does. */
export async function pushTo(port: number, octets: Uint8Array, transport: "tcp" | "udp" = "tcp"): Promise<void> {
  await sendPush(octets, { transport, host: "127.0.0.1", port, sourceSap: 1, destinationSap: 102 });
}
