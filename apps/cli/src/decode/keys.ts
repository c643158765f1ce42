import { isCancel, password } from "@clack/prompts";
import type { KeyRing, MeterKeys } from "@meterkeep/dlms";
import { CliError } from "../error.ts";
import { type Terminal, write } from "../terminal.ts";
import { readKeyFile } from "./key-file.ts";
import { readKey } from "./key-text.ts";

/** The options of `decode` that name keys. */
export interface KeyOptions {
  readonly key?: string;
  readonly authKey?: string;
  readonly broadcastKey?: string;
  readonly keyFile?: string;
}

/** The keys that are known, and those that a person adds when asked. */
export interface KeySource {
  readonly ring: KeyRing;
  /** Asks for keys on the terminal; false when nobody is there to ask or nothing was answered. */
  ask(): Promise<boolean>;
}

/**
 * Puts the keys of options, key file and standard input together. A key file speaks of its meters first; options hold
 * for all others.
 *
 * @throws CliError for keys that are none.
 */
export async function openKeys(options: KeyOptions, terminal: Terminal, inputIsStdin: boolean): Promise<KeySource> {
  const given = await givenKeys(options, terminal, inputIsStdin);
  const file = options.keyFile === undefined ? undefined : readKeyFile(options.keyFile);
  if (file?.warning !== undefined) await write(terminal.stderr, `meterkeep: ${file.warning}\n`);
  let asked: MeterKeys | undefined;
  return {
    ring: (title) => asked ?? file?.ring(title) ?? given,
    async ask() {
      if (asked !== undefined || inputIsStdin || terminal.stdin.isTTY !== true || terminal.stderr.isTTY !== true)
        return false;
      asked = await promptForKeys(terminal);
      return asked !== undefined;
    },
  };
}

async function givenKeys(
  options: KeyOptions,
  terminal: Terminal,
  inputIsStdin: boolean,
): Promise<MeterKeys | undefined> {
  const { key, authKey, broadcastKey } = options;
  if (key === "-") {
    if (inputIsStdin)
      throw new CliError("option-invalid", "--key - reads the keys from standard input, where the telegram comes from");
    return readKeysFrom(terminal);
  }
  const keys = {
    ...(key === undefined ? {} : { encryptionKey: readKey(key, "--key") }),
    ...(authKey === undefined ? {} : { authenticationKey: readKey(authKey, "--auth-key") }),
    ...(broadcastKey === undefined ? {} : { broadcastKey: readKey(broadcastKey, "--broadcast-key") }),
  };
  return Object.keys(keys).length > 0 ? keys : undefined;
}

/** The encryption key in the first line of standard input, the authentication key in the second, if there is one. */
async function readKeysFrom({ stdin }: Terminal): Promise<MeterKeys> {
  let text = "";
  for await (const chunk of stdin) text += String(chunk);
  const [first = "", second] = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const encryptionKey = readKey(first, "the first line of standard input");
  if (second === undefined) return { encryptionKey };
  return { encryptionKey, authenticationKey: readKey(second, "the second line of standard input") };
}

async function promptForKeys(terminal: Terminal): Promise<MeterKeys | undefined> {
  const ask = async (message: string): Promise<string | undefined> => {
    const validate = (value: string | undefined): string | undefined => {
      if (value === undefined || value === "") return undefined;
      try {
        readKey(value, "the key");
        return undefined;
      } catch (error) {
        return (error as Error).message;
      }
    };
    const answer = await password({ message, validate, output: terminal.stderr });
    return isCancel(answer) || answer === undefined || answer === "" ? undefined : answer;
  };
  const key = await ask("Encryption key (GUEK), 32 hex digits");
  if (key === undefined) return undefined;
  const authKey = await ask("Authentication key (GAK), empty if you have none");
  const encryptionKey = readKey(key, "the key");
  return authKey === undefined
    ? { encryptionKey }
    : { encryptionKey, authenticationKey: readKey(authKey, "the authentication key") };
}
