import type { ObjectListElement } from "../cosem/classes/association-ln.ts";
import { logicalNameKey, logicalNameOctets, logicalNameText } from "../cosem/logical-name.ts";
import { type AccessRefusal, refuse } from "../cosem/refusal.ts";
import { type AssociationModel, everyObject } from "./association-model.ts";
import type { ReachableObject } from "./model-object.ts";
import type { AssociationEdits, AssociationUser } from "./ports.ts";
import type { RequestContext } from "./request-context.ts";

/** The objects that the association sees: those of its model that nobody has taken out of the list. */
export function visibleObjects<State>(
  model: AssociationModel<State>,
  edits: AssociationEdits | undefined,
): ReachableObject<State>[] {
  const objects = [...everyObject(model)];
  if (edits === undefined) return objects;
  const association = model.definition.name;
  return objects.filter(({ served, logicalName }) => !edits.hidden(association, served.classId, logicalName));
}

/**
 * add_object puts an object of the meter back into the list, remove_object takes it out. Rights are those that the
 * meter gives to the association: what the element says of them is not taken over.
 */
export function setListed(
  { classId, logicalName }: ObjectListElement,
  listed: boolean,
  context: RequestContext,
): AccessRefusal | undefined {
  const { model, device } = context;
  const name = logicalNameText(logicalNameOctets(logicalName));
  const known = siblings(model.objects.get(logicalNameKey(logicalNameOctets(logicalName)))).some(
    ({ served }) => served.classId === classId,
  );
  if (!known) return refuse("object-undefined");
  // Without its association object nobody could put anything back.
  if (!listed && name === context.logicalName) return refuse("other-reason");
  const done = device.associationEdits?.setHidden(model.definition.name, classId, name, !listed);
  return done === true ? undefined : refuse("other-reason");
}

function siblings<State>(first: ReachableObject<State> | undefined): ReachableObject<State>[] {
  const all: ReachableObject<State>[] = [];
  for (let object = first; object !== undefined; object = object.sibling) all.push(object);
  return all;
}

/** current_user: who the AARQ said it is, as far as the list names it. */
export function currentUser(context: RequestContext): AssociationUser {
  const { userId } = context.agreement;
  return usersOf(context).find((user) => user.userId === userId) ?? { userId: userId ?? 0, userName: "" };
}

/** user_list. */
export function usersOf({ model, device }: RequestContext): readonly AssociationUser[] {
  return device.associationEdits?.users(model.definition.name) ?? [];
}

/** add_user: one that is there already is replaced. */
export function addUser(user: AssociationUser, context: RequestContext): AccessRefusal | undefined {
  return setUsers([...usersOf(context).filter(({ userId }) => userId !== user.userId), user], context);
}

/** remove_user. */
export function removeUser(user: AssociationUser, context: RequestContext): AccessRefusal | undefined {
  const users = usersOf(context);
  const left = users.filter(({ userId }) => userId !== user.userId);
  return left.length === users.length ? refuse("other-reason") : setUsers(left, context);
}

/** Writes user_list. */
export function setUsers(
  users: readonly AssociationUser[],
  { model, device }: RequestContext,
): AccessRefusal | undefined {
  const done = device.associationEdits?.setUsers(model.definition.name, users);
  return done === true ? undefined : refuse("read-write-denied");
}

/** change_secret and attribute 7: a password of LLS; HLS with GMAC has no secret besides its keys. */
export function setSecret(secret: Uint8Array, { model, device }: RequestContext): AccessRefusal | undefined {
  if (model.definition.authentication.kind !== "lls") return refuse("read-write-denied");
  return device.setPassword(model.definition.name, secret.slice()) ? undefined : refuse("other-reason");
}
