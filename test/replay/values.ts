import { AssociationLn, type Data, data, decode, type PlainApdu } from "@meterkeep/dlms";
import { type OpenedRecording, plainIn } from "./opened.ts";
import type { RecordedStep } from "./recording.ts";
import { scriptOf } from "./script.ts";

/** How our values compare with what the recorded client made of them. */
export interface ValueOutcome {
  readonly same: number;
  /** Told in words, scaled, or with something that is not on the wire. */
  readonly otherwise: number;
  readonly complaints: readonly string[];
}

const CONFORMANCE_BITS = 24;

/** Compares every recorded value that is told as data with what we read in the recorded answer. */
export function compareValues(opened: OpenedRecording): ValueOutcome {
  let same = 0;
  let otherwise = 0;
  const complaints: string[] = [];
  for (const step of opened.recording.decoded) {
    if (step.error !== undefined || step.value === undefined || step.value === null) continue;
    const verdict = compareStep(opened, step);
    if (verdict === "same") same += 1;
    else if (verdict === "otherwise") otherwise += 1;
    else complaints.push(`value of "${step.step}": ${verdict}`);
  }
  return { same, otherwise, complaints };
}

type Verdict = "same" | "otherwise" | string;

function compareStep(opened: OpenedRecording, step: RecordedStep): Verdict {
  if (isObject(step.value) && "negotiatedConformance" in step.value) return compareAgreement(opened, step.value);
  const at = requestOf(opened, step);
  if (at === undefined) return "otherwise";
  const { outcomes } = scriptOf(opened.apdus, at);
  const values = outcomes.map(({ value }) => (value === undefined ? undefined : valueIn(value)));
  const request = plainIn(opened.apdus[at]?.inner);
  const [only] = values;
  const theirs = isSeveral(request) ? step.value : [step.value];
  if (step.step.startsWith("association objects") || step.step === "objects")
    return compareObjects(opened, at, step.value);
  if (!Array.isArray(theirs) || theirs.length !== values.length)
    return only === undefined ? "otherwise" : compare(only, step.value);
  const verdicts = theirs.map((each, index) =>
    values[index] === undefined ? "otherwise" : compare(values[index] as Data, each),
  );
  return (
    verdicts.find((verdict) => verdict !== "same" && verdict !== "otherwise") ??
    (verdicts.includes("same") ? "same" : "otherwise")
  );
}

/** The request of a step whose answer is its value: the last one in it that is no continuation. */
function requestOf({ apdus }: OpenedRecording, { firstMessage, lastMessage }: RecordedStep): number | undefined {
  if (firstMessage === undefined || lastMessage === undefined) return undefined;
  let found: number | undefined;
  for (const [at, { direction, message, inner }] of apdus.entries()) {
    if (direction !== "sent" || message < firstMessage || message > lastMessage) continue;
    const request = plainIn(inner);
    const isRead = request?.kind === "get-request" ? request.value.kind !== "next" : request?.kind === "access-request";
    if (isRead) found = at;
  }
  return found;
}

function isSeveral(request: PlainApdu | undefined): boolean {
  return request?.kind === "access-request" || (request?.kind === "get-request" && request.value.kind === "with-list");
}

function compareAgreement({ association }: OpenedRecording, value: Readonly<Record<string, unknown>>): Verdict {
  const { accepted } = association;
  if (accepted === undefined) return "otherwise";
  const size = value["maxPdu"];
  if (typeof size === "number" && size !== accepted.serverMaxReceivePduSize)
    return `${accepted.serverMaxReceivePduSize} octets where ${size} were read`;
  const conformance = Number(value["negotiatedConformance"]);
  if (!Number.isInteger(conformance)) return "otherwise";
  const ours = accepted.negotiatedConformance.length;
  const theirs = Array.from({ length: CONFORMANCE_BITS }, (_, bit) => (conformance >>> bit) & 1).filter(
    (bit) => bit === 1,
  ).length;
  return ours === theirs ? "same" : `${ours} services where ${theirs} were read`;
}

function compareObjects(opened: OpenedRecording, at: number, value: unknown): Verdict {
  const [outcome] = scriptOf(opened.apdus, at).outcomes;
  // A list whose end was not recorded is none.
  if (outcome?.value === undefined || valueIn(outcome.value) === undefined || !Array.isArray(value)) return "otherwise";
  const objects = decode(AssociationLn.attributes.objectList.codec, outcome.value, { trailing: "ignore" });
  const ours = new Set(objects.map(({ classId, logicalName, version }) => `${classId} ${logicalName} v${version}`));
  // Objects that the recorded client does not know it left out.
  const missing = value.filter((each) => !ours.has(String(each)));
  return missing.length === 0 ? "same" : `the object list has no ${missing.slice(0, 3).join(", ")}`;
}

/** Compares one value; words and numbers that the client has scaled are told otherwise. */
function compare(ours: Data, theirs: unknown): Verdict {
  if (theirs === null || theirs === undefined) return ours.type === "null-data" ? "same" : "otherwise";
  if (typeof theirs === "number") return compareNumber(ours, theirs);
  if (typeof theirs === "boolean") return ours.value === theirs ? "same" : "otherwise";
  if (typeof theirs === "string")
    return textOf(ours) === theirs || hexIn(theirs) === hexOf(ours) ? "same" : "otherwise";
  if (Array.isArray(theirs)) return compareList(ours, theirs);
  if (!isObject(theirs) || typeof theirs["octets"] !== "string") return "otherwise";
  const hex = hexOf(ours);
  if (hex === undefined) return "otherwise";
  return hex === theirs["octets"] ? "same" : `${hex} where ${theirs["octets"]} was read`;
}

function compareNumber(ours: Data, theirs: number): Verdict {
  const value = typeof ours.value === "bigint" ? Number(ours.value) : ours.value;
  if (value === theirs) return "same";
  return "otherwise";
}

function compareList(ours: Data, theirs: readonly unknown[]): Verdict {
  if (ours.type !== "array" && ours.type !== "structure") return "otherwise";
  const values = ours.value;
  if (values.length !== theirs.length) return "otherwise";
  const verdicts = theirs.map((each, at) => compare(values[at] as Data, each));
  const wrong = verdicts.find((verdict) => verdict !== "same" && verdict !== "otherwise");
  if (wrong !== undefined) return wrong;
  return verdicts.every((verdict) => verdict === "same") ? "same" : "otherwise";
}

function valueIn(octets: Uint8Array): Data | undefined {
  try {
    return decode(data, octets, { trailing: "ignore" });
  } catch {
    return undefined;
  }
}

function textOf(value: Data): string | undefined {
  if (value.type === "visible-string" || value.type === "utf8-string") return value.value;
  if (value.type === "octet-string") return Buffer.from(value.value).toString("latin1");
  return undefined;
}

function hexOf(value: Data): string | undefined {
  if (value.type === "octet-string") return Buffer.from(value.value).toString("hex");
  return value.type === "visible-string" ? Buffer.from(value.value, "latin1").toString("hex") : undefined;
}

/** One client prints octets: `SUCCESS OCTET_STRING Value: 47 52 (hex)`. */
function hexIn(text: string): string | undefined {
  const found = /Value: ((?:[0-9A-F]{2} )+) *\(hex\)/.exec(text);
  return found?.[1]?.replaceAll(" ", "").toLowerCase();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
