import {
  type Codec,
  data,
  decode,
  encode,
  fromHex,
  type GetItem,
  type ListItem,
  logicalNameText,
  toHex,
} from "@meterkeep/dlms";
import { actsOf, type Operation as CommandDocument } from "@meterkeep/guard";
import type { OperationPreview, OperationResult, OperationSession, ReadBack } from "./operation.ts";
import { shown } from "./shown.ts";

/** An attribute as it should be. */
export interface Wanted {
  /** For people. */
  readonly name: string;
  readonly classId: number;
  /** `0.0.17.0.0.255` */
  readonly logicalName: string;
  readonly attributeId: number;
  /** Encoded Data, as hex. */
  readonly octets: string;
  /** Gives all spellings of one value the same text. */
  readonly spelled: (octets: Uint8Array) => string;
}

/** What a command writes, and nothing else: `names` are those of its attributes, for people. */
export function wantedOf(
  command: CommandDocument,
  names: Readonly<Record<number, string>> = {},
  spelled: Wanted["spelled"] = spelledBy(data),
): readonly Wanted[] {
  return actsOf(command).flatMap(({ service, classId, instance, member, value }) => {
    if (service !== "set" || value.kind !== "exact") return [];
    const logicalName = logicalNameText(fromHex(instance));
    const name = names[member] ?? `${logicalName}/${member}`;
    return [{ name, classId, logicalName, attributeId: member, octets: value.octets, spelled }];
  });
}

/** Spells a value as its codec writes it: times, for instance, come as octets or as date-times. */
export function spelledBy<T>(codec: Codec<T>): Wanted["spelled"] {
  return (octets) => toHex(encode(codec, decode(codec, octets, { trailing: "ignore" })));
}

/** Compares what is with what is wanted, without writing. */
export async function compare(on: OperationSession, wanted: readonly Wanted[]): Promise<readonly ReadBack[]> {
  on.begin();
  const items = await on.session.getList(wanted.map(addressOf));
  const evidence = on.evidence();
  return wanted.map((each, at) => {
    const found = items[at];
    return {
      name: each.name,
      object: `${each.logicalName}/${each.attributeId}`,
      wanted: shown(fromHex(each.octets)),
      found: foundText(found),
      holds: isSame(each, found),
      evidence,
    };
  });
}

/**
 * Writes what is not as wanted, one attribute a request, and reads all of it back.
 *
 * @throws SessionError `request-too-long` where one of them is longer than the meter takes, before any is written
 */
export async function settle(on: OperationSession, wanted: readonly Wanted[]): Promise<readonly ReadBack[]> {
  const before = await compare(on, wanted);
  if (before.every(({ holds }) => holds)) return before;
  const writes = wanted.filter((_, at) => before[at]?.holds === false);
  for (const each of writes) on.session.requireSettable(addressOf(each), fromHex(each.octets));
  for (const each of writes) await on.session.set(addressOf(each), fromHex(each.octets));
  const after = await compare(on, wanted);
  return after.map((fact, at) => ({ ...fact, ...(before[at]?.holds === false && { before: before[at].found }) }));
}

/** What a run of `settle` came to. `what` is the subject of its sentence: `The limiter`. */
export function settled(what: string, facts: readonly ReadBack[]): OperationResult {
  const wrong = facts.filter(({ holds }) => !holds);
  const changed = facts.filter(({ before }) => before !== undefined);
  const outcome = wrong.length > 0 ? "not-taken" : changed.length === 0 ? "unchanged" : "done";
  const sentence = {
    "not-taken": `${what} does not show what was written: ${namesOf(wrong)}.`,
    unchanged: `${what} was as wanted.`,
    done: `${what} was set: ${namesOf(changed)}.`,
  }[outcome];
  return { outcome, sentence, readBack: facts, findings: [] };
}

/** What a dry run says of it. */
export function compared(what: string, facts: readonly ReadBack[]): OperationPreview {
  const wrong = facts.filter(({ holds }) => !holds);
  return {
    changes: wrong.length > 0,
    sentence: wrong.length === 0 ? `${what} is as wanted.` : `${what} would be set: ${namesOf(wrong)}.`,
    readBack: facts,
    findings: [],
  };
}

export function namesOf(facts: readonly Pick<ReadBack, "name">[]): string {
  return facts.map(({ name }) => name).join(", ");
}

function addressOf({ classId, logicalName, attributeId }: Wanted): GetItem {
  return { classId, logicalName, attributeId };
}

function foundText(item: ListItem | undefined): string {
  return item?.kind === "data" ? shown(item.value) : `refused: ${item?.reason ?? "no answer"}`;
}

function isSame({ octets, spelled }: Wanted, item: ListItem | undefined): boolean {
  if (item?.kind !== "data") return false;
  try {
    return spelled(item.value) === spelled(fromHex(octets));
  } catch {
    return false;
  }
}
