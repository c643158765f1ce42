import assert from "node:assert/strict";
import { test } from "node:test";
import type { CustodianRequest } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import type { Custody } from "../service/custody.ts";
import { failOver, type Line } from "./drill-lines.ts";

const METER = systemTitle(fromHex("5453540000000901"));
const LINES: readonly Line[] = [undefined, 1].map((setup) => ({ meter: METER, setup, nextCounter: 1000 }));

/** A custodian that gives out counters from here on, in each setup, until it refuses. */
function giving(from: Readonly<Record<number, number>>, refusesAfter = Number.POSITIVE_INFINITY) {
  let asked = 0;
  const drillCounters = async ({ meters, setup = 0 }: CustodianRequest<"drillCounters">) => {
    asked += 1;
    if (asked > refusesAfter) throw new Error("its place was taken");
    return { counters: meters.map((meter) => ({ meter, first: from[setup] as number, count: 32 })) };
  };
  return { service: { drillCounters } } as unknown as Custody;
}

/** What a drill finds of one that gives out the former ones first, and of a standby that goes on with the others. */
async function found(former: Custody, next: Readonly<Record<number, number>>) {
  const findings: (readonly [passed: boolean, detail: string])[] = [];
  let isClosed = false;
  const close = async () => {
    isClosed = true;
  };
  const find = (_: string, passed: boolean, detail: string) => findings.push([passed, detail]);
  await failOver(former, async () => ({ custody: giving(next), close }), LINES, find);
  assert.ok(isClosed);
  return findings;
}

test("a drill of a standby fails where a counter comes twice, in whichever setup, or the former custodian gives out more", async () => {
  const former = () => giving({ 0: 1000, 1: 2000 }, 2);
  assert.deepEqual(await found(former(), { 0: 1032, 1: 2032 }), [
    [true, "2 lines, and the former one gives out no more"],
  ]);
  assert.deepEqual(await found(former(), { 0: 1031, 1: 2032 }), [[false, "5453540000000901 (1031, used up to 1032)"]]);
  assert.deepEqual(await found(former(), { 0: 1032, 1: 1000 }), [
    [false, "5453540000000901, security setup 1 (1000, used up to 2032)"],
  ]);
  assert.deepEqual(await found(giving({ 0: 1000, 1: 2000 }), { 0: 1032, 1: 2032 }), [
    [false, "the former one still gives out counters"],
  ]);
});
