/** Decodes what was pasted, here in the browser, with the library that the head-end uses. Nothing is sent. */
import { type DecodedTelegrams, decodeTelegrams, keysForAll } from "@meterkeep/dlms";
import { readKey, readPasted } from "./hex-input.ts";

export interface DecodeInput {
  readonly octets: string;
  readonly encryptionKey: string;
  readonly authenticationKey: string;
}

export type DecodeView =
  | { readonly kind: "empty" }
  | { readonly kind: "unreadable"; readonly message: string }
  | { readonly kind: "decoded"; readonly bytes: number; readonly result: DecodedTelegrams };

export function decodeView({ octets, encryptionKey, authenticationKey }: DecodeInput): DecodeView {
  const pasted = readPasted(octets);
  if (pasted.kind !== "octets") return pasted;
  const guek = readKey(encryptionKey);
  const gak = readKey(authenticationKey);
  const keys = {
    ...(guek.kind === "key" ? { encryptionKey: guek.bytes } : {}),
    ...(gak.kind === "key" ? { authenticationKey: gak.bytes } : {}),
  };
  const result = decodeTelegrams(pasted.bytes, guek.kind === "key" ? { keys: keysForAll(keys) } : {});
  return { kind: "decoded", bytes: pasted.bytes.length, result };
}
