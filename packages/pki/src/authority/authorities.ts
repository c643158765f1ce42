import { toHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import type { CertificateProfile } from "../profile/profile.ts";
import type { SubjectOf } from "../profile/subject.ts";
import { systemTitleText } from "../profile/subject.ts";
import type { AuthorityRecord, Registry } from "../registry/registry.ts";
import type { RevocationReason } from "../revocation/reasons.ts";
import { type Certificate, decodeCertificate } from "../x509/certificate.ts";
import { EXTENSIONS, extensionValue } from "../x509/extensions.ts";
import { keyIdentifier } from "../x509/key-identifier.ts";
import { nameText } from "../x509/name.ts";
import type { Signer } from "../x509/signature.ts";
import {
  type IssueOrder,
  type Issuer,
  issueCertificate,
  issueRoot,
  prepareCertificate,
  signPrepared,
} from "./issue.ts";

/** Shards of an authority's revocation lists: with a million meters revoked at once each list has 16 000. */
export const SHARDS = 64;
const SERIAL_BYTES = 16;
const DAY_MS = 86_400_000;

/** Something for the ledger, said before it is done. */
export interface AuthorityEntry {
  readonly at: number;
  readonly kind: "authority-made" | "certificate-ordered" | "certificate-revoked" | "requester-limited";
  readonly principal: string;
  readonly utility: string;
  readonly island: string;
  readonly meter?: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What authorities work with. */
export interface AuthorityDependencies {
  readonly registry: Registry;
  /** Who signs with an authority's key, by its name: the vault, or a token. */
  readonly signerOf: (keyName: string) => Promise<Signer>;
  /** Writes to the ledger, durably; what it refuses does not happen. */
  readonly record: (entry: AuthorityEntry) => Promise<void>;
  readonly random: (count: number) => Uint8Array;
  readonly now: () => number;
  /** Certificates that a requester may order a day; 1 000 unless said. A production line is given a number of its own. */
  readonly limitOf?: (requester: string) => number;
}

/** An order for a certificate, by whoever was found to be entitled to it. */
export interface CertificateOrder extends Omit<IssueOrder, "serial" | "notBefore" | "profile" | "distributionPoints"> {
  readonly profile: CertificateProfile;
  /** The authority that is to issue it, by its identifier. */
  readonly authority: string;
  /** The proven name of who asks. */
  readonly requester: string;
  readonly notBefore?: Date;
}

/** An authority to be made: its key exists already, under `keyName`. */
export interface AuthorityOrder {
  readonly utility: string;
  readonly island: string;
  readonly name: string;
  readonly profile: CertificateProfile;
  /** The authority above; none for a root. */
  readonly parent?: string;
  readonly keyName: string;
  readonly requester: string;
  readonly policies?: readonly string[];
}

const DEFAULT_LIMIT = 1_000;

/**
 * The authorities of an installation: what each issues and revokes stands in the ledger before it happens, and in the
 * registry before anybody has it.
 */
export class Authorities {
  readonly #deps: AuthorityDependencies;
  readonly #issuers = new Map<string, Promise<Issuer & { readonly record: AuthorityRecord }>>();

  constructor(dependencies: AuthorityDependencies) {
    this.#deps = dependencies;
  }

  /**
   * Makes an authority: a root with its own signature, or one below another.
   *
   * @throws PkiError `authority-unknown`, `issuer-unfit`, `profile-violated`
   */
  async make(order: AuthorityOrder): Promise<AuthorityRecord> {
    const { registry, signerOf, record, random, now } = this.#deps;
    const { utility, island, name, profile, parent, keyName, requester } = order;
    const signer = await signerOf(keyName);
    const at = now();
    const authority = toHex(keyIdentifier(signer.publicKey, profile.keyIdentifier));
    const content = {
      profile,
      subject: { names: { CN: name } },
      serial: random(SERIAL_BYTES),
      notBefore: wholeSeconds(at),
      ...(order.policies && { policies: order.policies }),
    } as const;
    await record({
      at,
      kind: "authority-made",
      principal: requester,
      utility,
      island,
      body: { authority, name, profile: profile.name, parent: parent ?? null, keyName },
    });
    const above = parent === undefined ? undefined : await this.issuer(parent);
    const certificate =
      above === undefined
        ? issueRoot(signer, content)
        : issueCertificate(above, { ...content, publicKey: signer.publicKey });
    const made = {
      authority,
      utility,
      island,
      name,
      profile: profile.name,
      parent,
      keyName,
      certificate: certificate.octets,
      createdAt: at,
    };
    await registry.addAuthority(made);
    return made;
  }

  /**
   * Issues a certificate. The ledger has it first, with the key it is for; then the registry; only then it is signed, so
   * that a process that dies leaves an order without a certificate and never a certificate without an order.
   *
   * @throws PkiError `authority-unknown`, `issuer-unfit`, `profile-violated`, `requester-limited`
   */
  async issue(order: CertificateOrder): Promise<Certificate> {
    const { registry, record, random, now } = this.#deps;
    const issuer = await this.issuer(order.authority);
    const at = now();
    await this.#requireWithinLimit(order.requester, at, issuer.record);
    const serial = random(SERIAL_BYTES);
    const { utility, island } = issuer.record;
    const key = toHex(keyIdentifier(order.publicKey, order.profile.keyIdentifier));
    const systemTitle = systemTitleOf(order.subject);
    const notBefore = order.notBefore ?? wholeSeconds(at);
    const prepared = prepareCertificate(issuer.certificate, { ...order, serial, notBefore });
    await record({
      at,
      kind: "certificate-ordered",
      principal: order.requester,
      utility,
      island,
      ...(systemTitle !== undefined && { meter: systemTitle }),
      body: { authority: order.authority, serial: toHex(serial), profile: order.profile.name, key },
    });
    await registry.order({
      authority: order.authority,
      serial: toHex(serial),
      utility,
      island,
      profile: order.profile.name,
      subject: nameText(prepared.subject),
      systemTitle,
      keyIdentifier: key,
      requester: order.requester,
      notBefore: prepared.validity.notBefore.getTime(),
      notAfter: prepared.validity.notAfter.getTime(),
      orderedAt: at,
      octets: undefined,
      shard: shardOf(serial),
      revokedAt: undefined,
      reason: undefined,
    });
    const certificate = signPrepared(issuer.signer, prepared);
    await registry.issued(order.authority, toHex(serial), certificate.octets);
    return certificate;
  }

  /** Revokes for good. False when it was revoked before. @throws PkiError `certificate-unknown` */
  async revoke(authority: string, serial: string, reason: RevocationReason, requester: string): Promise<boolean> {
    const { registry, record, now } = this.#deps;
    const known = await registry.find(authority, serial);
    if (known?.octets === undefined)
      throw new PkiError("certificate-unknown", `authority ${authority} never issued ${serial}`);
    if (known.revokedAt !== undefined) return false;
    const { utility, island, systemTitle: meter, subject } = known;
    const at = now();
    await record({
      at,
      kind: "certificate-revoked",
      principal: requester,
      utility,
      island,
      ...(meter !== undefined && { meter }),
      body: { authority, serial, reason, subject },
    });
    return registry.revoke(authority, serial, at, reason);
  }

  /**
   * Brings the registry up to what the ledger says was revoked: a registry restored from yesterday un-revokes nothing.
   *
   * @returns how many certificates had to be revoked again
   */
  async replayRevocations(entries: AsyncIterable<Pick<AuthorityEntry, "at" | "kind" | "body">>): Promise<number> {
    let again = 0;
    for await (const { at, kind, body } of entries) {
      if (kind !== "certificate-revoked") continue;
      const { authority, serial, reason } = body as { authority: string; serial: string; reason: RevocationReason };
      const known = await this.#deps.registry.find(authority, serial);
      if (known?.octets !== undefined && (await this.#deps.registry.revoke(authority, serial, at, reason))) again += 1;
    }
    return again;
  }

  /** An authority with its signer, by its identifier. @throws PkiError `authority-unknown` */
  issuer(authority: string): Promise<Issuer & { readonly record: AuthorityRecord }> {
    let issuer = this.#issuers.get(authority);
    if (issuer === undefined) {
      issuer = this.#open(authority);
      this.#issuers.set(authority, issuer);
      issuer.catch(() => this.#issuers.delete(authority));
    }
    return issuer;
  }

  async #open(authority: string): Promise<Issuer & { readonly record: AuthorityRecord }> {
    const record = (await this.#deps.registry.authorities()).find((one) => one.authority === authority);
    if (record === undefined) throw new PkiError("authority-unknown", `there is no authority ${authority}`);
    const signer = await this.#deps.signerOf(record.keyName);
    return { record, certificate: decodeCertificate(record.certificate), signer };
  }

  async #requireWithinLimit(
    requester: string,
    at: number,
    { utility, island, authority }: AuthorityRecord,
  ): Promise<void> {
    const limit = this.#deps.limitOf?.(requester) ?? DEFAULT_LIMIT;
    const ordered = await this.#deps.registry.orderedSince(requester, at - DAY_MS);
    if (ordered < limit) return;
    await this.#deps.record({
      at,
      kind: "requester-limited",
      principal: requester,
      utility,
      island,
      body: { authority, limit },
    });
    throw new PkiError(
      "requester-limited",
      `${requester} has ordered ${ordered} certificates in 24 hours; ${limit} are allowed`,
    );
  }
}

/** The part of its issuer's lists that a certificate would be on: even, since serial numbers are random. */
export function shardOf(serial: Uint8Array): number {
  return serial.at(-1)! % SHARDS;
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
