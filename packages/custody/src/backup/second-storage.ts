import { openAuthenticJournal } from "../escrow/authentic-journal.ts";
import { openFileEscrow } from "../escrow/file-escrow.ts";
import type { KeyEscrow } from "../escrow/key-escrow.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { type ChangeFeed, openFileFeed } from "./change-feed.ts";
import { feedingStore } from "./feeding-store.ts";
import { type Loss, lossesOf, type MakeGoodDependencies, makeGood, sealsAgain } from "./make-good.ts";
import { notingStore, WITHDRAWALS, type Withdrawal, type WithdrawalJournal } from "./withdrawals.ts";

/** Where second storage is, and what it is told of. */
export interface SecondStoragePlace {
  /** On other storage than the database. */
  readonly directory: string;
  readonly store: CustodyStore;
  readonly now: () => number;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
}

/** What is read and written there, once there is a vault to judge it by. */
interface Unlocked {
  readonly escrow: KeyEscrow;
  readonly withdrawals: WithdrawalJournal;
  /** What the database lost and nothing has made good yet. */
  readonly losses: readonly Loss[];
}

/**
 * What survives the database, beside it on other storage: the feed of its changes, the escrow of keys, and the journal of what
 * was withdrawn; and what a database from before is told of it again.
 *
 * States: *fed* (changes are told to the feed; there is no vault yet, and nothing is withdrawn), *unlocked* (what is withdrawn is noted
 * first), *closed*.
 */
export class SecondStorage {
  readonly directory: string;
  readonly feed: ChangeFeed;
  /** The store as custody has it: whatever is written passes here. */
  readonly store: CustodyStore;
  readonly #now: () => number;
  #unlocked: Unlocked | undefined;

  private constructor({ directory, store, now }: SecondStoragePlace, feed: ChangeFeed) {
    this.directory = directory;
    this.feed = feed;
    this.#now = now;
    this.store = notingStore(feedingStore(store, feed, now), () => this.#unlocked?.withdrawals);
  }

  static async open(place: SecondStoragePlace): Promise<SecondStorage> {
    return new SecondStorage(place, await openFileFeed(place.directory, place.onFailure));
  }

  /**
   * Opens what only the vault's owner writes.
   *
   * @param isHalted a halted ledger takes no entry: nothing is made good
   * @throws CustodyError `escrow-failed`
   */
  async unlock(vault: Pick<Vault, "authenticate">, isHalted: boolean): Promise<void> {
    const { directory, store } = this;
    const escrow = await openFileEscrow(directory);
    const withdrawals = await openAuthenticJournal<Withdrawal>({ directory, ...WITHDRAWALS }, vault);
    const losses = isHalted ? [] : await lossesOf(store, this.#now());
    this.#unlocked = { escrow, withdrawals, losses };
  }

  get escrow(): KeyEscrow {
    return this.#open.escrow;
  }

  /** Critical seals that the database lost count again: before any are read. */
  async countSealsAgain(dependencies: Parameters<typeof sealsAgain>[2]): Promise<void> {
    await sealsAgain(this.#open.withdrawals, this.#open.losses, dependencies);
  }

  /** Withdraws again what was withdrawn and the database lost: before anybody is served. */
  async makeGood(dependencies: MakeGoodDependencies): Promise<void> {
    await makeGood(this.#open.withdrawals, this.#open.losses, dependencies);
  }

  /** What people should hear of. */
  get trouble(): { readonly code: string; readonly message: string } | undefined {
    const { problem } = this.feed;
    if (problem === undefined) return undefined;
    const message = `changes are missing in the feed on second storage (${problem}): make a backup`;
    return { code: "change-feed-broken", message: message.slice(0, MOST_CHARACTERS) };
  }

  async close(): Promise<void> {
    await this.#unlocked?.escrow.close();
    await this.feed.close();
  }

  get #open(): Unlocked {
    if (this.#unlocked === undefined) throw new Error("second storage is unlocked before it is used");
    return this.#unlocked;
  }
}

const MOST_CHARACTERS = 1024;
