import { createHash } from "node:crypto";
import { equalBytes, toHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import { lintCertificate } from "../profile/lint.ts";
import type { CertificateProfile } from "../profile/profile.ts";
import { type SubjectOf, systemTitleText } from "../profile/subject.ts";
import type { AuthorityRecord } from "../registry/registry.ts";
import { type RevocationReason, requireRevoking } from "../revocation/reasons.ts";
import { type Certificate, decodeCertificate } from "../x509/certificate.ts";
import { deviceOf } from "../x509/device.ts";
import { EXTENSIONS, extensionValue } from "../x509/extensions.ts";
import { keyIdentifier } from "../x509/key-identifier.ts";
import { nameText } from "../x509/name.ts";
import { validatePath } from "../x509/path.ts";
import type { PublicKey } from "../x509/public-key.ts";
import { type AuthorityKey, isSignedBy } from "../x509/signature.ts";
import { certificateOf, type PreparedCertificate, prepareCertificate, prepareRoot, requireFit } from "./issue.ts";
import { AUTHORITY_MADE, CERTIFICATE_ORDERED } from "./ledgered-orders.ts";
import { OrderCount, type TakenOrders } from "./order-count.ts";
import {
  type AdoptedAuthority,
  type AuthorityDependencies,
  type AuthorityEntry,
  type AuthorityOrder,
  type CertificateOrder,
  OFFLINE,
} from "./orders.ts";
import { revokeOrdered } from "./revoking.ts";
import { shardOf } from "./shards.ts";

const SERIAL_BYTES = 16;
const DEFAULT_LIMIT = 1_000;
/** Root, scheme, utility, issuing, and a few more for schemes with another level. */
const MAX_ABOVE = 8;

/** An authority that can sign now. */
export interface OpenAuthority {
  readonly record: AuthorityRecord;
  readonly certificate: Certificate;
  readonly key: AuthorityKey;
}

/**
 * The authorities of an installation: what each issues and revokes stands in the ledger before it happens, and in the
 * registry before anybody has it.
 */
export class Authorities {
  readonly #deps: AuthorityDependencies;
  readonly #ordered: OrderCount;
  readonly #open = new Map<string, Promise<OpenAuthority>>();
  #records: readonly AuthorityRecord[] | undefined;

  constructor(dependencies: AuthorityDependencies) {
    this.#deps = dependencies;
    this.#ordered = new OrderCount(dependencies.orders);
  }

  /**
   * Makes an authority: a root with its own signature, or one below another.
   *
   * @throws PkiError `authority-unknown`, `authority-offline`, `issuer-unfit`, `profile-violated`
   */
  async make(order: AuthorityOrder): Promise<AuthorityRecord> {
    const { signerOf, random, now } = this.#deps;
    const { name, profile, parent, keyName } = order;
    const key = await signerOf(keyName);
    this.#requireOwnKey(key.publicKey, profile);
    const above = parent === undefined ? undefined : await this.openStanding(parent);
    const serial = random(SERIAL_BYTES);
    const points = above && profile.distributionPoints === "allowed" ? this.#pointsOf(above.record, serial) : [];
    const content = {
      profile,
      subject: { names: { CN: name } },
      serial,
      notBefore: wholeSeconds(now()),
      publicKey: key.publicKey,
      distributionPoints: points,
      ...(order.policies && { policies: order.policies }),
    } as const;
    const prepared = above === undefined ? prepareRoot(content) : prepareCertificate(above.certificate, content);
    await this.#recordMade(order, prepared, prepared.octets);
    if (above !== undefined) await this.#order(above.record, [{ ...content, requester: order.requester, prepared }]);
    const signature = await (above?.key ?? key).sign(prepared.octets);
    const certificate = certificateOf(prepared, signature);
    if (above !== undefined)
      await this.#deps.registry.issued(above.record.authority, [
        // As it is written: leading zeros are not.
        { serial: toHex(certificate.serial), octets: certificate.octets },
      ]);
    return this.#add(order, certificate);
  }

  /**
   * Takes an authority whose certificate was signed elsewhere: a root, or one below a root whose key is in a drawer.
   *
   * @throws PkiError `profile-violated` where the certificate does not fit, `request-refused` where it is for another key
   * than the one that is here, `issuer-unfit` where the authority above did not sign it
   */
  async adopt(adopted: AdoptedAuthority): Promise<AuthorityRecord> {
    const { registry, signerOf, now } = this.#deps;
    const { profile, parent, keyName, requester } = adopted;
    const certificate = decodeCertificate(adopted.certificate);
    const [finding] = lintCertificate(certificate, profile);
    if (finding !== undefined)
      throw new PkiError(
        "profile-violated",
        `not a certificate of ${profile.name}: ${finding.field} ${finding.message}`,
      );
    if (!keyName.startsWith(OFFLINE)) {
      const { publicKey } = await signerOf(keyName);
      if (!equalBytes(publicKey.point, certificate.publicKey.point))
        throw new PkiError("request-refused", `the certificate is for another key than ${keyName}`);
    }
    this.#requireOwnKey(certificate.publicKey, profile);
    const above = parent === undefined ? undefined : await this.recordOf(parent);
    const issuer = above === undefined ? certificate : decodeCertificate(above.certificate);
    if (!isSignedBy(issuer.publicKey, certificate.signatureAlgorithm, certificate.toBeSigned, certificate.signature))
      throw new PkiError("issuer-unfit", `${nameText(issuer.subject)} did not sign this certificate`);
    await this.#requireAdoptable(certificate, profile, parent);
    await this.#recordMade(adopted, certificate, certificate.toBeSigned);
    if (above !== undefined) {
      const prepared = { ...certificate, octets: certificate.toBeSigned };
      await this.#order(above, [{ profile, subject: { names: {} }, requester, prepared }]);
      const signed = { serial: toHex(certificate.serial), octets: certificate.octets };
      await registry.issued(above.authority, [signed]);
    }
    return this.#add(adopted, certificate, now());
  }

  /**
   * Issues a certificate. The ledger has it first, with the key it is for; then the registry; only then it is signed, so
   * that a process that dies leaves an order without a certificate and never a certificate without an order.
   *
   * @throws PkiError `authority-unknown`, `authority-offline`, `authority-held`, `issuer-unfit`, `profile-violated`,
   * `assignment-violated`, `requester-limited`
   */
  async issue(order: CertificateOrder): Promise<Certificate> {
    return (await this.issueAll([order]))[0]!;
  }

  /** Issues certificates of one authority for one requester together: one append to the ledger, one write, all or none. */
  async issueAll(orders: readonly CertificateOrder[]): Promise<readonly Certificate[]> {
    const { registry, record, random, now } = this.#deps;
    const [first] = orders;
    if (first === undefined) return [];
    if (orders.some(({ authority, requester }) => authority !== first.authority || requester !== first.requester))
      throw new RangeError("certificates are issued together for one authority and one requester");
    const { record: issuer, certificate, key } = await this.openStanding(first.authority);
    const at = now();
    using _taken = await this.requireWithinLimit(first.requester, issuer, orders.length);
    const prepared = orders.map((order) => {
      const serial = random(SERIAL_BYTES);
      const points = order.profile.distributionPoints === "allowed" ? this.#pointsOf(issuer, serial) : [];
      const notBefore = order.notBefore ?? wholeSeconds(at);
      const content = prepareCertificate(certificate, { ...order, serial, notBefore, distributionPoints: points });
      return { ...order, prepared: content };
    });
    for (const one of prepared) this.#requireOwnKey(one.prepared.publicKey, one.profile);
    await this.#requireAssigned(prepared, issuer, at);
    await record(prepared.map((one) => orderedEntry(one, issuer, at)));
    await this.#order(issuer, prepared);
    const signed: Certificate[] = [];
    for (const one of prepared) signed.push(certificateOf(one.prepared, await key.sign(one.prepared.octets)));
    const rows = signed.map(({ serial, octets }) => ({ serial: toHex(serial), octets }));
    await registry.issued(issuer.authority, rows);
    return signed;
  }

  /** Revokes for good. False when it was revoked before. @throws PkiError `certificate-unknown` */
  async revoke(authority: string, serial: string, reason: RevocationReason, requester: string): Promise<boolean> {
    return (await this.revokeAll(authority, [serial], reason, requester)) === 1;
  }

  /**
   * Revokes certificates of one authority together, for good; gives how many were not revoked before. What was ordered says
   * the ledger: what the registry lost is revoked like the others, and a row that somebody has put there is not.
   *
   * @throws PkiError `certificate-unknown`, `request-refused` for the reason that takes an entry back
   */
  async revokeAll(
    authority: string,
    serials: readonly string[],
    reason: RevocationReason,
    requester: string,
  ): Promise<number> {
    requireRevoking(reason);
    return revokeOrdered(this.#deps, await this.recordOf(authority), { serials, reason, requester });
  }

  /** Which of these an authority was ever ordered to sign, by the ledger. */
  async ordered(authority: string, serials: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set((await this.#deps.orders.ofSerials(authority, serials)).map(({ serial }) => serial));
  }

  /** The record of an authority. @throws PkiError `authority-unknown` */
  async recordOf(authority: string): Promise<AuthorityRecord> {
    const record = (await this.all()).find((one) => one.authority === authority);
    if (record === undefined) throw new PkiError("authority-unknown", `there is no authority ${authority}`);
    return record;
  }

  /** Every authority, in the order of their making. */
  async all(): Promise<readonly AuthorityRecord[]> {
    this.#records ??= await this.#deps.registry.authorities();
    return this.#records;
  }

  /** An authority and those above it, up to its root. @throws PkiError `authority-unknown` */
  async lineOf(authority: string): Promise<readonly AuthorityRecord[]> {
    const line: AuthorityRecord[] = [];
    for (let next: string | undefined = authority; next !== undefined && line.length < MAX_ABOVE; ) {
      const record: AuthorityRecord = await this.recordOf(next);
      line.push(record);
      next = record.parent;
    }
    return line;
  }

  /** An authority with its key, by its identifier. @throws PkiError `authority-unknown`, `authority-offline` */
  open(authority: string): Promise<OpenAuthority> {
    let open = this.#open.get(authority);
    if (open === undefined) {
      open = this.recordOf(authority).then(async (record) => ({
        record,
        certificate: decodeCertificate(record.certificate),
        key: await this.#deps.signerOf(record.keyName),
      }));
      this.#open.set(authority, open);
      open.catch(() => this.#open.delete(authority));
    }
    return open;
  }

  /** That what was signed elsewhere is what would have been signed here, and holds now: nobody would believe it else. */
  async #requireAdoptable(certificate: Certificate, profile: CertificateProfile, parent?: string): Promise<void> {
    const at = new Date(this.#deps.now());
    const { notBefore, notAfter } = certificate.validity;
    if (at < notBefore || at > notAfter)
      throw new PkiError(
        "issuer-unfit",
        `the certificate is good from ${notBefore.toISOString()} to ${notAfter.toISOString()}, and not now`,
      );
    if (parent === undefined) return;
    const line = await this.#requireStanding(parent);
    const [issuer, ...above] = line.map((one) => decodeCertificate(one.certificate));
    requireFit(issuer!, profile);
    const options = { at, usage: "keyCertSign", anchors: [above.at(-1) ?? issuer!] } as const;
    const verdict = validatePath(certificate, { ...options, intermediates: [issuer!, ...above] });
    if (!verdict.isTrusted) throw new PkiError("issuer-unfit", `${verdict.message} (${verdict.problem})`);
  }

  /** An authority that may issue, with its key. @throws PkiError `authority-held`, `issuer-unfit`, and as `open` */
  async openStanding(authority: string): Promise<OpenAuthority> {
    await this.#requireStanding(authority);
    return this.open(authority);
  }

  /** The line of an authority that may issue: neither it nor one above it was revoked or has ended, and nobody holds it. */
  async #requireStanding(authority: string): Promise<readonly AuthorityRecord[]> {
    const line = await this.lineOf(authority);
    for (const { parent, certificate, name } of line) {
      if (parent === undefined) continue;
      const serial = toHex(decodeCertificate(certificate).serial);
      if (await this.#deps.registry.isRevoked(parent, serial))
        throw new PkiError(
          "authority-held",
          `${name} was revoked by the authority above it; nothing is issued under it`,
        );
    }
    this.#requireInTime(line);
    const why = await this.#deps.heldBy?.(line.map((one) => one.authority));
    if (why !== undefined) throw new PkiError("authority-held", why);
    return line;
  }

  /** What an authority signs before or after its time nobody believes. */
  #requireInTime(line: readonly AuthorityRecord[]): void {
    const at = this.#deps.now();
    for (const { name, certificate } of line) {
      const { notBefore, notAfter } = decodeCertificate(certificate).validity;
      if (at < notBefore.getTime() || at > notAfter.getTime())
        throw new PkiError(
          "issuer-unfit",
          `${name} is good from ${notBefore.toISOString()} to ${notAfter.toISOString()}; nothing is issued under it now`,
        );
    }
  }

  /** Nobody gets a certificate for a key of which it is known that others have it. @throws PkiError `request-refused` */
  #requireOwnKey(publicKey: PublicKey, { keyIdentifier: method }: CertificateProfile): void {
    const key = toHex(keyIdentifier(publicKey, method));
    if (this.#deps.lostKeys?.has(key) === true)
      throw new PkiError("request-refused", `the key ${key} was lost: make another`);
  }

  /** By what the certificates will say and not by how they were ordered: whoever reads one reads no order. */
  async #requireAssigned(orders: readonly Prepared[], issuer: AuthorityRecord, at: number): Promise<void> {
    const index = await this.#deps.assignments?.();
    if (index === undefined) return;
    const line = (await this.lineOf(issuer.authority)).map(({ certificate }) => decodeCertificate(certificate));
    for (const { prepared, requester } of orders) {
      const device = deviceOf(prepared);
      const objection = device && index.objection(device, [line[0]!, ...line]);
      if (device === undefined || objection === undefined) continue;
      const meter = systemTitleText(device);
      const { utility, island, authority } = issuer;
      const body = { authority, objection };
      await this.#deps.record([
        { at, kind: "assignment-violated", principal: requester, utility, island, meter, body },
      ]);
      throw new PkiError("assignment-violated", `${issuer.name} may not speak for this device: ${objection}`);
    }
  }

  /**
   * Takes so many more orders for a requester, also those that somebody else is to place for it.
   *
   * @returns what is to be disposed of when the ledger has them
   * @throws PkiError `requester-limited`
   */
  async requireWithinLimit(
    requester: string,
    { utility, island, authority }: AuthorityRecord,
    wanted: number,
  ): Promise<TakenOrders> {
    const { record, limitOf, now } = this.#deps;
    const at = now();
    const limit = limitOf?.(requester) ?? DEFAULT_LIMIT;
    const ordered = await this.#ordered.take(requester, wanted, limit, at);
    if (typeof ordered !== "number") return ordered;
    const body = { authority, limit, wanted };
    await record([{ at, kind: "requester-limited", principal: requester, utility, island, body }]);
    throw new PkiError(
      "requester-limited",
      `${requester} has ordered ${ordered} certificates in 24 hours and wants ${wanted}; ${limit} are allowed`,
    );
  }

  async #recordMade(
    { utility, island, name, profile, parent, keyName, requester }: Omit<AuthorityOrder, "policies">,
    { publicKey, serial }: Pick<PreparedCertificate, "publicKey" | "serial">,
    toBeSigned: Uint8Array,
  ): Promise<void> {
    const authority = toHex(keyIdentifier(publicKey, profile.keyIdentifier));
    // Of all that is signed: who has the certificate finds its entry, and that nothing in it is another's.
    const digest = createHash("sha256").update(toBeSigned).digest("hex");
    const certificate = { serial: toHex(serial), toBeSigned: digest };
    const body = { authority, name, profile: profile.name, parent: parent ?? null, keyName, ...certificate };
    const at = this.#deps.now();
    await this.#deps.record([{ at, kind: AUTHORITY_MADE, principal: requester, utility, island, body }]);
  }

  async #add(
    { utility, island, name, profile, parent, keyName }: Omit<AuthorityOrder, "policies">,
    { publicKey, octets }: Certificate,
    at = this.#deps.now(),
  ): Promise<AuthorityRecord> {
    const authority = toHex(keyIdentifier(publicKey, profile.keyIdentifier));
    const record = {
      authority,
      utility,
      island,
      name,
      profile: profile.name,
      parent,
      keyName,
      certificate: octets,
      createdAt: at,
    };
    await this.#deps.registry.addAuthority(record);
    this.#records = undefined;
    return record;
  }

  #pointsOf({ authority }: AuthorityRecord, serial: Uint8Array): readonly string[] {
    const address = this.#deps.addressOf?.(authority, shardOf(serial));
    return address === undefined ? [] : [address];
  }

  #order(issuer: AuthorityRecord, orders: readonly Prepared[]): Promise<void> {
    const { utility, island, authority } = issuer;
    const orderedAt = this.#deps.now();
    return this.#deps.registry.order(
      orders.map(({ prepared, profile, subject, requester }) => ({
        authority,
        serial: toHex(prepared.serial),
        utility,
        island,
        profile: profile.name,
        subject: nameText(prepared.subject),
        systemTitle: systemTitleOf(subject),
        keyIdentifier: toHex(keyIdentifier(prepared.publicKey, profile.keyIdentifier)),
        requester,
        notBefore: prepared.validity.notBefore.getTime(),
        notAfter: prepared.validity.notAfter.getTime(),
        orderedAt,
        octets: undefined,
        shard: shardOf(prepared.serial),
        revokedAt: undefined,
        reason: undefined,
      })),
    );
  }
}

