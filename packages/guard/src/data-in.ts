import { type Data, data, decode, fromHex } from "@meterkeep/dlms";

/** The Data that octets are, as hex; undefined where they are none. */
export function dataIn(octets: string): Data | undefined {
  try {
    return decode(data, fromHex(octets));
  } catch {
    return undefined;
  }
}
