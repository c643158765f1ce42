import assert from "node:assert/strict";
import { test } from "node:test";
import { data, decode, INTERFACE_CLASSES } from "@meterkeep/dlms";
import fc from "fast-check";
import { MeterError } from "../errors.ts";
import { parseMeterFile } from "./model-file.ts";
import { ModelMeter } from "./model-meter.ts";
import { DATA_TYPE_NAMES } from "./type-names.ts";

// Models of meters that nobody here has seen must load: whatever classes, versions, names and types they have.

const known = INTERFACE_CLASSES.map(({ id, version }) => ({ cls: id, version }));
const attribute = fc.tuple(
  fc.option(fc.integer({ min: 0, max: 6 })),
  fc.option(fc.constantFrom(...Object.keys(DATA_TYPE_NAMES), "Unheard")),
);
const object = fc.record({
  class: fc.oneof(
    fc.constantFrom(...known),
    fc.record({ cls: fc.integer({ min: 0, max: 0xffff }), version: fc.integer({ min: 0, max: 255 }) }),
  ),
  obis: fc.uint8Array({ minLength: 6, maxLength: 6 }).map((octets) => octets.join(".")),
  sn: fc.option(fc.integer({ min: 0, max: 0xffff })),
  attrs: fc.dictionary(fc.integer({ min: 0, max: 130 }).map(String), attribute, { maxKeys: 12 }),
});
const model = fc.record({
  useLN: fc.boolean(),
  objects: fc.array(
    object.map(({ class: { cls, version }, ...rest }) => ({ cls, version, ...rest })),
    { minLength: 1, maxLength: 30 },
  ),
});

test("any model loads, and what can be read of it is data", () => {
  fc.assert(
    fc.property(model, (json) => {
      const meter = new ModelMeter({
        file: parseMeterFile(json),
        now: () => 0,
        clients: [{ sap: 16, authentication: "none" }],
      });
      for (const {
        object: { classId, logicalName },
        attributes,
      } of meter.objects)
        for (const { index, readable } of attributes) {
          const octets = meter.tree.read({ classId, logicalName, attributeIndex: index });
          if (octets !== undefined) decode(data, octets);
          assert.ok(octets !== undefined || !readable, `${classId} ${logicalName} ${index}`);
        }
    }),
    { numRuns: 150 },
  );
});

test("any JSON is a model or refused as none", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      for (const one of [json, { objects: json }, { objects: [json] }])
        try {
          parseMeterFile(one);
        } catch (error) {
          assert.ok(error instanceof MeterError);
        }
    }),
    { numRuns: 300 },
  );
});
