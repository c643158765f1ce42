import { fromHex } from "@meterkeep/dlms";
import type { Caller } from "../calls/caller.ts";
import { CustodyError } from "../errors.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { Committer } from "../store/committer.ts";
import type { KeyRecord } from "../store/records.ts";
import type { CustodyStore, ResealedKey } from "../store/store.ts";
import { envelopeKeyVersion } from "./envelope.ts";
import type { Vault } from "./vault.ts";

/** The entry of meter keys that lie under the newest vault keys, all of them but those it names. */
const RESEALED = "meter-keys-resealed";
const PAGE = 200;
/** Keys that the entry names of those that do not open. */
const MOST_TOLD = 32;
/** Of one row, that it is altered or names a vault key there never was. */
const NO_RECORD_OF_OURS: readonly string[] = ["vault-record-not-authentic", "vault-key-unknown"];

/** What was sealed anew. */
export interface Resealed {
  readonly meters: number;
  readonly keys: number;
  /** Keys whose record does not open in its place: they stay as they are. */
  readonly failed: number;
}

export interface ResealingDependencies {
  readonly store: Pick<CustodyStore, "loadPage" | "vaultKeys">;
  readonly vault: Pick<Vault, "seal" | "unseal">;
  readonly committer: Pick<Committer, "submit">;
  readonly now: () => number;
}

/**
 * Seals every meter key anew that does not lie under the newest vault key of its utility and island, a page of meters in each
 * commit. Whatever ends it in between, it goes on from there: a key that is done is known by its envelope.
 */
export async function resealMeterKeys(
  { store, vault, committer, now }: ResealingDependencies,
  caller: Caller,
  onPage: (done: Resealed) => void = () => undefined,
): Promise<Resealed> {
  const newest = new Map<string, number>();
  for (const { utility, island, version } of await store.vaultKeys.all())
    newest.set(cellName(utility, island), Math.max(version, newest.get(cellName(utility, island)) ?? 0));
  const isOld = ({ utility, island, sealed }: KeyRecord): boolean =>
    sealed.length > 0 && (versionOf(sealed) ?? -1) < (newest.get(cellName(utility, island)) ?? 0);
  let done: Resealed = { meters: 0, keys: 0, failed: 0 };
  const left: Pick<KeyRecord, "systemTitle" | "setup" | "purpose" | "version">[] = [];
  for (let after: string | undefined; ; ) {
    const files = await store.loadPage([], after, PAGE);
    const resealed: ResealedKey[] = [];
    let failed = 0;
    for (const key of files.flatMap(({ keys }) => keys.filter(isOld))) {
      const anew = await sealedAnew(vault, key);
      if (anew !== undefined) {
        resealed.push(anew);
        continue;
      }
      failed += 1;
      const { systemTitle, setup, purpose, version } = key;
      if (left.length < MOST_TOLD) left.push({ systemTitle, setup, purpose, version });
    }
    if (resealed.length > 0) await committer.submit({ writes: [{ kind: "reseal-keys", keys: resealed }] });
    done = {
      meters: done.meters + files.length,
      keys: done.keys + resealed.length,
      failed: done.failed + failed,
    };
    onPage(done);
    if (files.length < PAGE) break;
    after = files.at(-1)?.meter.systemTitle;
  }
  await committer.submit({
    entries: [installationEntry(now(), RESEALED, caller.name, { ...done, ...(left.length > 0 && { left }) })],
  });
  return done;
}

/** A key under the newest vault key, opened again before it is given out; undefined where its record does not open. */
async function sealedAnew(vault: Pick<Vault, "seal" | "unseal">, key: KeyRecord): Promise<ResealedKey | undefined> {
  const { utility, island, systemTitle, setup, purpose, version, sealed: former } = key;
  const place = { utility, island, systemTitle: fromHex(systemTitle), setup, purpose, version };
  try {
    const [plain] = await vault.unseal([{ place, sealed: former }]);
    using own = plain!;
    const [sealed] = await vault.seal([{ place, key: own }]);
    const [again] = await vault.unseal([{ place, sealed: sealed! }]);
    using same = again!;
    if (!own.equals(same)) return undefined;
    return { utility, island, systemTitle, setup, purpose, version, former, sealed: sealed! };
  } catch (error) {
    if (error instanceof CustodyError && NO_RECORD_OF_OURS.includes(error.code)) return undefined;
    throw error;
  }
}

/** The vault key that an envelope lies under; undefined where it is none. */
function versionOf(sealed: Uint8Array): number | undefined {
  try {
    return envelopeKeyVersion(sealed);
  } catch (error) {
    if (error instanceof CustodyError && error.code === "vault-record-not-authentic") return undefined;
    throw error;
  }
}

function cellName(utility: string, island: string): string {
  return JSON.stringify([utility, island]);
}
