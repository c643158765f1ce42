import { fromHex, systemTitle } from "@meterkeep/dlms";

// The keys of the meter in be-a-meter.ts. They stand here, so they protect nothing.

export const ENCRYPTION_KEY = fromHex("000102030405060708090a0b0c0d0e0f");
export const AUTHENTICATION_KEY = fromHex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf");
export const METER_TITLE = systemTitle(fromHex("4d4b500000000001"));
export const CLIENT_TITLE = systemTitle(fromHex("4d4b480000000001"));

/** The clients that the meter knows: one may read the energy without keys, one may do everything with them. */
export const PUBLIC_CLIENT = 16;
export const MANAGEMENT_CLIENT = 1;
export const SECURITY_SETUP = "0.0.43.0.0.255";
/** What the meter has seen of the management client: counters above it are new. */
export const INVOCATION_COUNTER = "0.0.43.1.0.255";

export const ENERGY = "1.0.1.8.0.255";
export const CLOCK = "0.0.1.0.0.255";
export const LOAD_PROFILE = "1.0.99.1.0.255";
