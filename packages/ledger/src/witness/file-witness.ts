import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { MAX_NOTE_CHARACTERS, parseNote } from "../checkpoint/note.ts";
import { LedgerError } from "../errors.ts";
import type { Witness } from "./witness.ts";

const LINE_FEED = 0x0a;
const STEP = 2 * MAX_NOTE_CHARACTERS;

/**
 * A witness that is a file on other storage, of one ledger: a line of JSON for each checkpoint, only ever appended and
 * synchronised. It does not judge; whoever reads it does. A line that was cut by a crash is left standing and passed over.
 */
export function fileWitness(name: string, path: string): Witness {
  const away = (cause: unknown): LedgerError =>
    new LedgerError("ledger-witness-away", `witness ${name}: ${path} cannot be used: ${String(cause)}`, { cause });
  return {
    name,
    kind: "file",
    last: async () => {
      try {
        return await lastNote(path);
      } catch (cause) {
        throw away(cause);
      }
    },
    add: async (note) => {
      try {
        await appendLine(path, JSON.stringify({ note }));
        return { kind: "taken" };
      } catch (cause) {
        throw away(cause);
      }
    },
    addKeys: async () => undefined,
  };
}

async function appendLine(path: string, line: string): Promise<void> {
  const file = await open(path, "a+", 0o600);
  let size: number;
  try {
    ({ size } = await file.stat());
    const last = Buffer.alloc(1);
    if (size > 0) await file.read(last, 0, 1, size - 1);
    const isWhole = size === 0 || last[0] === LINE_FEED;
    await file.appendFile(`${isWhole ? "" : "\n"}${line}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  // Else the file itself could be missing after a power failure.
  if (size === 0) await syncFolder(dirname(path));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Looks for the newest whole line, from the end. A file that is not there has seen nothing yet. */
async function lastNote(path: string): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    // The folder must be there: storage that is not mounted is away, not empty.
    await syncFolder(dirname(path));
    return undefined;
  }
  try {
    let { size: end } = await file.stat();
    let rest: Uint8Array = Buffer.alloc(0);
    while (end > 0) {
      const from = Math.max(0, end - STEP);
      const { buffer } = await file.read(Buffer.alloc(end - from), 0, end - from, from);
      const octets = Buffer.concat([buffer, rest]);
      // The first line may begin before what was read.
      const begin = from > 0 ? octets.indexOf(LINE_FEED) + 1 : 0;
      for (const line of octets.subarray(begin).toString("utf8").split("\n").reverse()) {
        const note = noteOfLine(line);
        if (note !== undefined) return note;
      }
      rest = octets.subarray(0, begin);
      end = from;
    }
    return undefined;
  } finally {
    await file.close();
  }
}

function noteOfLine(line: string): string | undefined {
  try {
    const { note } = JSON.parse(line) as { readonly note: string };
    parseNote(note);
    return note;
  } catch {
    return undefined;
  }
}
