import { countingReads } from "@meterkeep/ledger";
import { MOST_REASON_CHARACTERS } from "../authority/document.ts";
import { openFileEscrow } from "../escrow/file-escrow.ts";
import type { KeyEscrow } from "../escrow/key-escrow.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import { MOST_CHARACTERS, type Trouble } from "../ledger/trouble.ts";
import type { Committer } from "../store/committer.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { BoundWithdrawals, type Broken, WITHDRAWALS_BROKEN } from "./bound-withdrawals.ts";
import { type ChangeFeed, openFileFeed } from "./change-feed.ts";
import { feedingStore } from "./feeding-store.ts";
import { type Loss, lossesByFindings, lossesOf } from "./losses.ts";
import { type MakeGoodDependencies, MakingGood, sealsAgain } from "./make-good.ts";
import { notingStore } from "./withdrawals.ts";

/** Where second storage is, and what it is told of. */
export interface SecondStoragePlace {
  /** On other storage than the database. */
  readonly directory: string;
  /** The custodian's own folder. */
  readonly stateFolder: string;
  readonly store: CustodyStore;
  readonly now: () => number;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
}

/** What it is opened with once there are a vault and a ledger to judge it by. */
export interface SecondStorageKeys {
  readonly vault: Pick<Vault, "authenticate">;
  readonly committer: Pick<Committer, "submit">;
  /** A halted ledger takes no entry: nothing is made good. */
  readonly isHalted: boolean;
}

/** What is read and written there. */
interface Unlocked extends SecondStorageKeys {
  readonly escrow: KeyEscrow;
  readonly withdrawals: BoundWithdrawals;
  /** What the database lost and nothing has made good yet. */
  readonly losses: readonly Loss[];
}

/**
 * What survives the database, beside it on other storage: the feed of its changes, the escrow of keys, and the journal of what
 * was withdrawn; and what a database from before is told of it again.
 *
 * States: *fed* (changes are told to the feed; there is no vault yet, and nothing is withdrawn), *unlocked* (what is withdrawn is noted
 * first), *making good* (what the database lost is withdrawn again, the keys of a large fleet beside the service), *closed*.
 */
export class SecondStorage {
  readonly directory: string;
  readonly feed: ChangeFeed;
  /** The store as custody has it: whatever is written passes here. */
  readonly store: CustodyStore;
  readonly #place: SecondStoragePlace;
  #unlocked: Unlocked | undefined;
  #making: { readonly good: MakingGood; readonly dependencies: MakeGoodDependencies } | undefined;
  /** How many findings there were when losses were looked for, and how often the authority's document had been put right. */
  #found = 0;
  #putRight = 0;
  /** What is wrong with the journal, in words, until people have gone on with it as it is. */
  #broken: string | undefined;
  /** What nobody can know of the journal, in words, while something was lost for which people have to look. */
  #unwitnessed: string | undefined;

