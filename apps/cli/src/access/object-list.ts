import {
  ASSOCIATION_BASE_NAME,
  attributeShortName,
  type Data,
  data,
  decode,
  logicalNameText,
  type Session,
  ShortNameSession,
} from "@meterkeep/dlms";

/** One object in the list of an association, with what the association may do with it. */
export interface ListedObject {
  readonly classId: number;
  readonly version: number;
  readonly logicalName: string;
  /** Access modes as the meter writes them; what a number means depends on the version of the association object. */
  readonly attributes: readonly { readonly id: number; readonly mode: number }[];
  readonly methods: readonly { readonly id: number; readonly mode: number }[];
}

const ASSOCIATION_SN = 12;
const ACCESS_RIGHTS = attributeShortName(ASSOCIATION_BASE_NAME, 3);
const OBJECT_LIST = { classId: 15, logicalName: "0.0.40.0.0.255", attributeId: 2 } as const;

/**
 * Reads the object list of the current association. Elements that are not of the standard's shape are left out, since
 * meters exist whose list has some.
 *
 * @throws SessionError
 */
export async function readObjectList(session: Pick<Session, "get"> | ShortNameSession): Promise<ListedObject[]> {
  if (session instanceof ShortNameSession) return await readShortNameList(session);
  const list = decode(data, await session.get(OBJECT_LIST), { trailing: "ignore" });
  return childrenOf(list).flatMap((element) => {
    const [classId, version, name, rights] = childrenOf(element);
    if (name?.type !== "octet-string" || name.value.length !== 6) return [];
    const [attributes, methods] = rights === undefined ? [] : childrenOf(rights);
    return [
      {
        classId: numberIn(classId) ?? 0,
        version: numberIn(version) ?? 0,
        logicalName: logicalNameText(name.value),
        attributes: modesOf(attributes),
        methods: modesOf(methods),
      },
    ];
  });
}

/** The rights to short names are in an attribute of their own, which few meters have; without it there are none to show. */
async function readShortNameList(session: ShortNameSession): Promise<ListedObject[]> {
  const objects = await session.objects();
  const own = objects.find(({ classId, baseName }) => classId === ASSOCIATION_SN && baseName === ASSOCIATION_BASE_NAME);
  const rights = new Map<number | undefined, readonly Data[]>();
  if ((own?.version ?? 0) > 0) {
    const [read] = await session.read([{ kind: "variable-name", value: ACCESS_RIGHTS }]);
    const list = read?.kind === "data" ? decode(data, read.value, { trailing: "ignore" }) : undefined;
    for (const element of childrenOf(list)) {
      const [baseName, ...modes] = childrenOf(element);
      // Base names are long on the wire, and count from 0.
      rights.set((numberIn(baseName) ?? -1) & 0xffff, modes);
    }
  }
  return objects.map(({ baseName, classId, version, logicalName }) => {
    const [attributes, methods] = rights.get(baseName) ?? [];
    return { classId, version, logicalName, attributes: modesOf(attributes), methods: modesOf(methods) };
  });
}

function modesOf(list: Data | undefined): ListedObject["attributes"] {
  return childrenOf(list).flatMap((item) => {
    const [id, mode] = childrenOf(item);
    const index = numberIn(id);
    // Version 0 says of methods only whether they may be called.
    const value = mode?.type === "boolean" ? Number(mode.value) : numberIn(mode);
    return index === undefined || value === undefined ? [] : [{ id: index, mode: value }];
  });
}

function childrenOf(value: Data | undefined): readonly Data[] {
  return value?.type === "array" || value?.type === "structure" ? value.value : [];
}

function numberIn(value: Data | undefined): number | undefined {
  return typeof value?.value === "number" ? value.value : undefined;
}
