import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { type ProductionRecord, parseProductionLine } from "@meterkeep/meter";

/** Reads the production file line by line; nothing where there is none. Throws `meter-production-malformed` naming the line. */
export async function readProduction(file: string): Promise<ProductionRecord[]> {
  if (!existsSync(file)) return [];
  const records: ProductionRecord[] = [];
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(file) })) {
    line += 1;
    if (text !== "") records.push(parseProductionLine(text, line));
  }
  return records;
}
