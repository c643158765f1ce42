import type { LedgerDraft } from "@meterkeep/ledger";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { DAY_MILLISECONDS } from "../day.ts";
import { purposeName } from "../keys/purposes.ts";
import { takeoverMark } from "../records/marks.ts";
import { withTakeoverMacs } from "../records/record-mac.ts";
import {
  FIRST_SETUP,
  type RotationRecord,
  type SetupPlace,
  type StoredTakeover,
  type TakeoverRecord,
} from "../store/records.ts";
import type { Write } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { type HintAllowance, isFinal, type Journal, type TakeoverEffect } from "./journal.ts";
import { type KeyTransition, keyTransitions, withKeyStates } from "./key-states.ts";
import type { LiveContact } from "./live-contact.ts";
import type { PreparedTransfer } from "./prepared-transfer.ts";

/**
 * What hints may cost a meter of its counters: so many when its takeover is opened, and so many more
 * each day from then on, all hints taken together. An association in between gives nothing back: whoever carries the
 * octets can forge a hint and let the association that follows succeed, as often as it likes.
 */
const HINT_AHEAD = 10_000;
const HINT_AHEAD_A_DAY = 2000;

/** What a step of a takeover is made durable with. */
export type StepDependencies = Pick<ConversationDependencies, "committer" | "vault" | "sendCounters" | "now"> & {
  /** Holds keys of meters that push: those that change are forgotten at once. */
  readonly keyCache: { forget(systemTitle: string): void };
};

/** A step as the machine decided it. */
export interface DecidedStep {
  readonly journal: Journal;
  readonly effects: readonly TakeoverEffect[];
  readonly entries: readonly LedgerDraft[];
  readonly prepared: PreparedTransfer | undefined;
}

/** Writes a step in one commit: journal with its mark, fresh keys, states of keys, entries. */
export async function commitStep(dependencies: StepDependencies, live: LiveContact, step: DecidedStep): Promise<void> {
  const { committer, keyCache, now } = dependencies;
  const { effects, prepared } = step;
  const { journal, entries: hinted } = await withHintsFollowed(dependencies, live, step);
  const { takeover, mark } = await nextTakeover(dependencies, live.record, journal);
  const added = prepared?.records ?? [];
  const keys = [...live.keys, ...added];
  const transitions = keyTransitions(keys, effects, now(), live.place.setup);
  const writes: Write[] = [
    { kind: "put-takeover", takeover },
    ...(prepared === undefined ? [] : [{ kind: "add-keys", keys: added, checkValues: prepared.checkValues } as const]),
    ...transitions.map(({ write }) => write),
    ...rotationMarks(live.rotation, takeover, journal, now()),
  ];
  const notes = effects
    .filter((effect) => effect.kind === "note")
    .map(({ what, detail }) => contactEntry(live, now(), what, { detail }));
  const changed =
    transitions.length === 0
      ? []
      : [contactEntry(live, now(), "key-states-changed", { changes: changesOf(transitions) })];
  await committer.submit({ writes, entries: [...step.entries, ...changed, ...notes, ...hinted, mark] });
  live.record = takeover;
  live.journal = journal;
  live.keys = withKeyStates(keys, transitions);
  if (effects.some(({ kind }) => kind === "transfer") || transitions.length > 0)
    keyCache.forget(live.place.systemTitle);
}

/** The journal's next revision with its MAC, and the ledger's mark of it. */
export async function nextTakeover(
  { vault, now }: { readonly vault: Pick<Vault, "authenticate">; readonly now: () => number },
  record: TakeoverRecord,
  journal: Journal,
): Promise<{ readonly takeover: StoredTakeover; readonly mark: LedgerDraft }> {
  const over = isFinal(journal.verdict) && journal.contact === undefined;
  const next: TakeoverRecord = {
    ...record,
    revision: record.revision + 1,
    journal: JSON.stringify(journal),
    closedAt: over ? now() : undefined,
  };
  const [takeover] = (await withTakeoverMacs(vault, [next])) as [StoredTakeover];
  return { takeover, mark: takeoverMark(takeover, now()) };
}

/** The record of a takeover that is about to begin. */
export function openedRecord(place: SetupPlace, at: number, takeover = 1): TakeoverRecord {
  return { ...place, takeover, revision: 0, journal: "", openedAt: at, closedAt: undefined };
}

/** What the plan of a rotation is told by a revision of its journal: that it has begun, or how it ended. */
export function rotationMarks(
  rotation: RotationRecord | undefined,
  { revision, closedAt, utility, island, systemTitle, setup, openedAt }: TakeoverRecord,
  { verdict }: Journal,
  at: number,
): Write[] {
  if (rotation === undefined || (revision > 1 && closedAt === undefined)) return [];
  const place = { utility, island, systemTitle, setup };
  const outcome = closedAt === undefined ? undefined : verdict === "proven" ? "proven" : "failed";
  const endedAt = closedAt === undefined ? undefined : at;
  return [{ kind: "mark-rotation", place, rotation: rotation.rotation, begunAt: openedAt, endedAt, outcome }];
}

function changesOf(transitions: readonly KeyTransition[]) {
  return transitions.map(({ write: { place, purpose, version, state, provenAt }, from }) => ({
    purpose: purposeName(purpose),
    setup: place.setup,
    version,
    from,
    to: state,
    ...(provenAt !== undefined && { proven: true }),
  }));
}

/** An entry about a contact, in its principal's name; the keys that it names are of the setup that it says, of the first where it says none. */
export function contactEntry({ caller, place }: LiveContact, at: number, kind: string, body: object): LedgerDraft {
  const { utility, island, systemTitle, setup } = place;
  const of = setup === FIRST_SETUP ? body : { ...body, setup };
  return { at, kind, principal: caller.name, utility, island, meter: systemTitle, body: of };
}

/** A hint is believed within bounds: a meter, or who speaks in its place, must not use up our counters. */
async function withHintsFollowed(
  { sendCounters, now }: StepDependencies,
  live: LiveContact,
  { journal, effects }: DecidedStep,
): Promise<{ readonly journal: Journal; readonly entries: readonly LedgerDraft[] }> {
  const { place, record } = live;
  const entries: LedgerDraft[] = [];
  let { hints } = journal;
  for (const effect of effects) {
    if (effect.kind !== "raise-counter") continue;
    const left = leftOf(hints ?? { left: HINT_AHEAD, at: record.openedAt }, now());
    const { ahead, isFollowed } = await sendCounters.raise(place, effect.to, left);
    if (isFollowed) hints = { left: left - ahead, at: now() };
    // Of a meter that refuses what we send, either is a reason to look: it was reset, exchanged or copied, or somebody speaks for it.
    else
      entries.push(
        contactEntry(live, now(), ahead > 0 ? "counter-jump" : "counter-behind", { said: effect.to, ahead, left }),
      );
  }
  return { journal: hints === journal.hints ? journal : { ...journal, hints }, entries };
}

function leftOf({ left, at }: HintAllowance, now: number): number {
  return left + Math.floor((HINT_AHEAD_A_DAY * Math.max(0, now - at)) / DAY_MILLISECONDS);
}
