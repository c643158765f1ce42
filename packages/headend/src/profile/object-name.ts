import { logicalNameOctets, toHex } from "@meterkeep/dlms";

/** `1-0:1.8.0`, as profiles have it, as `1.0.1.8.0.255`, as sessions want it. */
export function logicalName(obis: string): string {
  return `${obis.replace(/[-:]/g, ".")}.255`;
}

/** The same as twelve hex digits, as manifests want it. */
export function instanceOf(obis: string): string {
  return toHex(logicalNameOctets(logicalName(obis)));
}
