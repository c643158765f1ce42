import type { LogicalName } from "../cosem/logical-name.ts";
import type { ServedClass } from "../cosem/served.ts";
import type { ConformanceBit } from "../xdlms/conformance.ts";
import type { AccessModes, AccessRule } from "./access.ts";

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
  /** Long responses go in general blocks also where blocks of their own service were agreed, as some meters do it. */
  readonly prefersGeneralBlocks?: boolean;
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
