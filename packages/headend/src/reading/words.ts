import { obisInWords, parseObis } from "@meterkeep/dlms";

/** What an OBIS code means, in words; the code itself where it is none. */
export function quantityWords(obis: string): string {
  const code = parseObis(obis);
  return code === undefined ? obis : obisInWords(code);
}
