import { DlmsError, fromHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import type { AnswerRecords } from "../registry/pki-store.ts";
import type { CertificateRecord, Registry } from "../registry/registry.ts";
import {
  askedSerial,
  type CertificateStatus,
  ocspError,
  ocspResponseOf,
  openTimedOcspResponse,
  prepareOcspResponse,
} from "../revocation/ocsp.ts";
import type { Authorities, OpenAuthority } from "./authorities.ts";

const HOUR_MS = 3_600_000;
/** Answers kept in memory; the oldest goes. */
const MAX_ANSWERS = 100_000;
/** Answers that are signed and stored together: a few milliseconds during which nothing else is done. */
const PAGE = 50;

/** An answer, and until when it may be given again. */
export interface TimedAnswer {
  readonly octets: Uint8Array;
  readonly until: number;
}

/** What answers are made with. */
export interface AnswerParts {
  readonly authorities: Pick<Authorities, "open" | "all" | "ordered">;
  readonly registry: Pick<Registry, "find" | "isRevoked" | "page">;
  readonly answers: AnswerRecords;
  /** How long an answer holds. It is given again for half of that, and signed anew when a quarter is left of that half. */
  readonly hours: number;
  readonly now: () => number;
}

/**
 * Answers about single certificates (RFC 6960, RFC 5019), signed ahead: `signAhead` walks round all certificates that
 * stand here, so many at a time, and stores an answer about each before the one before it ends. What is asked about is
 * kept in memory besides; what nobody has signed yet is signed when it is asked about.
 */
export class Answers {
  readonly #parts: AnswerParts;
  readonly #kept = new Map<string, TimedAnswer>();
  /** Answers that are being signed or looked up. */
  readonly #asking = new Set<{ readonly name: string; isStale: boolean }>();
  /** Where the walk is: authorities that are left in this round, and the serial number after which the first goes on. */
  #round: string[] = [];
  #after: string | undefined;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
  }

  /** The answer to a request, with the moment until which it may be given again: now for what is no answer. Never throws for what it was sent. */
  async timed(authority: string, request: Uint8Array): Promise<TimedAnswer> {
    const { authorities, now } = this.#parts;
    const issuer = await authorities.open(authority);
    const at = now();
    let asked: Uint8Array | undefined;
    try {
      asked = askedSerial(request, issuer.certificate);
    } catch {
      return { octets: ocspError("malformedRequest"), until: at };
    }
    if (asked === undefined) return { octets: ocspError("unauthorized"), until: at };
    const serial = Buffer.from(asked).toString("hex");
    const name = `${authority}/${serial}`;
    for (;;) {
      const kept = this.#kept.get(name);
      if (kept !== undefined && kept.until > at) return kept;
      const asking = { name, isStale: false };
      this.#asking.add(asking);
      try {
        const answer =
          (await this.#stored(issuer, authority, serial)) ?? (await this.#asked(issuer, authority, serial));
        // Revoked while it was signed or looked up: what was true when that began is not given.
        if (asking.isStale) continue;
        if (answer.until > this.#parts.now()) this.#keep(name, answer);
        return answer;
      } finally {
        this.#asking.delete(asking);
      }
    }
  }

  /** A certificate was revoked: the answer that called it good is not given again. */
  forget(authority: string, serial: string): void {
    const name = `${authority}/${serial}`;
    this.#kept.delete(name);
    for (const asking of this.#asking) if (asking.name === name) asking.isStale = true;
  }

  /**
   * Looks at so many certificates more, and signs what is missing, grows old, or says what is no longer so. At the end of
   * a round the next begins. An authority whose key is not here is passed over.
   *
   * @returns how many were signed
   */
  async signAhead(certificates: number): Promise<number> {
    const { authorities } = this.#parts;
    let [left, signed] = [certificates, 0];
    if (this.#round.length === 0) this.#round = (await authorities.all()).map(({ authority }) => authority);
    while (left > 0 && this.#round.length > 0) {
      const [authority] = this.#round as [string];
      const limit = Math.min(PAGE, left);
      const page = await this.#page(authority, limit).catch((error: unknown) => {
        // Its key may be in a token that is away: the others have their turn.
        this.#round.shift();
        this.#after = undefined;
        throw error;
      });
      signed += page.signed;
      left -= Math.max(1, page.looked);
      this.#after = page.last;
      if (page.looked < limit) {
        this.#round.shift();
        this.#after = undefined;
      }
    }
    return signed;
  }

  async #page(authority: string, limit: number) {
    const { authorities, registry, answers, hours, now } = this.#parts;
    const issuer = await authorities.open(authority).catch((error: unknown) => {
      if (error instanceof PkiError && error.code === "authority-offline") return undefined;
      throw error;
    });
    if (issuer === undefined) return { looked: 0, signed: 0, last: undefined };
    const at = now();
    const page = await registry.page(authority, this.#after, at, limit);
    const known = new Map(
      (
        await answers.terms(
          authority,
          page.map(({ serial }) => serial),
        )
      ).map((term) => [term.serial, term]),
    );
    const horizon = at + (hours * HOUR_MS) / 8;
    const due = page.filter(({ serial, revokedAt }) => {
      const term = known.get(serial);
      return term === undefined || term.until < horizon || term.isRevoked !== (revokedAt !== undefined);
    });
    // What a row says was issued may be somebody else's: nothing good is said of what nobody ordered.
    const ordered = await authorities.ordered(
      authority,
      due.map(({ serial }) => serial),
    );
    const fresh = [];
    for (const record of due) {
      if (!ordered.has(record.serial)) continue;
      const answer = await this.#signed(issuer, record.serial, statusOf(record));
      fresh.push({ authority, serial: record.serial, isRevoked: record.revokedAt !== undefined, ...answer });
    }
    if (fresh.length > 0) await answers.put(fresh);
    return { looked: page.length, signed: fresh.length, last: page.at(-1)?.serial };
  }

  /** What was signed ahead, where it holds and says what is so: the row of a database proves nothing. */
  async #stored({ certificate }: OpenAuthority, authority: string, serial: string): Promise<TimedAnswer | undefined> {
    const { answers, registry, now } = this.#parts;
    const stored = await answers.find(authority, serial);
    const at = now();
    if (stored === undefined || stored.until <= at) return undefined;
    try {
      const { status, nextUpdate } = openTimedOcspResponse(stored.octets, {
        issuer: certificate,
        serial: fromHex(serial),
        at: new Date(at),
      });
      const isRevoked = await registry.isRevoked(authority, serial);
      if ((status.kind === "revoked") !== isRevoked || status.kind === "unknown") return undefined;
      return { octets: stored.octets, until: Math.min(stored.until, nextUpdate.getTime()) };
    } catch (error) {
      if (error instanceof PkiError || error instanceof DlmsError) return undefined;
      throw error;
    }
  }

  async #asked(issuer: OpenAuthority, authority: string, serial: string): Promise<TimedAnswer> {
    const status = await this.#statusOf(authority, serial);
    // Anybody may ask about numbers that were never given: nothing is signed for them, and nothing kept (RFC 5019, 2.2.3).
    if (status.kind === "unknown") return { octets: ocspError("unauthorized"), until: this.#parts.now() };
    return this.#signed(issuer, serial, status);
  }

  async #signed({ certificate, key }: OpenAuthority, serial: string, status: CertificateStatus): Promise<TimedAnswer> {
    const { hours, now } = this.#parts;
    const at = now();
    const data = prepareOcspResponse(certificate, certificate, {
      serial: fromHex(serial),
      status,
      thisUpdate: new Date(at),
      nextUpdate: new Date(at + hours * HOUR_MS),
    });
    return {
      octets: ocspResponseOf(certificate, certificate, data, await key.sign(data)),
      until: at + (hours * HOUR_MS) / 2,
    };
  }

  #keep(name: string, answer: TimedAnswer): void {
    this.#kept.delete(name);
    this.#kept.set(name, answer);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_ANSWERS && oldest !== undefined) this.#kept.delete(oldest);
  }

  async #statusOf(authority: string, serial: string): Promise<CertificateStatus> {
    const { registry, authorities } = this.#parts;
    const found = await registry.find(authority, serial);
    const isRevoked = await registry.isRevoked(authority, serial);
    if (found?.octets !== undefined && (isRevoked || (await authorities.ordered(authority, [serial])).has(serial)))
      return statusOf(found);
    return isRevoked ? { kind: "revoked", revokedAt: new Date(0), reason: "unspecified" } : { kind: "unknown" };
  }
}

function statusOf({ revokedAt, reason }: Pick<CertificateRecord, "revokedAt" | "reason">): CertificateStatus {
  if (revokedAt === undefined) return { kind: "good" };
  return { kind: "revoked", revokedAt: new Date(revokedAt), reason: reason ?? "unspecified" };
}
