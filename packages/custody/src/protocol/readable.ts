import { DecodeError, DlmsError } from "@meterkeep/dlms";
import { getResult } from "./requests.ts";

/** What does not decode was not said. */
export function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DecodeError || error instanceof DlmsError) return undefined;
    throw error;
  }
}

/** The counter that a meter shows to the public client: plain, so that anybody on the line may have said it. */
export function shownCounter(octets: Uint8Array): number | undefined {
  const value = readable(() => getResult(octets))?.value;
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 0xffffffff ? value : undefined;
}
