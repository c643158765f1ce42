import { createHash, type Hash } from "node:crypto";
import type { LedgerDraft } from "@meterkeep/ledger";
import { TokenBuckets } from "../calls/token-bucket.ts";
import type { Committer } from "../store/committer.ts";

/** Entries of one kind and code that one principal causes with one meter, before they are only counted. */
const OF_METER = { burst: 32, perSecond: 0.1 } as const;
/** The same over all meters: a town of thousands may be refused something once each. */
const OF_PRINCIPAL = { burst: 8192, perSecond: 20 } as const;
/** How long a burst is counted before its sum is written. */
const LONGEST_MILLISECONDS = 60_000;

interface Burst {
  readonly first: LedgerDraft;
  /** The meter, where all of it concerns one. */
  readonly meter: string | undefined;
  count: number;
  last: number;
  readonly hash: Hash;
}

/**
 * Entries that a hostile caller can cause as often as it likes. The first ones of each kind and code are written as they are; of more in a row
 * the ledger gets one entry that counting begins (`entries-counted-from-here`), and one with the number and a hash over
 * all of them when the burst is over (`entries-counted`). So the ledger's growth is bounded, and every refusal was
 * preceded by an entry that says it or that more of its kind follow.
 *
 * The sum of a burst that a killed process was counting is lost; its beginning is not.
 */
export class EntryBursts {
  readonly #committer: Committer;
  readonly #now: () => number;
  readonly #ofMeter: TokenBuckets;
  readonly #ofPrincipal: TokenBuckets;
  readonly #bursts = new Map<string, Burst>();
  #counted = 0;

  constructor(committer: Committer, now: () => number) {
    this.#committer = committer;
    this.#now = now;
    this.#ofMeter = new TokenBuckets(OF_METER, now);
    this.#ofPrincipal = new TokenBuckets(OF_PRINCIPAL, now);
  }

  /** How many entries were only counted since the start. */
  get counted(): number {
    return this.#counted;
  }

  /** Writes entries, or counts them. */
  async record(drafts: readonly LedgerDraft[]): Promise<void> {
    const entries = this.admit(drafts);
    if (entries.length > 0) await this.#committer.submit({ entries });
  }

  /** The same for entries that belong into one commit with something else: gives those to be written. */
  admit(drafts: readonly LedgerDraft[]): LedgerDraft[] {
    return drafts.flatMap((draft) => this.#admitOne(draft));
  }

  /** Writes the sums of bursts that are over or long; to be called every few seconds, and with `all` at the end. */
  async sweep(all = false): Promise<void> {
    const entries: LedgerDraft[] = [];
    const now = this.#now();
    for (const [name, burst] of this.#bursts) {
      if (!all && now - burst.first.at < LONGEST_MILLISECONDS) continue;
      this.#bursts.delete(name);
      entries.push(summaryOf(burst, now));
    }
    this.#ofMeter.sweep();
    this.#ofPrincipal.sweep();
    if (entries.length > 0) await this.#committer.submit({ entries });
  }

  #admitOne(draft: LedgerDraft): LedgerDraft[] {
    const { kind, principal, meter, body } = draft;
    // By code too: whoever is refused often for one reason must not hide the first time it is another.
    const whose = `${kind}/${codeOf(body)}/${principal}`;
    const ofMeter = meter === undefined ? undefined : `${whose}/${meter}`;
    if (ofMeter !== undefined && !this.#ofMeter.take(ofMeter, 1)) return this.#count(ofMeter, draft, meter);
    if (!this.#ofPrincipal.take(whose, 1)) return this.#count(whose, draft, undefined);
    return [draft];
  }

  #count(name: string, draft: LedgerDraft, meter: string | undefined): LedgerDraft[] {
    this.#counted += 1;
    const running = this.#bursts.get(name);
    const burst = running ?? { first: draft, meter, count: 0, last: draft.at, hash: createHash("sha256") };
    burst.count += 1;
    burst.last = draft.at;
    burst.hash.update(`${JSON.stringify(draft)}\n`);
    if (running !== undefined) return [];
    this.#bursts.set(name, burst);
    const body = { of: draft.kind, first: draft.body };
    return [{ ...about(burst), at: draft.at, kind: "entries-counted-from-here", body }];
  }
}

/** The code of a refusal, or nothing. */
function codeOf(body: unknown): string {
  const { code = "" } = (body ?? {}) as { readonly code?: unknown };
  return typeof code === "string" ? code : "";
}

function about({ first, meter }: Burst): Pick<LedgerDraft, "principal" | "utility" | "island" | "meter"> {
  const { principal, utility, island } = first;
  return meter === undefined ? { principal, utility: "*", island: "*" } : { principal, utility, island, meter };
}

function summaryOf(burst: Burst, at: number): LedgerDraft {
  const { first, count, last, hash } = burst;
  const body = { of: first.kind, count, from: first.at, until: last, sha256: hash.digest("hex") };
  return { ...about(burst), at, kind: "entries-counted", body };
}
