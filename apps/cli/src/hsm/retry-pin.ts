import { asOperator } from "../keys/operator.ts";
import { type Terminal, write } from "../terminal.ts";

export interface RetryPinOptions {
  readonly state?: string;
  readonly json?: boolean;
}

const WORDS = {
  opened: "the token took its PIN, and is in use again",
  refused: "the token refused its PIN again, and it is tried no more",
  unreachable: "the token does not answer; its PIN will be tried when it does",
  "not-latched": "the token has not refused its PIN, and nothing was tried",
} as const;

/** `meterkeep hsm retry-pin` */
export async function retryPin(token: string, { state, json }: RetryPinOptions, terminal: Terminal): Promise<void> {
  const { answer } = await asOperator(state, terminal, (custodian) => custodian.retryPin({ token }));
  await write(
    terminal.stdout,
    json === true ? `${JSON.stringify({ token, answer })}\n` : `${token}: ${WORDS[answer]}.\n`,
  );
}
