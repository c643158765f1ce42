import {
  type AnyInterfaceClass,
  AssociationLn,
  attributeNumbered,
  data,
  decode,
  interfaceClassOf,
  remote,
  type Session,
  SessionError,
  ShortNameSession,
} from "@meterkeep/dlms";

/** What became of reading a meter whole. */
export interface WholeReading {
  readonly objects: number;
  /** Attributes whose value was read and is of the type that the class declares. */
  readonly read: number;
  /** Attributes that are no part of a known class: read as raw Data. */
  readonly raw: number;
  /** Attributes that the meter lists and does not let this client read. */
  readonly refused: number;
  /** What should not have happened, a sentence each. */
  readonly problems: readonly string[];
}

interface Listed {
  readonly classId: number;
  readonly version: number;
  readonly logicalName: string;
  /** Numbers of the attributes to read. */
  readonly attributes: readonly number[];
}

/** Reads the object list of a meter, then every attribute that it may read, and decodes each by its class. */
export async function readWhole(session: Session | ShortNameSession): Promise<WholeReading> {
  const objects = session instanceof ShortNameSession ? await listShort(session) : await listLong(session);
  const counts = { read: 0, raw: 0, refused: 0 };
  const problems: string[] = [];
  for (const { classId, version, logicalName, attributes } of objects) {
    const declared = interfaceClassOf(classId, version);
    for (const attributeId of attributes) {
      const name = `${logicalName} attribute ${attributeId} (class ${classId} version ${version})`;
      try {
        const octets = await session.get({ classId, logicalName, attributeId });
        counts[judge(octets, declared, attributeId)] += 1;
      } catch (error) {
        if (error instanceof SessionError && error.code === "data-access-refused") counts.refused += 1;
        else problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  return { objects: objects.length, ...counts, problems };
}

/** What the class declares counts as read; other Data is raw. */
function judge(octets: Uint8Array, declared: AnyInterfaceClass | undefined, attributeId: number): "read" | "raw" {
  decode(data, octets);
  const attribute = declared === undefined ? undefined : attributeNumbered(declared, attributeId);
  if (attribute === undefined) return "raw";
  try {
    decode(attribute.codec, octets);
    return "read";
  } catch {
    return "raw";
  }
}

async function listLong(session: Session): Promise<Listed[]> {
  const list = await remote(session, AssociationLn, "0.0.40.0.0.255").get("objectList");
  return list.map(({ accessRights, ...object }) => ({
    ...object,
    attributes: accessRights.attributeAccess
      .filter(({ accessMode }) => accessMode !== 0 && accessMode !== WRITE_ONLY)
      .map(({ attributeId }) => attributeId),
  }));
}

/** Access mode of all versions that allows writing and no reading; modes of authenticated access come along. */
const WRITE_ONLY = 2;

async function listShort(session: ShortNameSession): Promise<Listed[]> {
  const list = await session.objects();
  return list.map(({ classId, version, logicalName }) => ({
    classId,
    version,
    logicalName,
    attributes: Object.values(interfaceClassOf(classId, version)?.attributes ?? {}).map(({ index }) => index),
  }));
}
