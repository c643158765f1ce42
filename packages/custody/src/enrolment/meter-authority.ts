import { createHash } from "node:crypto";
import { fromHex, SECURITY_SUITES, type SystemTitle, systemTitleText, toHex } from "@meterkeep/dlms";
import {
  type Certificate,
  decodeCertificate,
  keyIdentifier,
  nameOctets,
  nameText,
  PkiError,
  type PkiErrorCode,
} from "@meterkeep/pki";
import { profileOf } from "../pki/development-tree.ts";
import type { Pki } from "../pki/open-pki.ts";
import type { MeterPlace } from "../store/records.ts";
import type { ClientKeys } from "./client-keys.ts";
import {
  type CertificateName,
  type Chain,
  type ChainCertificate,
  type Credential,
  ENROLLED_USES,
  type EnrolledUse,
} from "./journal.ts";

type Place = Pick<MeterPlace, "utility" | "island">;

/** A chain with the octets of its certificates. */
export interface MeterChain extends Chain {
  readonly octets: ReadonlyMap<string, Uint8Array>;
}

/** A key that a certificate is wanted for. */
export interface WantedCertificate {
  readonly place: Place;
  readonly suite: 1 | 2;
  readonly use: EnrolledUse;
  readonly device: SystemTitle;
  /** x and y. */
  readonly publicKey: Uint8Array;
}

/** A certificate and what is remembered of it. */
export interface IssuedCertificate {
  readonly credential: Credential;
  readonly octets: Uint8Array;
}

/** Why a certificate is not issued: `isFinal` where asking again will not help. */
export class NotCertified extends Error {
  readonly isFinal: boolean;

  constructor(message: string, isFinal: boolean, options?: ErrorOptions) {
    super(message, options);
    this.name = "NotCertified";
    this.isFinal = isFinal;
  }
}

/** Who orders certificates of the authorities: its limit is that of the policy of enrolment. */
export const ENROLMENT_REQUESTER = "enrolment";

/** What will not be otherwise another time. */
const FINAL: readonly PkiErrorCode[] = ["assignment-violated", "profile-violated", "issuer-unfit"];
const PURPOSES = { digitalSignature: "signature", keyAgreement: "key-agreement" } as const;
const KEEP_MILLISECONDS = 60_000;
const MOST_OF_A_KEY = 16;

/**
 * The authorities of this installation, as enrolment sees them: what the meters of a place are to trust, and certificates
 * for keys, each at most once however often it is asked for.
 */
export class MeterAuthority {
  readonly #pki: Pick<Pki, "authorities" | "issuerFor" | "store" | "now">;
  readonly #clientKeys: ClientKeys;
  readonly #clientTitle: (utility: string) => SystemTitle;
  readonly #chains = new Map<string, { readonly at: number; readonly chain: Promise<MeterChain> }>();

  constructor(
    pki: Pick<Pki, "authorities" | "issuerFor" | "store" | "now">,
    clientKeys: ClientKeys,
    clientTitle: (utility: string) => SystemTitle,
  ) {
    this.#pki = pki;
    this.#clientKeys = clientKeys;
    this.#clientTitle = clientTitle;
  }

