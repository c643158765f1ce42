import { type Custodian, MASTER_COMMANDS } from "@meterkeep/api/custodian";
import { CliError } from "../error.ts";
import { fileText } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
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
  return custodian.takeFactoryMaster({ file: fileText(file) });
}

export interface MasterStateOptions extends OperatorOptions {
  readonly reason: string;
  readonly manufacturer?: string;
}

/** `meterkeep keys masters` */
export async function masters(options: OperatorOptions, terminal: Terminal): Promise<void> {
  const { masters: held } = await asOperator(options.state, terminal, (custodian) => custodian.factoryMasters({}));
  const lines = held.map(
    ({ master: id, manufacturer, state, since }) =>
      `${id}  ${state} since ${new Date(since).toISOString()}  ${manufacturer}\n`,
  );
  const text = lines.length === 0 ? "No master was ever taken in.\n" : lines.join("");
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(held)}\n` : text);
}

/** `meterkeep keys master-state` */
export async function masterState(
  command: string,
  id: string,
  options: MasterStateOptions,
  terminal: Terminal,
): Promise<void> {
  const wanted = MASTER_COMMANDS.find((each) => each === command);
  if (wanted === undefined)
    throw new CliError("option-invalid", `"${command}" is none of ${MASTER_COMMANDS.join(", ")}`);
  const { reason, manufacturer } = options;
  const { state } = await asOperator(options.state, terminal, async (custodian) => {
    const { masters: held } = await custodian.factoryMasters({});
    const meant = held.filter(
      (one) => one.master === id && (manufacturer === undefined || one.manufacturer === manufacturer),
    );
    const [only, ...others] = meant;
    if (only === undefined || others.length > 0)
      throw new CliError("option-invalid", `${meant.length} masters are called ${id}: --manufacturer says whose`);
    const { manufacturerKey } = only;
    return custodian.changeMasterState({ master: id, manufacturerKey, command: wanted, reason });
  });
  const text = `Master ${id} is ${state} from now on.\n`;
  await write(terminal.stdout, options.json === true ? `${JSON.stringify({ state })}\n` : text);
}
