import { fromHex } from "@meterkeep/dlms";
import type { ListRecord, Registry } from "../registry/registry.ts";
import { issueCrl, type Revocation } from "../revocation/crl.ts";
import { askedSerial, type CertificateStatus, issueOcspResponse, ocspError } from "../revocation/ocsp.ts";
import { type Authorities, SHARDS } from "./authorities.ts";

const HOUR_MS = 3_600_000;

/** How long what is published holds, and how it is addressed. */
export interface PublishingOptions {
  /** The address of a shard of an authority's lists, as its certificates name it. */
  readonly addressOf: (authority: string, shard: number) => string;
  /** Full lists: a week unless said. */
  readonly fullHours?: number;
  /** Deltas: an hour unless said. */
  readonly deltaHours?: number;
  /** Answers about one certificate: a day unless said; they are signed anew after half of it. */
  readonly answerHours?: number;
  readonly now: () => number;
}

/** What a publisher made. */
export interface Published {
  readonly full: number;
  readonly delta: number;
}

const DEFAULTS = { fullHours: 168, deltaHours: 1, answerHours: 24 } as const;
/** Answers kept in memory, signed; the oldest goes. */
const MAX_ANSWERS = 100_000;

/**
 * Publishes what authorities have revoked: full lists and deltas by shard, and answers about single certificates, signed
 * ahead and served from memory.
 */
export class Publisher {
  readonly #authorities: Authorities;
  readonly #registry: Registry;
  readonly #options: Required<PublishingOptions>;
  readonly #answers = new Map<string, { readonly octets: Uint8Array; readonly until: number }>();

  constructor(authorities: Authorities, registry: Registry, options: PublishingOptions) {
    this.#authorities = authorities;
    this.#registry = registry;
    this.#options = { ...DEFAULTS, ...options };
  }

  /**
   * Brings an authority's lists up to date: a shard whose full list has passed half its time gets a new one, any other
   * with news a delta to its newest full list. One shard is in memory at a time.
   */
  async publish(authority: string): Promise<Published> {
    const published = { full: 0, delta: 0 };
    for (let shard = 0; shard < SHARDS; shard += 1) {
      const kind = await this.#publishShard(authority, shard);
      if (kind !== undefined) published[kind] += 1;
    }
    return published;
  }

  /** The answer to an OCSP request about a certificate of this authority (RFC 6960, RFC 5019). Never throws for what it was sent. */
  async answer(authority: string, request: Uint8Array): Promise<Uint8Array> {
    const issuer = await this.#authorities.issuer(authority);
    let asked: Uint8Array | undefined;
    try {
      asked = askedSerial(request, issuer.certificate);
    } catch {
      return ocspError("malformedRequest");
    }
    if (asked === undefined) return ocspError("unauthorized");
    const serial = Buffer.from(asked).toString("hex");
    const name = `${authority}/${serial}`;
    const { now, answerHours } = this.#options;
    const at = now();
    const kept = this.#answers.get(name);
    if (kept !== undefined && kept.until > at) return kept.octets;
    const status = await this.#statusOf(authority, serial);
    const octets = issueOcspResponse(issuer.certificate, issuer, {
      serial: asked,
      status,
      thisUpdate: new Date(at),
      nextUpdate: new Date(at + answerHours * HOUR_MS),
    });
    // Anybody may ask about numbers that were never given: their answers are not kept.
    if (status.kind !== "unknown") this.#keep(name, { octets, until: at + (answerHours * HOUR_MS) / 2 });
    return octets;
  }

  /** A certificate was revoked: the answer that called it good is not given again. */
  forget(authority: string, serial: string): void {
    this.#answers.delete(`${authority}/${serial}`);
  }

  #keep(name: string, answer: { readonly octets: Uint8Array; readonly until: number }): void {
    this.#answers.set(name, answer);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > MAX_ANSWERS && oldest !== undefined) this.#answers.delete(oldest);
  }

  async #statusOf(authority: string, serial: string): Promise<CertificateStatus> {
    const found = await this.#registry.find(authority, serial);
    if (found?.octets === undefined) return { kind: "unknown" };
    if (found.revokedAt === undefined) return { kind: "good" };
    return { kind: "revoked", revokedAt: new Date(found.revokedAt), reason: found.reason! };
  }

  async #publishShard(authority: string, shard: number): Promise<"full" | "delta" | undefined> {
    const { now, fullHours, deltaHours } = this.#options;
    const at = now();
    const full = await this.#registry.newestList(authority, shard, "full");
    const delta = await this.#registry.newestList(authority, shard, "delta");
    const number =
      1n +
      [full, delta].reduce(
        (highest, list) => (list !== undefined && list.number > highest ? list.number : highest),
        0n,
      );
    if (full === undefined || at >= full.thisUpdate + (fullHours * HOUR_MS) / 2) {
      await this.#write({ authority, shard, number, since: undefined, at, hours: fullHours, from: 0 });
      return "full";
    }
    // Where the newest delta is of before the full list, nothing follows it yet.
    const newest = delta !== undefined && delta.since === full.number ? delta : full;
    const news = await this.#registry.revoked(authority, shard, newest.thisUpdate, at);
    const isDue = newest !== full && at >= newest.thisUpdate + (deltaHours * HOUR_MS) / 2;
    if (news.length === 0 && !isDue) return undefined;
    await this.#write({ authority, shard, number, since: full.number, at, hours: deltaHours, from: full.thisUpdate });
    return "delta";
  }

  async #write(order: {
    readonly authority: string;
    readonly shard: number;
    readonly number: bigint;
    readonly since: bigint | undefined;
    readonly at: number;
    readonly hours: number;
    /** Revocations after this moment. */
    readonly from: number;
  }): Promise<void> {
    const { authority, shard, number, since, at, hours, from } = order;
    const issuer = await this.#authorities.issuer(authority);
    const revoked = await this.#registry.revoked(authority, shard, from, at);
    const revocations = revoked.map(
      ({ serial, revokedAt, reason }): Revocation => ({
        serial: fromHex(serial),
        revokedAt: new Date(revokedAt!),
        reason: reason!,
      }),
    );
    const content = {
      number,
      ...(since !== undefined && { since }),
      thisUpdate: new Date(at),
      nextUpdate: new Date(at + hours * HOUR_MS),
      shard: this.#options.addressOf(authority, shard),
    };
    const octets = issueCrl(issuer, content, revocations);
    const list: ListRecord = {
      authority,
      shard,
      number,
      since,
      thisUpdate: at,
      nextUpdate: at + hours * HOUR_MS,
      octets,
    };
    await this.#registry.addList(list);
  }
}
