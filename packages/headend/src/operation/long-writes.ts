import { fromHex, type Session } from "@meterkeep/dlms";
import { codeOf } from "../errors.ts";
import type { MeterMemory, OperationPreview, OperationSession } from "./operation.ts";
import { compare, compared, namesOf, type Wanted } from "./settle.ts";

const TOPIC = "agreed-to-write";
interface AgreedToWrite {
  /** General block transfer, by which what is longer than its PDU gets to it (ADR 0061). */
  readonly generalBlocks: boolean;
}

/** Keeps what a session that writes has agreed on: a dry run looks in one that reads, which proposes less. */
export async function keepAgreed({ negotiated }: Pick<Session, "negotiated">, memory: MeterMemory): Promise<void> {
  const agreed: AgreedToWrite = { generalBlocks: negotiated.conformance.includes("general-block-transfer") };
  await memory.save(TOPIC, agreed);
}

/**
 * What a dry run says of attributes that a run would settle: with a warning where what it would write is longer than the meter
 * takes at a time, unless its last session that wrote agreed on general blocks. `written` are those that a run writes, where
 * that are others than those compared.
 */
export async function previewed(
  on: OperationSession,
  what: string,
  wanted: readonly Wanted[],
  written: readonly Wanted[] = wanted,
): Promise<OperationPreview> {
  const facts = await compare(on, wanted);
  const preview = compared(what, facts);
  if (!preview.changes || !written.some((each) => isTooLong(on, each))) return preview;
  const known = (await on.memory.load(TOPIC)) as AgreedToWrite | undefined;
  if (known?.generalBlocks === true) return preview;
  const held = written === wanted ? facts : await compare(on, written);
  const long = written.filter((each, at) => held[at]?.holds === false && isTooLong(on, each));
  if (long.length === 0) return preview;
  const sentence = `${tooLongWords(on, long)}: ${known === undefined ? UNKNOWN : WITHOUT}.`;
  return {
    ...preview,
    sentence: `${preview.sentence} ${sentence}`,
    findings: [...preview.findings, { code: "request-too-long", severity: "notice", sentence }],
  };
}

const UNKNOWN = "it gets there in general blocks, if the meter has them, which the first session that writes will show";
const WITHOUT =
  "its last session that wrote agreed on no general blocks, so a run is likely to be refused (request-too-long)";

function tooLongWords({ session: { negotiated } }: OperationSession, long: readonly Wanted[]): string {
  const most = negotiated.maxReceivePduSize ?? 0;
  return `Longer than the ${most} octets that the meter takes at a time: ${namesOf(long)}`;
}

/** Whether this session, which reads, could not write it: it has agreed on no general blocks. */
function isTooLong({ session }: OperationSession, { classId, logicalName, attributeId, octets }: Wanted): boolean {
  try {
    session.requireSettable({ classId, logicalName, attributeId }, fromHex(octets));
    return false;
  } catch (error) {
    if (codeOf(error) === "request-too-long") return true;
    throw error;
  }
}
