import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeadEndError } from "../errors.ts";
import { NETWORK_TYPES } from "./networks.ts";
import { parseRoute, type Route, routeText } from "./route.ts";

const way = fc.constantFrom(...NETWORK_TYPES, undefined).map((network) => (network === undefined ? {} : { network }));
const gateway = fc.record(
  {
    networkId: fc.integer({ min: 0, max: 255 }),
    physicalAddress: fc.uint8Array({ minLength: 1, maxLength: 64 }),
  },
  { noNullPrototype: true },
);
const direct = fc
  .tuple(
    fc.record({
      kind: fc.constantFrom("tcp", "udp", "hdlc"),
      host: fc.constantFrom("10.0.0.1", "meter.example", "fe80::1"),
      port: fc.integer({ min: 1, max: 65_535 }),
    }),
    fc.option(gateway, { nil: undefined }),
    way,
  )
  .map(([place, behind, more]) => ({
    ...place,
    ...(place.kind === "hdlc" && { device: 17 }),
    ...(behind === undefined && place.port % 2 === 0 && { moves: true as const }),
    ...(behind && { gateway: behind }),
    ...more,
  }));
const concentrator = fc
  .tuple(fc.stringMatching(/^[a-z0-9._-]{1,64}$/), gateway, way)
  .map(([name, address, more]) => ({ kind: "concentrator" as const, concentrator: name, ...address, ...more }));
const dialIn = fc
  .tuple(fc.stringMatching(/^[0-9A-F]{16}$/), way)
  .map(([title, more]) => ({ kind: "dial-in" as const, title, ...more }));

test("a route is what its text says", () => {
  fc.assert(
    fc.property(fc.oneof(direct, concentrator, dialIn) as fc.Arbitrary<Route>, (route) => {
      assert.deepEqual(parseRoute(routeText(route)), route);
    }),
  );
});

test("what is no route is refused, and nothing else happens", () => {
  for (const text of [
    "",
    "tcp://",
    "tcp://a",
    "tcp://a:0",
    "tcp://a:65536",
    "tcp://user@a:1",
    "tcp://a:1/x",
    "tcp://a:1?gateway=256/00",
    "tcp://a:1?gateway=0/0",
    "tcp://a:1?network=satellite",
    "tcp://a:1?speed=9",
    "tcp://a:1?moves=no",
    "tcp://a:1?moves=yes&gateway=0/0A",
    "dial-in://4D4B560000000001?moves=yes",
    "tcp://a:1?device=1",
    "hdlc://a:1?device=16384",
    "dial-in://4D4B560000000001?device=1",
    "concentrator://dc-1/0/",
    "concentrator://dc 1/0/00",
    "concentrator://dc-1/0/00?gateway=0/00",
    "dial-in://4d4b560000000001",
    "http://a:1",
  ])
    assert.throws(() => parseRoute(text), { code: "route-invalid" }, text);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((rest) => `tcp://a:1?${rest}`),
      ),
      (text) => {
        try {
          parseRoute(text);
        } catch (error) {
          assert.ok(error instanceof HeadEndError && error.code === "route-invalid");
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
