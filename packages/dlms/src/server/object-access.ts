import { Reader } from "../codec/reader.ts";
import type { Writer } from "../codec/writer.ts";
import { logicalNameKey } from "../cosem/logical-name.ts";
import type { SelectiveAccessDescriptor } from "../cosem/selective-access.ts";
import type { ServedResult } from "../cosem/served.ts";
import type { AttributeDescriptor, MethodDescriptor } from "../xdlms/descriptors.ts";
import { ACCESS_MODE } from "./access.ts";
import { agreed, type Call } from "./call.ts";
import type { ReachableObject } from "./model-object.ts";
import { RequestContext } from "./request-context.ts";
import type { ShortNamed } from "./short-names.ts";

/** Reads an attribute: its Data is appended to `writer`, which after another result than `success` is as before. */
export function readAttribute<Key, State>(
  call: Call<Key, State>,
  writer: Writer,
  { classId, instanceId, attributeId }: AttributeDescriptor,
  selection: SelectiveAccessDescriptor | undefined,
): ServedResult {
  const object = find(call, classId, instanceId);
  return typeof object === "string" ? object : readObject(call, writer, object, attributeId, selection);
}

/** As `readAttribute`, of an object that was found. */
export function readObject<Key, State>(
  call: Call<Key, State>,
  writer: Writer,
  object: ReachableObject<State>,
  attributeId: number,
  selection: SelectiveAccessDescriptor | undefined,
): ServedResult {
  const attribute = object.served.attributes[attributeId];
  if (attribute === undefined) return "object-undefined";
  const denied = deny(call, object.modes.attributes[attributeId] ?? 0, ACCESS_MODE.read);
  if (denied !== undefined) return denied;
  if (selection !== undefined && !maySelect(call)) return "scope-of-access-violated";
  const start = writer.offset;
  const result = guarded(call, object, (context) => attribute.read(writer, call.device.state, context, selection));
  if (result !== "success") writer.offset = start;
  return result;
}

/** Writes an attribute, or the part of it that `selection` names, from one encoded Data value. */
export function writeAttribute<Key, State>(
  call: Call<Key, State>,
  { classId, instanceId, attributeId }: AttributeDescriptor,
  value: Uint8Array,
  selection?: SelectiveAccessDescriptor,
): ServedResult {
  const object = find(call, classId, instanceId);
  return typeof object === "string" ? object : writeObject(call, object, attributeId, value, selection);
}

/** As `writeAttribute`, of an object that was found. */
export function writeObject<Key, State>(
  call: Call<Key, State>,
  object: ReachableObject<State>,
  attributeId: number,
  value: Uint8Array,
  selection?: SelectiveAccessDescriptor,
): ServedResult {
  const attribute = object.served.attributes[attributeId];
  if (attribute === undefined) return "object-undefined";
  const denied = deny(call, object.modes.attributes[attributeId] ?? 0, ACCESS_MODE.write);
  if (denied !== undefined) return denied;
  const { state } = call.device;
  if (selection === undefined)
    return guarded(call, object, (context) => attribute.write(new Reader(value), state, context));
  if (attribute.writePart === undefined || !maySelect(call)) return "scope-of-access-violated";
  return guarded(
    call,
    object,
    (context) => attribute.writePart?.(new Reader(value), state, context, selection) ?? "scope-of-access-violated",
  );
}

/** Calls a method; what it returns is appended to `writer`, which after another result than `success` is as before. */
export function callMethod<Key, State>(
  call: Call<Key, State>,
  writer: Writer,
  { classId, instanceId, methodId }: MethodDescriptor,
  parameter: Uint8Array | undefined,
): ServedResult {
  const object = find(call, classId, instanceId);
  return typeof object === "string" ? object : callObject(call, writer, object, methodId, parameter);
}

/** As `callMethod`, of an object that was found. */
export function callObject<Key, State>(
  call: Call<Key, State>,
  writer: Writer,
  object: ReachableObject<State>,
  methodId: number,
  parameter: Uint8Array | undefined,
): ServedResult {
  const method = object.served.methods[methodId];
  if (method === undefined) return "object-undefined";
  const denied = deny(call, object.modes.methods[methodId] ?? 0, ACCESS_MODE.call);
  if (denied !== undefined) return denied;
  const start = writer.offset;
  const reader = parameter === undefined ? undefined : new Reader(parameter);
  const result = guarded(call, object, (context) => method.invoke(reader, writer, call.device.state, context));
  if (result !== "success") writer.offset = start;
  return result;
}

/** The object and its member behind a short name; undefined where there is none, or none any more. */
export function findShortName<State>(
  { model, device }: Pick<Call<unknown, State>, "model" | "device">,
  name: number,
): ShortNamed<State> | undefined {
  const named = model.shortNames?.get(name);
  if (named === undefined) return undefined;
  const { served, logicalName } = named.object;
  const hidden = device.associationEdits?.hidden(model.definition.name, served.classId, logicalName);
  return hidden === true ? undefined : named;
}

function find<State>(
  { model, device }: Pick<Call<unknown, State>, "model" | "device">,
  classId: number,
  instanceId: Uint8Array,
): ReachableObject<State> | "object-undefined" | "object-class-inconsistent" {
  const first = model.objects.get(logicalNameKey(instanceId));
  if (first === undefined) return "object-undefined";
  for (let object: typeof first | undefined = first; object !== undefined; object = object.sibling)
    if (object.served.classId === classId) {
      const hidden = device.associationEdits?.hidden(model.definition.name, classId, object.logicalName);
      return hidden === true ? "object-undefined" : object;
    }
  return "object-class-inconsistent";
}

/** Whether the association agreed on selecting parts: under logical names, or under short ones. */
function maySelect<Key, State>(call: Call<Key, State>): boolean {
  return agreed(call, "selective-access") || agreed(call, "parameterized-access");
}

function deny(call: Pick<Call<never, never>, "protection">, mode: number, right: number): ServedResult | undefined {
  if ((mode & right) === 0) return "read-write-denied";
  const { authenticated, encrypted } = call.protection;
  const unprotected =
    ((mode & ACCESS_MODE.authenticatedRequest) !== 0 && !authenticated) ||
    ((mode & ACCESS_MODE.encryptedRequest) !== 0 && !encrypted);
  return unprotected ? "scope-of-access-violated" : undefined;
}

/** A handler that throws is a fault of the meter's program: its owner hears of it, the client gets `other-reason`. */
function guarded<Key, State>(
  call: Call<Key, State>,
  { logicalName }: ReachableObject<State>,
  work: (context: RequestContext<Key, State>) => ServedResult,
): ServedResult {
  try {
    return work(new RequestContext(logicalName, call));
  } catch (error) {
    call.device.onEvent?.({ kind: "handler-failed", logicalName, error });
    return "other-reason";
  }
}
