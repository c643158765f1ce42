import { CliError } from "../error.ts";

/** Where a meter listens. */
export interface MeterAddress {
  readonly host: string;
  readonly port: number;
}

const TCP = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/]+)):(\d{1,5})\/?$/;

/** Reads `tcp://host:port`, also with an IPv6 address in brackets. @throws CliError `input-unreadable` */
export function parseMeterAddress(text: string): MeterAddress {
  const match = TCP.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port >= 1 && port <= 65_535))
    throw new CliError("input-unreadable", `"${text}" is no address: write tcp://host:port`);
  return { host, port };
}
