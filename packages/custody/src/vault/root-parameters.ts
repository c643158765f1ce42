import { randomBytes } from "node:crypto";
import { CustodyError } from "../errors.ts";
import { DEFAULT_SCRYPT } from "./root-key.ts";

/** What stands beside a software vault's proof, in clear: how its root key is known, and what it opens. */
export interface RootParameters {
  /** Of a passphrase: scrypt's costs, and the salt as base64url. */
  readonly scrypt?: typeof DEFAULT_SCRYPT & { readonly salt: string };
  readonly keys: {
    readonly version: number;
    /** Which root key opens them, 16 hex digits. */
    readonly root: string;
    /** Base64. */
    readonly sealed: string;
  };
}

const SALT_BYTES = 16;

/** A salt and costs for a passphrase that is new. */
export function freshScrypt(): NonNullable<RootParameters["scrypt"]> {
  return { ...DEFAULT_SCRYPT, salt: randomBytes(SALT_BYTES).toString("base64url") };
}

/** Reads what `writeParameters` wrote. @throws CustodyError `root-key-wrong` where it is something else */
export function readParameters(text: string): RootParameters {
  const parameters = parsed(text);
  const { version, root, sealed } = parameters?.keys ?? {};
  if (Number.isSafeInteger(version) && typeof root === "string" && typeof sealed === "string")
    return parameters as RootParameters;
  throw new CustodyError("root-key-wrong", "the vault's record does not say which root key opens it");
}

type Said = { readonly keys?: Partial<Record<keyof RootParameters["keys"], unknown>> | null } | null | undefined;

function parsed(text: string): Said {
  try {
    return JSON.parse(text) as Said;
  } catch {
    return undefined;
  }
}

export function writeParameters(parameters: RootParameters): string {
  return JSON.stringify(parameters);
}
