import { constants } from "node:fs";
import { type FileHandle, mkdir, readdir } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Turn } from "@meterkeep/dlms";
import { openRegularFile } from "../vault/regular-file.ts";
import { feedChange, feedLine } from "./feed-line.ts";

const SYNC_MILLISECONDS = 1000;
const APPEND = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;
const SEGMENT = /^changes-\d{12}\.feed$/;

/**
 * Everything that is written into a custodian's database, on second storage, in order: what was done since a backup can be
 * done again on the backup. A change is in the feed before it is in the database (it may then still be refused there), and
 * on the disk of the feed within a second.
 *
 * Unlike escrow, a feed that fails stops nothing: it says that it has a gap, and a new backup is due. It lies in segments;
 * each backup begins one, and those before the oldest backup that is kept are of no more use.
 */
export interface ChangeFeed {
  note(change: object): Promise<void>;
  /** Says that changes are missing here which nobody can tell it: a new backup is due. */
  lose(problem: string): Promise<void>;
  /** Goes on in a new segment, named by the entries that the ledger has. */
  begin(ledgerSize: number): Promise<void>;
  /** Why changes are missing since the last `gap` line; undefined while it is whole. */
  readonly problem: string | undefined;
  close(): Promise<void>;
}

/** A feed in files of a directory on other storage. */
export async function openFileFeed(directory: string, onFailure: (error: unknown) => void): Promise<ChangeFeed> {
  let file: FileHandle | undefined;
  let problem: string | undefined;
  let isSynced = true;
  let segment = segmentName(0);
  const opened = async (): Promise<FileHandle> => {
    if (file !== undefined) return file;
    const created = await openRegularFile(`${directory}/${segment}`, APPEND);
    await endTornLine(created);
    file = created;
    return created;
  };
  const failed = async (error: unknown): Promise<void> => {
    const isNew = problem === undefined;
    problem = error instanceof Error ? error.message : String(error);
    if (isNew) onFailure(error);
    await file?.close().catch(() => undefined);
    file = undefined;
  };
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    segment = (await segmentsOf(directory)).at(-1) ?? segment;
    await opened();
  } catch (error) {
    await failed(error);
  }
  const turn = new Turn();
  const inTurn = (act: () => Promise<void>): Promise<void> => turn.run(() => act().catch(failed));
  const sync = async (): Promise<void> => {
    if (isSynced || file === undefined) return;
    isSynced = true;
    await file.datasync();
  };
  const syncing = setInterval(() => void inTurn(sync), SYNC_MILLISECONDS);
  syncing.unref();
  return {
    get problem() {
      return problem;
    },
    note: (change) =>
      inTurn(async () => {
        const to = await opened();
        // What could not be written is missing in this segment for ever: nothing after it can be done again.
        const gap = problem === undefined ? "" : `${feedLine({ kind: "gap", problem })}\n`;
        await to.appendFile(`${gap}${feedLine(change)}\n`);
        isSynced = false;
      }),
    lose: (missing) => turn.run(() => failed(new Error(missing))),
    begin: (ledgerSize) =>
      inTurn(async () => {
        await sync();
        await file?.close();
        file = undefined;
        segment = segmentName(ledgerSize);
        await opened();
        // What was missing is in the backup that begins this segment.
        problem = undefined;
      }),
    close: async () => {
      clearInterval(syncing);
      await inTurn(sync);
      await file?.close();
    },
  };
}

/** The changes of a feed's directory, in order; torn lines are left out. */
export async function* changesIn(directory: string): AsyncGenerator<unknown> {
  for (const segment of await segmentsOf(directory)) {
    const reader = await openRegularFile(`${directory}/${segment}`, constants.O_RDONLY);
    try {
      for await (const line of createInterface({ input: reader.createReadStream({ autoClose: false }) })) {
        const change = feedChange(line);
        if (change !== undefined) yield change;
      }
    } finally {
      await reader.close();
    }
  }
}

async function segmentsOf(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => SEGMENT.test(name)).sort();
}

function segmentName(ledgerSize: number): string {
  return `changes-${String(ledgerSize).padStart(12, "0")}.feed`;
}

async function endTornLine(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  if (size === 0) return;
  const last = new Uint8Array(1);
  await file.read(last, 0, 1, size - 1);
  if (last[0] !== 0x0a) await file.appendFile("\n");
}
