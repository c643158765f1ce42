import type { Codec } from "../codec/codec.ts";
import { map } from "../codec/mapped.ts";
import { unsigned8 } from "../codec/scalars.ts";

/**
 * The security control octet (Green Book 9.2.7.2.4.1).
 *
 * What a meter claims here is not proof: `suite` in particular is often wrong in the field, so the length of the key
 * decides between AES-128 and AES-256, not this.
 */
export interface SecurityControl {
  /** Security suite id, 0 to 15. */
  readonly suite: number;
  readonly authenticated: boolean;
  readonly encrypted: boolean;
  /** Key set: whether the broadcast key is used instead of the unicast one. */
  readonly broadcast: boolean;
  readonly compressed: boolean;
}

/** Builds a security control of the parts given. */
export function securityControl(parts: Partial<SecurityControl>): SecurityControl {
  return { suite: 0, authenticated: false, encrypted: false, broadcast: false, compressed: false, ...parts };
}

export function securityControlOctet(control: SecurityControl): number {
  return (
    (control.suite & 0x0f) |
    (control.authenticated ? 0x10 : 0) |
    (control.encrypted ? 0x20 : 0) |
    (control.broadcast ? 0x40 : 0) |
    (control.compressed ? 0x80 : 0)
  );
}

export function readSecurityControl(octet: number): SecurityControl {
  return {
    suite: octet & 0x0f,
    authenticated: (octet & 0x10) !== 0,
    encrypted: (octet & 0x20) !== 0,
    broadcast: (octet & 0x40) !== 0,
    compressed: (octet & 0x80) !== 0,
  };
}

export const securityControlCodec: Codec<SecurityControl> = map("security control", unsigned8, {
  decode: readSecurityControl,
  encode: securityControlOctet,
});
