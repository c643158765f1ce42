import assert from "node:assert/strict";
import { test } from "node:test";
import { netPowerW } from "./net-power.ts";

const register = (obis: string, value: number | string, unit = "W") => ({ obis, value, unit });

test("power is what is drawn less what is fed in, whatever of it a meter says and in whatever unit", () => {
  for (const [registers, watts] of [
    [[register("1-0:1.7.0", 420)], 420],
    [[register("1-0:1.7.0", 0), register("1-0:2.7.0", 2_300)], -2_300],
    [[register("1-0:1.7.0", 0.193, "kW"), register("1-0:2.7.0", 0, "kW")], 193],
    [[register("1-0:2.7.0", 5)], -5],
    [[register("1-0:16.7.0", -120)], -120],
    [[register("1-0:1.7.0", 1), register("1-0:1.7.0", 2)], 2],
    [[register("1-0:1.8.0", 7, "Wh")], undefined],
    [[register("1-0:1.7.0", 7, "var")], undefined],
    [[register("1-0:1.7.0", "7")], undefined],
    [[], undefined],
  ] as const)
    assert.equal(netPowerW(registers, false), watts, JSON.stringify(registers));
});

test("a meter that measures both ways and draws nothing has not said what it feeds in until it says that too", () => {
  assert.equal(netPowerW([register("1-0:1.7.0", 0)], true), undefined);
  assert.equal(netPowerW([register("1-0:1.7.0", 80)], true), 80);
  assert.equal(netPowerW([register("1-0:1.7.0", 0), register("1-0:2.7.0", 90)], true), -90);
  assert.equal(netPowerW([register("1-0:1.7.0", 0), register("1-0:2.7.0", 0)], true), 0);
  assert.equal(netPowerW([register("1-0:1.7.0", 0)], false), 0);
});
