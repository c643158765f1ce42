import type { TokenOptions } from "@meterkeep/hsm";
import { CustodyError } from "../../errors.ts";
import { readPrivateFile, readPrivateFileNow } from "../private-file.ts";
import { pinRefusals } from "./pin-refusals.ts";

const MAX_TOKENS = 8;

/**
 * Reads which tokens the vault is in: a JSON list of `{ "library", "label", "pin", "sessions"?, "env"? }` in a file with
 * mode 0600, since it has their PINs.
 *
 * @param refused the file that counts how often each has refused its PIN; it is not counted over starts unless given
 * @throws CustodyError `tokens-file-malformed`, `root-key-permissions`, `root-key-missing`
 */
export async function readTokensFile(path: string, refused?: string): Promise<TokenOptions[]> {
  const text = await readPrivateFile(path, "tokens file");
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch {
    // The parser's message would quote the file, and with it a PIN.
    throw malformed(path, "it is not JSON");
  }
  if (!Array.isArray(entries) || entries.length === 0 || entries.length > MAX_TOKENS)
    throw malformed(path, `a list of 1 to ${MAX_TOKENS} tokens belongs there`);
  const tokens = entries.map((entry: unknown, at) => tokenOf(path, entry, at));
  if (new Set(tokens.map(({ label }) => label)).size < tokens.length)
    throw malformed(path, "two tokens have the same label");
  if (refused === undefined) return tokens;
  return tokens.map((token) => ({ ...token, refusals: pinRefusals(refused, token.label) }));
}

function tokenOf(path: string, entry: unknown, at: number): TokenOptions {
  const { library, label, pin, sessions, env, ...unknown } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  const stray = Object.keys(unknown)[0];
  if (stray !== undefined) throw malformed(path, `token ${at + 1} has the unknown field ${JSON.stringify(stray)}`);
  if (!isText(library) || !isText(label) || !isText(pin))
    throw malformed(path, `token ${at + 1} needs library, label and pin as texts`);
  if (sessions !== undefined && !(Number.isInteger(sessions) && Number(sessions) >= 1 && Number(sessions) <= 128))
    throw malformed(path, `sessions of token ${at + 1} is not a whole number from 1 to 128`);
  if (env !== undefined && (typeof env !== "object" || env === null || !Object.values(env).every(isText)))
    throw malformed(path, `env of token ${at + 1} is not an object of texts`);
  return {
    library,
    label,
    // Asked anew whenever a token is logged in to: somebody may have put a wrong one right.
    pin: () => pinNow(path, label) ?? pin,
    ...(sessions !== undefined && { sessions: Number(sessions) }),
    ...(env !== undefined && { env: env as Readonly<Record<string, string>> }),
  };
}

/** The PIN that stands in the file now; undefined where the file cannot be used any more. */
function pinNow(path: string, label: string): string | undefined {
  try {
    const entries = JSON.parse(readPrivateFileNow(path, "tokens file")) as readonly TokensFileEntry[];
    const pin = entries.find((entry) => entry.label === label)?.pin;
    return isText(pin) ? pin : undefined;
  } catch {
    return undefined;
  }
}

type TokensFileEntry = { readonly label?: unknown; readonly pin?: unknown };

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length > 0;
}

function malformed(path: string, why: string): CustodyError {
  return new CustodyError("tokens-file-malformed", `the tokens file ${path}: ${why}`);
}
