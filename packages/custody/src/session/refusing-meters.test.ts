import assert from "node:assert/strict";
import { test } from "node:test";
import type { RotationPlan } from "../store/store.ts";
import { RefusingMeters } from "./refusing-meters.ts";

const HOUR = 3_600_000;
const START = 1_795_000_000_000;

const placeOf = (index: number) => ({
  systemTitle: index.toString(16).toUpperCase().padStart(16, "0"),
  utility: "stadtwerke",
  island: "nord",
  setup: 0,
});

/** The policy over rotations that are kept, and that cannot be planned for some meters. */
function bench(cannotBePlanned: (title: string) => boolean = () => false) {
  const plans: RotationPlan[] = [];
  const clock = { now: START };
  const policy = () =>
    new RefusingMeters({
      rotations: {
        plan: async (plan) => {
          await new Promise((resolve) => setImmediate(resolve));
          if (cannotBePlanned(plan.meters[0]!)) return 0;
          plans.push(plan);
          return 1;
        },
        plannedSince: async (plannedBy, cause, at) =>
          plans
            .filter((one) => one.plannedBy === plannedBy && one.cause === cause && one.at > at)
            .map((one) => ({ systemTitle: one.meters[0]!, at: one.at })),
      },
      committer: { submit: async () => undefined as never },
      now: () => clock.now,
    });
  return { plans, clock, policy };
}

async function refuse(policy: RefusingMeters, meters: readonly number[]): Promise<void> {
  for (let refusal = 1; refusal <= 3; refusal += 1)
    await Promise.all(meters.map((index) => policy.refused(placeOf(index))));
}

const range = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);

test("of thousands of meters that refuse at once 40 an hour and 200 a day are helped, also by a process that was started anew", async () => {
  const { plans, clock, policy } = bench();
  await refuse(policy(), range(0, 5000));
  assert.equal(plans.length, 40);
  await refuse(policy(), range(5000, 5000));
  assert.equal(plans.length, 40, "a restart begins nothing anew");
  for (let hour = 1; hour < 24; hour += 1) {
    clock.now = START + hour * HOUR;
    await refuse(policy(), range(hour * 1000, 100));
  }
  assert.equal(plans.length, 200);
  clock.now = START + 24 * HOUR;
  await refuse(policy(), range(50_000, 100));
  assert.equal(plans.length, 240, "the next day has room of its own");
});

test("a meter is helped once in seven days, however often it refuses", async () => {
  const { plans, clock, policy } = bench();
  const one = policy();
  for (let day = 0; day < 7; day += 1) {
    clock.now = START + day * 24 * HOUR;
    await refuse(one, [1]);
    await refuse(policy(), [1]);
  }
  assert.equal(plans.length, 1);
  clock.now = START + 7 * 24 * HOUR;
  await refuse(one, [1]);
  assert.equal(plans.length, 2);
});

test("meters that nothing is planned for take no room from others, and may be helped later", async () => {
  const { plans, policy } = bench((title) => title < placeOf(1000).systemTitle);
  const one = policy();
  await refuse(one, range(0, 30));
  await refuse(one, range(1000, 40));
  assert.equal(plans.length, 40);
});

test("refusals that another session explains count once there are many in a row without a proof: nobody keeps a meter from help by them", async () => {
  const { plans, policy } = bench();
  const one = policy();
  const overtaken = async (times: number) => {
    for (let time = 0; time < times; time += 1) await one.refused(placeOf(1), true);
  };
  await overtaken(29);
  one.proven(placeOf(1));
  await overtaken(19);
  await one.refused(placeOf(1));
  assert.equal(plans.length, 0);
  await overtaken(1);
  assert.equal(plans.length, 1);
});
