import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from "node:crypto";
import { SecretKey } from "@meterkeep/dlms-node";

/** A private key of the installation on P-384, to agree with. In a vault of tokens it is in clear in a token alone. */
export interface AgreementKey {
  /** The public half: x and y, 96 octets. */
  readonly point: Uint8Array;
  /**
   * The x that both ends share, 48 octets.
   *
   * @param peer a public key on P-384: to hold one is proof that its point is on the curve
   * @throws CustodyError `vault-unavailable`
   */
  agree(peer: KeyObject): Promise<SecretKey>;
}

const COORDINATE_BYTES = 48;

/** The x and y of a public key on P-384, 96 octets. @throws RangeError for a key on another curve */
export function pointOf(key: KeyObject): Uint8Array {
  const { crv, x = "", y = "" } = key.export({ format: "jwk" });
  if (crv !== "P-384") throw new RangeError("a key for agreement is on P-384");
  return new Uint8Array(Buffer.concat([x, y].map((coordinate) => Buffer.from(coordinate, "base64url"))));
}

/** The public key of a point, as node:crypto takes it. */
export function jwkOf(point: Uint8Array): {
  readonly kty: "EC";
  readonly crv: "P-384";
  readonly x: string;
  readonly y: string;
} {
  const [x, y] = [0, COORDINATE_BYTES].map((at) =>
    Buffer.from(point.subarray(at, at + COORDINATE_BYTES)).toString("base64url"),
  ) as [string, string];
  return { kty: "EC", crv: "P-384", x, y };
}

/** A fresh private key in PKCS #8. */
export function freshAgreementSecret(): SecretKey {
  return SecretKey.take(
    generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({ type: "pkcs8", format: "der" }),
  );
}

/** Agrees in this process, with a private key in PKCS #8. */
export function softwareAgreementKey(secret: SecretKey): AgreementKey {
  const privateKey = secret.lend((octets) => {
    const copy = Buffer.from(octets);
    const key = createPrivateKey({ key: copy, format: "der", type: "pkcs8" });
    copy.fill(0);
    return key;
  });
  return {
    point: pointOf(createPublicKey(privateKey)),
    agree: async (publicKey) => SecretKey.take(diffieHellman({ privateKey, publicKey })),
  };
}
