import { DlmsError } from "../errors.ts";

/** The keys of one meter, as the owner has them. 16 octets each, 32 with suite 2. */
export interface MeterKeys {
  /** Global unicast encryption key: opens what the meter encrypts. */
  readonly encryptionKey?: Uint8Array;
  /** Global authentication key: without it a tag cannot be checked. */
  readonly authenticationKey?: Uint8Array;
  /** Global broadcast encryption key, for meters that push to everybody. */
  readonly broadcastKey?: Uint8Array;
}

/** Finds the keys of a meter by its system title, 16 upper-case hex digits. */
export type KeyRing = (systemTitle: string) => MeterKeys | undefined;

/** The same keys for every meter. @throws DlmsError `wrong-length` where a key has neither 16 nor 32 octets. */
export function keysForAll(keys: MeterKeys): KeyRing {
  checkKeys(keys);
  return () => keys;
}

/** Keys by system title. @throws DlmsError as {@link keysForAll}. */
export function keysByTitle(keys: Readonly<Record<string, MeterKeys>>, others?: MeterKeys): KeyRing {
  const byTitle = new Map(Object.entries(keys).map(([title, one]) => [title.toUpperCase(), one]));
  for (const one of byTitle.values()) checkKeys(one);
  if (others !== undefined) checkKeys(others);
  return (systemTitle) => byTitle.get(systemTitle) ?? others;
}

function checkKeys(keys: MeterKeys): void {
  for (const [name, key] of Object.entries(keys) as [string, Uint8Array | undefined][])
    if (key !== undefined && key.length !== 16 && key.length !== 32)
      throw new DlmsError("wrong-length", `the ${name} has ${key.length} octets; AES keys have 16, or 32 with suite 2`);
}
