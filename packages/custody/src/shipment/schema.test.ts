import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type TestMeter, testManufacturer, testMeters, writeShipment } from "../testing/shipment-writer.ts";
import { testRecipient } from "../testing/test-recipient.ts";

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false;
  readonly oneOf?: readonly { readonly $ref: string }[];
  readonly $defs?: Readonly<Record<string, Schema>>;
}

const schema = JSON.parse(
  readFileSync(new URL("../../../../docs/formats/shipment.schema.json", import.meta.url), "utf8"),
) as Schema;

/** As much of JSON Schema as the published one uses. */
function fits(value: unknown, { oneOf, ...rest }: Schema): boolean {
  if (oneOf !== undefined)
    return oneOf.filter(({ $ref }) => fits(value, schema.$defs?.[$ref.replace("#/$defs/", "")] as Schema)).length === 1;
  if (rest.const !== undefined) return value === rest.const;
  if (rest.enum !== undefined) return rest.enum.includes(value);
  if (typeof value === "string")
    return (
      rest.type === "string" &&
      new RegExp(rest.pattern ?? "", "u").test(value) &&
      value.length <= (rest.maxLength ?? Number.POSITIVE_INFINITY)
    );
  if (typeof value === "number")
    return (
      rest.type === "integer" &&
      Number.isInteger(value) &&
      value >= (rest.minimum ?? 0) &&
      value <= (rest.maximum ?? Number.POSITIVE_INFINITY)
    );
  if (Array.isArray(value))
    return (
      rest.type === "array" &&
      value.length >= (rest.minItems ?? 0) &&
      value.length <= (rest.maxItems ?? Number.POSITIVE_INFINITY) &&
      value.every((each) => fits(each, rest.items as Schema))
    );
  if (typeof value !== "object" || value === null || rest.type !== "object") return false;
  const { properties = {}, required = [] } = rest;
  return (
    required.every((name) => Object.hasOwn(value, name)) &&
    Object.entries(value).every(([name, each]) => properties[name] !== undefined && fits(each, properties[name]))
  );
}

/** The same meter with a security setup beside the first. */
const furtherOf = ([meter]: readonly TestMeter[]) =>
  ({ ...meter, setups: [{ setup: 1, keys: meter?.keys ?? [] }] }) as TestMeter;

const { publicKeys } = testRecipient();
const lines = writeShipment(testManufacturer(), publicKeys, [...testMeters(3), furtherOf(testMeters(1, 9))], {
  others: [publicKeys],
}).map((line) => JSON.parse(line) as Record<string, unknown>);

test("every line of a shipment fits the published schema, and just one of its three", () => {
  for (const line of lines) assert.ok(fits(line, schema), JSON.stringify(line).slice(0, 200));
});

test("a line with a field too few, too many or of another kind does not fit it", () => {
  for (const line of lines)
    for (const name of Object.keys(line)) {
      const { [name]: _, ...without } = line;
      assert.equal(fits(without, schema), name === "setups", name);
      assert.equal(fits({ ...line, [name]: null }, schema), false, name);
      assert.equal(fits({ ...line, [`${name}2`]: line[name] }, schema), false, name);
    }
});
