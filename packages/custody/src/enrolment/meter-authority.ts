import { createHash } from "node:crypto";
import { fromHex, SECURITY_SUITES, type SystemTitle, systemTitleText, toHex } from "@meterkeep/dlms";
import {
  type AuthorityRecord,
  type Certificate,
  type CertificateQuery,
  type CertificateRecord,
  decodeCertificate,
  isAgainstAuthority,
  keyIdentifier,
  nameOctets,
  nameText,
  type OpenRemoval,
  PkiError,
  type PkiErrorCode,
} from "@meterkeep/pki";
import { ANY_POLICY, profileOf } from "../pki/development-tree.ts";
import { isIssuerOf, type Pki } from "../pki/open-pki.ts";
import type { MeterPlace } from "../store/records.ts";
import type { ClientKeys, ClientPairs } from "./client-keys.ts";
import {
  ASSOCIATION_USES,
  type CertificateName,
  type Chain,
  type ChainCertificate,
  type Credential,
  type EnrolledUse,
  type EnrolmentJournal,
} from "./journal.ts";

type Place = Pick<MeterPlace, "utility" | "island">;
type MeterPki = Pick<
  Pki,
  "authorities" | "issuerFor" | "store" | "orders" | "lostKeys" | "now" | "revocations" | "doubt" | "fallen" | "sound"
>;

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

/** Why a certificate is not issued: `isFinal` where asking again will not help, `wasRevoked` where another key would. */
export class NotCertified extends Error {
  readonly isFinal: boolean;
  readonly wasRevoked: boolean;

  constructor(message: string, isFinal: boolean, options?: ErrorOptions & { readonly wasRevoked?: boolean }) {
    super(message, options);
    this.name = "NotCertified";
    this.isFinal = isFinal;
    this.wasRevoked = options?.wasRevoked === true;
  }
}

/** Who orders certificates of the authorities: its limit is that of the policy of enrolment. */
export const ENROLMENT_REQUESTER = "enrolment";

/** What will not be otherwise another time. */
const FINAL: readonly PkiErrorCode[] = ["assignment-violated", "profile-violated", "issuer-unfit"];
const PURPOSES = { digitalSignature: "signature", keyAgreement: "key-agreement", tls: "tls" } as const;
const TLS_PROFILES: readonly string[] = ["dlms-suite-1-tls", "dlms-suite-2-tls"];
const KEEP_MILLISECONDS = 60_000;
/** Of one key or one meter: it has few. */
const PAGE_CERTIFICATES = 16;

/**
 * The authorities of this installation, as enrolment sees them: what the meters of a place are to trust, and certificates
 * for keys, each at most once however often it is asked for.
 */
export class MeterAuthority {
  readonly #pki: MeterPki;
  readonly #clientKeys: ClientKeys;
  readonly #clientTitle: (utility: string) => SystemTitle;
  readonly #chains = new Map<string, { readonly at: number; readonly chain: Promise<MeterChain> }>();

  constructor(pki: MeterPki, clientKeys: ClientKeys, clientTitle: (utility: string) => SystemTitle) {
    this.#pki = pki;
    this.#clientKeys = clientKeys;
    this.#clientTitle = clientTitle;
  }

