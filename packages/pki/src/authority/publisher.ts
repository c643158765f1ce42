import { fromHex } from "@meterkeep/dlms";
import type { PkiStore } from "../registry/pki-store.ts";
import type { ListRecord, Registry } from "../registry/registry.ts";
import { crlOf, prepareCrl } from "../revocation/crl.ts";
import { Answers, type TimedAnswer } from "./answers.ts";
import type { Authorities } from "./authorities.ts";
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
  /** Answers about one certificate: a day unless said; they are given again for half of it. */
  readonly answerHours?: number;
  readonly now: () => number;
}

/** What a publisher made. */
export interface Published {
  readonly full: number;
  readonly delta: number;
}

const DEFAULTS = { fullHours: 168, deltaHours: 1, answerHours: 24 } as const;

/**
 * Publishes what authorities have revoked: full lists and deltas by shard, and answers about single certificates, signed
 * ahead and served from memory.
 */
export class Publisher {
  readonly #authorities: Authorities;
  readonly #registry: Registry;
  readonly #options: Required<PublishingOptions>;
  readonly #making = new Map<string, Promise<void>>();
  readonly #answers: Answers;

  constructor(
    authorities: Authorities,
    { registry, answers }: Pick<PkiStore, "registry" | "answers">,
    options: PublishingOptions,
  ) {
    this.#authorities = authorities;
    this.#registry = registry;
    this.#options = { ...DEFAULTS, ...options };
    const { answerHours: hours, now } = this.#options;
    this.#answers = new Answers({ authorities, registry, answers, hours, now });
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
  timedAnswer(authority: string, request: Uint8Array): Promise<TimedAnswer> {
    return this.#answers.timed(authority, request);
  }

  /** Looks at so many certificates more, and signs answers about them before anybody asks. @returns how many were signed */
  signAhead(certificates: number): Promise<number> {
    return this.#answers.signAhead(certificates);
  }

  /** A certificate was revoked: the answer that called it good is not given again. */
  forget(authority: string, serial: string): void {
    this.#answers.forget(authority, serial);
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
