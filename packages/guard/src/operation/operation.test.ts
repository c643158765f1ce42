import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { data, dateTimeAt, encode, fromHex, SingleActionSchedule, toHex } from "@meterkeep/dlms";
import { classify } from "../classify.ts";
import { differenceOf } from "./allowed-act.ts";
import { actsOf, classOf, directionOf, type Operation, operationProblem, operationWords } from "./operation.ts";
import { ownMoment } from "./own-moment.ts";

const NOW = Date.UTC(2026, 10, 21, 10);
const sha384 = (octets: Uint8Array) => new Uint8Array(createHash("sha384").update(octets).digest());
const METER = "4D4B560000000001";
const ON = { now: NOW, meter: METER, sha384 };

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
    const found = differenceOf(allowed, asked(hex), ON);
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
  assert.equal(differenceOf(allowed, set(at(NOW + 59_000)), ON), undefined);
  assert.equal(differenceOf(allowed, set(asText), ON), undefined);
  assert.match(differenceOf(allowed, set(at(NOW + 61_000)), ON) ?? "", /not the present time/);
  assert.match(differenceOf(allowed, set(fromHex("090101")), ON) ?? "", /not a full date-time/);
});

test("a clock that may be moved by more than a minute is as grave as what touches security, however that is written", () => {
  const instance = "0000010000ff";
  const shift = (mostSeconds: number): Operation => ({ kind: "clock-shift", instance, mostSeconds });
  const spelled = (service: "set" | "action", member: number, octets: string): Operation => ({
    kind: "acts",
    acts: [{ service, classId: 8, instance, member, value: { kind: "exact", octets } }],
  });
  const seconds = (value: number) => toHex(encode(data, { type: "long", value }));
  assert.deepEqual(
    [60, 61, 900].map((most) => classOf(shift(most))),
    ["C1", "C2", "C2"],
  );
  assert.deepEqual(
    [60, -60, 61, -61].map((value) => classOf(spelled("action", 6, seconds(value)))),
    [...["C1", "C1", "C2", "C2"]],
  );
  // Nobody knows how far: what is no number, a time, and what rounds to the end of an interval.
  for (const far of [spelled("action", 6, "0900"), spelled("set", 2, "090c"), spelled("action", 2, "0f00")])
    assert.equal(classOf(far), "C2", JSON.stringify(far));
  assert.equal(classOf({ kind: "clock", instance, toleranceSeconds: 5 }), "C2");
  assert.equal(classOf(spelled("set", 3, seconds(60))), "C1", "a time zone moves no instant");
  assert.match(
    operationProblem({ kind: "configuration", writes: [{ classId: 8, instance, member: 2, octets: "0900" }] }) ?? "",
    /more than configuration/,
  );
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

function titleOf(at: number): string {
  return `4D4B56${at.toString(16).padStart(10, "0").toUpperCase()}`;
}

test("MC-12: each meter activates firmware at its own moment of the next whole window, and at none that somebody chose", () => {
  const windowMinutes = 120;
  const schedule: Operation = {
    ...{ kind: "firmware-schedule", instance: "00000f0002ff", identifier: "1.1", sha384: "" },
    ...{ windowMinutes, offsetMinutes: 60 },
  };
  const [allowed] = actsOf(schedule);
  assert.ok(allowed);
  const executionTimes = SingleActionSchedule.attributes.executionTime.codec;
  const written = (...local: readonly Date[]) =>
    encode(
      executionTimes,
      local.map((at) => {
        const { hundredths: _, ...moment } = dateTimeAt(at.getTime());
        return { time: { ...moment, hundredths: undefined }, date: moment };
      }),
    );
  const set = (octets: Uint8Array) => asked(`c101c1001600000f0002ff0400${toHex(octets)}`);
  const difference = (octets: Uint8Array, on = ON) => differenceOf(allowed, set(octets), on);
  const local = (at: number): Date => new Date(at + 60 * 60_000);
  const own = ownMoment(windowMinutes, ON);
  assert.equal(difference(written(local(own))), undefined);
  // It is written at one end of a window and judged at the other.
  const begin = Math.ceil(NOW / 7_200_000) * 7_200_000;
  const judged = begin + 5_000;
  const momentOf = (meter: string): number => ownMoment(windowMinutes, { ...ON, now: begin - 5_000, meter });
  const meterWhere = (isOne: (moment: number) => boolean): string => {
    for (let at = 0; at < 100_000; at += 1) if (isOne(momentOf(titleOf(at)))) return titleOf(at);
    return assert.fail("no meter has such a moment");
  };
  const still = meterWhere((moment) => moment > judged);
  assert.equal(difference(written(local(momentOf(still))), { ...ON, now: judged, meter: still }), undefined);
  // Nothing is written for a moment that is over.
  const over = meterWhere((moment) => moment <= judged);
  assert.equal(
    difference(written(local(momentOf(over))), { ...ON, now: judged, meter: over }),
    "not the meter's own moment",
  );
  for (const other of [
    written(local(own + 1000)),
    written(local(own), local(own + 1000)),
    written(new Date(own)),
    written(),
    written(local(ownMoment(windowMinutes, { ...ON, meter: "4D4B560000000002" }))),
    // Any hour of that day.
    Uint8Array.from(written(local(own)), (octet, at) => (at === 6 ? 255 : octet)),
  ])
    assert.equal(difference(other), "not the meter's own moment");
  // Of many meters no tenth of the window has a fifth, and none is late by more than two windows.
  const moments = Array.from({ length: 1000 }, (_, at) => ownMoment(windowMinutes, { ...ON, meter: titleOf(at) }));
  const tenths = Map.groupBy(moments, (at) => Math.floor((at % 7_200_000) / 720_000));
  assert.equal(tenths.size, 10);
  for (const group of tenths.values()) assert.ok(group.length < 200, `${group.length}`);
  assert.ok(moments.every((at) => at > NOW && at < NOW + 2 * 7_200_000));
  // Critical as activating is, and on the schedule of the disconnector no operation at all.
  assert.deepEqual([classOf(schedule), directionOf(schedule)], ["C2", "none"]);
  assert.equal(operationProblem(schedule), undefined);
  assert.match(operationProblem({ ...schedule, instance: "00000f0001ff" }) ?? "", /image activation scheduler/);
});
