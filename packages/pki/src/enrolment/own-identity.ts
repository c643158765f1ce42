import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { publicKeyOctets, type TlsIdentity, tlsIdentityIn } from "@meterkeep/dlms-node";
import { PkiError } from "../errors.ts";
import { decodeCertificate } from "../x509/certificate.ts";
import { validatePath } from "../x509/path.ts";
import { fromPem, toPem } from "../x509/pem.ts";
import { makeRequestWith } from "../x509/request.ts";
import { localSigner } from "../x509/signature.ts";
import { authoritiesOf, type EstPlace, enrolledBy } from "./est-client.ts";

/** Where a device or process keeps what it proves itself with, and who certifies it. */
export interface IdentityOptions {
  /** Its key and certificate, PEM. */
  readonly file: string;
  /** The common name. */
  readonly name: string;
  readonly place: EstPlace;
  /** For the first time: a password that is good once. */
  readonly password?: string | undefined;
  readonly now: () => number;
}

/** Renewed when a third of its time is left. */
const LEFT = 1 / 3;

/**
 * A key pair of its owner's, and its certificate. The private key is made here and leaves nowhere; the certificate
 * comes over EST, the first time for a one-time password, anew for the certificate before. Key and certificate are one
 * file that is put in place by a rename: what was there before works until what follows it is there.
 */
export class OwnIdentity {
  readonly #options: IdentityOptions;
  #identity: TlsIdentity;

  private constructor(options: IdentityOptions, identity: TlsIdentity) {
    this.#options = options;
    this.#identity = identity;
  }

  /** Opens what is there, or enrols. @throws PkiError `enrolment-refused` */
  static async open(options: IdentityOptions): Promise<OwnIdentity> {
    const { file, name, password, place } = options;
    if (existsSync(file)) return new OwnIdentity(options, tlsIdentityIn(readFileSync(file, "utf8"), place.authorities));
    if (password === undefined)
      throw new PkiError("enrolment-refused", `${name} has no certificate, and no password to enrol for one with`);
    return new OwnIdentity(options, await certified(options, { kind: "password", name, password }));
  }

  get current(): TlsIdentity {
    return this.#identity;
  }

  /** Renews where that is due. @returns whether there is another identity now. @throws PkiError `enrolment-refused` */
  async tend(): Promise<boolean> {
    const { validFromDate, validToDate } = new X509Certificate(this.#identity.certificate);
    const [from, to] = [validFromDate.getTime(), validToDate.getTime()];
    if (to - this.#options.now() > (to - from) * LEFT) return false;
    const { privateKey, certificate } = this.#identity;
    this.#identity = await certified(this.#options, { kind: "certificate", privateKey, certificate });
    return true;
  }
}

async function certified(options: IdentityOptions, proof: Parameters<typeof enrolledBy>[1]): Promise<TlsIdentity> {
  const { file, place, name } = options;
  const pem = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  }).privateKey;
  const key = createPrivateKey(pem);
  const signer = localSigner(key, { curve: "P-256", point: publicKeyOctets(key) });
  const octets = await enrolledBy(place, proof, await makeRequestWith(signer, name));
  const certificate = decodeCertificate(octets);
  const verdict = validatePath(certificate, {
    anchors: fromPem("CERTIFICATE", place.authorities).map(decodeCertificate),
    intermediates: (await authoritiesOf(place)).map(decodeCertificate),
    at: new Date(options.now()),
    usage: "tls-client",
  });
  if (!verdict.isTrusted)
    throw new PkiError("enrolment-refused", `the certificate for ${name} does not hold: ${verdict.message}`);
  // The root is known to whoever looks at it.
  const chain = verdict.path.slice(0, -1).map((one) => toPem("CERTIFICATE", one.octets));
  writeFileSync(`${file}.next`, pem + chain.join(""), { mode: 0o600, flush: true });
  renameSync(`${file}.next`, file);
  return { privateKey: pem, certificate: chain.join(""), authorities: place.authorities };
}
