import type { AttributeSelection } from "../cosem/class-declaration.ts";
import {
  AssociationSn,
  AssociationSnV0,
  AssociationSnV1,
  AssociationSnV2,
  AssociationSnV3,
} from "../cosem/classes/association-sn.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import { accessList } from "./access-list.ts";
import { addUser, removeUser, setSecret, setUsers, usersOf, visibleObjects } from "./association-edits.ts";
import type { AssociationModel, ReachableObject } from "./association-model.ts";
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
      currentUser: () => ({ userId: 0, userName: "" }),
    },
    set: { userList: (users, _, context) => setUsers(users, own(context)) },
    call: {
      changeSecret: (secret, _, context) => setSecret(secret, own(context)),
      // The server answers the challenge itself while the association is pending.
      replyToHlsAuthentication: () => refuse("other-reason"),
      addUser: (user, _, context) => addUser(user, own(context)),
      removeUser: (user, _, context) => removeUser(user, own(context)),
    },
  });
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
