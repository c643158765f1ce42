import { join } from "node:path";
import { Turn } from "@meterkeep/dlms";
import { frontierAt, type LedgerEntry, readerOf, rootOf } from "@meterkeep/ledger";
import type { AuthorityRecords } from "../authority/store/records.ts";
import {
  type HeadedJournal,
  type JournalBreak,
  type JournalHead,
  openAuthenticJournal,
} from "../escrow/authentic-journal.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { Committer } from "../store/committer.ts";
import type { CustodyStore } from "../store/store.ts";
import { type StateNote, stateNote } from "../vault/state-note.ts";
import type { Vault } from "../vault/vault.ts";
import { BEHIND, type Loss, MADE_GOOD, namedIn } from "./losses.ts";
import {
  entryLineOf,
  nameOfEntry,
  SEALED,
  sealedNonce,
  sealLine,
  WITHDRAWALS,
  type Withdrawal,
  withdraws,
} from "./withdrawals.ts";

/** The journal was begun. */
const BEGUN = "withdrawals-begun";
/** Where it ended. */
const NOTED = "withdrawals-noted";
/** It is not what was written. */
export const WITHDRAWALS_BROKEN = "withdrawals-broken";

/** The file of the state folder that says where it ended: a restored database does not know. */
const HEAD_FILE = "withdrawals-head.json";
const PAGE = 5000;
/** Entries of the ledger after which it is noted anew where a journal ends that has not grown: a start reads those that follow. */
const MOST_AHEAD = 10_000;
/** A journal of so many octets is read as a whole before anybody is served. */
const READ_AT_START_OCTETS = 32 * 1024 * 1024;

/** What binds the journal. */
export interface BoundDependencies {
  /** On second storage. */
  readonly directory: string;
  /** The custodian's own folder, on neither. */
  readonly stateFolder: string;
  readonly ledger: Pick<
    CustodyStore["ledger"],
    "read" | "size" | "nodes" | "lastOf" | "ofKinds" | "ofItself" | "foreign"
  >;
  readonly seals: Pick<AuthorityRecords, "countingSeals" | "manifest">;
  readonly committer: Pick<Committer, "submit">;
  readonly vault: Pick<Vault, "authenticate">;
  readonly now: () => number;
}

/** Where it ended, by the ledger, and how far the ledger went then. */
interface NotedEnd {
  readonly head: JournalHead;
  readonly sequence: number;
}

function notedIn({ body }: LedgerEntry): NotedEnd {
  const { sequence, ...head } = JSON.parse(body) as JournalHead & { readonly sequence: number };
  return { head, sequence };
}

/** What is wrong with the journal. */
export interface Broken {
  /** Whole sentences. */
  readonly problems: readonly string[];
  /** Tell each of them from every other one. */
  readonly marks: readonly string[];
}

/**
 * The journal of withdrawals, held against what others know of it: where it ends stands in the state folder before what was
 * written is done, and in the ledger every few seconds; every withdrawal that the ledger has since is in it. So whoever writes on
 * second storage, or puts the database back, or both, takes nothing out of it unnoticed while one of the three is what it was.
 */
export class BoundWithdrawals {
  /** Whatever is written into it is known to the state folder as well when the promise is kept. */
  readonly journal: HeadedJournal<Withdrawal>;
  /** What is said in the state folder is said in order. */
  readonly #turn = new Turn();
  readonly #dependencies: BoundDependencies;
  #noted: NotedEnd | undefined;
  #inFolder: JournalHead | "not ours" | undefined;
  #isRead = false;

  private constructor(
    dependencies: BoundDependencies,
    journal: HeadedJournal<Withdrawal>,
    noted: NotedEnd | undefined,
    inFolder: JournalHead | "not ours" | undefined,
  ) {
    this.#dependencies = dependencies;
    this.journal = {
      ...journal,
      append: async (...lines) => {
        await journal.append(...lines);
        await this.#noteAppended();
      },
    };
    this.#noted = noted;
    this.#inFolder = inFolder;
  }

  static async open(dependencies: BoundDependencies): Promise<BoundWithdrawals> {
    const { directory, vault, ledger } = dependencies;
    const last = await ledger.lastOf([NOTED], "custodian", "*");
    const noted = last && notedIn(last);
    const inFolder = await noteOf(dependencies).read();
    const journal = await openAuthenticJournal<Withdrawal>({ directory, ...WITHDRAWALS, kept: noted?.head }, vault);
    return new BoundWithdrawals(dependencies, journal, noted, inFolder);
  }

