import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProcessStatus } from "@meterkeep/api/supervisor";
import { Keeper, type KeeperEvents, type KeeperTime, type Running, SYSTEM_TIME } from "./keeper.ts";

interface Life {
  readonly running: Running;
  die(reason: string): void;
}

function life(pid: number): Life {
  const { promise: ended, resolve: die } = Promise.withResolvers<string>();
  return { die, running: { pid, facts: {}, ended, stop: () => Promise.resolve(die("stopped")) } };
}

function recording(): { readonly events: KeeperEvents<Running>; readonly seen: string[] } {
  const seen: string[] = [];
  return {
    seen,
    events: {
      onStatus: ({ state }: ProcessStatus) => void seen.push(state),
      onDeath: (reason, delayMs) => void seen.push(`${reason}, ${delayMs} ms`),
      onReturn: ({ pid }) => void seen.push(`back as ${pid}`),
    },
  };
}

/** A time that stands still until it is moved, and sleeps that end at once. */
function instantTime(): KeeperTime & { move(milliseconds: number): void } {
  let now = 0;
  return {
    now: () => now,
    sleep: () => Promise.resolve(),
    move: (milliseconds) => {
      now += milliseconds;
    },
  };
}

/** Lets everything run that waits for nothing but promises. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("who dies again and again waits twice as long each time, and the shortest time after a good minute", async () => {
  const time = instantTime();
  const lives = [life(1), life(2), life(3), life(4)];
  const left = [...lives];
  const { events, seen } = recording();
  const keeper = new Keeper("town", () => Promise.resolve(left.shift()!.running), events, time);
  await keeper.start();
  lives[0]!.die("one");
  await settle();
  lives[1]!.die("two");
  await settle();
  time.move(61_000);
  lives[2]!.die("three");
  await settle();
  assert.deepEqual(
    seen.filter((line) => line.includes("ms") || line.includes("back")),
    ["one, 500 ms", "back as 2", "two, 1000 ms", "back as 3", "three, 500 ms", "back as 4"],
  );
  assert.equal(keeper.status.restarts, 3);
  await keeper.stop();
  assert.equal(keeper.status.state, "stopped");
});

test("a start that fails is not tried again; a restart that fails is", async () => {
  const { events, seen } = recording();
  const refused = new Keeper("depot", () => Promise.reject(new Error("no")), events, instantTime());
  await assert.rejects(refused.start(), /no/);
  assert.deepEqual(seen.splice(0), ["starting", "failed"]);
  const [first, third] = [life(1), life(3)];
  const launches = [
    () => Promise.resolve(first.running),
    () => Promise.reject(new Error("still no")),
    () => Promise.resolve(third.running),
  ];
  const keeper = new Keeper("depot", () => launches.shift()!(), events, instantTime());
  await keeper.start();
  first.die("gone");
  await settle();
  assert.deepEqual(seen, [
    "starting",
    "ready",
    "restarting",
    "gone, 500 ms",
    "restarting",
    "still no, 1000 ms",
    "ready",
    "back as 3",
  ]);
  await keeper.stop();
});

test("stopping while it waits for the next try ends the waiting", async () => {
  const { events } = recording();
  const only = life(1);
  const keeper = new Keeper("town", () => Promise.resolve(only.running), events, SYSTEM_TIME);
  await keeper.start();
  only.die("gone");
  await settle();
  assert.equal(keeper.status.state, "restarting");
  await keeper.stop();
  assert.equal(keeper.status.state, "stopped");
});
