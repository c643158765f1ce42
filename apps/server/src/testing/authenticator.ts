import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isoCBOR } from "@simplewebauthn/server/helpers";

const FLAGS = { present: 0x01, verified: 0x04, attested: 0x40 } as const;
/** COSE: key type EC2, algorithm ES256, curve P-256 (RFC 9053). */
const COSE = { keyType: [1, 2], algorithm: [3, -7], curve: [-1, 1] } as const;

/** A device of a person that holds one passkey and says yes by itself: WebAuthn in software, for tests. */
export class Authenticator {
  readonly #id = randomBytes(32);
  readonly #origin: string;
  readonly #privateKey: KeyObject;
  readonly #publicKey: { readonly x: Uint8Array; readonly y: Uint8Array };
  #signCount = 0;

  /** `origin` is the page's, for example `http://localhost:8420`. */
  constructor(origin: string) {
    this.#origin = origin;
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#privateKey = createPrivateKey(privateKey.export({ format: "pem", type: "pkcs8" }));
    const { x = "", y = "" } = publicKey.export({ format: "jwk" });
    this.#publicKey = { x: Buffer.from(x, "base64url"), y: Buffer.from(y, "base64url") };
  }

  /** What a browser gives for `navigator.credentials.create`. */
  create(challenge: string): Record<string, unknown> {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.#id.length);
    const key = new Map<number, number | Uint8Array>([COSE.keyType, COSE.algorithm, COSE.curve]);
    key.set(-2, Uint8Array.from(this.#publicKey.x)).set(-3, Uint8Array.from(this.#publicKey.y));
    const data = Buffer.concat([this.#head(FLAGS.attested), Buffer.alloc(16), length, this.#id, isoCBOR.encode(key)]);
    const attestation = new Map<string, unknown>([
      ["fmt", "none"],
      ["attStmt", new Map()],
      ["authData", Uint8Array.from(data)],
    ]);
    const attestationObject = Buffer.from(isoCBOR.encode(attestation as never)).toString("base64url");
    return this.#response({
      clientDataJSON: this.#clientData("webauthn.create", challenge).toString("base64url"),
      attestationObject,
      transports: ["internal"],
    });
  }

  /** What a browser gives for `navigator.credentials.get`. */
  get(challenge: string): Record<string, unknown> {
    this.#signCount += 1;
    const clientData = this.#clientData("webauthn.get", challenge);
    const data = this.#head(0);
    const signed = Buffer.concat([data, createHash("sha256").update(clientData).digest()]);
    return this.#response({
      clientDataJSON: clientData.toString("base64url"),
      authenticatorData: data.toString("base64url"),
      signature: sign("sha256", signed, this.#privateKey).toString("base64url"),
    });
  }

  #response(response: Record<string, unknown>): Record<string, unknown> {
    const id = this.#id.toString("base64url");
    return { id, rawId: id, type: "public-key", clientExtensionResults: {}, response };
  }

  #head(flags: number): Buffer {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(this.#signCount);
    const party = createHash("sha256").update(new URL(this.#origin).hostname).digest();
    return Buffer.concat([party, Buffer.of(FLAGS.present | FLAGS.verified | flags), count]);
  }

  #clientData(type: string, challenge: string): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge, origin: this.#origin, crossOrigin: false }));
  }
}
