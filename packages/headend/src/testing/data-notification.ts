import { type Data, dateTimeAt, dateTimeOctets, encode, apdu as xdlms } from "@meterkeep/dlms";

/** What a meter pushes, in clear: a data-notification whose body is a structure of `items`. */
export function dataNotification(items: readonly Data[]): Uint8Array {
  return encode(xdlms, {
    kind: "data-notification",
    value: {
      invokeIdAndPriority: {
        invokeId: 1,
        confirmed: false,
        highPriority: false,
        selfDescriptive: false,
        breakOnError: false,
      } as never,
      dateTime: undefined,
      body: { type: "structure", value: [...items] },
    },
  });
}

/** A counter or measurement as pushes have it. */
export const pushedNumber = (value: number): Data => ({ type: "double-long-unsigned", value });

/** A name as pushes have it. */
export const pushedText = (text: string): Data => ({ type: "octet-string", value: new TextEncoder().encode(text) });

/** A meter's clock at `at`, milliseconds since 1970; of one that does not say how far it is from UTC, local time taken as UTC. */
export const pushedClock = (at: number, { saysDeviation = true } = {}): Data => ({
  type: "octet-string",
  value: encode(dateTimeOctets, { ...dateTimeAt(at), ...(saysDeviation ? {} : { deviation: undefined }) }),
});
