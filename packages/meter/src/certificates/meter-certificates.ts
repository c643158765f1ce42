import { createPrivateKey, type KeyObject } from "node:crypto";
import {
  type AsymmetricKeys,
  type CertificateIdentification,
  type CertificateInfo,
  type CertificateStore,
  type Curve,
  DlmsError,
  ecdsaMechanism,
  equalBytes,
  type GeneralProtectionPort,
  type HlsMechanism,
  type KeyPairUse,
  SECURITY_SUITES,
  type SystemTitle,
  toHex,
} from "@meterkeep/dlms";
import { nodeCurves, nodePlatform, publicKeyOctets } from "@meterkeep/dlms-node";
import { type Certificate, localSigner, makeRequest, makeSubject, PkiError, toPem, validatePath } from "@meterkeep/pki";
import type { CertificateFault } from "../faults.ts";
import { NO_CREDENTIALS, type StoredCredentials, type StoredPair } from "./credentials.ts";
import { type HeldCertificate, heldCertificate, samePublicKey, useOf } from "./held-certificate.ts";

/** Certificates that the memory has room for, trust anchors apart. */
const MOST_CERTIFICATES = 16;
/** The longest certificate that is read at all. */
const MOST_OCTETS = 2048;

/** What the key pairs and certificates of a meter need of it. */
export interface CredentialsOwner {
  readonly certificateFault: CertificateFault;
  /** Keeps them: they are in memory before the answer leaves. */
  keepCredentials(credentials: StoredCredentials): void;
  /** Whether the meter loses power now instead of applying the call. */
  losesPower(): boolean;
}

/** What one end of a TLS connection proves itself with, and whom it believes. PEM. */
export interface TlsCredentials {
  readonly privateKey: string;
  readonly certificate: string;
  readonly authorities: string;
}

interface Pair {
  readonly stored: StoredPair;
  readonly privateKey: KeyObject;
  readonly publicKey: Uint8Array;
}

/**
 * The key pairs and certificates of a meter of suite 1 or 2 (class 64, methods 4 to 8).
 *
 * The pair in use stays until a certificate of a new one is imported, which replaces both at once: at no moment does a
 * meter that had an identity have none. A certificate is taken when a path leads from it to a trust anchor that the meter
 * was made with. Dates and revocation are not looked at, as meters in the field do not. Anchors are shown and exported,
 * never taken or removed.
 */
export class MeterCertificates implements CertificateStore {
  readonly #title: SystemTitle;
  readonly #curve: Curve;
  readonly #suite: 1 | 2;
  readonly #owner: CredentialsOwner;
  readonly #anchors: readonly HeldCertificate[];
  #stored: StoredCredentials;
  #held: readonly HeldCertificate[];
  #pairs: readonly Pair[] | undefined;
  /** What the meter exports in the place of its own, where it is made to: the certificates that it had before. */
  readonly #former = new Map<KeyPairUse, Uint8Array>();

  constructor(
    title: SystemTitle,
    suite: 1 | 2,
    anchors: readonly string[],
    stored: StoredCredentials | undefined,
    owner: CredentialsOwner,
  ) {
    this.#title = title;
    this.#suite = suite;
    this.#curve = SECURITY_SUITES[suite].curve;
    this.#owner = owner;
    this.#anchors = anchors.map((anchor) => heldCertificate(octetsOf(anchor), title, true));
    this.#stored = stored ?? NO_CREDENTIALS;
    this.#held = this.#stored.certificates.map((one) => heldCertificate(octetsOf(one), title, false));
  }

