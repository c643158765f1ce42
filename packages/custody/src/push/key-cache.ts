import { fromHex } from "@meterkeep/dlms";
import type { SecretKey } from "@meterkeep/dlms-node";
import { unsealKeys } from "../protocol/meter-keys.ts";
import type { ReceiveWindows } from "../protocol/receive-windows.ts";
import { type MeterFile, PURPOSE } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { isInService } from "../takeover/view.ts";
import type { Vault } from "../vault/vault.ts";
import { type PushKeyRing, type PushKeySet, pushCandidates } from "./key-ring.ts";

const MOST_RINGS = 10_000;
const LIFE_MILLISECONDS = 5 * 60_000;
const PAGE = 200;

interface Cached {
  readonly ring: PushKeyRing;
  readonly until: number;
}

/**
 * Keys of meters that push, unsealed for some minutes: a storm of pushes costs one look into the store for each meter.
 *
 * A meter whose keys change is forgotten at once (`forget`).
 */
export class MeterKeyCache {
  readonly #store: Pick<CustodyStore, "loadPage">;
  readonly #vault: Vault;
  readonly #windows: ReceiveWindows;
  readonly #now: () => number;
  readonly #cached = new Map<string, Cached>();

  constructor(store: Pick<CustodyStore, "loadPage">, vault: Vault, windows: ReceiveWindows, now: () => number) {
    this.#store = store;
    this.#vault = vault;
    this.#windows = windows;
    this.#now = now;
  }

  /** The key rings of those meters that are in custody: good until the caller next waits for anything. */
  async rings(titles: readonly string[]): Promise<Map<string, PushKeyRing>> {
    const wanted = new Set(titles);
    const missing = [...wanted].filter((title) => !this.#isFresh(title));
    for (let at = 0; at < missing.length; at += PAGE)
      for (const file of await this.#store.loadPage(missing.slice(at, at + PAGE), undefined, PAGE))
        if (isInService(file.meter)) await this.#unseal(file);
    const rings = new Map<string, PushKeyRing>();
    for (const title of wanted) {
      const cached = this.#cached.get(title);
      if (cached === undefined) continue;
      // The last used stand last, so that eviction takes the others.
      this.#cached.delete(title);
      this.#cached.set(title, cached);
      rings.set(title, cached.ring);
    }
    return rings;
  }

  /** The keys of this meter are about to change. */
  forget(title: string): void {
    const cached = this.#cached.get(title);
    this.#cached.delete(title);
    for (const { keys } of cached?.ring.sets ?? []) keys.authentication?.fill(0);
  }

  #isFresh(title: string): boolean {
    const cached = this.#cached.get(title);
    return cached !== undefined && cached.until > this.#now();
  }

  async #unseal(file: MeterFile): Promise<void> {
    this.#windows.learn(file.windows, file.accepted);
    const sets: PushKeySet[] = [];
    for (const { GUEK, GAK } of pushCandidates(file)) {
      const unicast = file.keys.find((key) => key.purpose === PURPOSE.GUEK && key.version === GUEK);
      const place = unicast && { ...unicast, systemTitle: fromHex(unicast.systemTitle) };
      const tokenKey = place && (await this.#vault.tokenKey({ place, sealed: place.sealed }));
      const names = [
        ...(tokenKey === undefined ? [{ purpose: PURPOSE.GUEK, version: GUEK }] : []),
        ...(GAK === undefined ? [] : [{ purpose: PURPOSE.GAK, version: GAK }]),
      ];
      const unsealed = await unsealKeys(this.#vault, file.keys, names);
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
    const { utility, island, systemTitle } = file.meter;
    const ring = { place: { utility, island, systemTitle, setup: 0 }, sets };
    this.forget(systemTitle);
    this.#cached.set(systemTitle, { ring, until: this.#now() + LIFE_MILLISECONDS });
    if (this.#cached.size > MOST_RINGS) this.forget(this.#cached.keys().next().value as string);
  }
}
