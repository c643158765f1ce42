import assert from "node:assert/strict";
import { test } from "node:test";
import { data, dateTimeAt, encode, fromHex, toHex } from "@meterkeep/dlms";
import { classify } from "../classify.ts";
import { differenceOf } from "./allowed-act.ts";
import { actsOf, classOf, directionOf, type Operation, operationProblem, operationWords } from "./operation.ts";

const NOW = Date.UTC(2026, 10, 21, 10);

function asked(hex: string) {
  const verdict = classify(fromHex(hex));
  assert.equal(verdict.kind, "needs-token", hex);
  assert.ok(verdict.kind === "needs-token" && verdict.acts.length === 1);
  return verdict.acts[0] as (typeof verdict.acts)[number];
}

test("an operation allows its act and nothing beside it", () => {
  const disconnect: Operation = { kind: "disconnect", instance: "000060030aff" };
  const [allowed] = actsOf(disconnect);
  assert.ok(allowed);
  const differences = {
    c301c10046000060030aff01010f00: undefined,
    c301c10046000060030aff02010f00: /member 2 of class 70/,
    c301c10046000060030bff01010f00: /another object/,
    c301c10046000060030aff01010f01: /another value/,
    c301c10046000060030aff0100: /another value/,
    c101c10046000060030aff04001601: /a set, not a action/,
  };
  for (const [hex, difference] of Object.entries(differences)) {
    const found = differenceOf(allowed, asked(hex), NOW);
    if (difference === undefined) assert.equal(found, undefined, hex);
    else assert.match(found ?? "", difference, hex);
  }
});

test("a clock is set to the present time only, whichever form the time has", () => {
  const [allowed] = actsOf({ kind: "clock", instance: "0000010000ff", toleranceSeconds: 60 });
  assert.ok(allowed);
  const set = (octets: Uint8Array) => asked(`c101c1 0008 0000010000ff 02 00 ${toHex(octets)}`.replaceAll(" ", ""));
  const at = (instant: number, deviation?: number) =>
    encode(data, { type: "date-time", value: dateTimeAt(instant, deviation) });
  const asText = Uint8Array.of(0x09, 0x0c, ...at(NOW).subarray(1));
  assert.equal(differenceOf(allowed, set(at(NOW + 59_000)), NOW), undefined);
  assert.equal(differenceOf(allowed, set(asText), NOW), undefined);
  assert.match(differenceOf(allowed, set(at(NOW + 61_000)), NOW) ?? "", /not the present time/);
  assert.match(differenceOf(allowed, set(fromHex("090101")), NOW) ?? "", /not a full date-time/);
});

test("a calendar that runs another script table than the tariff's is no calendar", () => {
  const days = (script: string) =>
    toHex(
      encode(data, {
        type: "array",
        value: [
          {
            type: "structure",
            value: [
              { type: "unsigned", value: 1 },
              {
                type: "array",
                value: [
                  {
                    type: "structure",
                    value: [
                      { type: "octet-string", value: new Uint8Array(4) },
                      { type: "octet-string", value: fromHex(script) },
                      { type: "long-unsigned", value: 1 },
                    ],
                  },
                ],
              },
            ],
          },
        ],
      }),
    );
  const empty = { name: "0900", seasons: "0100", weeks: "0100", activate: true } as const;
  const calendar = (script: string): Operation => ({
    kind: "calendar",
    instance: "00000d0000ff",
    ...empty,
    days: days(script),
  });
  assert.equal(operationProblem(calendar("00000a0064ff")), undefined);
  assert.match(operationProblem(calendar("00000a006aff")) ?? "", /00000a006aff/);
  assert.match(operationProblem({ ...calendar("00000a0064ff"), days: "0900" } as Operation) ?? "", /no day profile/);
  assert.equal(actsOf(calendar("00000a0064ff")).length, 5);
});

test("spelled-out acts are as grave as what they do, and count as switching off unless they only reconnect", () => {
  const act = (classId: number, member: number, instance = "000060030aff") =>
    ({ service: "action", classId, instance, member, value: { kind: "exact", octets: "0f00" } }) as const;
  const acts = (...all: ReturnType<typeof act>[]): Operation => ({ kind: "acts", acts: all });
  assert.equal(directionOf(acts(act(70, 2))), "on");
  assert.equal(directionOf(acts(act(70, 2), act(9, 1))), "off");
  assert.equal(directionOf(acts(act(9, 1, "00000a006aff"))), "off");
  assert.equal(directionOf(acts(act(18, 4))), "none");
  assert.equal(classOf(acts(act(18, 4))), "C2");
  assert.equal(classOf(acts(act(4711, 1))), "C3");
  assert.match(operationWords(acts(act(9, 1, "00000a006aff"))), /call method 1 of class 9 at 0-0:10\.0\.106\.255/);
  assert.match(operationProblem(acts(act(64, 2))) ?? "", /by the custodian itself/);
});

test("more than configuration is not written as configuration", () => {
  const write = (classId: number): Operation => ({
    kind: "configuration",
    writes: [{ classId, instance: "0000600100ff", member: 2, octets: "0900" }],
  });
  assert.equal(operationProblem(write(6)), undefined);
  assert.match(operationProblem(write(1)) ?? "", /more than configuration/);
});
