import { randomBytes } from "node:crypto";
import { DEFAULT_SCRYPT } from "./root-key.ts";

/** What stands beside a software vault's proof, in clear: how its root key is known, and what it opens. */
export interface RootParameters {
  /** Of a passphrase: scrypt's costs, and the salt as base64url. */
  readonly scrypt?: typeof DEFAULT_SCRYPT & { readonly salt: string };
  /** Absent in a vault from before its keys had an envelope: they follow from the root key then. */
  readonly keys?: {
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

/** Reads what `writeParameters` wrote, or a version before it: an empty text for a file, scrypt's own members for a passphrase. */
export function readParameters(text: string): RootParameters {
  if (text === "") return {};
  const { scrypt, keys, ...old } = JSON.parse(text) as RootParameters & Partial<NonNullable<RootParameters["scrypt"]>>;
  const own = scrypt ?? ("salt" in old ? (old as NonNullable<RootParameters["scrypt"]>) : undefined);
  return { ...(own && { scrypt: own }), ...(keys && { keys }) };
}

export function writeParameters(parameters: RootParameters): string {
  return JSON.stringify(parameters);
}
