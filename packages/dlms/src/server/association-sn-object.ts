import { decode } from "../codec/codec.ts";
import { Writer } from "../codec/writer.ts";
import type { AttributeSelection } from "../cosem/class-declaration.ts";
import {
  AssociationSn,
  AssociationSnV0,
  AssociationSnV1,
  AssociationSnV2,
  AssociationSnV3,
} from "../cosem/classes/association-sn.ts";
import { logicalNameOctets } from "../cosem/logical-name.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { AttributeReference } from "../cosem/structures.ts";
import { data } from "../data/data.ts";
import { type Data, NULL_DATA } from "../data/value.ts";
import { accessList } from "./access-list.ts";
import { addUser, currentUser, removeUser, setSecret, setUsers, usersOf, visibleObjects } from "./association-edits.ts";
import type { AssociationModel } from "./association-model.ts";
import type { ReachableObject } from "./model-object.ts";
import { readAttribute } from "./object-access.ts";
import type { RequestContext } from "./request-context.ts";

const CLASSES = {
  0: AssociationSnV0,
  1: AssociationSnV1,
  2: AssociationSnV2,
  3: AssociationSnV3,
  4: AssociationSn,
} as const;

type Selection = AttributeSelection<typeof AssociationSn.attributes.objectList>;

/** Serves association SN for one association: the objects that have short names, and what may be done with them. */
export function shortNameAssociationClass<State>(model: AssociationModel<State>): ServedClass<State> {
  const version = model.definition.shortNameVersion ?? 2;
  // The versions share what is used here, so one declaration types them all.
  const declared = CLASSES[version] as typeof AssociationSnV3;
  const named = (context: RequestContext, selection: Selection | undefined) =>
    visibleObjects(model, context.device.associationEdits).flatMap((object) => {
      const { baseName } = object;
      return baseName === undefined || !wanted(object, selection) ? [] : { object, baseName };
    });
  return declared.serve<State>({
    get: {
      objectList: (_, context, selection) =>
        named(own(context), selection).map(({ object, baseName }) => ({
          baseName,
          classId: object.served.classId,
          version: object.served.version,
          logicalName: object.logicalName,
        })),
      accessRightsList: (_, context, selection) =>
        named(own(context), selection).map(({ object, baseName }) => ({
          baseName,
          ...accessList(object, version >= 4),
        })),
      securitySetupReference: () => model.definition.securitySetup ?? "0.0.0.0.0.0",
      userList: (_, context) => usersOf(own(context)),
      currentUser: (_, context) => currentUser(own(context)),
    },
    set: { userList: (users, _, context) => setUsers(users, own(context)) },
    call: {
      readByLogicalName: (wanted, _, context) => readAll(wanted, own(context)),
      changeSecret: (secret, _, context) => setSecret(secret, own(context)),
      // The server answers the challenge itself while the association is pending.
      replyToHlsAuthentication: () => refuse("other-reason"),
      addUser: (user, _, context) => addUser(user, own(context)),
      removeUser: (user, _, context) => removeUser(user, own(context)),
    },
  });
}

/** The values asked for, in order, as a structure; null-data for what cannot be read with the rights of the client. */
function readAll(wanted: readonly AttributeReference[], { call }: RequestContext): Data {
  const values = wanted.map(({ classId, logicalName, attributeIndex }): Data => {
    const writer = new Writer();
    const address = { classId, instanceId: logicalNameOctets(logicalName), attributeId: attributeIndex };
    const result = readAttribute(call, writer, address, undefined);
    return result === "success" ? decode(data, writer.finish()) : NULL_DATA;
  });
  return { type: "structure", value: values };
}

function wanted<State>({ served, logicalName }: ReachableObject<State>, selection: Selection | undefined): boolean {
  if (selection === undefined) return true;
  if (selection.kind === "byClassId") return served.classId === selection.value;
  return served.classId === selection.value.classId && logicalName === selection.value.logicalName;
}

function own(context: ServeContext): RequestContext {
  // The server makes every context, and makes them of this class.
  return context as RequestContext;
}
