import { asOperator } from "../keys/operator.ts";
import { type Terminal, write } from "../terminal.ts";

export interface RetryPinOptions {
  readonly state?: string;
  readonly lastTry?: boolean;
  readonly json?: boolean;
}

const WORDS = {
  opened: "the token took its PIN, and is in use again",
  refused: "the token refused its PIN again, and it is tried no more",
  unreachable: "the token does not answer; its PIN will be tried when it does",
  "last-try":
    "the next wrong PIN may lock the token, and none was tried: make sure that the tokens file has the right one, then say --last-try",
  "not-latched": "the token has not refused its PIN, and nothing was tried",
} as const;

/** `meterkeep hsm retry-pin` */
export async function retryPin(
  token: string,
  { state, json, lastTry = false }: RetryPinOptions,
  terminal: Terminal,
): Promise<void> {
  const { answer } = await asOperator(state, terminal, (custodian) =>
    custodian.retryPin({ token, allowsLastTry: lastTry }),
  );
  await write(
    terminal.stdout,
    json === true ? `${JSON.stringify({ token, answer })}\n` : `${token}: ${WORDS[answer]}.\n`,
  );
}
