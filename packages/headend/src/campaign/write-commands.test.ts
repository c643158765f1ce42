import assert from "node:assert/strict";
import { test } from "node:test";
import { inTransaction } from "@meterkeep/postgres";
import { all, OTTO, openBench, RITA } from "../testing/campaign-bench.ts";
import { somebodyWaits } from "../testing/interrupted.ts";
import type { Lease } from "../work/lease.ts";
import { enterState } from "./campaign-runner.ts";
import type { CommandOutcome } from "./command-sessions.ts";
import { writeCommands } from "./write-commands.ts";

/** A campaign with one target that somebody has taken, and what becomes of it when it is to be tried again. */
async function openTaken(order = all("reconnect", "restore")) {
  const opened = await openBench(1);
  const { pool, scope, bench, campaigns, newRunner, meters } = opened;
  bench.approved = true;
  const { campaign } = await campaigns.create(order, RITA);
  await newRunner().look();
  const take = () => pool.query("update campaign_targets set state = 'attempted', attempted_at = now(), epoch = 7");
  await take();
  const againAt = bench.now + 60_000;
  const sentence = "It was cut off.";
  const command: CommandOutcome = {
    campaign: campaign.id,
    at: bench.now,
    state: "waiting",
    sentence,
    evidence: [],
    againAt,
  };
  const write = () =>
    inTransaction(pool, (sql) => writeCommands(sql, scope, [{ lease: { meter: meters[0] } as Lease, command }]));
  const target = async () => {
    const { rows } = await pool.query("select state, sentence, due_at, settled_at from campaign_targets");
    return rows[0];
  };
  /** Stops the campaign in a transaction that commits when somebody waits for it, or `act` has come to its end. */
  const stopDuring = async (act: () => Promise<unknown>) => {
    let acting: Promise<unknown> | undefined;
    await inTransaction(pool, async (sql) => {
      await enterState(sql, scope, campaign.id, {
        state: "stopped",
        sentence: "Enough.",
        rule: undefined,
        by: "Otto",
        at: bench.now,
      });
      acting = act();
      await Promise.race([acting, somebodyWaits(pool)]);
    });
    await acting;
  };
  return { ...opened, campaign, take, write, target, againAt, stopDuring };
}

test("what is to be tried again waits with a campaign that was paused meanwhile, and is stopped with one that was stopped", async () => {
  const { database, bench, campaigns, campaign, take, write, target, againAt } = await openTaken();
  await using _ = database;
  await campaigns.decide(campaign.id, "pause", OTTO, "not now");
  await write();
  const waiting = { state: "waiting", sentence: "It was cut off.", due_at: new Date(againAt), settled_at: null };
  assert.deepEqual(await target(), waiting);
  await campaigns.decide(campaign.id, "resume", OTTO, "now");
  await take();
  await campaigns.decide(campaign.id, "stop", OTTO, "enough");
  await write();
  const { state, sentence, settled_at } = await target();
  assert.deepEqual([state, sentence, settled_at], ["stopped", "Stopped by Otto: enough", new Date(bench.now)]);
});

test("nothing waits in a campaign that is being stopped while it is written", async () => {
  const { database, write, target, stopDuring } = await openTaken();
  await using _ = database;
  await stopDuring(write);
  assert.equal((await target()).state, "stopped");
});

test("what was cut off, and switches nothing, does not go on in a campaign that is being stopped while that is noticed", async () => {
  const clock = { ...all("clock", "maintenance"), parameters: { mostSeconds: 60 } };
  const { database, newRunner, target, stopDuring } = await openTaken(clock);
  await using _ = database;
  await stopDuring(() => newRunner().look());
  const { state, sentence, settled_at } = await target();
  assert.deepEqual([state, sentence, settled_at !== null], ["failed", "It was cut off, and is not tried again.", true]);
});
