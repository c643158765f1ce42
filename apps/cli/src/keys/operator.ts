import { CustodianCallError } from "@meterkeep/api/custodian";
import type { CustodianClient } from "@meterkeep/api/custodian-channel";
import { CliError, EXIT } from "../error.ts";
import { operatorClient } from "../operator/custodian.ts";
import { operatorConfig } from "../operator/server.ts";
import type { Terminal } from "../terminal.ts";

/**
 * Speaks with the custodian itself, as its operator: a head-end that was taken over can neither do this nor see it.
 *
 * @throws CliError `not-running`, or `custodian-refused` with the custodian's own words.
 */
export async function asOperator<T>(
  state: string | undefined,
  terminal: Pick<Terminal, "env">,
  body: (custodian: CustodianClient) => Promise<T>,
): Promise<T> {
  const { channel } = operatorConfig(state, terminal);
  const custodian = operatorClient(channel);
  try {
    return await body(custodian);
  } catch (cause) {
    if (!(cause instanceof CustodianCallError)) throw cause;
    const isAway = cause.code === "custodian-unreachable";
    throw new CliError(
      isAway ? "not-running" : "custodian-refused",
      isAway
        ? `the custodian does not answer here now: start it with \`npx meterkeep start\``
        : `${cause.message} (${cause.code})`,
      { cause, exitStatus: EXIT.refused },
    );
  } finally {
    await custodian.close();
  }
}
