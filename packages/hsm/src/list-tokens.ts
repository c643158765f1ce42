import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { HsmError, hsmErrorCode } from "./errors.ts";

/** A token that a library has, before anybody logs in. */
export interface FoundToken {
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly isInitialised: boolean;
}

const LIST = fileURLToPath(new URL("token/list.ts", import.meta.url));
const PATIENCE_MS = 10_000;

/**
 * The tokens that a PKCS#11 library has now.
 *
 * @throws HsmError `hsm-binding-missing`, `hsm-library-unusable`, `hsm-failed`, `hsm-timeout`
 */
export async function listTokens(
  library: string,
  env: Readonly<Record<string, string>> = {},
): Promise<readonly FoundToken[]> {
  const options = { timeout: PATIENCE_MS, killSignal: "SIGKILL", env: { ...process.env, ...env } } as const;
  const run = promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", LIST, library], options);
  const { stdout } = await run.catch((cause: { readonly killed?: boolean; readonly signal?: string | null }) => {
    if (cause.killed === true)
      throw new HsmError("hsm-timeout", `${library} did not answer in ${PATIENCE_MS / 1000} s`, { cause });
    throw new HsmError("hsm-library-unusable", `${library} ended its process (${cause.signal ?? "an error"})`, {
      cause,
    });
  });
  const answer = JSON.parse(stdout) as {
    readonly tokens?: readonly FoundToken[];
    readonly code?: string;
    readonly message?: string;
  };
  if (answer.tokens === undefined)
    throw new HsmError(hsmErrorCode(answer.code ?? ""), answer.message ?? "the library failed");
  return answer.tokens;
}
