import { countingReads, type LedgerKeeper, newestEntry, type TreeHead } from "@meterkeep/ledger";
import { EntryBursts } from "../evidence/entry-bursts.ts";
import { GroupCommitter } from "../store/committer.ts";
import { gatheringFor } from "../store/gathering.ts";
import type { CustodyStore } from "../store/store.ts";
import type { OpenedVault } from "../vault/open-vault.ts";
import { DecidingQuestions } from "./deciding-questions.ts";
import { growthMacs, leafJudge } from "./entry-macs.ts";
import { installationEntry } from "./installation-entry.ts";
import { signingKeys } from "./ledger-signer.ts";
import { keeperIn, type LedgerOptions, storedHead } from "./open-keeper.ts";
import { OwnEnds } from "./own-ends.ts";
import { DEFAULT_PATROL_SETTINGS, LedgerPatrol } from "./patrol.ts";
import { endedWithStop } from "./skipped-counters.ts";

/** What the ledger of a custodian is opened with. */
export interface LedgerParts {
  readonly store: CustodyStore;
  readonly opened: Pick<OpenedVault, "vault" | "signing">;
  readonly stateFolder: string;
  readonly options: LedgerOptions;
  readonly now: () => number;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
}

/** The ledger of a custodian, and what is written with it: nothing is, save in a commit that its keeper lets pass. */
export interface OpenedLedger {
  readonly committer: GroupCommitter;
  /** For entries that a caller can cause as often as it likes. */
  readonly bursts: EntryBursts;
  readonly keeper: LedgerKeeper;
  /** Finds what nobody who decides by entries comes across. */
  readonly patrol: LedgerPatrol;
  /** To whoever decides by it: without what somebody else has written. */
  readonly reads: CustodyStore["ledger"];
  /**
   * When the newest of its entries that count was written before this start; 0 where there was none, and the beginning of 1970
   * where nobody knows, since all of the last were changed: so the clock is doubted.
   */
  readonly written: number;
  /** Whether it ended with the stop of a custodian. */
  readonly isClean: boolean;
  /** Size and root of its tree. A halted one is shown as it is stored, which is not what was written. */
  head(): Promise<TreeHead>;
}

/** What opens and ends sessions by the hundred a second shares a commit with what comes within this: each is five statements and a write to the feed. */
export const GATHER_MILLISECONDS = 20;

/** So many of the newest entries are read whole before anything decides: what was hidden among them decides nothing. */
const READ_AT_START = 20_000;

/** Kind of the entries that fill a gap before a row that somebody else has put behind it. */
const GAP_FILLED = "ledger-gap-filled";

/** Opens the ledger of a custodian: judges what is stored of it, and has its keeper check it against the witnesses. */
export async function openLedger(parts: LedgerParts): Promise<OpenedLedger> {
  const { store, opened, stateFolder, options, now, onFailure } = parts;
  const { vault, signing } = opened;
  const keys = () => signingKeys(vault, store.installation, signing, onFailure);
  const committer: GroupCommitter = new GroupCommitter(store, {
    check: () => keeper.check(),
    bind: (growth) => growthMacs(vault, growth),
    limit: (ours) => ends.limit(ours),
    examine: (stored, own) => ends.examine(stored, own),
    adopt: (range) => ends.adopt(range),
    filling: () => installationEntry(now(), GAP_FILLED, "custodian", {}),
    onGrowth: () => void keeper.tick().catch(onFailure),
    onForeign: (error) => keeper.halt(error),
    gather: gatheringFor(GATHER_MILLISECONDS),
  });
  const ends = new OwnEnds({
    ledger: store.ledger,
    checkpoints: store.checkpoints,
    vault,
    keys,
    stateFolder,
    now,
  });
  // Before anything is read to decide by it.
  store.ledger.foreign.judgeBy(leafJudge(vault));
  await committer.edge();
  const questions = new DecidingQuestions(store);
  const reads = countingReads(questions.noting(store.ledger));
  const patrol = new LedgerPatrol({
    ledger: store.ledger,
    edge: () => committer.edge(),
    questions,
    settings: { ...DEFAULT_PATROL_SETTINGS, ...options.patrol },
    now,
  });
  await patrol.readFrom(Math.max(0, (await store.ledger.size()) - READ_AT_START));
  // Before this start writes anything itself, by its own clock.
  const written = await lastWritten(reads);
  const keeper = await keeperIn(store, {
    ...opened,
    now,
    stateFolder,
    options,
    onFailure,
    head: () => committer.head(),
    signableHead: () => committer.signableHead(),
    append: (...entries) => committer.submit({ entries }),
    renewNodes: async () => ends.renewNodes(await committer.edge()),
    keys,
  });
  const isClean = await endedWithStop(reads);
  await keeper.open();
  return {
    committer,
    bursts: new EntryBursts(committer, now),
    keeper,
    patrol,
    reads,
    written,
    isClean,
    head: () => (keeper.state.halt === undefined ? committer.head() : storedHead(store.ledger)),
  };
}

/** A moment before all that was ever written. */
const LONG_AGO = 1;

async function lastWritten(ledger: Pick<CustodyStore["ledger"], "size" | "read">): Promise<number> {
  if ((await ledger.size()) === 0) return 0;
  return (await newestEntry(ledger))?.at ?? LONG_AGO;
}
