import { createHash } from "node:crypto";
import { DlmsError, fromHex, toHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import type { PkiStore } from "../registry/pki-store.ts";
import type { ListRecord, Registry, RevokedCertificate } from "../registry/registry.ts";
import { crlOf, openCrl, prepareCrl, type RevocationList } from "../revocation/crl.ts";
import { type Certificate, decodeCertificate } from "../x509/certificate.ts";
import { Answers, type TimedAnswer } from "./answers.ts";
import type { Authorities, OpenAuthority } from "./authorities.ts";
import { SHARDS } from "./shards.ts";

const HOUR_MS = 3_600_000;
/** Lists that are made within one millisecond are numbered on: so many are not. */
const CLOCK_SLACK = 1000n;

/** How long what is published holds, and how it is addressed. */
export interface PublishingOptions {
  /** The address of a shard of an authority's lists, as its certificates name it. */
  readonly addressOf: (authority: string, shard: number) => string;
  /** The address of its deltas, as its full lists name it. */
  readonly deltaAddressOf: (authority: string, shard: number) => string;
  /** Full lists: a week unless said. */
  readonly fullHours?: number;
  /** Deltas: an hour unless said. */
  readonly deltaHours?: number;
  /** Answers about one certificate: a day unless said; they are given again for half of it. */
  readonly answerHours?: number;
  readonly now: () => number;
  /** Hears why a list that is due could not be signed, where the one before it is given instead. */
  readonly onFailure?: (error: unknown) => void;
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
  readonly #options: Required<Omit<PublishingOptions, "onFailure">> & Pick<PublishingOptions, "onFailure">;
  readonly #making = new Map<string, Promise<void>>();
  /** How many the newest lists of a shard name, by what they are: a list that was signed does not change. */
  readonly #named = new Map<string, { readonly digest: string; readonly count: number }>();
  /** Digests of the lists that were served last, which their authorities had signed. */
  readonly #signed = new Map<string, string>();
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

  /**
   * The newest list of a shard, made where it is due; undefined for a delta where nothing has changed since the full list.
   * Where the authority's key is not here, the list that was adopted, until its own end; and where it cannot be used now, as
   * in a token that is away, the one that was signed last, until its own.
   *
   * @throws PkiError `authority-unknown`; `authority-offline` where a list is due that only a ceremony can sign; and why one
   * that is due could not be signed, where none holds
   */
  async list(authority: string, shard: number, kind: "full" | "delta"): Promise<ListRecord | undefined> {
    // Anybody may ask: what is not there is not remembered.
    const { name, certificate } = await this.#authorities.recordOf(authority);
    const issuer = decodeCertificate(certificate);
    let failure: unknown;
    await this.#inTurn(`${authority}/${shard}`, () => this.#publishShard(authority, shard)).catch((error: unknown) => {
      failure = error;
    });
    const at = this.#options.now();
    const full = await this.#newest(issuer, authority, shard, "full");
    if (full === undefined || full.nextUpdate <= at)
      throw (
        failure ??
        new PkiError("authority-offline", `${name} has no list of shard ${shard} that holds: a ceremony signs one`)
      );
    const delta = kind === "full" ? undefined : await this.#newest(issuer, authority, shard, "delta");
    const isGood = delta?.since === full.number && delta.nextUpdate > at;
    const found = kind === "full" ? full : isGood ? delta : undefined;
    if (failure === undefined) return found;
    if (found === undefined) throw failure;
    this.#options.onFailure?.(failure);
    return found;
  }

  /**
   * The newest list of a shard that its authority signed. Lists made here are numbered by the clock, so that whoever puts a
   * row of a higher number before them hides none.
   */
  async #newest(issuer: Certificate, authority: string, shard: number, kind: "full" | "delta") {
    const address = this.#options.addressOf(authority, shard);
    const newest = await this.#registry.newestList(authority, shard, kind);
    if (newest === undefined || this.#isSigned(newest, issuer, address)) return newest;
    const before = await this.#registry.newestList(authority, shard, kind, this.#highest);
    return before !== undefined && this.#isSigned(before, issuer, address) ? before : undefined;
  }

  /** No list that was made here has a higher number, as long as its clock was right. */
  get #highest(): bigint {
    return BigInt(this.#options.now()) + CLOCK_SLACK;
  }

  /** Never given twice, also not after a database from before was put back: lists are numbered by the clock. */
  async #nextNumber(authority: string, shard: number, signed: readonly (ListRecord | undefined)[]): Promise<bigint> {
    const rows = await Promise.all(
      (["full", "delta"] as const).map((kind) => this.#registry.newestList(authority, shard, kind, this.#highest)),
    );
    return [...signed, ...rows].reduce(
      (highest, list) => (list !== undefined && list.number >= highest ? list.number + 1n : highest),
      BigInt(this.#options.now()),
    );
  }

  /** Whether a list that is served is one that its authority signed; what this process has read is not read again. */
  #isSigned(list: ListRecord, issuer: Certificate, address: string): boolean {
    const name = `${list.authority}/${list.shard}/${list.since === undefined ? "full" : "delta"}`;
    const digest = digestOf([list]);
    if (this.#signed.get(name) === digest) return true;
    if (opened(list, issuer, address) === undefined) return false;
    this.#signed.set(name, digest);
    return true;
  }

  /** Where the lists of a shard lie, as they say it themselves. */
  addressOf(authority: string, shard: number): string {
    return this.#options.addressOf(authority, shard);
  }

  /** Shards of which lists are being looked at or made now. */
  get underWay(): number {
    return this.#making.size;
  }

  /**
   * Takes lists that were signed elsewhere: of an authority whose key is in a drawer.
   *
   * @throws PkiError `crl-refused` where one is not of its authority, or of another shard
   */
  async adopt(lists: readonly ListRecord[]): Promise<void> {
    for (const list of lists) {
      const { authority, shard } = list;
      const issuer = decodeCertificate((await this.#authorities.recordOf(authority)).certificate);
      if (opened(list, issuer, this.#options.addressOf(authority, shard)) === undefined)
        throw new PkiError("crl-refused", `list ${list.number} is not one of shard ${shard}`);
    }
    await this.#registry.addList(...lists);
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

  /** Two who ask at once for what is due would otherwise make two lists of one number. */
  async #inTurn(name: string, body: () => Promise<unknown>): Promise<void> {
    const turn = (this.#making.get(name) ?? Promise.resolve()).then(body);
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#making.set(name, settled);
    try {
      await turn;
    } finally {
      if (this.#making.get(name) === settled) this.#making.delete(name);
    }
  }

  async #publishShard(authority: string, shard: number): Promise<"full" | "delta" | undefined> {
    const { now, fullHours, deltaHours } = this.#options;
    const issuer = await this.#openWhereHere(authority);
    if (issuer === undefined) return undefined;
    const at = now();
    const full = await this.#newest(issuer.certificate, authority, shard, "full");
    const delta = await this.#newest(issuer.certificate, authority, shard, "delta");
    // Where the newest delta is of before the full list, nothing follows it yet.
    const follows = delta !== undefined && delta.since === full?.number ? delta : undefined;
    const isOld = full === undefined || at >= full.thisUpdate + (fullHours * HOUR_MS) / 2;
    const named = isOld ? undefined : this.#countOf(full, follows, issuer.certificate);
    if (isOld || named === undefined) {
      const revoked = await this.#registry.revoked(authority, shard);
      const number = await this.#nextNumber(authority, shard, [full, delta]);
      await this.#write({ issuer, shard, number, revoked, since: undefined, hours: fullHours });
      return "full";
    }
    const isDue = follows !== undefined && at >= follows.thisUpdate + (deltaHours * HOUR_MS) / 2;
    // By how many there are and not by when: a revocation may come to the registry after a list, with a moment before it.
    if (!isDue && (await this.#registry.revokedIn(authority, shard)) <= named) return undefined;
    const base = opened(full, issuer.certificate, this.#options.addressOf(authority, shard));
    const listed = new Set(Array.from(base?.revocations ?? [], ({ serial }) => toHex(serial)));
    const revoked = (await this.#registry.revoked(authority, shard)).filter(({ serial }) => !listed.has(serial));
    const number = await this.#nextNumber(authority, shard, [full, delta]);
    await this.#write({ issuer, shard, number, revoked, since: full.number, hours: deltaHours });
    return "delta";
  }

  /** How many a full list and the delta after it name; undefined where one of them is not what its authority signed. */
  #countOf(full: ListRecord, delta: ListRecord | undefined, issuer: Certificate): number | undefined {
    const name = `${full.authority}/${full.shard}`;
    const digest = digestOf(delta === undefined ? [full] : [full, delta]);
    const known = this.#named.get(name);
    if (known?.digest === digest) return known.count;
    let count = 0;
    for (const list of delta === undefined ? [full] : [full, delta]) {
      const read = opened(list, issuer, this.#options.addressOf(list.authority, list.shard));
      if (read === undefined) return undefined;
      count += read.revocations.length;
    }
    this.#named.set(name, { digest, count });
    return count;
  }

  async #openWhereHere(authority: string): Promise<OpenAuthority | undefined> {
    try {
      return await this.#authorities.open(authority);
    } catch (error) {
      if (error instanceof PkiError && error.code === "authority-offline") return undefined;
      throw error;
    }
  }

  async #write(order: {
    readonly issuer: OpenAuthority;
    readonly shard: number;
    readonly number: bigint;
    readonly since: bigint | undefined;
    readonly hours: number;
    readonly revoked: readonly RevokedCertificate[];
  }): Promise<void> {
    const { shard, number, since, hours, revoked } = order;
    const { record, certificate, key } = order.issuer;
    const { authority } = record;
    const revocations = revoked.map(({ serial, revokedAt, reason }) => ({
      serial: fromHex(serial),
      revokedAt: new Date(revokedAt),
      reason,
    }));
    const thisUpdate = this.#options.now();
    const nextUpdate = thisUpdate + hours * HOUR_MS;
    const content = {
      number,
      ...(since === undefined ? { freshest: this.#options.deltaAddressOf(authority, shard) } : { since }),
      thisUpdate: new Date(thisUpdate),
      nextUpdate: new Date(nextUpdate),
      shard: this.#options.addressOf(authority, shard),
    };
    const unsigned = prepareCrl(certificate, content, revocations);
    const octets = crlOf(certificate, unsigned, await key.sign(unsigned));
    await this.#registry.addList({ authority, shard, number, since, thisUpdate, nextUpdate, octets });
  }
}

/**
 * A stored list as its authority signed it; undefined where it did not, or the row says something else than the list.
 *
 * @param address of the shard that the list is to be about; a list over everything is about each
 */
function opened(list: ListRecord, issuer: Certificate, address: string): RevocationList | undefined {
  try {
    const read = openCrl(list.octets, issuer);
    const isItself =
      read.number === list.number &&
      read.since === list.since &&
      (read.shard === undefined || read.shard === address) &&
      isMoment(list.thisUpdate, read.thisUpdate) &&
      isMoment(list.nextUpdate, read.nextUpdate);
    return isItself ? read : undefined;
  } catch (error) {
    if (error instanceof PkiError || error instanceof DlmsError) return undefined;
    throw error;
  }
}

/** All that rows of lists say: whoever owns the database can put other octets under a number that was looked at. */
function digestOf(lists: readonly ListRecord[]): string {
  const hash = createHash("sha256");
  for (const { shard, number, since, thisUpdate, nextUpdate, octets } of lists)
    hash.update(`${[shard, number, since, thisUpdate, nextUpdate, octets.length].join("/")}\n`).update(octets);
  return hash.digest("hex");
}

/** Lists have whole seconds. */
function isMoment(row: number, signed: Date): boolean {
  return Math.floor(row / 1000) === Math.floor(signed.getTime() / 1000);
}
