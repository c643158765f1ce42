import { c, decode, encode, type Infer, systemTitleCodec } from "@meterkeep/dlms";

/** How long a token may be good, by the class of what it allows (MC-17): a quarter of an hour for the supply. */
export const MOST_TOKEN_MILLISECONDS = { C0: 86_400_000, C1: 86_400_000, C2: 86_400_000, C3: 15 * 60_000 } as const;

const wholeMilliseconds = c.map("milliseconds since 1970", c.unsigned64, {
  decode: (wire) => Number(wire),
  encode: (value: number) => BigInt(value),
});

/** Beyond what a number holds exactly, two tokens would read as one. */
const milliseconds = c.brand("milliseconds since 1970", wholeMilliseconds, (value) => {
  if (!Number.isSafeInteger(value)) throw new RangeError("a time beyond what is kept exactly");
  return value;
});

const claims = c.struct({
  /** The policy service, by the name under which the custodian has its key. */
  issuer: c.utf8({ max: 128 }),
  /** SHA-384 of the manifest. */
  manifest: c.fixedBytes(48),
  meter: systemTitleCodec,
  /** Which of the operation's acts, from 0. */
  act: c.unsigned8,
  notBefore: milliseconds,
  notAfter: milliseconds,
  nonce: c.fixedBytes(16),
});

/** What a token says: this act of this manifest, on this meter, now, once. */
export type CommandToken = Infer<typeof claims>;

const signedToken = c.struct({ claims: c.bytes({ max: 512 }), signature: c.bytes({ max: 128 }) });

/** Set before what is signed, so that no signature over something else is one over a token. */
const PREFIX = new TextEncoder().encode("meterkeep-command-token-1\n");

/** The octets that a policy service signs: ECDSA, r and s, SHA-256 for P-256 and SHA-384 for P-384. */
export function signedPartOf(token: CommandToken): Uint8Array {
  return prefixed(encode(claims, token));
}

/** A token with its signature, as it goes along with an APDU. */
export function writeToken(token: CommandToken, signature: Uint8Array): Uint8Array {
  return encode(signedToken, { claims: encode(claims, token), signature });
}

/** Reads a token; its signature is still to be verified over `signed`. @throws DecodeError */
export function readToken(octets: Uint8Array): {
  readonly token: CommandToken;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
} {
  const { claims: written, signature } = decode(signedToken, octets);
  return { token: decode(claims, written), signed: prefixed(written), signature };
}

function prefixed(written: Uint8Array): Uint8Array {
  const octets = new Uint8Array(PREFIX.length + written.length);
  octets.set(PREFIX);
  octets.set(written, PREFIX.length);
  return octets;
}
