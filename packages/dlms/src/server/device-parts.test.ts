import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { Register } from "../cosem/classes/register.ts";
import { onlyReading } from "./access.ts";
import type { AssociationDefinition } from "./association-model.ts";
import { deviceModel, mount } from "./device-model.ts";
import { CosemServer } from "./server.ts";

const ENERGY = "1.0.1.8.0.255";
const energy = Register.serve<{ wattHours: number }>({
  get: { value: ({ wattHours }) => ({ type: "unsigned", value: wattHours }) },
});

function model(authentication: AssociationDefinition["authentication"], securitySetup?: string) {
  const association = { name: "one", clientSap: 16, authentication, access: onlyReading(ENERGY) };
  return deviceModel({
    objects: [mount(ENERGY, energy)],
    associations: [securitySetup === undefined ? association : { ...association, securitySetup: "0.0.43.0.0.255" }],
  });
}

test("a meter without keys is a model and its state", () => {
  const server = new CosemServer(model({ kind: "none" }), { state: { wattHours: 7 } });
  const connection = server.connect(16, 1);
  const aarq = fromHex("601da109060760857405080101be10040e01000000065f1f0400001c1bffff");
  assert.equal(server.handle(connection, aarq)?.[0], 0x61);
  const answer = server.handle(connection, fromHex("c001c100030100010800ff0200"));
  assert.equal(toHex(answer ?? new Uint8Array(0)), "c401c1001107");
});

test("what an association needs and the device does not have is said when the server is made", () => {
  const state = { wattHours: 7 };
  assert.throws(() => new CosemServer(model({ kind: "lls" }), { state }), {
    code: "invalid-value",
    message: /"one" \(lls\) needs checkPassword of its device/,
  });
  assert.throws(() => new CosemServer(model({ kind: "gmac" }, "setup"), { state }), {
    message: /\(gmac, with a security setup\) needs ciphers, importKey, random, securitySetup/,
  });
  const checkPassword = () => true;
  assert.ok(new CosemServer(model({ kind: "lls" }), { state, checkPassword }).connect(16, 1));
});
