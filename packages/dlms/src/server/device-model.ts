import { type LogicalName, logicalNameKey, logicalNameOctets, logicalNameText } from "../cosem/logical-name.ts";
import type { ServedClass } from "../cosem/served.ts";
import { DlmsError } from "../errors.ts";
import type { ConformanceBit } from "../xdlms/conformance.ts";
import { type AccessModes, type AccessRule, accessModes, type ObjectAccess } from "./access.ts";
import { associationClass, CURRENT_ASSOCIATION } from "./association-object.ts";

/** How the client of an association proves who it is. */
export type AssociationAuthentication =
  /** No security: everybody is the client. */
  | { readonly kind: "none" }
  /** Low level security: a password in clear (mechanism 1). */
  | { readonly kind: "lls" }
  /** High level security with GMAC (mechanism 5): the keys of the security setup prove both sides. */
  | { readonly kind: "gmac" };

/** One association that a meter offers: who, how protected, and what may be done. */
export interface AssociationDefinition {
  /** Its name in this program, given to handlers and key ports. */
  readonly name: string;
  /** The client's service access point: 16 is the public client, 1 the management client. */
  readonly clientSap: number;
  readonly authentication: AssociationAuthentication;
  /** The security setup that protects it; absent where nothing can be ciphered. */
  readonly securitySetup?: LogicalName;
  /** Associated from the start, without AARQ (Green Book 9.4.1). */
  readonly preEstablished?: boolean;
  /** The services offered; `OFFERED_CONFORMANCE` unless given. */
  readonly conformance?: readonly ConformanceBit[];
  /** The octets of the longest APDU this server takes in this association. */
  readonly maxReceivePduSize?: number;
  readonly access: AccessRule;
  /** The version of association LN served at 0.0.40.0.0.255: 1, 2 or 3. */
  readonly associationVersion?: 1 | 2 | 3;
}

/** An object of the meter: a served class under a logical name. */
export interface ModelObject<State> {
  readonly logicalName: LogicalName;
  readonly served: ServedClass<State>;
}

/** An object as one association reaches it. */
export interface ReachableObject<State> extends ModelObject<State> {
  readonly modes: AccessModes;
}

/** An association with its objects, ready to look up. */
export interface AssociationModel<State> {
  readonly definition: AssociationDefinition;
  readonly objects: ReadonlyMap<number, ReachableObject<State>>;
}

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
