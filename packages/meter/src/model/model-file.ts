import { type DataType, logicalNameOctets, logicalNameText } from "@meterkeep/dlms";
import { MeterError } from "../errors.ts";
import { CLASS_IDS, DATA_TYPE_NAMES } from "./type-names.ts";

/** What a model says of one attribute. */
export interface ModelledAttribute {
  readonly index: number;
  readonly readable: boolean;
  readonly writable: boolean;
  /** The type of its value, where the model knows it. */
  readonly type: DataType | undefined;
}

/** One object of a model. */
export interface ModelledObject {
  readonly classId: number;
  readonly version: number;
  readonly logicalName: string;
  readonly baseName: number | undefined;
  /** By number; undefined where the model leaves them to the class. */
  readonly attributes: readonly ModelledAttribute[] | undefined;
}

/** The object model of a real meter, as a client once found it. */
export interface MeterFile {
  readonly source: string;
  readonly client: string;
  readonly referencing: "logical-name" | "short-name";
  readonly objects: readonly ModelledObject[];
  /** What in the file was not understood, a sentence each. */
  readonly notices: readonly string[];
}

/**
 * Reads the object model of a meter (docs/formats/meter-models.md). What is not understood is left out or taken as raw
 * data, and named in `notices`: a model of a meter that nobody here has seen must load too.
 *
 * @throws MeterError `meter-model-invalid` when it is no model at all.
 */
export function parseMeterFile(json: unknown): MeterFile {
  const file = record(json);
  const list = file?.["objects"];
  if (file === undefined || !Array.isArray(list))
    throw new MeterError("meter-model-invalid", 'This is no object model: it must be a JSON object with "objects".');
  const notices: string[] = [];
  const objects: ModelledObject[] = [];
  const seen = new Set<string>();
  for (const [at, item] of (list as unknown[]).entries()) {
    const object = parseObject(item, `objects[${at}]`, notices);
    if (object === undefined) continue;
    const key = `${object.classId} ${object.logicalName}`;
    if (seen.has(key)) notices.push(`objects[${at}]: class ${object.classId} ${object.logicalName} comes twice`);
    else objects.push(object);
    seen.add(key);
  }
  if (objects.length === 0)
    throw new MeterError("meter-model-invalid", "This object model has no object that is understood.");
  const isShort = file["useLN"] === false || file["useLN"] === "false";
  return {
    source: text(file["source"]),
    client: text(file["client"]),
    referencing: isShort && objects.some(({ baseName }) => baseName !== undefined) ? "short-name" : "logical-name",
    objects,
    notices,
  };
}

function parseObject(item: unknown, path: string, notices: string[]): ModelledObject | undefined {
  const object = record(item);
  const logicalName = object === undefined ? undefined : nameOf(object["obis"]);
  if (object === undefined || logicalName === undefined) {
    notices.push(`${path}: no logical name of six numbers, left out`);
    return undefined;
  }
  const type = text(object["type"]);
  const classId = whole(object["cls"], 0xffff) ?? (Object.hasOwn(CLASS_IDS, type) ? CLASS_IDS[type] : undefined);
  if (classId === undefined) {
    notices.push(`${path}: ${logicalName} has no class_id, and "${type}" is no class known by name; left out`);
    return undefined;
  }
  const version = whole(object["version"], 0xff);
  if (version === undefined) notices.push(`${path}: ${logicalName} has no version, taken as 0`);
  return {
    classId,
    version: version ?? 0,
    logicalName,
    baseName: whole(object["sn"], 0xffff),
    attributes: parseAttributes(record(object["attrs"]) ?? {}, `${path}: ${logicalName}`, notices),
  };
}

function parseAttributes(
  attributes: Readonly<Record<string, unknown>>,
  path: string,
  notices: string[],
): readonly ModelledAttribute[] | undefined {
  const parsed: ModelledAttribute[] = [];
  for (const [key, facts] of Object.entries(attributes)) {
    const index = whole(key, 127);
    if (index === undefined || index === 0) {
      notices.push(`${path} has an attribute "${key}", which is no number from 1 to 127; left out`);
      continue;
    }
    const [access, type] = Array.isArray(facts) ? (facts as unknown[]) : [];
    const mode = whole(access, 0xff);
    parsed.push({
      index,
      readable: mode === undefined || READABLE.includes(mode),
      writable: mode === undefined || WRITABLE.includes(mode),
      type: dataTypeOf(type, `${path} attribute ${index}`, notices),
    });
  }
  return parsed.length === 0 ? undefined : parsed.sort((a, b) => a.index - b.index);
}

/** Access modes as association LN numbers them before version 3; 1 read, 2 write, 3 both, 4 to 6 the same authenticated. */
const READABLE: readonly number[] = [1, 3, 4, 6];
const WRITABLE: readonly number[] = [2, 3, 5, 6];

function dataTypeOf(type: unknown, path: string, notices: string[]): DataType | undefined {
  if (type === null || type === undefined || type === "None") return undefined;
  const name = text(type);
  if (Object.hasOwn(DATA_TYPE_NAMES, name)) return DATA_TYPE_NAMES[name as keyof typeof DATA_TYPE_NAMES];
  notices.push(`${path} is of a type "${name}" that is not known; taken as what its class says`);
  return undefined;
}

function nameOf(value: unknown): string | undefined {
  try {
    return typeof value === "string" ? logicalNameText(logicalNameOctets(value)) : undefined;
  } catch {
    return undefined;
  }
}

function whole(value: unknown, most: number): number | undefined {
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= most ? number : undefined;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
