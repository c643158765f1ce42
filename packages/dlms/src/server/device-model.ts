import { logicalNameKey, logicalNameOctets, logicalNameText } from "../cosem/logical-name.ts";
import type { ServedClass } from "../cosem/served.ts";
import { DlmsError } from "../errors.ts";
import { ASSOCIATION_BASE_NAME } from "../xdlms/referencing.ts";
import { accessModes, type ObjectAccess } from "./access.ts";
import { type AssociationDefinition, type AssociationModel, everyObject } from "./association-model.ts";
import { associationClass, CURRENT_ASSOCIATION } from "./association-object.ts";
import { shortNameAssociationClass } from "./association-sn-object.ts";
import type { ModelObject, ReachableObject } from "./model-object.ts";
import { shortNames, withBaseNames } from "./short-names.ts";

/**
 * What a kind of meter is: its objects and associations. Built once and shared by all meters of the kind; what differs
 * from meter to meter is the `State` given to the handlers.
 */
export interface DeviceModel<State> {
  readonly bySap: ReadonlyMap<number, AssociationModel<State>>;
  /** All its objects, as the meter itself has them: see `ObjectTree`. */
  readonly objects: readonly ModelObject<State>[];
}

/** Puts a served class under a logical name and, for associations that use short names, a base name. */
export function mount<State>(logicalName: string, served: ServedClass<State>, baseName?: number): ModelObject<State> {
  return { logicalName: logicalNameText(logicalNameOctets(logicalName)), served, baseName };
}

/**
 * Builds the model.
 *
 * @throws DlmsError `invalid-value` when two objects share class and logical name, or two associations a client SAP.
 */
export function deviceModel<State>(parts: {
  readonly objects: readonly ModelObject<State>[];
  readonly associations: readonly AssociationDefinition[];
}): DeviceModel<State> {
  const bySap = new Map<number, AssociationModel<State>>();
  for (const definition of parts.associations) {
    if (bySap.has(definition.clientSap))
      throw new DlmsError("invalid-value", `two associations for client SAP ${definition.clientSap}`);
    bySap.set(definition.clientSap, associationModel(definition, parts.objects));
  }
  return { bySap, objects: parts.objects };
}

function associationModel<State>(
  definition: AssociationDefinition,
  objects: readonly ModelObject<State>[],
): AssociationModel<State> {
  const reachable = new Map<number, ReachableObject<State>>();
  const { shortNameVersion } = definition;
  // The association's own object shows the model that it is part of.
  const model: Writable<AssociationModel<State>> = { definition, objects: reachable, shortNames: undefined };
  const own =
    shortNameVersion === undefined
      ? mount(CURRENT_ASSOCIATION, associationClass(model))
      : mount(CURRENT_ASSOCIATION, shortNameAssociationClass(model), ASSOCIATION_BASE_NAME);
  // Some meters' association objects are of their own making; theirs then takes the place of ours.
  const isOwn = ({ logicalName, served }: ModelObject<State>) =>
    logicalName === CURRENT_ASSOCIATION && served.classId === own.served.classId;
  if (!objects.some(isOwn)) add(reachable, own, { read: "all", write: "all", call: "all" });
  const seen = objects.flatMap((object) => {
    const { logicalName, served } = object;
    const access = definition.access({ logicalName, classId: served.classId, version: served.version });
    return access === undefined ? [] : { object, access };
  });
  const named = shortNameVersion === undefined ? [] : withBaseNames(seen.map(({ object }) => object));
  for (const [at, { object, access }] of seen.entries()) add(reachable, named[at] ?? object, access);
  if (shortNameVersion !== undefined) model.shortNames = shortNames(everyObject(model));
  return model;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function add<State>(
  reachable: Map<number, ReachableObject<State>>,
  object: ModelObject<State>,
  access: ObjectAccess,
): void {
  const key = logicalNameKey(logicalNameOctets(object.logicalName));
  const sibling = reachable.get(key);
  const { classId } = object.served;
  for (let other = sibling; other !== undefined; other = other.sibling)
    if (other.served.classId === classId)
      throw new DlmsError("invalid-value", `two objects of class ${classId} are called ${object.logicalName}`);
  reachable.set(key, { ...object, modes: accessModes(object.served, access), sibling });
}
