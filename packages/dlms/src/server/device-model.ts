import { logicalNameKey, logicalNameOctets, logicalNameText } from "../cosem/logical-name.ts";
import type { ServedClass } from "../cosem/served.ts";
import { DlmsError } from "../errors.ts";
import { accessModes, type ObjectAccess } from "./access.ts";
import type { AssociationDefinition, AssociationModel, ModelObject, ReachableObject } from "./association-model.ts";
import { associationClass, CURRENT_ASSOCIATION } from "./association-object.ts";

/**
 * What a kind of meter is: its objects and associations. Built once and shared by all meters of the kind; what differs
 * from meter to meter is the `State` given to the handlers.
 */
export interface DeviceModel<State> {
  readonly bySap: ReadonlyMap<number, AssociationModel<State>>;
}

/** Puts a served class under a logical name. */
export function mount<State>(logicalName: string, served: ServedClass<State>): ModelObject<State> {
  return { logicalName: logicalNameText(logicalNameOctets(logicalName)), served };
}

/**
 * Builds the model.
 *
 * @throws DlmsError `invalid-value` when two objects share a logical name or two associations a client SAP.
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
  return { bySap };
}

function associationModel<State>(
  definition: AssociationDefinition,
  objects: readonly ModelObject<State>[],
): AssociationModel<State> {
  const reachable = new Map<number, ReachableObject<State>>();
  const model: AssociationModel<State> = { definition, objects: reachable };
  add(reachable, mount(CURRENT_ASSOCIATION, associationClass(model)), { read: "all", write: "all", call: "all" });
  for (const object of objects) {
    const { logicalName, served } = object;
    const access = definition.access({ logicalName, classId: served.classId, version: served.version });
    if (access !== undefined) add(reachable, object, access);
  }
  return model;
}

function add<State>(
  reachable: Map<number, ReachableObject<State>>,
  object: ModelObject<State>,
  access: ObjectAccess,
): void {
  const key = logicalNameKey(logicalNameOctets(object.logicalName));
  if (reachable.has(key)) throw new DlmsError("invalid-value", `two objects are called ${object.logicalName}`);
  reachable.set(key, { ...object, modes: accessModes(object.served, access) });
}
