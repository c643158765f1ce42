/** The security control octet (Green Book 9.2.7.2.4.1), taken apart. */
export interface SecurityControl {
  /** Bits 3 to 0 as sent. In the field this number lies: choose the cipher by the length of the key instead. */
  readonly suite: number;
  readonly authenticated: boolean;
  readonly encrypted: boolean;
  /** The broadcast key was used instead of the unicast key. */
  readonly broadcast: boolean;
  readonly compressed: boolean;
}

const AUTHENTICATED = 0x10;
const ENCRYPTED = 0x20;
const BROADCAST = 0x40;
const COMPRESSED = 0x80;

/** Reads the octet; every value is one. */
export function readSecurityControl(octet: number): SecurityControl {
  return {
    suite: octet & 0x0f,
    authenticated: (octet & AUTHENTICATED) !== 0,
    encrypted: (octet & ENCRYPTED) !== 0,
    broadcast: (octet & BROADCAST) !== 0,
    compressed: (octet & COMPRESSED) !== 0,
  };
}

/** Writes the octet. */
export function securityControlOctet(control: SecurityControl): number {
  return (
    (control.suite & 0x0f) |
    (control.authenticated ? AUTHENTICATED : 0) |
    (control.encrypted ? ENCRYPTED : 0) |
    (control.broadcast ? BROADCAST : 0) |
    (control.compressed ? COMPRESSED : 0)
  );
}