  /** What meters of a place and suite trust and are given. @throws NotCertified where no authority issues for them */
  chain(place: Place, suite: 1 | 2): Promise<MeterChain> {
    const name = JSON.stringify([place.utility, place.island, suite]);
    const known = this.#chains.get(name);
    if (known !== undefined && this.#pki.now() - known.at < KEEP_MILLISECONDS) return known.chain;
    const chain = this.#chain({ utility: place.utility, island: place.island }, suite);
    this.#chains.set(name, { at: this.#pki.now(), chain });
    chain.catch(() => this.#chains.delete(name));
    return chain;
  }

  /**
   * The certificate for a key: the one that was issued for it before, where there is one. The ledger has the order before
   * it is signed.
   *
   * @throws NotCertified
   */
  async certify({ place, suite, use, device, publicKey }: WantedCertificate): Promise<IssuedCertificate> {
    const { curve } = SECURITY_SUITES[suite];
    const profile = profileOf(`dlms-suite-${suite}-${PURPOSES[use]}`);
    const key = { curve, point: publicKey } as const;
    const wanted = toHex(keyIdentifier(key, profile.keyIdentifier));
    return refusals(async () => {
      const { authority, name } = await this.#pki.issuerFor(place, curve);
      const found = await this.#pki.store.registry.search(
        { keyIdentifier: wanted, limit: MOST_OF_A_KEY },
        this.#pki.now(),
      );
      const title = systemTitleText(device);
      if (found.some((one) => one.systemTitle !== title || one.profile !== profile.name))
        throw new NotCertified("another device, or another use, has a certificate for this key", true);
      if (found.some(({ revokedAt }) => revokedAt !== undefined))
        throw new NotCertified("a certificate for this key was revoked", true);
      const before = found.find((one) => one.authority === authority && one.octets !== undefined);
      if (before?.octets !== undefined) return issuedOf(decodeCertificate(before.octets), authority, name);
      const subject = { systemTitle: device };
      const order = { authority, profile, subject, publicKey: key, requester: ENROLMENT_REQUESTER };
      return issuedOf(await this.#pki.authorities.issue(order), authority, name);
    });
  }

  /** Revokes a certificate that its meter is proven not to use any more; again is as good as once. */
  async retire({ authority, serial }: Credential): Promise<void> {
    await this.#pki.authorities.revokeAll(authority, [serial], "superseded", ENROLMENT_REQUESTER);
  }

  async #chain(place: Place, suite: 1 | 2): Promise<MeterChain> {
    const { curve } = SECURITY_SUITES[suite];
    const line = await refusals(async () =>
      this.#pki.authorities.lineOf((await this.#pki.issuerFor(place, curve)).authority),
    );
    const [anchor, ...below] = line.map(({ certificate }) => certificate).reverse();
    if (anchor === undefined) throw new NotCertified("no authority issues for this island", false);
    const clients = await this.#clientCertificates(place, suite);
    const octets = new Map<string, Uint8Array>();
    const named = (role: ChainCertificate["role"]) => (certificate: Uint8Array) => {
      const decoded = decodeCertificate(certificate);
      const id = certificateId(certificate);
      octets.set(id, certificate);
      return { id, role, subject: nameText(decoded.subject), ...certificateName(decoded) };
    };
    const items = [...below.map(named("authority")), ...clients.map(named("client"))];
    const root = named("anchor")(anchor);
    const id = certificateId(Buffer.from([root, ...items].map((one) => one.id).join()));
    return { id, anchor: root, items, octets };
  }

  async #clientCertificates(place: Place, suite: 1 | 2): Promise<Uint8Array[]> {
    const pairs = await this.#clientKeys.pairs(place.utility, suite);
    const device = this.#clientTitle(place.utility);
    const certificates: Uint8Array[] = [];
    for (const use of ENROLLED_USES) {
      const { octets } = await this.certify({ place, suite, use, device, publicKey: pairs[use].publicKey });
      certificates.push(octets);
    }
    return certificates;
  }
}

/** SHA-256 over a certificate, hex. */
export function certificateId(octets: Uint8Array): string {
  return createHash("sha256").update(octets).digest("hex");
}

/** How a meter is told which certificate is meant. */
export function certificateName({ serial, issuer }: Certificate): CertificateName {
  return { serial: toHex(serial), issuer: toHex(nameOctets(issuer)) };
}

/** The octets that tell a meter which certificate is meant. */
export function namedOctets({ serial, issuer }: CertificateName) {
  return { serialNumber: fromHex(serial), issuer: fromHex(issuer) };
}

function issuedOf(certificate: Certificate, authority: string, issuedBy: string): IssuedCertificate {
  const { notBefore, notAfter } = certificate.validity;
  const credential = {
    id: certificateId(certificate.octets),
    ...certificateName(certificate),
    key: toHex(certificate.publicKey.point),
    authority,
    issuedBy,
    notBefore: notBefore.getTime(),
    notAfter: notAfter.getTime(),
  };
  return { credential, octets: certificate.octets };
}

async function refusals<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    throw new NotCertified(error.message, FINAL.includes(error.code), { cause: error });
  }
}
