import { encode } from "../codec/codec.ts";
import {
  AssociationLn,
  AssociationLnV1,
  AssociationLnV2,
  type ObjectListElement,
} from "../cosem/classes/association-ln.ts";
import { type EncodedData, encodedData } from "../cosem/encoded-data.ts";
import type { LogicalName } from "../cosem/logical-name.ts";
import { type AccessRefusal, refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { Data } from "../data/value.ts";
import { conformanceOctets } from "../xdlms/conformance.ts";
import { DLMS_VERSION } from "../xdlms/initiate.ts";
import { attributeModeBeforeV3, methodModeBeforeV3 } from "./access.ts";
import type { AssociationModel, ReachableObject } from "./association-model.ts";
import type { RequestContext } from "./request-context.ts";

/** The object that stands for the association it is asked through. */
export const CURRENT_ASSOCIATION: LogicalName = "0.0.40.0.0.255";

const CLASSES = { 1: AssociationLnV1, 2: AssociationLnV2, 3: AssociationLn } as const;
/** joint-iso-ccitt(2) country(16) country-name(756) identified-organisation(5) DLMS-UA(8), without the last two arcs. */
const DLMS_UA_ARCS = [0x60, 0x85, 0x74, 0x05, 0x08] as const;
const APPLICATION_CONTEXT_ARC = 1;
const MECHANISM_ARC = 2;
const MECHANISM_NUMBERS = { none: 0, lls: 1, gmac: 5 } as const;

/**
 * Serves association LN for one association: object list, agreed parameters, password.
 */
export function associationClass<State>(model: AssociationModel<State>): ServedClass<State> {
  const version = model.definition.associationVersion ?? 1;
  let objectList: EncodedData | undefined;
  // Versions 1 to 3 share the attributes used here, so the oldest declaration types them all.
  const declared = CLASSES[version] as typeof AssociationLnV1;
  return declared.serve<State>({
    get: {
      // The same for every meter of the model: encoded once.
      objectList: () => {
        objectList ??= encodedData(encode(declared.attributes.objectList.codec, listObjects(model, version)));
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
        objectIdentifier(MECHANISM_ARC, MECHANISM_NUMBERS[model.definition.authentication.kind]),
      associationStatus: () => "associated",
      securitySetupReference: () => model.definition.securitySetup ?? "0.0.0.0.0.0",
    },
    set: {
      secret: (password, _, context) => setPassword(password, own(context)),
    },
    // The server answers the challenge itself while the association is pending; later there is nothing to answer.
    call:
      model.definition.authentication.kind === "gmac" ? { replyToHlsAuthentication: () => refuse("other-reason") } : {},
  });
}

function setPassword(password: Uint8Array, { model, device }: RequestContext): AccessRefusal | undefined {
  if (model.definition.authentication.kind !== "lls") return refuse("read-write-denied");
  return device.setPassword(model.definition.name, password.slice()) ? undefined : refuse("other-reason");
}

function listObjects<State>(model: AssociationModel<State>, version: number): ObjectListElement[] {
  return [...model.objects.values()].map((object) => listElement(object, version));
}

function listElement<State>(
  { served, logicalName, modes }: ReachableObject<State>,
  version: number,
): ObjectListElement {
  return {
    classId: served.classId,
    version: served.version,
    logicalName,
    accessRights: {
      attributeAccess: served.attributes.flatMap((attribute) => {
        if (attribute === undefined) return [];
        const mode = modes.attributes[attribute.index] ?? 0;
        return {
          attributeId: attribute.index,
          accessMode: version < 3 ? attributeModeBeforeV3(mode) : mode,
          accessSelectors: attribute.selectors.length === 0 ? null : attribute.selectors,
        };
      }),
      methodAccess: served.methods.flatMap((method) => {
        if (method === undefined) return [];
        const mode = modes.methods[method.index] ?? 0;
        return { methodId: method.index, accessMode: version < 3 ? methodModeBeforeV3(mode) : mode };
      }),
    },
  };
}

function objectIdentifier(kind: number, number: number): Data {
  return { type: "octet-string", value: Uint8Array.of(...DLMS_UA_ARCS, kind, number) };
}

function own(context: ServeContext): RequestContext {
  // The server makes every context, and makes them of this class.
  return context as RequestContext;
}
