import { generateKeyPairSync } from "node:crypto";
import { decode } from "@meterkeep/dlms";
import { PkiError, publicKey, toPem } from "@meterkeep/pki";
import { DAY_MILLISECONDS } from "../../day.ts";
import { profileOf } from "../development-tree.ts";
import type { Pki } from "../open-pki.ts";
import { hostNames } from "../subjects.ts";

const LIFETIME_DAYS = 30;
/** Where none could be made, since a token is away for example: each try is an order. */
const AGAIN_MILLISECONDS = 3_600_000;

/** The certificate of the enrolment service: from the tree that it serves, for a key that never leaves this process. */
export class OwnCredential {
  readonly #pki: Pki;
  readonly #place: { readonly utility: string; readonly island: string };
  readonly #names: readonly string[];
  #renewAt = 0;
  #notBefore = 0;
  /** Who has issued the one before. */
  #authority: string | undefined;

  constructor(pki: Pki, place: { readonly utility: string; readonly island: string }, names: readonly string[]) {
    this.#pki = pki;
    this.#place = place;
    this.#names = names;
  }

  /** In time, and when another authority issues here: its clients trust that one, and the former may have fallen. */
  async isDue(): Promise<boolean> {
    const at = this.#pki.now();
    if (at < this.#notBefore) return false;
    if (at >= this.#renewAt) return true;
    const { authority } = await this.#pki.issuerFor(this.#place, "P-256").catch((error: unknown) => {
      // What it has it keeps, while nobody issues.
      if (error instanceof PkiError && error.code === "authority-unknown") return { authority: this.#authority };
      throw error;
    });
    return authority !== this.#authority;
  }

  /** Orders a certificate for a fresh key, and gives both with those above it up to the root's child, PEM. */
  async renew(): Promise<{ readonly key: string; readonly cert: string }> {
    const { authorities, now } = this.#pki;
    this.#notBefore = now() + AGAIN_MILLISECONDS;
    const { authority } = await this.#pki.issuerFor(this.#place, "P-256");
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const begin = Math.floor(now() / 1000) * 1000;
    const certificate = await authorities.issue({
      authority,
      profile: profileOf("tls-server"),
      subject: { names: { CN: this.#names[0] ?? "enrolment" } },
      publicKey: decode(publicKey, new Uint8Array(pair.publicKey.export({ type: "spki", format: "der" }))),
      hosts: hostNames(this.#names),
      // Clocks of clients are a little behind.
      notBefore: new Date(begin - 3_600_000),
      notAfter: new Date(begin + LIFETIME_DAYS * DAY_MILLISECONDS),
      requester: "custodian",
    });
    const above = (await authorities.lineOf(authority)).filter(({ parent }) => parent !== undefined);
    this.#notBefore = 0;
    this.#authority = authority;
    this.#renewAt = begin + (LIFETIME_DAYS / 2) * DAY_MILLISECONDS;
    return {
      key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      cert: [certificate.octets, ...above.map((one) => one.certificate)]
        .map((octets) => toPem("CERTIFICATE", octets))
        .join(""),
    };
  }
}