interface Prepared extends Pick<CertificateOrder, "profile" | "subject" | "requester"> {
  readonly prepared: PreparedCertificate;
}

function orderedEntry(one: Prepared, { authority, utility, island }: AuthorityRecord, at: number): AuthorityEntry {
  const { prepared, profile, subject, requester } = one;
  const meter = systemTitleOf(subject);
  const key = toHex(keyIdentifier(prepared.publicKey, profile.keyIdentifier));
  return {
    at,
    kind: CERTIFICATE_ORDERED,
    principal: requester,
    utility,
    island,
    ...(meter !== undefined && { meter }),
    body: { authority, serial: toHex(prepared.serial), profile: profile.name, key },
  };
}

function systemTitleOf(subject: SubjectOf): string | undefined {
  return "systemTitle" in subject ? systemTitleText(subject.systemTitle) : undefined;
}

function wholeSeconds(at: number): Date {
  return new Date(Math.floor(at / 1000) * 1000);
}

/** subjectKeyIdentifier of an authority's certificate, as the registry names it. @throws PkiError `issuer-unfit` */
export function authorityId(certificate: Certificate): string {
  const key = extensionValue(EXTENSIONS.subjectKeyIdentifier, certificate.extensions);
  if (key === undefined) throw new PkiError("issuer-unfit", `${nameText(certificate.subject)} has no key identifier`);
  return toHex(key);
}
