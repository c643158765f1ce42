import { fromHex } from "@meterkeep/dlms";
import type { ListRecord, Registry } from "../registry/registry.ts";
import { crlOf, prepareCrl } from "../revocation/crl.ts";
import {
  askedSerial,
  type CertificateStatus,
  ocspError,
  ocspResponseOf,
  prepareOcspResponse,
} from "../revocation/ocsp.ts";
import type { Authorities, OpenAuthority } from "./authorities.ts";
import { SHARDS } from "./shards.ts";

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

/** An answer, and until when it may be given again. */
export interface TimedAnswer {
  readonly octets: Uint8Array;
  readonly until: number;
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
  readonly #making = new Map<string, Promise<void>>();
  readonly #answers = new Map<string, TimedAnswer>();

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

  /** The newest list of a shard, made where it is due; undefined for a delta where nothing has changed since the full list. */
  async list(authority: string, shard: number, kind: "full" | "delta"): Promise<ListRecord | undefined> {
    const name = `${authority}/${shard}`;
    // Two who ask at once for what is due would otherwise make two lists of one number.
    const turn = (this.#making.get(name) ?? Promise.resolve()).then(async () => {
      await this.#publishShard(authority, shard);
    });
    this.#making.set(
      name,
      turn.catch(() => undefined),
    );
    await turn;
    const list = await this.#registry.newestList(authority, shard, kind);
    if (kind === "full" || list === undefined) return list;
    const full = await this.#registry.newestList(authority, shard, "full");
    return list.since === full?.number ? list : undefined;
  }

  /** Takes a list that was signed elsewhere: of an authority whose key is in a drawer. The caller has verified it. */
  async adopt(list: ListRecord): Promise<void> {
    await this.#registry.addList(list);
  }

  /** The answer to an OCSP request about a certificate of this authority (RFC 6960, RFC 5019). Never throws for what it was sent. */
  async answer(authority: string, request: Uint8Array): Promise<Uint8Array> {
    return (await this.timedAnswer(authority, request)).octets;
  }

  /** As `answer`, with the moment until which it may be given again: now for what is no answer. */
  async timedAnswer(authority: string, request: Uint8Array): Promise<TimedAnswer> {
    const issuer = await this.#authorities.open(authority);
    let asked: Uint8Array | undefined;
    try {
      asked = askedSerial(request, issuer.certificate);
    } catch {
      return { octets: ocspError("malformedRequest"), until: this.#options.now() };
    }
    if (asked === undefined) return { octets: ocspError("unauthorized"), until: this.#options.now() };
    const serial = Buffer.from(asked).toString("hex");
    const name = `${authority}/${serial}`;
    const { now, answerHours } = this.#options;
    const at = now();
    const kept = this.#answers.get(name);
    if (kept !== undefined && kept.until > at) return kept;
    const status = await this.#statusOf(authority, serial);
    const octets = await this.#signed(issuer, asked, status, at);
    const answer = { octets, until: at + (answerHours * HOUR_MS) / 2 };
    // Anybody may ask about numbers that were never given: their answers are not kept.
    if (status.kind === "unknown") return { octets, until: at };
    this.#keep(name, answer);
    return answer;
  }

  /** A certificate was revoked: the answer that called it good is not given again. */
  forget(authority: string, serial: string): void {
    this.#answers.delete(`${authority}/${serial}`);
  }

  async #signed(issuer: OpenAuthority, serial: Uint8Array, status: CertificateStatus, at: number): Promise<Uint8Array> {
    const { certificate, key } = issuer;
    const nextUpdate = new Date(at + this.#options.answerHours * HOUR_MS);
    const data = prepareOcspResponse(certificate, certificate, {
      serial,
      status,
      thisUpdate: new Date(at),
      nextUpdate,
    });
    return ocspResponseOf(certificate, certificate, data, await key.sign(data));
  }

  #keep(name: string, answer: TimedAnswer): void {
    this.#answers.set(name, answer);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > MAX_ANSWERS && oldest !== undefined) this.#answers.delete(oldest);
  }

  async #statusOf(authority: string, serial: string): Promise<CertificateStatus> {
    const found = await this.#registry.find(authority, serial);
    if (found?.octets === undefined)
      return (await this.#registry.isRevoked(authority, serial))
        ? { kind: "revoked", revokedAt: new Date(0), reason: "unspecified" }
        : { kind: "unknown" };
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
    const { certificate, key } = await this.#authorities.open(authority);
    const revoked = await this.#registry.revoked(authority, shard, from, at);
    const revocations = revoked.map(({ serial, revokedAt, reason }) => ({
      serial: fromHex(serial),
      revokedAt: new Date(revokedAt),
      reason,
    }));
    const content = {
      number,
      ...(since !== undefined && { since }),
      thisUpdate: new Date(at),
      nextUpdate: new Date(at + hours * HOUR_MS),
      shard: this.#options.addressOf(authority, shard),
    };
    const unsigned = prepareCrl(certificate, content, revocations);
    const octets = crlOf(certificate, unsigned, await key.sign(unsigned));
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
