import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddresses } from "./addresses.ts";
import { parseGrid } from "./grid.ts";

const METER = "4D4B560000000001";
const GRID = {
  utility: "u",
  island: "i",
  substation: { id: "s", name: "S" },
  feeders: [
    {
      id: "f1",
      name: "F",
      path: "wan",
      transformer: { id: "t1", meter: METER, ratedKva: 250 },
      homes: [{ meter: "4D4B560000000002", label: "Home", phase: 2 }],
    },
  ],
};

test("a grid is read, and what is wrong with one is named", () => {
  const grid = parseGrid(JSON.stringify(GRID));
  assert.equal(grid.feeders[0]?.homes[0]?.phase, "L2");
  const [feeder] = GRID.feeders;
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [{ ...GRID, feeders: [{ ...feeder, path: "air" }] }, /path is "air"/],
    [
      { ...GRID, feeders: [{ ...feeder, transformer: { id: "t", meter: "x", ratedKva: 1 } }] },
      /"meter" is no system title/,
    ],
    [{ ...GRID, feeders: [feeder, feeder] }, /stands in it twice/],
    [{ ...GRID, substation: null }, /substation is not an object/],
    [[], /grid is not an object/],
  ];
  for (const [value, message] of bad)
    assert.throws(
      () => parseGrid(JSON.stringify(value)),
      (error: Error) => message.test(error.message),
      String(message),
    );
  assert.throws(() => parseGrid("{"), { code: "grid-invalid", message: /^grid\.json: line 1, column 2/ });
  const home = { ...feeder!.homes[0], label: "" };
  assert.throws(
    () => parseGrid(JSON.stringify({ ...GRID, feeders: [{ ...feeder, homes: [feeder!.homes[0], home] }] })),
    {
      message: 'grid.json: feeders[0]: homes[1]: "label" is not a text',
    },
  );
});

test("addresses and the town's clock are read, and what is wrong with them is named", () => {
  const clock = { epoch: "2026-01-01T00:00:00Z", wallEpoch: "2026-01-01T00:00:00Z", factor: 60 };
  const { time, meters } = parseAddresses(
    JSON.stringify({
      clock,
      meters: [{ systemTitle: METER, host: "127.0.0.1", port: 1, depotHost: "127.0.0.1", depotPort: 2 }],
    }),
  );
  assert.equal(time?.factor, 60);
  assert.deepEqual(meters, [
    { systemTitle: METER, wan: { kind: "tcp", host: "127.0.0.1", port: 1 }, depot: { host: "127.0.0.1", port: 2 } },
  ]);
  for (const wrong of [
    { clock: { ...clock, factor: 0 }, meters: [] },
    { clock: { ...clock, epoch: "soon" }, meters: [] },
    { meters: [{ systemTitle: METER, host: "a", port: 70_000 }] },
    { meters: [{ systemTitle: "x", host: "a", port: 7 }] },
    {},
  ])
    assert.throws(() => parseAddresses(JSON.stringify(wrong)), { code: "addresses-invalid" });
  assert.throws(() => parseAddresses(JSON.stringify({ meters: [{ systemTitle: METER, host: "a", port: "7" }] })), {
    message: 'addresses.json: meters[0]: "port" is not a number',
  });
  assert.throws(() => parseAddresses('{"meters": [\n  {,'), { message: /^addresses\.json: line 2, column 4/ });
});