  list(): CertificateInfo[] {
    return [...this.#anchors, ...this.#held].map(({ info }) => info);
  }

  generateKeyPair(use: KeyPairUse): boolean {
    if (this.#owner.losesPower()) return false;
    const { privateKey } = nodeCurves.generate(this.#curve);
    const stored: StoredPair = { use, privateKey: exported(privateKey), state: "pending" };
    const others = this.#stored.pairs.filter((pair) => pair.use !== use || pair.state === "active");
    this.#keep({ ...this.#stored, pairs: [...others, stored] });
    return true;
  }

  certificateRequest(use: KeyPairUse): Uint8Array | undefined {
    const pair = this.#pair(use, "pending") ?? this.#pair(use, "active");
    if (pair === undefined) return undefined;
    const another = this.#owner.certificateFault === "requestsForAnother";
    const { privateKey, publicKey } = another ? nodeCurves.generate(this.#curve) : pair;
    const signer = localSigner(privateKey, { curve: this.#curve, point: publicKey });
    return makeRequest(signer, makeSubject({ kind: "system-title" }, { systemTitle: this.#title }));
  }

  import(octets: Uint8Array): boolean {
    const taken = this.#acceptable(octets);
    if (taken === undefined || this.#owner.losesPower()) return false;
    if (this.#owner.certificateFault === "keepsNoCertificate") return true;
    const { certificateEntity } = taken.info;
    if (certificateEntity === "server") return this.#importOwn(taken);
    const rest = this.#held.filter((held) => !isSucceededBy(held, taken));
    if (rest.length >= MOST_CERTIFICATES) return false;
    this.#keep({ ...this.#stored, certificates: [...rest, taken].map(encoded) });
    return true;
  }

  export(which: CertificateIdentification): Uint8Array | undefined {
    const found = this.#find(which);
    if (found === undefined) return undefined;
    const { certificate, info } = found;
    const stale =
      this.#owner.certificateFault === "exportsFormer" && info.certificateEntity === "server"
        ? this.#former.get(info.certificateType as KeyPairUse)
        : undefined;
    return stale ?? certificate.octets;
  }

  remove(which: CertificateIdentification): boolean {
    const found = this.#find(which);
    if (found === undefined || found.isAnchor || this.#owner.losesPower()) return false;
    if (this.#owner.certificateFault === "keepsForeign") return true;
    const isOwn = found.info.certificateEntity === "server";
    const pairs = this.#stored.pairs.filter(
      ({ use, state }) => !(isOwn && state === "active" && use === found.info.certificateType),
    );
    const certificates = this.#held.filter((held) => held !== found).map(encoded);
    this.#keep({ ...this.#stored, pairs, certificates });
    return true;
  }

  ownSigning(): Uint8Array | undefined {
    return this.#own("digitalSignature")?.certificate.octets;
  }

  /** What the meter calls over TLS with: its own pair, the authorities above it, and its anchors; undefined while it has none. */
  tlsIdentity(): TlsCredentials | undefined {
    const own = this.#own("tls");
    const pair = this.#pair("tls", "active");
    if (own === undefined || pair === undefined) return undefined;
    const above = this.#held.filter(({ info }) => info.certificateEntity === "certificationAuthority");
    return {
      privateKey: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      certificate: [own, ...above].map(pemOf).join(""),
      authorities: this.#anchors.map(pemOf).join(""),
    };
  }

  /** Mechanism 7 with the meter's signing key; undefined while it has none. */
  mechanism(): HlsMechanism | undefined {
    const signing = this.#pair("digitalSignature", "active");
    if (signing === undefined) return undefined;
    return ecdsaMechanism({
      curves: nodeCurves,
      suite: this.#suite,
      signing: signing.privateKey,
      otherSigning: (title, certificate) =>
        certificate === undefined ? this.#clientKey(title, "digitalSignature") : this.#presented(title, certificate),
    });
  }

  /** What general-signing, general-ciphering with agreed keys and key_agreement use. */
  readonly general: GeneralProtectionPort<KeyObject> = {
    platform: nodePlatform,
    keysFor: (client): AsymmetricKeys<KeyObject> => ({
      signing: this.#pair("digitalSignature", "active")?.privateKey,
      agreement: this.#pair("keyAgreement", "active")?.privateKey,
      otherSigning: client && this.#clientKey(client, "digitalSignature"),
      otherAgreement: client && this.#clientKey(client, "keyAgreement"),
    }),
    acceptTransaction: (client, transactionId) => this.#acceptTransaction(client, transactionId),
  };

  /** Lets go of key objects while nobody is connected. */
  rest(): void {
    this.#pairs = undefined;
  }

  /** The certificate, where a path leads to an anchor and it is none itself; and where it is the meter's own, for a pair it has. */
  #acceptable(octets: Uint8Array): HeldCertificate | undefined {
    const taken = this.#readable(octets);
    if (taken === undefined || this.#anchors.some(({ certificate }) => equalBytes(certificate.octets, octets)))
      return undefined;
    const use = useOf(taken.certificate);
    const usage =
      taken.info.certificateEntity === "certificationAuthority"
        ? "keyCertSign"
        : use === "keyAgreement"
          ? "keyAgreement"
          : "digitalSignature";
    if (usage !== "keyCertSign" && (use === undefined || taken.device?.length !== 8)) return undefined;
    return this.#isVouchedFor(taken.certificate, usage) ? taken : undefined;
  }

  #readable(octets: Uint8Array): HeldCertificate | undefined {
    if (octets.length > MOST_OCTETS) return undefined;
    try {
      return heldCertificate(octets, this.#title, false);
    } catch (error) {
      if (error instanceof DlmsError || error instanceof PkiError) return undefined;
      throw error;
    }
  }

  #isVouchedFor(certificate: Certificate, usage: "keyCertSign" | "keyAgreement" | "digitalSignature"): boolean {
    const authorities = this.#held.filter(({ info }) => info.certificateEntity === "certificationAuthority");
    return validatePath(certificate, {
      anchors: this.#anchors.map((anchor) => anchor.certificate),
      intermediates: authorities.map((authority) => authority.certificate),
      at: certificate.validity.notBefore,
      usage,
    }).isTrusted;
  }

  #importOwn(taken: HeldCertificate): boolean {
    const use = taken.info.certificateType as KeyPairUse;
    const pair = [this.#pair(use, "pending"), this.#pair(use, "active")].find(
      (one) =>
        one !== undefined && samePublicKey(taken.certificate.publicKey, { curve: this.#curve, point: one.publicKey }),
    );
    if (pair === undefined) return false;
    const before = this.#own(use);
    if (before !== undefined) this.#former.set(use, before.certificate.octets);
    // The pair takes the place of the one before, which is destroyed with its certificate, in one change.
    const pairs = this.#stored.pairs.filter(
      (one) => one !== pair.stored && !(one.use === use && one.state === "active"),
    );
    this.#keep({
      ...this.#stored,
      pairs: [...pairs, { ...pair.stored, state: "active" }],
      certificates: [...this.#held.filter((held) => held !== before), taken].map(encoded),
    });
    return true;
  }

  #own(use: KeyPairUse): HeldCertificate | undefined {
    return this.#held.find(({ info }) => info.certificateEntity === "server" && info.certificateType === use);
  }

  #find(which: CertificateIdentification): HeldCertificate | undefined {
    const all = [...this.#anchors, ...this.#held];
    if (which.kind === "bySerial")
      return all.find(
        ({ info }) => equalBytes(info.serialNumber, which.serialNumber) && equalBytes(info.issuer, which.issuer),
      );
    return all.find(
      ({ info, device }) =>
        info.certificateEntity === which.certificateEntity &&
        info.certificateType === which.certificateType &&
        device !== undefined &&
        equalBytes(device, which.systemTitle),
    );
  }

  #clientKey(title: Uint8Array, use: KeyPairUse): Uint8Array | undefined {
    const found = this.#held.find(
      ({ info, device }) =>
        info.certificateEntity === "client" &&
        info.certificateType === use &&
        device !== undefined &&
        equalBytes(device, title),
    );
    return found?.certificate.publicKey.curve === this.#curve ? found.certificate.publicKey.point : undefined;
  }

  /** The key in a certificate that a client brought in its AARQ: what it may import, it may as well be shown. */
  #presented(title: Uint8Array, octets: Uint8Array): Uint8Array | undefined {
    const shown = this.#acceptable(octets);
    const isTheirs =
      shown?.device !== undefined &&
      equalBytes(shown.device, title) &&
      shown.info.certificateType === "digitalSignature" &&
      shown.certificate.publicKey.curve === this.#curve;
    return isTheirs ? shown.certificate.publicKey.point : undefined;
  }

  #pair(use: KeyPairUse, state: StoredPair["state"]): Pair | undefined {
    this.#pairs ??= this.#stored.pairs.map((stored) => {
      const privateKey = createPrivateKey({
        key: Buffer.from(stored.privateKey, "base64"),
        format: "der",
        type: "pkcs8",
      });
      return { stored, privateKey, publicKey: publicKeyOctets(privateKey) };
    });
    return this.#pairs.find(({ stored }) => stored.use === use && stored.state === state);
  }

  #acceptTransaction(client: SystemTitle | undefined, transactionId: Uint8Array): boolean {
    if (client === undefined || transactionId.length !== 8) return false;
    const name = toHex(client);
    const id = toHex(transactionId);
    const before = this.#stored.transactions[name];
    if (before !== undefined && id <= before) return false;
    this.#keep({ ...this.#stored, transactions: { ...this.#stored.transactions, [name]: id } });
    return true;
  }

  #keep(credentials: StoredCredentials): void {
    if (credentials.certificates !== this.#stored.certificates)
      this.#held = credentials.certificates.map((one) => heldCertificate(octetsOf(one), this.#title, false));
    if (credentials.pairs !== this.#stored.pairs) this.#pairs = undefined;
    this.#stored = credentials;
    this.#owner.keepCredentials(credentials);
  }
}

/** Whether a certificate that is not the meter's own makes room for another: the same device and use, or the same one again. */
function isSucceededBy(held: HeldCertificate, taken: HeldCertificate): boolean {
  if (equalBytes(held.certificate.octets, taken.certificate.octets)) return true;
  const { device, info } = held;
  return (
    device !== undefined &&
    taken.device !== undefined &&
    equalBytes(device, taken.device) &&
    info.certificateEntity === taken.info.certificateEntity &&
    info.certificateType === taken.info.certificateType
  );
}

function pemOf({ certificate }: HeldCertificate): string {
  return toPem("CERTIFICATE", certificate.octets);
}

function encoded({ certificate }: HeldCertificate): string {
  return Buffer.from(certificate.octets).toString("base64");
}

function exported(privateKey: KeyObject): string {
  return privateKey.export({ type: "pkcs8", format: "der" }).toString("base64");
}

function octetsOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}
