import type { TrustJournal, TrustLine } from "../pki/trust-journal.ts";

/** A trust journal of which only some lines are read: an older copy of it, or one of before such lines were written. */
export function partialJournal(isRead: (line: TrustLine) => boolean): (journal: TrustJournal) => TrustJournal {
  return (journal) => ({
    ...journal,
    read: async function* (onStrange) {
      for await (const line of journal.read(onStrange)) if (isRead(line)) yield line;
    },
  });
}
