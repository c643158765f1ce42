import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { encode } from "../codec/codec.ts";
import { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import { dateTime } from "../data/date-time.ts";
import { Clock } from "./classes/clock.ts";
import { ProfileGeneric } from "./classes/profile-generic.ts";
import { Register } from "./classes/register.ts";
import { SecuritySetup } from "./classes/security-setup.ts";
import { encodedData } from "./encoded-data.ts";
import { refuse } from "./refusal.ts";
import { selectionToDescriptor } from "./selective-access.ts";
import type { ServeContext, ServedClass } from "./served.ts";

const context: ServeContext = { logicalName: "1.0.1.8.0.255", association: "management", clientSap: 1 };

function read<State>(served: ServedClass<State>, index: number, state: State): string {
  const writer = new Writer();
  const result = served.attributes[index]?.read(writer, state, context, undefined);
  return result === "success" ? toHex(writer.finish()) : String(result);
}

test("one served class answers for every object and meter that shares it", () => {
  const energy = Register.serve<{ wattHours: number }>({
    get: {
      value: ({ wattHours }) => ({ type: "double-long-unsigned", value: wattHours }),
      scalerUnit: () => ({ scaler: 0, unit: 30 }),
    },
  });
  assert.equal(read(energy, 2, { wattHours: 1 }), "0600000001");
  assert.equal(read(energy, 2, { wattHours: 2 }), "0600000002");
  assert.equal(read(energy, 3, { wattHours: 2 }), "02020f00161e");
});

test("attribute 1 is the logical name under which the object is asked for", () => {
  assert.equal(read(Register.serve({}), 1, undefined), "09060100010800ff");
});

test("what has no handler is undefined for readers and denied to writers", () => {
  const served = Register.serve({});
  assert.equal(read(served, 2, undefined), "object-undefined");
  assert.equal(served.attributes[2]?.write(new Reader(fromHex("1101")), undefined, context), "read-write-denied");
});

test("a handler refuses with a reason of the standard, or hands over octets encoded before", () => {
  const served = Register.serve({
    get: { value: () => refuse("temporary-failure"), scalerUnit: () => encodedData(fromHex("02020fff161b")) },
  });
  assert.equal(read(served, 2, undefined), "temporary-failure");
  assert.equal(read(served, 3, undefined), "02020fff161b");
});

test("a write of the wrong type is refused and never reaches the handler", () => {
  const written: unknown[] = [];
  const served = Clock.serve({ set: { timeZone: (minutes) => written.push(minutes) } });
  const attribute = served.attributes[3];
  assert.equal(attribute?.write(new Reader(fromHex("10ffc4")), undefined, context), "success");
  assert.equal(attribute?.write(new Reader(fromHex("06ffffffc4")), undefined, context), "type-unmatched");
  assert.equal(attribute?.write(new Reader(fromHex("10ff")), undefined, context), "type-unmatched");
  assert.equal(attribute?.write(new Reader(fromHex("10ffc400")), undefined, context), "type-unmatched");
  assert.deepEqual(written, [-60]);
});

test("a method decodes its parameter and encodes what it returns", () => {
  const asked: string[] = [];
  const served = SecuritySetup.serve({
    call: {
      keyTransfer: (keys) => asked.push(...keys.map(({ keyId }) => keyId)),
      generateCertificateRequest: (use) => fromHex(use === "tls" ? "aa" : "bb"),
    },
  });
  const writer = new Writer();
  const transfer = new Reader(fromHex("010102021602090101"));
  assert.equal(served.methods[2]?.invoke(transfer, writer, undefined, context), "success");
  assert.deepEqual(asked, ["authenticationKey"]);
  assert.equal(served.methods[5]?.invoke(new Reader(fromHex("1602")), writer, undefined, context), "success");
  assert.equal(toHex(writer.finish()), "0901aa");
  assert.equal(served.methods[2]?.invoke(undefined, writer, undefined, context), "type-unmatched");
});

test("a method without parameter takes whatever the client sends, also nothing", () => {
  const calls: string[] = [];
  const served = Register.serve({ call: { reset: (_parameter, _state, { association }) => calls.push(association) } });
  for (const parameter of [undefined, new Reader(fromHex("0f00")), new Reader(fromHex("00"))])
    assert.equal(served.methods[1]?.invoke(parameter, new Writer(), undefined, context), "success");
  assert.deepEqual(calls, Array(3).fill("management"));
});

test("a selection travels as selector and parameters and reaches the handler typed", () => {
  const { selection } = ProfileGeneric.attributes.buffer;
  const descriptor = selectionToDescriptor(selection, {
    kind: "entry",
    value: { fromEntry: 2, toEntry: 0, fromSelectedValue: 1, toSelectedValue: 0 },
  });
  assert.equal(descriptor.selector, 2);
  assert.equal(toHex(descriptor.parameters), "0204060000000206000000001200011200" + "00");
  const seen: unknown[] = [];
  const served = ProfileGeneric.serve({
    get: {
      buffer: (_state, _context, chosen) => {
        seen.push(chosen?.kind === "entry" ? chosen.value.fromEntry : undefined);
        return [];
      },
    },
  });
  const buffer = served.attributes[2];
  assert.equal(buffer?.read(new Writer(), undefined, context, descriptor), "success");
  assert.deepEqual(seen, [2]);
  const unknown = { selector: 9, parameters: descriptor.parameters };
  assert.equal(buffer?.read(new Writer(), undefined, context, unknown), "scope-of-access-violated");
});

test("date-times of a clock are octet-strings of twelve octets", () => {
  const time = dateTime({ year: 2026, month: 11, dayOfMonth: 21, hour: 6 });
  assert.equal(toHex(encode(Clock.attributes.time.codec, time)), "090c07ea0b15ff06ffffff8000ff");
});
