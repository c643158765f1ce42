import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "../codec/codec.ts";
import { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import { AssociationLn } from "../cosem/classes/association-ln.ts";
import { AssociationSn } from "../cosem/classes/association-sn.ts";
import { DataClass } from "../cosem/classes/data-class.ts";
import { Register } from "../cosem/classes/register.ts";
import type { LogicalName } from "../cosem/logical-name.ts";
import { fullAccess } from "./access.ts";
import type { AssociationModel } from "./association-model.ts";
import { CURRENT_ASSOCIATION } from "./association-object.ts";
import { deviceModel, mount } from "./device-model.ts";
import type { AssociationEdits, AssociationUser } from "./ports.ts";
import type { RequestContext } from "./request-context.ts";

const value = { get: { value: () => ({ type: "unsigned", value: 1 }) as const } };
const model = deviceModel<undefined>({
  objects: [
    mount("0.0.96.1.0.255", DataClass.serve(value), 0x100),
    mount("1.0.1.8.0.255", Register.serve(value), 0x9000),
    // Two classes under one name, as some meters have it.
    mount("1.0.1.8.0.255", DataClass.serve(value)),
  ],
  associations: [
    { name: "management", clientSap: 1, authentication: { kind: "none" }, access: fullAccess, associationVersion: 3 },
  ],
}).bySap.get(1) as AssociationModel<undefined>;

function edits(): AssociationEdits {
  const hidden = new Set<string>();
  let users: readonly AssociationUser[] = [];
  return {
    hidden: (...key) => hidden.has(key.join()),
    setHidden: (association, classId, logicalName, hide) => {
      hidden[hide ? "add" : "delete"]([association, classId, logicalName].join());
      return true;
    },
    users: () => users,
    setUsers: (_, changed) => {
      users = changed;
      return true;
    },
  };
}

function contextWith(associationEdits: AssociationEdits | undefined): RequestContext {
  const logicalName: LogicalName = CURRENT_ASSOCIATION;
  return { logicalName, model, device: { associationEdits } } as unknown as RequestContext;
}

const association = [...model.objects.values()].find(({ logicalName }) => logicalName === CURRENT_ASSOCIATION)?.served;

function listFor(context: RequestContext): string[] {
  const writer = new Writer();
  assert.equal(association?.attributes[2]?.read(writer, undefined, context, undefined), "success");
  const list = decode(AssociationLn.attributes.objectList.codec, writer.finish());
  return list.map(({ classId, logicalName }) => `${classId} ${logicalName}`);
}

function call(method: keyof typeof AssociationLn.methods, parameter: unknown, context: RequestContext): string {
  const { index, parameter: codec } = AssociationLn.methods[method];
  const octets = encode(codec as never, parameter as never);
  return association?.methods[index]?.invoke(new Reader(octets), new Writer(), undefined, context) ?? "absent";
}

const element = (classId: number, logicalName: string) => ({
  classId,
  version: 0,
  logicalName,
  accessRights: { attributeAccess: [], methodAccess: [] },
});

test("objects that share a logical name are listed each, by class", () => {
  assert.deepEqual(listFor(contextWith(undefined)).sort(), [
    "1 0.0.96.1.0.255",
    "1 1.0.1.8.0.255",
    "15 0.0.40.0.0.255",
    "3 1.0.1.8.0.255",
  ]);
});

test("an object taken out of the list is gone until it is put back", () => {
  const context = contextWith(edits());
  assert.equal(call("removeObject", element(1, "1.0.1.8.0.255"), context), "success");
  assert.ok(!listFor(context).includes("1 1.0.1.8.0.255"));
  assert.ok(listFor(context).includes("3 1.0.1.8.0.255"));
  assert.equal(call("addObject", element(1, "1.0.1.8.0.255"), context), "success");
  assert.ok(listFor(context).includes("1 1.0.1.8.0.255"));
});

test("what the meter does not have cannot be added, and the association itself cannot be removed", () => {
  const context = contextWith(edits());
  assert.equal(call("addObject", element(8, "0.0.1.0.0.255"), context), "object-undefined");
  assert.equal(call("removeObject", element(15, CURRENT_ASSOCIATION), context), "other-reason");
  assert.equal(call("removeObject", element(1, "0.0.96.1.0.255"), contextWith(undefined)), "other-reason");
});

test("users are added, renamed and removed", () => {
  const own = edits();
  const context = contextWith(own);
  assert.equal(call("addUser", { userId: 1, userName: "reader" }, context), "success");
  assert.equal(call("addUser", { userId: 1, userName: "operator" }, context), "success");
  assert.deepEqual(own.users("management"), [{ userId: 1, userName: "operator" }]);
  assert.equal(call("removeUser", { userId: 2, userName: "" }, context), "other-reason");
  assert.equal(call("removeUser", { userId: 1, userName: "" }, context), "success");
  assert.deepEqual(own.users("management"), []);
});

test("association SN lists the objects by their short names, all or those of a class", () => {
  const short = deviceModel<undefined>({
    objects: [
      mount("0.0.96.1.0.255", DataClass.serve(value), 0x100),
      mount("1.0.1.8.0.255", Register.serve(value), 0x9000),
    ],
    associations: [
      {
        name: "management",
        clientSap: 1,
        authentication: { kind: "none" },
        access: fullAccess,
        shortNameVersion: 4,
      },
    ],
  }).bySap.get(1) as AssociationModel<undefined>;
  const own = [...short.objects.values()].find(({ served }) => served.classId === 12)?.served;
  const context = { ...contextWith(undefined), model: short } as unknown as RequestContext;
  const read = (selection?: { selector: number; parameters: Uint8Array }) => {
    const writer = new Writer();
    assert.equal(own?.attributes[2]?.read(writer, undefined, context, selection), "success");
    const list = decode(AssociationSn.attributes.objectList.codec, writer.finish());
    return list.map(({ baseName }) => baseName).sort((a, b) => a - b);
  };
  assert.deepEqual(read(), [0x100, 0x9000, 0xfa00]);
  assert.deepEqual(read({ selector: 1, parameters: Uint8Array.of(0x12, 0, 3) }), [0x9000]);
});
