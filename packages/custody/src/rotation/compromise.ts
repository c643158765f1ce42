import type { Caller } from "../calls/caller.ts";
import { CustodyError } from "../errors.ts";
import { stateChange } from "../keys/key-state-change.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import { filePages } from "../records/file-pages.ts";
import type { Committer } from "../store/committer.ts";
import { type KeyRecord, type MeterFile, PURPOSE, type Purpose } from "../store/records.ts";
import { isInService } from "../takeover/view.ts";

/** Meters of one commit: as many entries as that stand in the ledger together. */
const PAGE = 500;
/** A change of keys may come in between reading a page and writing it. */
const MOST_TRIES = 5;

/** Whose keys are compromised. */
export interface CompromiseScope {
  /** Empty: every meter. */
  readonly titles: readonly string[];
  /** In which of their security setups. */
  readonly setups: number | "each";
  /** Only meters with an active key made before this. */
  readonly madeBefore: number | undefined;
  readonly purposes: readonly Purpose[];
}

interface CompromiseDependencies {
  readonly files: Pick<CheckedFiles, "loadPage" | "nextPage">;
  readonly committer: Pick<Committer, "submit">;
  readonly now: () => number;
  readonly keyCache: { forget(systemTitle: string): void };
}

/**
 * Marks keys compromised, page by page, each meter's with its entry in the same commit: those in use, those suspended, and
 * those that were made for a change under way. Whether a takeover or a rotation is open does not matter, nor whether the
 * meter was ever taken over: strangers have what they have.
 *
 * @returns after each page its meters, and at how many of them keys were marked
 */
export async function* compromised(
  dependencies: CompromiseDependencies,
  scope: CompromiseScope,
  caller: Caller,
  reason: string,
): AsyncGenerator<{ readonly meters: readonly string[]; readonly marked: number }> {
  const { files, keyCache } = dependencies;
  for await (const page of filePages(files, scope.titles, PAGE)) {
    const fitting = page.files.filter((file) => fits(file, scope));
    if (fitting.length === 0) continue;
    const meters = fitting.map(({ meter }) => meter.systemTitle);
    const marked = await markPage(dependencies, fitting, scope, caller, reason);
    for (const title of meters) keyCache.forget(title);
    yield { meters, marked };
  }
}

async function markPage(
  { committer, files, now }: CompromiseDependencies,
  page: readonly MeterFile[],
  scope: CompromiseScope,
  caller: Caller,
  reason: string,
): Promise<number> {
  let read = page;
  for (let left = MOST_TRIES; ; left -= 1) {
    const lost = read
      .map(({ keys }) => keys.filter((key) => isToBeMarked(key, scope)))
      .filter(({ length }) => length > 0);
    const changes = lost.map((keys) => stateChange(keys, "compromised", caller.name, now(), reason));
    if (changes.length === 0) return 0;
    try {
      await committer.submit({
        writes: changes.flatMap(({ writes }) => writes),
        entries: changes.flatMap(({ entries }) => entries),
      });
      return lost.length;
    } catch (error) {
      if (left <= 1 || !(error instanceof CustodyError && error.code === "custody-write-conflict")) throw error;
      const titles = read.map(({ meter }) => meter.systemTitle);
      read = await files.loadPage(titles, undefined, titles.length);
    }
  }
}

function fits({ meter, keys }: MeterFile, scope: CompromiseScope): boolean {
  const { madeBefore } = scope;
  return (
    isInService(meter) &&
    (madeBefore === undefined ||
      keys.some((key) => isWithin(key, scope) && key.state === "active" && key.createdAt < madeBefore))
  );
}

function isToBeMarked(key: KeyRecord, scope: CompromiseScope): boolean {
  const { purpose, state } = key;
  return (
    isWithin(key, scope) &&
    (scope.purposes as readonly number[]).includes(purpose) &&
    (state === "active" || state === "suspended" || state === "pre-activation")
  );
}

function isWithin({ setup, purpose }: KeyRecord, { setups }: CompromiseScope): boolean {
  return purpose <= PURPOSE.KEK && (setups === "each" || setups === setup);
}
