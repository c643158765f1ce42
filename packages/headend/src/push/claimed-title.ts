import { parseProtectedApdu, type SystemTitle } from "@meterkeep/dlms";

/** The system title that a protected APDU names as its sender, proven or not; undefined where it names none. */
export function claimedTitle(apdu: Uint8Array): SystemTitle | undefined {
  try {
    return parseProtectedApdu(apdu).originator;
  } catch {
    return undefined;
  }
}
