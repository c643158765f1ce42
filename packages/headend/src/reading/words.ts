import { obisInWords, parseObis } from "@meterkeep/dlms";

/** What an OBIS code means, in words; the code itself where it is none. */
export function quantityWords(obis: string): string {
  const code = parseObis(obis);
  return code === undefined ? obis : obisInWords(code);
}

/** `1 interval`, `2 intervals`. */
export function counted(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? "" : "s"}`;
}
