import type { LedgerDraft } from "@meterkeep/ledger";
import type { Credential, EnrolmentJournal } from "../enrolment/journal.ts";
import { takeoverMark } from "../records/marks.ts";
import { withTakeoverMacs } from "../records/record-mac.ts";
import type { MeterFile, StoredTakeover } from "../store/records.ts";
import type { Write } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";

/** The certificates that a meter may use: of both pairs, also one that it was about to be given. */
export function credentialsOf({ enrolments: [stored] }: Pick<MeterFile, "enrolments">): readonly Credential[] {
  if (stored === undefined) return [];
  const { believed, slots } = JSON.parse(stored.journal) as EnrolmentJournal;
  const all = [
    ...believed.digitalSignature,
    ...believed.keyAgreement,
    ...slots.flatMap(({ credential }) => credential ?? []),
  ];
  return [...new Map(all.map((one) => [one.id, one])).values()];
}

/** What is under way with a meter that leaves, and ends with that: rotations, an enrolment and its journal. */
export async function endings(
  vault: Pick<Vault, "authenticate">,
  file: MeterFile,
  at: number,
): Promise<{ readonly writes: readonly Write[]; readonly entries: readonly LedgerDraft[] }> {
  const { utility, island, systemTitle } = file.meter;
  const writes: Write[] = [];
  for (const { setup, rotation, begunAt = at, endedAt } of file.rotations) {
    if (endedAt !== undefined) continue;
    const place = { utility, island, systemTitle, setup };
    writes.push({ kind: "mark-rotation", place, rotation, begunAt, endedAt: at, outcome: "failed" });
  }
  const { enrolment } = file;
  if (enrolment !== undefined && enrolment.endedAt === undefined)
    writes.push({
      kind: "mark-enrolment",
      place: { utility, island, systemTitle },
      enrolment: enrolment.enrolment,
      begunAt: enrolment.begunAt ?? at,
      endedAt: at,
      outcome: "failed",
      expiresAt: undefined,
    });
  const [stored] = file.enrolments;
  if (stored === undefined || stored.closedAt !== undefined) return { writes, entries: [] };
  const { mac: _mac, ...record } = stored;
  const closed = { ...record, revision: record.revision + 1, closedAt: at };
  const [takeover] = (await withTakeoverMacs(vault, [closed])) as [StoredTakeover];
  return {
    writes: [...writes, { kind: "put-takeover", takeover }],
    entries: [takeoverMark(takeover, at)],
  };
}
