import { CHILD, PURPOSE } from "../store/records.ts";
import type { ChildChange } from "./child-change.ts";
import { changes, type Journal, type PreparedKeys, type TakeoverEffect, type TakeoverEvent } from "./journal.ts";
import { contactOf, inContact, noted, prepared, type Stepped, type TakeoverRules } from "./moves.ts";

const STEP = "change-child-key";
/** How many values are sent before a child's key stays as it may be. */
const MOST_VALUES = 3;
/** A meter answers for its device, and nobody can ask the device. */
const WITHOUT_DEVICE = "as long as no device is installed at the channel, it has to";
const BY_ITS_WORD = "the meter says that it and its device have it, and no answer of theirs proves it";

/**
 * What a contact finds of children: those whose default key is held are there, once the unicast key changes, under which their keys
 * travel; and those of which an answer is missing get another key, since device and meter may hold two.
 */
export function withChildren(journal: Journal, { children }: TakeoverRules): Journal {
  const known = journal.children ?? [];
  const late = known.filter(({ state }) => state === "handing" || state === "setting");
  const added = changes(journal, PURPOSE.GUEK)
    ? children.filter((channel) => !known.some((child) => child.channel === channel))
    : [];
  if (late.length + added.length === 0) return journal;
  const fresh = added.map(
    (channel): ChildChange => ({ channel, state: "wanted", belief: [], nextVersion: 1, sent: 0 }),
  );
  const all: Journal = { ...journal, children: [...known, ...fresh] };
  return late.reduce((so, child) => again(so, child, "an answer about it was lost each time"), all);
}

/** Whether there is nothing left to be done about children. */
export function childrenSettled({ children }: Journal): boolean {
  return (children ?? []).every(({ state }) => state === "settled");
}

/** What of children is to be done in an association under our keys: the next one's key is made. */
export function changeNextChild(journal: Journal, done: readonly TakeoverEffect[]): Stepped | undefined {
  const next = journal.children?.find(({ state }) => state === "wanted");
  if (next === undefined) return undefined;
  const { channel, nextVersion } = next;
  const keys = [{ purpose: CHILD.key, version: nextVersion, client: channel }];
  const waiting = withChild(journal, { ...next, nextVersion: nextVersion + 1 });
  return prepared(waiting, { stage: "handing-child", step: STEP, keys }, done);
}

/** Sends a child's key that was prepared to its device, and believes that it may be there from now on. */
export function handChild(journal: Journal, { keys }: PreparedKeys): Stepped {
  const [key] = keys;
  const child = journal.children?.find(({ channel }) => channel === key?.client);
  if (key === undefined || child === undefined)
    throw new Error("the key of a child was prepared that nobody asked for");
  const handing = withChild(
    { ...journal, prepared: undefined },
    { ...child, state: "handing", belief: [key.version, ...child.belief], sent: child.sent + 1 },
  );
  const name = { ...key, client: child.channel };
  return [
    inContact(handing, { stage: "handing-child", step: STEP, client: child.channel }),
    { kind: "transfer-child-key", step: STEP, key: name },
  ];
}

/** The meter has said what became of a child's key. Gives the journal, and what is to be sent next where that is clear. */
export function childAnswered(
  journal: Journal,
  { at, accepted, detail }: Extract<TakeoverEvent, { kind: "transfer-answered" }>,
): readonly [Journal, ...TakeoverEffect[]] {
  const { stage } = contactOf(journal);
  const child = childInContact(journal);
  const { channel, belief } = child;
  const act = stage === "handing-child" ? "transfer_key" : "set_encryption_key";
  const said = noted(journal, STEP, at, accepted ? "passed" : "refused", `channel ${channel}: ${act}: ${detail}`);
  const key = { purpose: CHILD.key, version: belief[0] as number, client: channel };
  if (!accepted) return [again(said, child, `its meter refuses ${act} (${detail}): ${WITHOUT_DEVICE}`)];
  if (stage === "handing-child")
    return [
      inContact(withChild(said, { ...child, state: "setting" }), { stage: "setting-child", step: STEP }),
      { kind: "set-child-key", step: STEP, key },
    ];
  return [
    withChild(said, { ...child, state: "settled", unproven: BY_ITS_WORD }),
    { kind: "key-active", key, proven: false },
  ];
}

function again(journal: Journal, child: ChildChange, why: string): Journal {
  return withChild(
    journal,
    child.sent < MOST_VALUES ? { ...child, state: "wanted" } : { ...child, state: "settled", unproven: why },
  );
}

function childInContact(journal: Journal): ChildChange {
  const { client } = contactOf(journal);
  const child = journal.children?.find(({ channel }) => channel === client);
  if (child === undefined) throw new Error("a contact is about a child that nobody knows");
  return child;
}

function withChild(journal: Journal, changed: ChildChange): Journal {
  return {
    ...journal,
    children: (journal.children ?? []).map((one) => (one.channel === changed.channel ? changed : one)),
  };
}
