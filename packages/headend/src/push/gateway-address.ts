import { HeadEndError } from "../errors.ts";
import type { Address } from "../inventory/meter.ts";

/** Reads `tcp://host:port` of a serial gateway. @throws HeadEndError `gateway-address-invalid`. */
export function parseGatewayAddress(text: string): Address {
  const match = /^tcp:\/\/(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]{1,253}):(\d{1,5})\/?$/.exec(text);
  const port = Number(match?.[2]);
  const host = match?.[1]?.replace(/^\[|\]$/g, "");
  if (host === undefined || host === "" || !(port >= 1 && port <= 65_535))
    throw new HeadEndError("gateway-address-invalid", `"${text}" is not an address such as tcp://192.168.1.20:2001`);
  return { host, port };
}
