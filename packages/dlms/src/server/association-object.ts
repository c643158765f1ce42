import { MECHANISMS } from "../acse/names.ts";
import { encode } from "../codec/codec.ts";
import {
  AssociationLn,
  AssociationLnV0,
  AssociationLnV1,
  AssociationLnV2,
  type ObjectListElement,
} from "../cosem/classes/association-ln.ts";
import { type EncodedData, encodedData } from "../cosem/encoded-data.ts";
import type { LogicalName } from "../cosem/logical-name.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { Data } from "../data/value.ts";
import { conformanceOctets } from "../xdlms/conformance.ts";
import { DLMS_VERSION } from "../xdlms/initiate.ts";
import { accessList } from "./access-list.ts";
import {
  addUser,
  currentUser,
  removeUser,
  setListed,
  setSecret,
  setUsers,
  usersOf,
  visibleObjects,
} from "./association-edits.ts";
import { type AssociationModel, mechanismOf } from "./association-model.ts";
import type { ReachableObject } from "./model-object.ts";
import type { RequestContext } from "./request-context.ts";

/** The object that stands for the association it is asked through. */
export const CURRENT_ASSOCIATION: LogicalName = "0.0.40.0.0.255";

const CLASSES = { 0: AssociationLnV0, 1: AssociationLnV1, 2: AssociationLnV2, 3: AssociationLn } as const;
/** joint-iso-ccitt(2) country(16) country-name(756) identified-organisation(5) DLMS-UA(8), without the last two arcs. */
const DLMS_UA_ARCS = [0x60, 0x85, 0x74, 0x05, 0x08] as const;
const APPLICATION_CONTEXT_ARC = 1;
const MECHANISM_ARC = 2;

/**
 * Serves association LN for one association: object list, agreed parameters, password, users.
 */
export function associationClass<State>(model: AssociationModel<State>): ServedClass<State> {
  const version = model.definition.associationVersion ?? 1;
  let objectList: EncodedData | undefined;
  // The versions share what is used here, so one declaration types them all.
  const declared = CLASSES[version] as typeof AssociationLnV2;
  return declared.serve<State>({
    get: {
      objectList: (_, context) => {
        const { associationEdits } = own(context).device;
        if (associationEdits !== undefined) return listed(visibleObjects(model, associationEdits), version);
        // The same for every meter of the model: encoded once.
        objectList ??= encodedData(
          encode(declared.attributes.objectList.codec, listed(visibleObjects(model, undefined), version)),
        );
        return objectList;
      },
      associatedPartnersId: (_, context) => ({
        clientSap: context.clientSap,
        serverSap: own(context).serverSap,
      }),
      applicationContextName: (_, context) =>
        objectIdentifier(APPLICATION_CONTEXT_ARC, own(context).agreement.ciphered ? 3 : 1),
      xdlmsContextInfo: (_, context) => {
        const { conformance, maxReceivePduSize, maxSendPduSize } = own(context).agreement;
        return {
          conformance: { length: 24, bytes: conformanceOctets(conformance) },
          maxReceivePduSize,
          maxSendPduSize: maxSendPduSize ?? 0,
          dlmsVersionNumber: DLMS_VERSION,
          qualityOfService: 0,
          cypheringInfo: own(context).agreement.clientSystemTitle ?? new Uint8Array(8),
        };
      },
      authenticationMechanismName: () =>
        objectIdentifier(MECHANISM_ARC, MECHANISMS[mechanismOf(model.definition.authentication)]),
      associationStatus: () => "associated",
      securitySetupReference: () => model.definition.securitySetup ?? "0.0.0.0.0.0",
      userList: (_, context) => usersOf(own(context)),
      currentUser: (_, context) => currentUser(own(context)),
    },
    set: {
      secret: (password, _, context) => setSecret(password, own(context)),
      userList: (users, _, context) => setUsers(users, own(context)),
    },
    call: {
      ...secretMethods(model),
      addObject: (element, _, context) => setListed(element, true, own(context)),
      removeObject: (element, _, context) => setListed(element, false, own(context)),
      addUser: (user, _, context) => addUser(user, own(context)),
      removeUser: (user, _, context) => removeUser(user, own(context)),
    },
  });
}

function secretMethods<State>({ definition }: AssociationModel<State>) {
  const { kind } = definition.authentication;
  // The server answers the challenge itself while the association is pending; later there is nothing to answer.
  return kind === "none" || kind === "lls" ? {} : { replyToHlsAuthentication: () => refuse("other-reason") };
}

function listed<State>(objects: readonly ReachableObject<State>[], version: number): ObjectListElement[] {
  return objects.map((object) => ({
    classId: object.served.classId,
    version: object.served.version,
    logicalName: object.logicalName,
    accessRights: accessList(object, version >= 3),
  }));
}

function objectIdentifier(kind: number, number: number): Data {
  return { type: "octet-string", value: Uint8Array.of(...DLMS_UA_ARCS, kind, number) };
}

function own(context: ServeContext): RequestContext {
  // The server makes every context, and makes them of this class.
  return context as RequestContext;
}
