import assert from "node:assert/strict";
import { test } from "node:test";
import { type Apdu, apdu, encode, fromHex, INTERFACE_CLASSES, toHex } from "@meterkeep/dlms";
import fc from "fast-check";
import { classify } from "./classify.ts";
import { EFFECT_TABLE, EFFECTS, effectOf } from "./effect.ts";

const GET = "c001c1000301000108 00ff0200";
const DISCONNECT = "c301c1004600006003 0aff01010f00";

test("reading is allowed, alone, in a list and block by block", () => {
  for (const hex of [GET, "c00300 02 0003 0100010800ff 02 00 0008 0000010000ff 02 00", "c002c100000001"]) {
    const verdict = classify(fromHex(hex));
    assert.equal(verdict.kind, "allowed", hex);
  }
});

test("reading a secret is not reading", () => {
  const verdict = classify(fromHex("c001c1000f0000280000ff0700"));
  assert.equal(verdict.kind === "needs-token" && verdict.gravest.effect, "key");
});

test("a disconnect needs a token, however it is dressed", () => {
  const dressed = {
    remote_disconnect: DISCONNECT,
    "disconnect script": "c301c10009 00000a006aff 01 01 120001",
    "disconnect scheduler": "c101c10016 00000f0001ff 04 00 0100",
    "limiter threshold": "c101c10047 0000110000ff 04 00 0600000000",
    "control mode": "c101c10046 000060030aff 04 00 1601",
    "list with a harmless first item": "c303c1 02 0008 0000010000ff 01 0046 000060030aff 01 02 0f00 0f00",
    "list of attributes": "c104c1 01 0046 000060030aff 04 00 01 1601",
  };
  for (const [name, hex] of Object.entries(dressed)) {
    const verdict = classify(fromHex(hex));
    assert.equal(verdict.kind, "needs-token", name);
    assert.equal(verdict.kind === "needs-token" && verdict.gravest.effect, "supply", name);
  }
});

test("keys, firmware, push destinations, schedules and scripts need a token, and are called by their names", () => {
  const asked = {
    key: "c301c10040 00002b0000ff 02 01 0100",
    firmware: "c301c10012 00002c0000ff 04 01 0f00",
    "push-destination": "c101c10028 0000190900ff 03 00 0900",
    schedule: "c101c10014 00000d0000ff 06 00 0100",
    script: "c301c10009 00000a0064ff 01 01 120001",
    access: "c301c10040 00002b0000ff 01 01 160c",
    records: "c301c10007 0100630100ff 01 01 0f00",
    "clock-move": "c101c10008 0000010000ff 02 00 090c07ea0b150600000000ffc400",
    clock: "c301c10008 0000010000ff 06 01 10003c",
    configuration: "c101c10006 0000600100ff 02 00 0900",
    unknown: "c101c10fff 0000600100ff 02 00 0900",
  };
  for (const [effect, hex] of Object.entries(asked)) {
    const verdict = classify(fromHex(hex));
    assert.equal(verdict.kind === "needs-token" && verdict.gravest.effect, effect);
  }
  // Shifted by more than a minute, by nobody knows how much, and to the nearest quarter of an hour.
  for (const far of ["06 01 10003d", "06 01 10ffc3", "06 00", "01 01 0f00"]) {
    const verdict = classify(fromHex(`c301c10008 0000010000ff ${far}`));
    assert.equal(verdict.kind === "needs-token" && verdict.gravest.effect, "clock-move", far);
  }
});

test("reading a secret needs a token, by its number, as one of all, and in a list", () => {
  for (const hex of [
    "c001c1 000f 0000280002ff 07 00",
    "c001c1 000f 0000280002ff 00 00",
    "c001c1 002c 0000190300ff 05 00",
    "c001c1 002e 0000190500ff 04 00",
    "c003c1 02 0003 0100010800ff 02 00 000f 0000280002ff 07 00",
  ]) {
    const verdict = classify(fromHex(hex));
    assert.equal(verdict.kind === "needs-token" && verdict.gravest.effect, "key", hex);
  }
  assert.equal(classify(fromHex("c001c1 000f 0000280000ff 02 00")).kind, "allowed", "its object list is none");
});