  private constructor(place: SecondStoragePlace, feed: ChangeFeed) {
    this.#place = place;
    this.directory = place.directory;
    this.feed = feed;
    this.store = notingStore(feedingStore(place.store, feed, place.now), () => this.#unlocked?.withdrawals.journal);
  }

  static async open(place: SecondStoragePlace): Promise<SecondStorage> {
    return new SecondStorage(place, await openFileFeed(place.directory, place.onFailure));
  }

  /** Opens what only the vault's owner writes. @throws CustodyError `escrow-failed` */
  async unlock(keys: SecondStorageKeys): Promise<void> {
    const { directory, store } = this;
    const { stateFolder, now } = this.#place;
    const escrow = await openFileEscrow(directory);
    const { authority: seals } = store;
    const ledger = countingReads(store.ledger);
    const withdrawals = await BoundWithdrawals.open({ ...keys, directory, stateFolder, ledger, seals, now });
    const losses = keys.isHalted
      ? []
      : [...(await withdrawals.begin(await lossesOf(store))), ...(await lossesByFindings(ledger))];
    this.#unlocked = { ...keys, escrow, withdrawals, losses };
  }

  get escrow(): KeyEscrow {
    return this.#open.escrow;
  }

  /** Critical seals that the database lost count again: before any are read. */
  async countSealsAgain(): Promise<void> {
    const { withdrawals, losses, committer } = this.#open;
    await sealsAgain(withdrawals.journal, losses, { committer, now: this.#place.now });
  }

  /** Judges the journal, and withdraws again what was withdrawn and the database lost: before anybody is served. */
  async makeGood(dependencies: MakeGoodDependencies): Promise<void> {
    const { withdrawals, losses: atOnce, isHalted } = this.#open;
    if (isHalted) return;
    // What was found since, by whoever has read the ledger meanwhile.
    const names = new Set(atOnce.map(({ name }) => name));
    const losses = [...atOnce, ...(await this.#lossesFound()).filter(({ name }) => !names.has(name))];
    // What gives back is believed of a whole journal only: where something was lost, all of it is read first.
    const broken = await withdrawals.checkAndComplete(losses.length > 0 ? "all" : "end");
    const isUnwitnessed = await this.#tellUnwitnessed();
    const isBroken = broken.problems.length > 0;
    const good = new MakingGood(withdrawals.journal, losses, dependencies, { isBroken, isUnwitnessed });
    this.#putRight = dependencies.documents.putRight;
    this.#making = { good, dependencies };
    await this.#tell(broken);
    await good.begin();
    await this.#note();
  }

  /** What entries said that were found since not to be what was written is done again: while one loss is made good, the next waits. */
  async #makeGoodWhatWasFound(): Promise<void> {
    const { withdrawals, committer } = this.#open;
    if (this.#making === undefined || this.#making.good.isGoingOn) return;
    const { dependencies } = this.#making;
    const { putRight } = dependencies.documents;
    if (this.store.ledger.foreign.found === this.#found && putRight === this.#putRight) return;
    const losses = [...(await lossesOf(this.store)), ...(await this.#lossesFound())];
    await sealsAgain(withdrawals.journal, losses, { committer, now: this.#place.now });
    const good = new MakingGood(withdrawals.journal, losses, dependencies, { isBroken: this.#broken !== undefined });
    this.#putRight = putRight;
    this.#making = { good, dependencies };
    await good.begin();
  }

  #lossesFound(): Promise<readonly Loss[]> {
    this.#found = this.store.ledger.foreign.found;
    return lossesByFindings(countingReads(this.store.ledger));
  }

  /** Goes on with what a start left over, and says where the journal ends; to be called every few seconds. */
  async tend(): Promise<void> {
    const { withdrawals } = this.#open;
    if (this.#making === undefined) return;
    if (!withdrawals.isRead) await this.#tell(await withdrawals.checkAndComplete("all"));
    else if (this.#broken === undefined && !(await withdrawals.isWhole()))
      await this.#tell(await withdrawals.checkAndComplete());
    await this.#making.good.tend();
    await this.#makeGoodWhatWasFound();
    await this.#note();
  }

  /** What people should hear of. */
  get trouble(): Trouble | undefined {
    if (this.#broken !== undefined)
      return { code: WITHDRAWALS_BROKEN, message: this.#broken.slice(0, MOST_CHARACTERS) };
    if (this.#unwitnessed !== undefined) return { code: WITHDRAWALS_UNWITNESSED, message: this.#unwitnessed };
    const { problem } = this.feed;
    if (problem === undefined) return undefined;
    const message = `changes are missing in the feed on second storage (${problem}): make a backup`;
    return { code: "change-feed-broken", message: message.slice(0, MOST_CHARACTERS) };
  }

  /** Says where the journal ends, while the ledger can still be written. */
  async finish(): Promise<void> {
    await this.#making?.good.close();
    if (this.#making !== undefined) await this.#note();
  }

  async close(): Promise<void> {
    await this.#unlocked?.escrow.close();
    await this.feed.close();
  }

  /** A state folder that does not know the journal vouches for nothing: said each time, and to people where something was lost. */
  async #tellUnwitnessed(): Promise<boolean> {
    const { withdrawals, losses, committer } = this.#open;
    const head = withdrawals.unwitnessed;
    if (head === undefined) return false;
    const body = { lines: head.lines, losses: losses.map(({ name }) => name) };
    const entry = installationEntry(this.#place.now(), WITHDRAWALS_UNWITNESSED, "custodian", body);
    await committer.submit({ entries: [entry] });
    if (losses.length > 0)
      this.#unwitnessed =
        "the state folder does not know where the journal of withdrawals on second storage ended: if lines were cut off it, nobody misses them. Look, among yourselves, who and what was suspended, removed or compromised since the backup, do what is missing by hand, and have two people thaw";
    return true;
  }

  /** A journal that is not what was written: loudly, and with everything critical at a standstill. */
  async #tell({ problems, marks }: Broken): Promise<void> {
    if (problems.length === 0) return;
    const { committer } = this.#open;
    const { now, onFailure } = this.#place;
    const words = `the journal of withdrawals on second storage is not what was written: ${problems.slice(0, MOST_TOLD).join("; ")}`;
    this.#broken = `${words}. Put the whole file back from a copy and start anew, or look what was withdrawn, and have two people thaw: it goes on from what is there`;
    const body = { problems: problems.slice(0, MOST_TOLD), inAll: problems.length, marks };
    const entry = installationEntry(now(), WITHDRAWALS_BROKEN, "custodian", body);
    await committer.submit({ entries: [entry] });
    onFailure(new Error(this.#broken));
    const { authority } = this.#making?.dependencies ?? {};
    if (authority !== undefined && authority.document.approvers.length > 0)
      await authority.freeze(words.slice(0, MOST_REASON_CHARACTERS), "custodian");
  }

  /** While it is broken, what was known of it stays what it is held against; once people have thawed, it goes on from what is there. */
  async #note(): Promise<void> {
    const { withdrawals } = this.#open;
    // The next start has to find what is still to be made good, and what was wrong with the journal that says so.
    if (this.#making?.good.isGoingOn === true) return;
    if (this.#broken !== undefined) {
      if (this.#making?.dependencies.authority.document.frozen !== undefined) return;
      await withdrawals.accept();
      this.#broken = undefined;
    }
    const { approvers = [], frozen } = this.#making?.dependencies.authority.document ?? {};
    if (approvers.length > 0 && frozen === undefined) this.#unwitnessed = undefined;
    await withdrawals.note();
  }

  get #open(): Unlocked {
    if (this.#unlocked === undefined) throw new Error("second storage is unlocked before it is used");
    return this.#unlocked;
  }
}

/** Kind of the entry, and code, of a journal whose end the state folder does not know. */
const WITHDRAWALS_UNWITNESSED = "withdrawals-unwitnessed";
const MOST_TOLD = 4;
