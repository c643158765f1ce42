import { generateKeyPairSync } from "node:crypto";
import { decode } from "@meterkeep/dlms";
import { publicKey, toPem } from "@meterkeep/pki";
import { DAY_MILLISECONDS } from "../../day.ts";
import { profileOf } from "../development-tree.ts";
import type { Pki } from "../open-pki.ts";
import { hostNames } from "../subjects.ts";

const LIFETIME_DAYS = 30;

/** The certificate of the enrolment service: from the tree that it serves, for a key that never leaves this process. */
export class OwnCredential {
  readonly #pki: Pki;
  readonly #place: { readonly utility: string; readonly island: string };
  readonly #names: readonly string[];
  #renewAt = 0;

  constructor(pki: Pki, place: { readonly utility: string; readonly island: string }, names: readonly string[]) {
    this.#pki = pki;
    this.#place = place;
    this.#names = names;
  }

  isDue(): boolean {
    return this.#pki.now() >= this.#renewAt;
  }

  /** A fresh key with its certificate and those above it up to the root's child, PEM. */
  async current(): Promise<{ readonly key: string; readonly cert: string }> {
    const { authorities, now } = this.#pki;
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
    this.#renewAt = begin + (LIFETIME_DAYS / 2) * DAY_MILLISECONDS;
    return {
      key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      cert: [certificate.octets, ...above.map((one) => one.certificate)]
        .map((octets) => toPem("CERTIFICATE", octets))
        .join(""),
    };
  }
}