test("what cannot be judged is refused with its reason", () => {
  const refused = {
    "not-decodable": `${GET}00`,
    "request-in-blocks": "c102c1 0046 000060030aff 04 00 00 00000001 02 1601",
    "already-protected": "c8 12 30 00000001 411312ff935a47566827c467bc",
    "not-a-request": "c401c100 0600000001",
    "made-by-custodian-only": "c301c1000f 0000280000ff 01 01 0900",
  };
  for (const [code, hex] of Object.entries(refused)) {
    const verdict = classify(fromHex(hex));
    assert.equal(verdict.kind === "refused" && verdict.code, code, hex);
  }
});

test("services by short names, ACCESS and general blocks are not sealed at all, whatever they ask for", () => {
  const octets = [
    fromHex("0501022000"),
    fromHex("0601022000010300"),
    fromHex("1601022000010300"),
    fromHex("d9 00000001 00 01 03 0046 000060030aff 01 01 0f00"),
    fromHex("e081000100000fc301c1004600006003 0aff01010f00"),
  ];
  for (const one of octets) {
    const verdict = classify(one);
    assert.equal(verdict.kind === "refused" && verdict.code, "service-not-offered", toHex(one));
  }
});

test("of the classes that the library knows, only those without a row of their own are as grave as the unknown", () => {
  const target = { instanceId: fromHex("0000600000ff"), attribute: 2 };
  const known = new Set(INTERFACE_CLASSES.map(({ id }) => id));
  const unknown = [...known].filter((classId) => effectOf({ classId, ...target }).effect === "unknown");
  // Data, utility tables, array manager: anything can stand behind them.
  assert.deepEqual(
    unknown.sort((one, other) => one - other),
    [1, 26, 123],
  );
  for (const classId of [2, 101, 8192, 32_768, 65_535])
    assert.equal(EFFECTS[effectOf({ classId, ...target }).effect].class, "C3", String(classId));
  const dataSend = { classId: 72, instanceId: fromHex("0001180000ff"), method: 6 };
  assert.equal(effectOf(dataSend).effect, "supply");
});

test("every row of the table decides for the object it names", () => {
  for (const row of EFFECT_TABLE) {
    const instanceId = fromHex(row.logicalName ?? "0000ffffffff");
    const target = { classId: row.classId, instanceId };
    const invokeIdAndPriority = { invokeId: 1, confirmed: true, highPriority: true };
    const request =
      row.method === undefined
        ? {
            kind: "set-request",
            value: {
              kind: "normal",
              value: {
                invokeIdAndPriority,
                attribute: { ...target, attributeId: row.attribute ?? 99 },
                value: { type: "null-data", value: null },
              },
            },
          }
        : {
            kind: "action-request",
            value: { kind: "normal", value: { invokeIdAndPriority, method: { ...target, methodId: row.method } } },
          };
    const header = encode(apdu, request as unknown as Apdu);
    const verdict = classify(header);
    assert.equal(verdict.kind === "needs-token" && verdict.gravest.effect, row.effect, JSON.stringify(row));
    assert.notEqual(EFFECTS[row.effect].class, "C0");
  }
});

test("of the classes that can switch, sell, reach or unlock, nothing is written or called without a token", () => {
  const GRAVE = [9, 10, 15, 18, 20, 21, 22, 30, 40, 64, 65, 68, 70, 71, 112, 113, 115, 122] as const;
  for (const classId of GRAVE)
    for (const member of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      const object = { classId, instanceId: fromHex("0000600000ff") };
      for (const target of [
        { ...object, attribute: member },
        { ...object, method: member },
      ]) {
        const { effect } = effectOf(target);
        assert.ok(["C2", "C3"].includes(EFFECTS[effect].class), `class ${classId}, ${member}: ${effect}`);
      }
    }
});

test("whatever octets come, only a get-request is ever allowed", () => {
  const seeds = [GET, DISCONNECT].map((hex) => fromHex(hex));
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      fc.uint8Array({ maxLength: 6 }),
      (seed, changes, tail) => {
        const octets = Uint8Array.of(...seed, ...tail);
        for (const [at, value] of changes) octets[at % octets.length] = value;
        const verdict = classify(octets);
        if (verdict.kind === "allowed") assert.ok(octets[0] === 0xc0 || (octets[0] === 0xc3 && octets[1] === 2));
      },
    ),
    { numRuns: 3_000 },
  );
});
