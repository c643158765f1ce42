import { asOperator } from "../keys/operator.ts";
import { type Terminal, write } from "../terminal.ts";

export interface CopiedOptions {
  readonly where: string;
  readonly state?: string;
  readonly json?: boolean;
}

/** `meterkeep vault copied` */
export async function noteCopy({ where, state, json }: CopiedOptions, terminal: Terminal): Promise<void> {
  await asOperator(state, terminal, (custodian) => custodian.noteRootKeyCopy({ where }));
  const text = `Noted: a copy of what opens the vault is kept (${where}).\n`;
  await write(terminal.stdout, json === true ? `${JSON.stringify({ where })}\n` : text);
}
