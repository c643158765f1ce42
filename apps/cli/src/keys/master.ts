import { readFileSync } from "node:fs";
import type { Custodian } from "@meterkeep/api/custodian";
import type { OperatorOptions } from "../operator/commands.ts";
import { type Terminal, write } from "../terminal.ts";
import { asOperator } from "./operator.ts";

/** `meterkeep keys master` */
export async function master(file: string, options: OperatorOptions, terminal: Terminal): Promise<void> {
  const taken = await asOperator(options.state, terminal, (custodian) => takeMasterFile(custodian, file));
  const said = `Master ${taken.master} of ${taken.manufacturer} is held: its shipments need not carry keys.\n`;
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(taken)}\n` : said);
}

/** Has the custodian take in what a manufacturer derives factory keys from. */
export function takeMasterFile(custodian: Pick<Custodian, "takeFactoryMaster">, file: string) {
  return custodian.takeFactoryMaster({ file: readFileSync(file, "utf8") });
}
