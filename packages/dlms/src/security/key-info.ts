import { c } from "../codec/c.ts";
import type { Infer } from "../codec/codec.ts";

/** Key-Info ::= CHOICE { identified-key [0], wrapped-key [1], agreed-key [2] } (Green Book 9.5) */
export const keyInfo = c.choice({
  "identified-key": [0, c.struct({ keyId: c.enumeration({ "global-unicast": 0, "global-broadcast": 1 }) })],
  "wrapped-key": [1, c.struct({ kekId: c.enumeration({ "master-key": 0 }), keyCipheredData: c.bytes() })],
  "agreed-key": [2, c.struct({ keyParameters: c.bytes(), keyCipheredData: c.bytes() })],
});
/** How the key of a general-ciphering APDU is found. */
export type KeyInfo = Infer<typeof keyInfo>;

/** key-parameters of an agreed key: which scheme of NIST SP 800-56A (Green Book 9.2.3.4.6). */
export const AGREEMENT_SCHEMES = {
  /** C(1e, 1s): a fresh key of the originator, the recipient's static one. */
  "one-pass": 1,
  /** C(0e, 2s): both static; the transaction id makes the key a new one. */
  static: 2,
} as const;

/** Where the key of a general-ciphering APDU comes from. */
export type KeySource =
  /** The global unicast key, or the broadcast key. */
  | "unicast"
  | "broadcast"
  /** A fresh key, wrapped under the master key. */
  | "wrapped"
  | keyof typeof AGREEMENT_SCHEMES;
