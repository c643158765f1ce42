import type { MECHANISMS } from "../acse/names.ts";
import type { LogicalName } from "../cosem/logical-name.ts";
import type { HlsMechanism } from "../security/hls-mechanisms.ts";
import type { ConformanceBit } from "../xdlms/conformance.ts";
import type { Referencing } from "../xdlms/referencing.ts";
import type { AccessRule } from "./access.ts";
import type { ReachableObject } from "./model-object.ts";
import type { ShortNames } from "./short-names.ts";

/** How the client of an association proves who it is. */
export type AssociationAuthentication =
  /** No security: everybody is the client. */
  | { readonly kind: "none" }
  /** Low level security: a password in clear (mechanism 1). */
  | { readonly kind: "lls" }
  /** High level security with GMAC (mechanism 5): the keys of the security setup prove both sides. */
  | { readonly kind: "gmac" }
  /** High level security with another function (mechanisms 2, 3, 4, 6, 7), from the port `hlsMechanism` of the device. */
  | { readonly kind: "hls"; readonly mechanism: HlsMechanism["name"] };

/** The name of the mechanism that an AARQ has to ask for. */
export function mechanismOf(authentication: AssociationAuthentication): keyof typeof MECHANISMS {
  if (authentication.kind === "hls") return authentication.mechanism;
  return ({ none: "lowest", lls: "low", gmac: "high-gmac" } as const)[authentication.kind];
}

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
  /** Octets of the longest APDU that this server sends, where the client would take longer ones; no limit unless given. */
  readonly maxSendPduSize?: number | undefined;
  /** Octets of data in the blocks of long responses; as many as the client's PDU size allows unless given. */
  readonly responseBlockBytes?: number | undefined;
  /** Long responses go in general blocks also where blocks of their own service were agreed, as some meters do it. */
  readonly prefersGeneralBlocks?: boolean;
  /** The version of association LN served at 0.0.40.0.0.255; 1 unless given. */
  readonly associationVersion?: 0 | 1 | 2 | 3;
  /** The version of association SN served at `ASSOCIATION_BASE_NAME` under short-name referencing; 2 unless given. */
  readonly shortNameVersion?: 0 | 1 | 2 | 3 | 4;
}

/** An association with its objects, ready to look up. */
export interface AssociationModel<State> {
  readonly definition: AssociationDefinition;
  readonly objects: ReadonlyMap<number, ReachableObject<State>>;
  /** The same objects by number, under short-name referencing. */
  readonly shortNames: ShortNames<State> | undefined;
}

/** How the objects of an association are named. */
export function referencingOf({ shortNameVersion }: Pick<AssociationDefinition, "shortNameVersion">): Referencing {
  return shortNameVersion === undefined ? "logical-name" : "short-name";
}

/** The objects of an association, those that share a logical name behind each other. */
export function* everyObject<State>(model: AssociationModel<State>): Generator<ReachableObject<State>> {
  for (const first of model.objects.values())
    for (let object: ReachableObject<State> | undefined = first; object !== undefined; object = object.sibling)
      yield object;
}
