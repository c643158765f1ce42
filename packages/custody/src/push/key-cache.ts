import { fromHex } from "@meterkeep/dlms";
import type { SecretKey } from "@meterkeep/dlms-node";
import type { Finding, ForeignEntries } from "@meterkeep/ledger";
import { unsealKeys } from "../protocol/meter-keys.ts";
import type { ReceiveWindows } from "../protocol/receive-windows.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import { isNamed, type MeterFile, PURPOSE, type SetupPlace, setupPlace } from "../store/records.ts";
import { isInService } from "../takeover/view.ts";
import type { Vault } from "../vault/vault.ts";
import { type PushKeyRing, type PushKeySet, pushCandidates } from "./key-ring.ts";

const MOST_RINGS = 10_000;
const LIFE_MILLISECONDS = 5 * 60_000;
const PAGE = 200;

interface Cached {
  readonly ring: PushKeyRing;
  readonly until: number;
  /** What had been found in the ledger when it was read: once more is, it may rest on that, and is read again. */
  readonly foreign: readonly Finding[];
  /** Calls that have it: its keys are wiped when it is forgotten and nobody has it. */
  borrowers: number;
}

/** Key rings by system title, good until this is disposed of: whatever is forgotten meanwhile. */
export interface BorrowedRings extends Disposable {
  readonly rings: ReadonlyMap<string, PushKeyRing>;
  /** Where the others are that were asked for and not meant. */
  readonly beyond: ReadonlyMap<string, SetupPlace>;
}

/** What the keys are read from, and what they are held against. */
export interface KeyCacheDependencies {
  /** Checked: what it gives is what the ledger says of it. */
  readonly files: Pick<CheckedFiles, "loadPage" | "onRefused">;
  readonly vault: Vault;
  readonly receiveWindows: Pick<ReceiveWindows, "learn">;
  readonly now: () => number;
  /** What is foreign in the ledger or was changed in it, another list each time more is found. */
  readonly foreign: Pick<ForeignEntries, "findings">;
}

/**
 * Keys of meters that push, unsealed for some minutes: a storm of pushes costs one look into the store for each meter.
 *
 * A meter whose keys change is forgotten at once (`forget`), and so is one whose rows are refused anywhere. What is found foreign in the
 * ledger has all of them read again.
 */
export class MeterKeyCache {
  readonly #dependencies: KeyCacheDependencies;
  readonly #cached = new Map<string, Cached>();
  /** How often a meter was forgotten: what is being read meanwhile may be older. */
  #forgotten = 0;

  constructor(dependencies: KeyCacheDependencies) {
    this.#dependencies = dependencies;
    dependencies.files.onRefused((title) => this.forget(title));
  }

  /**
   * The key rings of those meters that are in custody, and that are meant: of others nothing is unsealed, and nothing that is kept is
   * counted as used or takes another's room. `beyond` are their places.
   */
  async borrow(
    titles: readonly string[],
    isMeant: (place: SetupPlace) => boolean = () => true,
  ): Promise<BorrowedRings> {
    using borrowing = new DisposableStack();
    const rings = new Map<string, PushKeyRing>();
    const beyond = new Map<string, SetupPlace>();
    const borrow = (cached: Cached): void => {
      cached.borrowers += 1;
      borrowing.defer(() => this.#giveBack(cached));
      rings.set(cached.ring.place.systemTitle, cached.ring);
    };
    const missing: string[] = [];
    for (const title of new Set(titles)) {
      const cached = this.#fresh(title);
      if (cached === undefined) missing.push(title);
      else if (isMeant(cached.ring.place)) borrow(this.#used(cached));
      else beyond.set(title, cached.ring.place);
    }
    // What is read again and refused, or has left, is not used as it was.
    for (const title of missing) this.#drop(title);
    const { files, foreign, now } = this.#dependencies;
    for (let at = 0; at < missing.length; at += PAGE) {
      const [{ findings }, forgotten] = [foreign, this.#forgotten];
      for (const file of await files.loadPage(missing.slice(at, at + PAGE), undefined, PAGE)) {
        if (!isInService(file.meter)) continue;
        const place = setupPlace(file.meter);
        if (!isMeant(place)) {
          beyond.set(place.systemTitle, place);
          continue;
        }
        const ring = await this.#unsealed(file);
        // Read before a change that was made meanwhile, it is good for this call alone.
        const until = this.#forgotten === forgotten ? now() + LIFE_MILLISECONDS : 0;
        const cached = { ring, until, foreign: findings, borrowers: 0 };
        borrow(cached);
        this.#keep(cached);
      }
    }
    const borrowed = borrowing.move();
    return { rings, beyond, [Symbol.dispose]: () => borrowed.dispose() };
  }

  /** The keys of this meter are about to change. */
  forget(title: string): void {
    this.#forgotten += 1;
    this.#drop(title);
  }

  #drop(title: string): void {
    const cached = this.#cached.get(title);
    this.#cached.delete(title);
    if (cached !== undefined) this.#wipeForgotten(cached);
  }

  #giveBack(cached: Cached): void {
    cached.borrowers -= 1;
    this.#wipeForgotten(cached);
  }

  #wipeForgotten(cached: Cached): void {
    const { sets, place } = cached.ring;
    if (cached.borrowers > 0 || this.#cached.get(place.systemTitle) === cached) return;
    for (const { keys } of sets) keys.authentication?.fill(0);
  }

  /** What is kept of a meter and as good as read. */
  #fresh(title: string): Cached | undefined {
    const { now, foreign } = this.#dependencies;
    const cached = this.#cached.get(title);
    return cached === undefined || cached.until <= now() || cached.foreign !== foreign.findings ? undefined : cached;
  }

  /** The last used stands last, so that eviction takes the others. */
  #used(cached: Cached): Cached {
    const { systemTitle } = cached.ring.place;
    this.#cached.delete(systemTitle);
    this.#cached.set(systemTitle, cached);
    return cached;
  }

  #keep(cached: Cached): void {
    const { systemTitle } = cached.ring.place;
    this.#drop(systemTitle);
    this.#cached.set(systemTitle, cached);
    if (this.#cached.size > MOST_RINGS) this.#drop(this.#cached.keys().next().value as string);
  }

  async #unsealed(file: MeterFile): Promise<PushKeyRing> {
    const { vault, receiveWindows } = this.#dependencies;
    receiveWindows.learn(file.windows, file.accepted);
    const sets: PushKeySet[] = [];
    for (const { GUEK, GAK } of pushCandidates(file)) {
      const unicast = file.keys.find((key) => isNamed(key, { purpose: PURPOSE.GUEK, version: GUEK }));
      const place = unicast && { ...unicast, systemTitle: fromHex(unicast.systemTitle) };
      const tokenKey = place && (await vault.tokenKey({ place, sealed: place.sealed }));
      const names = [
        ...(tokenKey === undefined ? [{ purpose: PURPOSE.GUEK, version: GUEK }] : []),
        ...(GAK === undefined ? [] : [{ purpose: PURPOSE.GAK, version: GAK }]),
      ];
      const unsealed = await unsealKeys(vault, file.keys, names);
      using encryption = tokenKey === undefined ? unsealed.shift() : undefined;
      using tag = unsealed.shift();
      sets.push({
        keys: {
          encryption: tokenKey ?? (encryption as SecretKey).keyObject(),
          authentication: tag?.lend((octets) => Uint8Array.from(octets)),
        },
        unicastVersion: GUEK,
      });
    }
    return { place: setupPlace(file.meter), sets };
  }
}