  /**
   * What meters of a place and suite trust and are given.
   *
   * @param isFresh whether it must be as it is now, and not as it was a minute ago
   * @throws NotCertified where there is no authority for them
   */
  chain(place: Place, suite: 1 | 2, isFresh = false): Promise<MeterChain> {
    const name = JSON.stringify([place.utility, place.island, suite]);
    const known = this.#chains.get(name);
    if (!isFresh && known !== undefined && this.#pki.now() - known.at < KEEP_MILLISECONDS) return known.chain;
    const chain = this.#chain({ utility: place.utility, island: place.island }, suite);
    this.#chains.set(name, { at: this.#pki.now(), chain });
    const forget = () => this.#chains.delete(name);
    // Where no authority issues, the next one is asked for every time.
    chain.then(({ issues }) => issues || forget(), forget);
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
      if (this.#pki.lostKeys.has(wanted)) throw new NotCertified("this key was lost", true, { wasRevoked: true });
      const found = await this.#allOf({ keyIdentifier: wanted });
      const title = systemTitleText(device);
      if (found.some((one) => one.systemTitle !== title || one.profile !== profile.name))
        throw new NotCertified("another device, or another use, has a certificate for this key", true);
      // An authority that fell took certificates with it whose keys are as good as they were.
      const isSpoilt = (one: (typeof found)[number]) =>
        one.revokedAt !== undefined && (one.authority === authority || one.reason === "keyCompromise");
      if (found.some(isSpoilt))
        throw new NotCertified("a certificate for this key was revoked", true, { wasRevoked: true });
      for (const before of found.filter((one) => one.authority === authority && one.octets !== undefined)) {
        const certificate = await this.#pki.sound(before);
        if (certificate !== undefined) return issuedOf(certificate, authority, name);
      }
      const subject = { systemTitle: device };
      const policies = profile.policies.presence === "absent" ? {} : { policies: [ANY_POLICY] };
      const order = { authority, profile, subject, publicKey: key, ...policies, requester: ENROLMENT_REQUESTER };
      return issuedOf(await this.#pki.authorities.issue(order), authority, name);
    });
  }

  /** Those of a meter's certificates that stand: neither revoked nor under an authority that was, nor outside the table. */
  async standing(device: SystemTitle, believed: EnrolmentJournal["believed"]): Promise<EnrolmentJournal["believed"]> {
    const doubt = ({ authority, serial }: Credential) => this.#pki.doubt({ authority, serial, systemTitle: device });
    const standing = (all: readonly Credential[]) =>
      Promise.all(all.map(async (one) => ((await doubt(one)) === undefined ? [one] : []))).then((found) =>
        found.flat(),
      );
    const [digitalSignature, keyAgreement, tls] = await Promise.all([
      standing(believed.digitalSignature),
      standing(believed.keyAgreement),
      standing(believed.tls),
    ]);
    return { digitalSignature, keyAgreement, tls };
  }

  /** Revokes a certificate that its meter is proven not to use any more; again is as good as once. */
  async retire({ authority, serial }: Credential): Promise<void> {
    await this.#pki.authorities.revokeAll(authority, [serial], "superseded", ENROLMENT_REQUESTER);
  }

  /** Revokes the certificate of a meter that leaves. */
  async left({ authority, serial }: Pick<Credential, "authority" | "serial">): Promise<void> {
    await this.#pki.authorities.revokeAll(authority, [serial], "cessationOfOperation", ENROLMENT_REQUESTER);
  }

  /**
   * Revokes what a meter called over TLS with before it had this certificate: its maker's line ordered that, and nobody
   * knows where its private key has been. By the ledger's orders, whatever their rows name. Again is as good as once.
   */
  async retireOrdered(title: string, { authority, serial }: Credential): Promise<void> {
    const found = await this.#pki.orders.ofMeter(title);
    const ordered = found.filter(
      (one) =>
        TLS_PROFILES.includes(one.profile) &&
        one.requester !== ENROLMENT_REQUESTER &&
        (one.authority !== authority || one.serial !== serial),
    );
    for (const one of ordered)
      await this.#pki.authorities.revokeAll(one.authority, [one.serial], "superseded", ENROLMENT_REQUESTER);
  }

  /**
   * What a meter still has to lose, by each revocation that is removing certificates now.
   *
   * @param serials of what it says that it holds and that is not its own
   */
  removalsOf(title: string, serials: readonly string[]): Promise<readonly OpenRemoval[]> {
    return this.#pki.revocations.removalsOf(title, serials);
  }

  /** Whether a revocation has planned to free a meter and has not, running or not; one that was withdrawn frees nobody. */
  async isAwaited(title: string): Promise<boolean> {
    const planned = await this.#pki.store.plans.plansOf(title);
    if (planned.length === 0) return false;
    return (await this.#pki.revocations.list()).some(({ id, state }) => planned.includes(id) && state !== "withdrawn");
  }

  /** A meter has lost what a revocation takes from it, or will not. */
  freed(plan: string, title: string, outcome: string): Promise<void> {
    return this.#pki.revocations.freed(plan, title, outcome, ENROLMENT_REQUESTER);
  }

  /** All of them, and not the first of a page: somebody may have put others before the one that matters. */
  async #allOf(query: Omit<CertificateQuery, "limit" | "after">): Promise<readonly CertificateRecord[]> {
    const found: CertificateRecord[] = [];
    for (let after: CertificateRecord | undefined; ; ) {
      const from = { ...query, limit: PAGE_CERTIFICATES, ...(after && { after }) };
      const page = await this.#pki.store.registry.search(from, this.#pki.now());
      found.push(...page);
      after = page.at(-1);
      if (page.length < PAGE_CERTIFICATES) return found;
    }
  }

  async #chain(place: Place, suite: 1 | 2): Promise<MeterChain> {
    const { curve } = SECURITY_SUITES[suite];
    const { line, issues } = await refusals(() => this.#line(place, curve));
    const [anchor, ...below] = line.map(({ certificate }) => certificate).reverse();
    if (anchor === undefined) throw new NotCertified("no authority issues for this island", false);
    const clients = issues ? await this.#clientCertificates(place, suite) : [];
    const distrusted = await this.#distrusted();
    const octets = new Map<string, Uint8Array>();
    const named = (role: ChainCertificate["role"]) => (certificate: Uint8Array) => {
      const decoded = decodeCertificate(certificate);
      const id = certificateId(certificate);
      octets.set(id, certificate);
      return { id, role, subject: nameText(decoded.subject), ...certificateName(decoded) };
    };
    const items = [...below.map(named("authority")), ...clients.map(named("client"))];
    const root = named("anchor")(anchor);
    const id = certificateId(Buffer.from(JSON.stringify([[root, ...items].map((one) => one.id), issues, distrusted])));
    return { id, anchor: root, items, octets, issues, distrusted };
  }

  /** From the authority that issues for a place to its root; where none does, what stands of the line of the last one. */
  async #line(
    place: Place,
    curve: "P-256" | "P-384",
  ): Promise<{ readonly line: readonly AuthorityRecord[]; readonly issues: boolean }> {
    const { authorities, issuerFor, revocations, fallen } = this.#pki;
    try {
      return { line: await authorities.lineOf((await issuerFor(place, curve)).authority), issues: true };
    } catch (error) {
      if (!(error instanceof PkiError && error.code === "authority-unknown")) throw error;
      const last = (await authorities.all()).findLast((one) => isIssuerOf(one, place, curve));
      if (last === undefined) throw error;
      const line = await authorities.lineOf(last.authority);
      const doubts = await Promise.all(
        line.map(async ({ authority }) => (await revocations.heldBy([authority])) ?? fallen(authority)),
      );
      // What lies below an authority that is being revoked, or was, falls with it.
      return { line: line.slice(doubts.findLastIndex((why) => why !== undefined) + 1), issues: false };
    }
  }

  /** Every authority that is being revoked, or was, with those below it: by a plan of ours, or by the list of a ceremony. */
  async #distrusted(): Promise<readonly string[]> {
    const { authorities, revocations, fallen } = this.#pki;
    const plans = (await revocations.list()).filter(isAgainstAuthority);
    const below = (await Promise.all(plans.map(({ authority }) => revocations.below(authority)))).flat();
    for (const { authority } of await authorities.all())
      if ((await fallen(authority)) !== undefined) below.push(authority);
    return [...new Set(below)].sort();
  }

  async #clientCertificates(place: Place, suite: 1 | 2): Promise<Uint8Array[]> {
    try {
      return await this.#certifiedClients(place, suite, await this.#clientKeys.pairs(place, suite));
    } catch (error) {
      if (!(error instanceof NotCertified && error.wasRevoked)) throw error;
      return this.#certifiedClients(place, suite, await this.#clientKeys.renew(place, suite));
    }
  }

  async #certifiedClients(place: Place, suite: 1 | 2, pairs: ClientPairs): Promise<Uint8Array[]> {
    const device = this.#clientTitle(place.utility);
    const certificates: Uint8Array[] = [];
    for (const use of ASSOCIATION_USES) {
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
