import { logicalNameOctets, toHex } from "@meterkeep/dlms";

/** `1-0:1.8.0`, as profiles have it, as `1.0.1.8.0.255`, as sessions want it; `0-0:25.9.0*1` where the last is not 255. */
export function logicalName(obis: string): string {
  const name = obis.replace(/[-:*]/g, ".");
  return obis.includes("*") ? name : `${name}.255`;
}

/** The six octets of a logical name, as profiles have it. */
export function obisOf([a, b, c, d, e, f]: Uint8Array): string {
  return `${a}-${b}:${c}.${d}.${e}${f === 255 ? "" : `*${f}`}`;
}

/** The same as twelve hex digits, as manifests want it. */
export function instanceOf(obis: string): string {
  return toHex(logicalNameOctets(logicalName(obis)));
}