  /**
   * Begins the chain where it has not begun.
   *
   * @returns which losses are still to be made good
   */
  async begin(known: readonly Loss[]): Promise<readonly Loss[]> {
    const { ledger, committer, now } = this.#dependencies;
    const ahead = await this.#ahead(known);
    // First of all: with what a start writes the ledger soon is as long again, and where the journal ends is noted anew.
    if (ahead !== undefined) {
      const { name, words, since } = ahead;
      await committer.submit({ entries: [installationEntry(now(), BEHIND, "custodian", { name, words, since })] });
    }
    const losses = ahead === undefined ? known : [...known, ahead];
    if ((await ledger.lastOf([BEGUN], "custodian", "*")) !== undefined) return losses;
    await this.journal.append({ kind: "begun", at: now() });
    await committer.submit({ entries: [installationEntry(now(), BEGUN, "custodian", {})] });
    return losses;
  }

  /**
   * What is not as it was written, of what nobody has accepted yet: by its end, and where it is short or is wanted, by every
   * line. What the ledger has withdrawn and it lacks is written into it.
   */
  async checkAndComplete(part: "end" | "all" = "end"): Promise<Broken> {
    const told = new Set<string>();
    for (const { body } of await this.#dependencies.ledger.ofKinds([WITHDRAWALS_BROKEN])) {
      const said = JSON.parse(body) as Broken & { readonly accepted?: boolean };
      if (said.accepted === true) for (const mark of said.marks) told.add(mark);
    }
    const [problems, marks]: [string[], string[]] = [[], []];
    const add = (mark: string, problem: string): void => {
      if (told.has(mark)) return;
      problems.push(problem);
      marks.push(mark);
    };
    for (const [where, head] of [
      ["the ledger", this.#noted?.head],
      ["the state folder", this.#inFolder],
    ] as const)
      if (head === "not ours")
        add(`head ${HEAD_FILE}`, `${HEAD_FILE} in the state folder was not written by this custodian`);
      else if (head !== undefined && !(await this.journal.holds(head)))
        add(`cut ${head.lines} ${head.link}`, `by ${where} it had ${head.lines} lines, and they are not there`);
    const missing = await this.#addMissing();
    if (missing.length > 0)
      add(`missing ${missing.join()}`, `${missing.length} withdrawals of the ledger were not in it, and are again`);
    const head = await this.journal.head();
    this.#isRead = part === "all" || head === undefined || head.from < READ_AT_START_OCTETS;
    if (this.#isRead)
      for (const { mark, line, expected, found } of await this.#breaks())
        add(mark, `line ${line} of the file has the number ${found} where ${expected} follows`);
    return { problems, marks };
  }

  /**
   * Where the ledger says that it ended, while the state folder does not know of it: that is another machine's, or lost, and lines
   * that were cut off together with a database that was put back are missed by nobody. Undefined where it knows, or nothing was noted.
   */
  get unwitnessed(): JournalHead | undefined {
    return this.#inFolder === undefined ? this.#noted?.head : undefined;
  }

  /** Whether a start has read all of it; a long one is read beside the service. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** Whether it still ends behind where it was last noted. */
  async isWhole(): Promise<boolean> {
    return this.#noted === undefined || (await this.journal.holds(this.#noted.head));
  }

  /** Says in the ledger and in the state folder where it ends, where that has changed or the ledger is far ahead of it. */
  async note(): Promise<void> {
    const { ledger, committer, now } = this.#dependencies;
    // What the ledger has by now is in the journal by now; what is withdrawn while its end is looked up may not be.
    const sequence = await ledger.size();
    const head = await this.journal.head();
    if (head === undefined) return;
    if (head.link !== this.#noted?.head.link || sequence - this.#noted.sequence > MOST_AHEAD) {
      await committer.submit({ entries: [installationEntry(now(), NOTED, "custodian", { ...head, sequence })] });
      this.#noted = { head, sequence };
    }
    await this.#turn.run(() => this.#noteInFolder());
  }

  /**
   * Says in the state folder where it ends now. Not where lines that it knew of are gone: what was known stays what the journal is
   * held against; and not before a start has judged it, which a folder that knows nothing is told by.
   */
  #noteAppended(): Promise<void> {
    return this.#turn.run(async () => {
      const known = this.#inFolder;
      if (typeof known === "object" && (await this.journal.holds(known))) await this.#noteInFolder();
    });
  }

  async #noteInFolder(): Promise<void> {
    const head = await this.journal.head();
    if (head === undefined || (typeof this.#inFolder === "object" && this.#inFolder.link === head.link)) return;
    await noteOf(this.#dependencies).keep(head);
    this.#inFolder = head;
  }

  /** Every break there is: who accepts them is told of none of them again. */
  async accept(): Promise<void> {
    const { committer, now } = this.#dependencies;
    const marks = (await this.#breaks()).map(({ mark }) => mark);
    await committer.submit({
      entries: [installationEntry(now(), WITHDRAWALS_BROKEN, "custodian", { problems: [], marks, accepted: true })],
    });
  }

  /** A journal that knows of a longer ledger than this one: the database was put back, and nobody has said so. */
  async #ahead(known: readonly Loss[]): Promise<Loss | undefined> {
    const { ledger } = this.#dependencies;
    const size = await ledger.size();
    const none = () => undefined;
    let [longest, since] = [0, 0];
    let last: Withdrawal | undefined;
    for await (const line of this.journal.read(none, none, this.#noted?.head)) {
      if (line.root !== undefined) last = line;
      // Where entries of somebody else lie the ledger had its own when the line was written; the first to follow them has their end.
      const isTaken =
        line.ledger !== undefined && (ledger.foreign.at(line.ledger, "appended")?.to ?? line.ledger) > line.ledger;
      if (line.ledger === undefined || (line.ledger <= size && !isTaken)) continue;
      if (since === 0) since = line.at;
      longest = Math.max(longest, line.ledger);
    }
    // One that was cut and filled up again to the very number has another root.
    if (last !== undefined && !(await this.#isRoot(last, size))) {
      if (since === 0) since = last.at;
      longest = Math.max(longest, last.ledger ?? 0);
    }
    if (longest === 0) return undefined;
    const name = `journal of ${longest} entries`;
    if (known.some((loss) => loss.name === name)) return undefined;
    if (namedIn(await ledger.ofItself(), MADE_GOOD).has(name)) return undefined;
    const words = `the ledger has ${size} entries, and the journal of withdrawals knows of ${longest}`;
    return { name, words, since, sequence: undefined, isTold: false };
  }

  /** Whether the ledger had this root when it had so many entries; of one that is shorter nothing is said. */
  async #isRoot({ ledger: at = 0, root }: Withdrawal, size: number): Promise<boolean> {
    if (at > size) return true;
    const frontier = await frontierAt(readerOf(this.#dependencies.ledger), at);
    return Buffer.from(rootOf(frontier)).toString("hex") === root;
  }

  /** Seals that count, with what they are sealed under. */
  async #addSeals(): Promise<void> {
    const { seals } = this.#dependencies;
    const known = new Set<string>();
    for await (const line of this.journal.read(() => undefined))
      if (line.kind === "seal") known.add(line.seal.nonce);
      else if (line.kind === "manifest") known.add(line.manifest.hash);
    const counting = (await seals.countingSeals()).seals.filter(({ nonce }) => !known.has(nonce));
    const lines: Withdrawal[] = [];
    for (const hash of new Set(counting.map(({ manifest }) => manifest))) {
      const manifest = known.has(hash) ? undefined : await seals.manifest(hash);
      if (manifest !== undefined) lines.push({ kind: "manifest", at: manifest.submittedAt, manifest });
    }
    for (const { mac, ...seal } of counting) if (mac !== undefined) lines.push(sealLine({ seal, mac }));
    if (lines.length > 0) await this.journal.append(...lines);
  }

  /** Withdrawals of the ledger that the journal lacks since it was noted last: written into it, and told by their sequence. */
  async #addMissing(): Promise<readonly number[]> {
    const { ledger } = this.#dependencies;
    const from = this.#noted?.sequence ?? Number.POSITIVE_INFINITY;
    const size = await ledger.size();
    if (from >= size) return [];
    const missing = new Map<string, LedgerEntry>();
    for (let at = from; at < size; ) {
      const page = await ledger.read(at, PAGE);
      for (const one of page) {
        const nonce = sealedNonce(one);
        if (nonce !== undefined) missing.set(nonce, one);
        else if (withdraws(one)) missing.set(nameOfEntry(one), one);
      }
      at = page.at(-1)?.sequence ?? size;
    }
    const none = () => undefined;
    // A line that was written when the end was noted, and its entry after that, stands before the end.
    for (const after of [this.#noted?.head, undefined]) {
      if (missing.size === 0) return [];
      for await (const line of this.journal.read(none, none, after))
        if (line.kind === "entry") missing.delete(nameOfEntry(line.entry));
        else if (line.kind === "seal") missing.delete(line.seal.nonce);
    }
    const all = [...missing.values()];
    const lines = all.filter(({ kind }) => kind !== SEALED).map(entryLineOf);
    if (lines.length > 0) await this.journal.append(...lines);
    if (lines.length < all.length) await this.#addSeals();
    return all.map(({ sequence }) => sequence);
  }

  async #breaks(): Promise<readonly JournalBreak[]> {
    const breaks: JournalBreak[] = [];
    for await (const _ of this.journal.read(
      () => undefined,
      (broken) => {
        if (breaks.length < MOST_BREAKS) breaks.push(broken);
      },
    ));
    return breaks;
  }
}

const MOST_BREAKS = 100;

function noteOf({ stateFolder, vault }: Pick<BoundDependencies, "stateFolder" | "vault">): StateNote<JournalHead> {
  return stateNote<JournalHead>({
    path: join(stateFolder, HEAD_FILE),
    domain: "meterkeep-withdrawal-head-1",
    fields: { lines: "integer", link: "string", from: "integer" },
    vault,
  });
}
