import assert from "node:assert/strict";
import { test } from "node:test";
import { folderShelf } from "../firmware/shelf.ts";
import { commandOperations, operationViews } from "./command-operations.ts";

test("every operation says what each of its parameters is, so that people are given fields and not a text to write in", () => {
  const operations = commandOperations({ destinations: () => ["127.0.0.1:4059"], shelf: folderShelf("/nowhere") });
  const views = operationViews(operations);
  assert.deepEqual(
    views.map(({ name }) => name),
    [...operations.keys()],
  );
  for (const { name, example, shape } of views) {
    assert.equal(operations.get(name)?.parameters.shape, shape, name);
    assert.ok(shape.kind === "object", name);
    const fields = new Set(shape.fields.map((field) => field.name));
    for (const given of Object.keys(example)) assert.ok(fields.has(given), `${name}: ${given}`);
  }
});
