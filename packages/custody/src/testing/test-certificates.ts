import type { KeyObject } from "node:crypto";
import {
  type CertificateIdentification,
  type CertificateInfo,
  type CertificateStore,
  ecdsaMechanism,
  equalBytes,
  type GeneralProtectionPort,
  type HlsMechanism,
  type KeyPair,
  type KeyPairUse,
  toHex,
} from "@meterkeep/dlms";
import { nodeCurves, nodePlatform } from "@meterkeep/dlms-node";
import {
  type Certificate,
  decodeCertificate,
  deviceOf,
  EXTENSIONS,
  extensionValue,
  localSigner,
  makeRequest,
  makeSubject,
  nameOctets,
  validatePath,
} from "@meterkeep/pki";

/** Key pairs and certificates of a test meter of suite 1: honest ones, that live as long as the test. */
export class TestCertificates implements CertificateStore {
  readonly #title: Uint8Array;
  readonly #anchor: Certificate;
  held: readonly Certificate[] = [];
  pending: Partial<Record<KeyPairUse, KeyPair<KeyObject>>> = {};
  active: Partial<Record<KeyPairUse, KeyPair<KeyObject>>> = {};
  #lastTransaction = "";

  constructor(title: Uint8Array, anchor: Uint8Array, foreign: readonly Uint8Array[] = []) {
    this.#title = title;
    this.#anchor = decodeCertificate(anchor);
    this.held = foreign.map((one) => decodeCertificate(one));
  }

  /** Its own certificate for a use, in hex. */
  own(use: KeyPairUse): string | undefined {
    const found = this.#own(use);
    return found && toHex(found.octets);
  }

  list(): CertificateInfo[] {
    return [this.#anchor, ...this.held].map((one) => ({
      certificateEntity: this.#entityOf(one),
      certificateType: this.#entityOf(one) === "certificationAuthority" ? ("other" as const) : useOf(one),
      serialNumber: one.serial,
      issuer: nameOctets(one.issuer),
      subject: nameOctets(one.subject),
      subjectAltName: new Uint8Array(0),
    }));
  }

  generateKeyPair(use: KeyPairUse): boolean {
    this.pending = { ...this.pending, [use]: nodeCurves.generate("P-256") };
    return true;
  }

  certificateRequest(use: KeyPairUse): Uint8Array | undefined {
    const pair = this.pending[use] ?? this.active[use];
    if (pair === undefined) return undefined;
    const signer = localSigner(pair.privateKey, { curve: "P-256", point: pair.publicKey });
    return makeRequest(signer, makeSubject({ kind: "system-title" }, { systemTitle: this.#title }));
  }

  import(octets: Uint8Array): boolean {
    const certificate = decodeCertificate(Uint8Array.from(octets));
    const entity = this.#entityOf(certificate);
    const use = useOf(certificate);
    const usage =
      entity === "certificationAuthority"
        ? "keyCertSign"
        : use === "keyAgreement"
          ? "keyAgreement"
          : "digitalSignature";
    const at = certificate.validity.notBefore;
    if (!validatePath(certificate, { anchors: [this.#anchor], intermediates: this.held, at, usage }).isTrusted)
      return false;
    if (entity === "server") return this.#importOwn(certificate);
    this.held = [...this.held.filter((one) => !equalBytes(one.octets, certificate.octets)), certificate];
    return true;
  }

  export(which: CertificateIdentification): Uint8Array | undefined {
    return this.#find(which)?.octets;
  }

  remove(which: CertificateIdentification): boolean {
    const found = this.#find(which);
    if (found === undefined || found === this.#anchor) return false;
    this.held = this.held.filter((one) => one !== found);
    return true;
  }

  ownSigning(): Uint8Array | undefined {
    return this.#own("digitalSignature")?.octets;
  }

  mechanism(): HlsMechanism | undefined {
    const pair = this.active.digitalSignature;
    if (pair === undefined) return undefined;
    const otherSigning = (title: Uint8Array) => this.#clientKey(title, "digitalSignature");
    return ecdsaMechanism({ curves: nodeCurves, suite: 1, signing: pair.privateKey, otherSigning });
  }

  readonly general: GeneralProtectionPort<KeyObject> = {
    platform: nodePlatform,
    keysFor: (client) => ({
      signing: this.active.digitalSignature?.privateKey,
      agreement: this.active.keyAgreement?.privateKey,
      otherSigning: client && this.#clientKey(client, "digitalSignature"),
      otherAgreement: client && this.#clientKey(client, "keyAgreement"),
    }),
    acceptTransaction: (_, id) => {
      const isNew = toHex(id) > this.#lastTransaction;
      if (isNew) this.#lastTransaction = toHex(id);
      return isNew;
    },
  };

  #importOwn(certificate: Certificate): boolean {
    const use = useOf(certificate);
    const pair = [this.pending[use], this.active[use]].find(
      (one) => one !== undefined && equalBytes(one.publicKey, certificate.publicKey.point),
    );
    if (pair === undefined) return false;
    const before = this.#own(use);
    this.held = [...this.held.filter((one) => one !== before), certificate];
    this.active = { ...this.active, [use]: pair };
    return true;
  }

  #own(use: KeyPairUse): Certificate | undefined {
    return this.held.find((one) => this.#entityOf(one) === "server" && useOf(one) === use);
  }

  #clientKey(title: Uint8Array, use: KeyPairUse): Uint8Array | undefined {
    return this.held.find((one) => {
      const device = deviceOf(one);
      return device !== undefined && equalBytes(device, title) && useOf(one) === use;
    })?.publicKey.point;
  }

  #find(which: CertificateIdentification): Certificate | undefined {
    const all = [this.#anchor, ...this.held];
    if (which.kind === "byEntity") return this.#own(which.certificateType as KeyPairUse);
    return all.find(
      ({ serial, issuer }) => equalBytes(serial, which.serialNumber) && equalBytes(nameOctets(issuer), which.issuer),
    );
  }

  #entityOf(certificate: Certificate): CertificateInfo["certificateEntity"] {
    if (extensionValue(EXTENSIONS.basicConstraints, certificate.extensions)?.isAuthority === true)
      return "certificationAuthority";
    const device = deviceOf(certificate);
    return device !== undefined && equalBytes(device, this.#title) ? "server" : "client";
  }
}

function useOf({ extensions }: Certificate): KeyPairUse {
  const usage = extensionValue(EXTENSIONS.keyUsage, extensions) ?? [];
  if (!usage.includes("keyAgreement")) return "digitalSignature";
  return usage.includes("digitalSignature") ? "tls" : "keyAgreement";
}
