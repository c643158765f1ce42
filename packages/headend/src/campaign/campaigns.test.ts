import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { CommandOrder } from "@meterkeep/api";
import { CustodianCallError } from "@meterkeep/api/custodian";
import { SessionError } from "@meterkeep/dlms";
import { folderShelf } from "../firmware/shelf.ts";
import type { Meter } from "../inventory/meter.ts";
import { countTraffic, keepSimBudgets, parseSimBudgets } from "../route/sim-traffic.ts";
import { all, CELLULAR, DAY, HOMES, OTTO, openBench, RITA } from "../testing/campaign-bench.ts";
import { testTitle } from "../testing/database.ts";
import { WALL_SOURCE_CLOCK } from "../time/source-clock.ts";
import { LANES } from "../work/lease.ts";
import { postgresWorkQueue } from "../work/postgres-queue.ts";
import { commandOperations } from "./command-operations.ts";
import { type CommandPorts, CommandSessions } from "./command-sessions.ts";

const EVER = { from: "2020-01-01T00:00:00Z", to: "2099-01-01T00:00:00Z" };

/** Carries out what is handed to it as far as to the custodian, which finds each request too long. */
function sessionsThatFail(
  { pool, scope, bench }: Pick<Awaited<ReturnType<typeof openBench>>, "pool" | "scope" | "bench">,
  tooLong = "too long",
): CommandSessions {
  return new CommandSessions({
    pool,
    scope,
    operations: commandOperations({ destinations: () => [], shelf: folderShelf("/nowhere") }),
    clockOf: () => WALL_SOURCE_CLOCK,
    memoryOf: () => ({}),
    now: () => bench.now,
    custodian: { openSession: async () => Promise.reject(new SessionError("request-too-long", tooLong)) },
  } as unknown as CommandPorts);
}

test("a disconnect of everybody is quarantined as a whole, with rules, meters and requester; nothing is sent", async () => {
  const { database, pool, campaigns, entries } = await openBench();
  await using _ = database;
  const { campaign, dryRun } = await campaigns.create(all("disconnect", "safety"), RITA);
  assert.equal(campaign.state, "quarantined");
  assert.ok(dryRun.findings.some(({ rule }) => rule === "MC-10"));
  assert.ok(dryRun.findings.some(({ rule }) => rule === "MC-01"));
  const [item] = await campaigns.quarantine("waiting", 10);
  assert.deepEqual([item?.requester, item?.meters, item?.releasable], ["Rita", HOMES, false]);
  assert.deepEqual(
    entries.map(({ kind, by }) => [kind, by]),
    [
      ["command-alarm", "Rita"],
      ["command-quarantined", "Rita"],
    ],
  );
  const { rowCount } = await pool.query("select 1 from work where on_demand = 'command'");
  assert.equal(rowCount, 0);
  await assert.rejects(campaigns.release(item?.id ?? "", RITA, "mine"), { code: "same-person" });
  await assert.rejects(campaigns.release(item?.id ?? "", OTTO, "let it go"), { code: "quarantine-not-releasable" });
  assert.equal((await campaigns.discard(item?.id ?? "", OTTO, "wrong server command")).state, "discarded");
});

test("MC-15: reconnecting everybody waits for approval, then comes a few of a transformer at a time, whoever runs it", async () => {
  const { database, pool, bench, campaigns, newRunner } = await openBench();
  await using _ = database;
  const { campaign } = await campaigns.create(all("reconnect", "restore"), RITA);
  assert.equal(campaign.state, "awaiting-approval");
  await newRunner().look();
  assert.equal((await campaigns.view(campaign.id)).campaign.state, "awaiting-approval");
  bench.approved = true;
  // Two at once, as after a failover: each move is made once.
  await Promise.all([newRunner().look(), newRunner().look()]);
  const first = await campaigns.view(campaign.id);
  assert.equal(first.campaign.state, "running");
  assert.equal(first.history.filter(({ what }) => what === "wave").length, 1);
  assert.equal(first.campaign.counts.dispatched, 1);
  bench.now += 60_000;
  await newRunner().look();
  assert.equal((await campaigns.view(campaign.id)).campaign.counts.dispatched, 5);
  const { rowCount } = await pool.query("select 1 from work where on_demand = 'command'");
  assert.equal(rowCount, 5);
});

test("a campaign that only reads waits for nobody: it is running from the first, and begins at its time", async () => {
  const { database, bench, campaigns, newRunner } = await openBench();
  await using _ = database;
  const notBefore = new Date(bench.now + 3_600_000).toISOString();
  const { campaign, manifest } = await campaigns.create({ ...all("registers", "maintenance"), notBefore }, RITA);
  assert.deepEqual([campaign.state, manifest], ["running", undefined]);
  const served = async () => {
    await newRunner().look();
    const { campaign: seen, waves } = await campaigns.view(campaign.id);
    return [seen.state, seen.counts.dispatched, waves[0]?.state];
  };
  assert.deepEqual(await served(), ["running", 0, "ahead"]);
  await campaigns.decide(campaign.id, "pause", OTTO, "not now");
  const resumed = await campaigns.decide(campaign.id, "resume", OTTO, "now");
  assert.equal(resumed.campaign.state, "running");
  bench.now += 3_600_000;
  assert.deepEqual(await served(), ["running", HOMES, "under-way"]);
});

test("a batch of many meters is due a few hundred at a time, and what is asked of one of them comes before it", async () => {
  const meters = 520;
  const { database, pool, scope, bench, campaigns, newRunner } = await openBench(meters);
  await using _ = database;
  const { campaign } = await campaigns.create(all("registers", "maintenance"), RITA);
  const look = async (): Promise<number> => {
    bench.now += 1_000;
    await newRunner().look();
    return (await campaigns.view(campaign.id)).campaign.counts.dispatched;
  };
  assert.deepEqual([await look(), await look()], [500, 500], "no more than are served");
  const lease = async (any: number) =>
    postgresWorkQueue(pool, scope).lease(randomUUID(), { any, onDemand: 0 }, bench.now, 60);
  assert.deepEqual([(await lease(15)).length, await look()], [15, 515]);
  // Asked last, of a meter that the batch has made due as well.
  const [last] = (
    await pool.query<{ meter_id: number; title: string }>(
      `select meter_id, upper(encode(system_title, 'hex')) as title from meters join work using (utility_id, island_id, meter_id)
     where on_demand = 'command' and leased_by is null order by due_at desc, meter_id desc limit 1`,
    )
  ).rows as [{ meter_id: number; title: string }];
  const selection = { kind: "list" as const, meters: [last.title] };
  const one = await campaigns.create({ operation: "events", parameters: EVER, reason: "maintenance", selection }, RITA);
  assert.equal(await look(), 515);
  const [first] = await lease(1);
  assert.deepEqual([first?.meter.id, first?.onDemand, first?.lane], [last.meter_id, "command", LANES.onDemand]);
  const held = await sessionsThatFail({ pool, scope, bench }).hold(first!, new AbortController().signal);
  assert.equal(held?.command.campaign, one.campaign.id, "and the batch's is done after it");
  // Whose way is spared is not due, and keeps nobody from its turn.
  await pool.query("update work set due_at = $1 where leased_by is null", [new Date(bench.now + 300_000)]);
  assert.equal(await look(), meters);
});

test("a runner that finds its campaign moved by another, which died before it handed anything out, goes on in the same look", async () => {
  const { database, bench, campaigns, newRunner } = await openBench();
  await using _ = database;
  const { campaign } = await campaigns.create(all("reconnect", "restore"), RITA);
  bench.approved = true;
  bench.meanwhile = async () => {
    bench.meanwhile = async () => undefined;
    const dying = newRunner({ parts: () => Promise.reject(new Error("killed")) });
    await assert.rejects(dying.look(), /killed/);
    assert.equal((await campaigns.view(campaign.id)).campaign.state, "running");
  };
  await newRunner().look();
  const { history, campaign: now } = await campaigns.view(campaign.id);
  assert.equal(history.filter(({ what }) => what === "wave").length, 1);
  assert.equal(now.counts.dispatched, 1);
});

test("MC-15: a pause and a short outage put off what waits, and do not bunch it or drop it", async () => {
  const { database, pool, bench, campaigns, newRunner } = await openBench();
  await using _ = database;
  bench.approved = true;
  const { campaign } = await campaigns.create(all("reconnect", "restore"), RITA);
  const dispatched = async () => (await campaigns.view(campaign.id)).campaign.counts.dispatched;
  await newRunner().look();
  await pool.query("update campaign_targets set state = 'done', attempted_at = due_at where state = 'dispatched'");
  await campaigns.decide(campaign.id, "pause", RITA, "lunch");
  bench.now += 40 * 60_000;
  await campaigns.decide(campaign.id, "resume", RITA, "back");
  await newRunner().look();
  assert.equal(await dispatched(), 0, "fifteen seconds are still to go");
  bench.now += 15_000;
  await newRunner().look();
  assert.equal(await dispatched(), 1);
  bench.now += 10 * 60_000;
  await newRunner().look();
  assert.equal(await dispatched(), 1, "nobody looked for ten minutes: nothing of it is due at once");
  bench.now += 15_000;
  await newRunner().look();
  assert.deepEqual([await dispatched(), (await campaigns.view(campaign.id)).campaign.counts.stale], [2, 0]);
});

test("MC-15: homes of one transformer come back at its pace in however many requests they are asked for", async () => {
  const { database, pool, bench, campaigns, newRunner } = await openBench();
  await using _ = database;
  bench.approved = true;
  for (let at = 0; at < 12; at += 1)
    await campaigns.create(
      { operation: "reconnect", reason: "restore", selection: { kind: "list", meters: [testTitle(at)] } },
      RITA,
    );
  const dispatched = async () =>
    (await pool.query("select 1 from campaign_targets where state = 'dispatched'")).rowCount ?? 0;
  await newRunner().look();
  const first = await dispatched();
  assert.ok(first >= 1 && first <= Math.max(1, Math.floor(HOMES / 10)), `${first} at once`);
  await newRunner().look();
  assert.equal(await dispatched(), first);
  for (let minute = 0; minute < 12 && (await dispatched()) < 12; minute += 1) {
    bench.now += 60_000;
    await newRunner().look();
  }
  assert.equal(await dispatched(), 12, "nobody is left out, reached or not");
});

test("MC-04: the watts of all campaigns count together, those that are only under way as well", async () => {
  const { database, pool, bench, campaigns, newRunner } = await openBench();
  await using _ = database;
  bench.approved = true;
  for (const at of [0, 1]) {
    const selection = { kind: "list" as const, meters: [testTitle(at)] };
    await campaigns.create({ operation: "reconnect", reason: "restore", selection }, RITA);
  }
  await newRunner().look();
  // The same as if they had been approved to switch off: 3 kW each, where ten minutes of forty homes allow 4.
  await pool.query(
    `insert into campaigns select (jsonb_populate_record(c, jsonb_build_object('campaign_id', gen_random_uuid(), 'direction',
       'off', 'operation', 'disconnect', 'words', c.campaign_id))).* from campaigns c`,
  );
  await pool.query(
    `insert into campaign_targets select (jsonb_populate_record(t, jsonb_build_object('campaign_id', c.campaign_id,
       'state', 'waiting', 'load_w', 3000))).* from campaign_targets t join campaigns c on c.words = t.campaign_id::text`,
  );
  const off = async () =>
    (
      await pool.query(
        `select 1 from campaign_targets join campaigns using (utility_id, island_id, campaign_id)
         where direction = 'off' and campaign_targets.state = 'dispatched'`,
      )
    ).rowCount;
  await newRunner().look();
  await newRunner().look();
  assert.equal(await off(), 1);
});

test("what another person releases from quarantine is for the time that it was asked for, and only once", async () => {
  const { database, pool, bench, campaigns } = await openBench();
  await using _ = database;
  const tomorrow = new Date(bench.now + 86_400_000).toISOString();
  const meters = Array.from({ length: 11 }, (_one, at) => testTitle(at));
  const order: CommandOrder = {
    operation: "clock",
    parameters: { mostSeconds: 60 },
    selection: { kind: "list", meters },
    reason: "maintenance",
    notBefore: tomorrow,
    hours: 2,
  };
  const held = await campaigns.create(order, RITA);
  assert.deepEqual([held.campaign.state, held.dryRun.findings[0]?.rule], ["quarantined", "MC-16"]);
  const [item] = await campaigns.quarantine("waiting", 1);
  const { campaign } = await campaigns.release(item?.id ?? "", OTTO, "they are new here");
  assert.equal(campaign.state, "awaiting-approval");
  const { rows } = await pool.query("select not_before, not_after from campaigns where campaign_id = $1", [
    campaign.id,
  ]);
  assert.deepEqual(rows, [{ not_before: new Date(tomorrow), not_after: new Date(Date.parse(tomorrow) + 7_200_000) }]);
  const [released] = await campaigns.quarantine("released", 1);
  assert.equal(released?.id, item?.id);
  await assert.rejects(campaigns.release(item?.id ?? "", OTTO, "again"), { code: "quarantine-unknown" });
});

test("MC-16: one command from another network makes no habit of it, and somebody else looks at the next for many", async () => {
  const { database, bench, campaigns } = await openBench();
  await using _ = database;
  let next = 0;
  const ask = async (network: string, meters: number) => {
    const list = Array.from({ length: meters }, () => testTitle(next++));
    const selection = { kind: "list", meters: list } as const;
    const order: CommandOrder = {
      operation: "clock",
      parameters: { mostSeconds: 60 },
      selection,
      reason: "maintenance",
    };
    const { campaign, dryRun } = await campaigns.create(order, { ...RITA, network });
    return [campaign.state, dryRun.findings.map(({ rule, effect }) => `${rule} ${effect}`).join()];
  };
  const home = "10.1.2.0/24";
  const away = "10.9.9.0/24";
  for (let day = 0; day < 5; day += 1) {
    assert.deepEqual(await ask(home, 1), ["awaiting-approval", ""]);
    bench.now += DAY;
  }
  assert.deepEqual(await ask(away, 1), ["awaiting-approval", "MC-16 warn"]);
  assert.deepEqual(await ask(away, 2), ["quarantined", "MC-16 quarantine"]);
  const [item] = await campaigns.quarantine("waiting", 1);
  bench.now += 60_000;
  assert.deepEqual(await ask(away, 2), ["quarantined", "MC-16 quarantine"]);
  await campaigns.release(item?.id ?? "", OTTO, "she is at the other office");
  assert.deepEqual(await ask(away, 2), ["awaiting-approval", ""]);
});

test("a manifest that the custodian does not take holds up no other campaign", async () => {
  const { database, bench, campaigns, newRunner, refuse } = await openBench();
  await using _ = database;
  const order = (at: number): CommandOrder => ({
    operation: "clock",
    parameters: { mostSeconds: 60 },
    selection: { kind: "list", meters: [testTitle(at)] },
    reason: "maintenance",
  });
  const first = await campaigns.create(order(0), RITA);
  refuse.push(new CustodianCallError("too-many-open", "nobody has approved 100"));
  bench.now += 1_000;
  const second = await campaigns.create(order(1), RITA);
  bench.approved = true;
  await assert.rejects(newRunner().look(), { code: "too-many-open" });
  assert.equal((await campaigns.view(first.campaign.id)).campaign.state, "awaiting-approval");
  assert.equal((await campaigns.view(second.campaign.id)).campaign.state, "running");
  await newRunner().look();
  assert.equal((await campaigns.view(first.campaign.id)).campaign.state, "running");
});

test("meters of transformers get what switches nothing, and are no homes to be switched", async () => {
  const { database, pool, campaigns } = await openBench();
  await using _ = database;
  await pool.query("update meters set role = 'transformer' where system_title = decode($1, 'hex')", [testTitle(0)]);
  const selection = { kind: "list" as const, meters: [testTitle(0)] };
  const clock = { operation: "clock", parameters: { mostSeconds: 60 }, reason: "maintenance", selection } as const;
  assert.equal((await campaigns.dryRun(clock, RITA)).selected, 1);
  const order = { operation: "reconnect", reason: "restore", selection } as const;
  assert.equal((await campaigns.dryRun(order, RITA)).selected, 0);
});

test("MC-17: what was due while nobody ran is dropped and not run late", async () => {
  const { database, bench, campaigns, newRunner } = await openBench();
  await using _ = database;
  bench.approved = true;
  const { campaign } = await campaigns.create(all("reconnect", "restore"), RITA);
  await newRunner().look();
  bench.now += 3_600_000;
  await newRunner().look();
  const { counts } = (await campaigns.view(campaign.id)).campaign;
  assert.deepEqual([counts.stale, counts.dispatched, counts.waiting], [HOMES, 0, 0]);
  const [target] = await campaigns.targets(campaign.id, { state: "stale", limit: 1 });
  assert.equal(target?.rule, "MC-17");
});

test("MC-19: the kill switch pauses what runs, and a stopped campaign sends nothing more", async () => {
  const { database, bench, campaigns, newRunner } = await openBench();
  await using _ = database;
  bench.approved = true;
  const { campaign } = await campaigns.create(all("reconnect", "restore"), RITA);
  await newRunner().look();
  bench.frozen = "a drill";
  await newRunner().look();
  const paused = await campaigns.view(campaign.id);
  assert.deepEqual([paused.campaign.state, paused.campaign.counts.dispatched], ["paused", 0]);
  // Who is dark is what people want to know then.
  assert.equal((await campaigns.create(all("registers", "maintenance"), RITA)).campaign.state, "running");
  const stopped = await campaigns.decide(campaign.id, "stop", OTTO, "enough");
  assert.deepEqual([stopped.campaign.state, stopped.campaign.counts.stopped], ["stopped", HOMES]);
  await assert.rejects(campaigns.decide(campaign.id, "resume", OTTO, "again"), { code: "campaign-not-so" });
});

test("MC-18: the same again is refused while the first is not over", async () => {
  const { database, campaigns } = await openBench(2);
  await using _ = database;
  const order: CommandOrder = {
    operation: "clock",
    parameters: { mostSeconds: 60 },
    selection: { kind: "list", meters: [testTitle(0)] },
    reason: "maintenance",
  };
  assert.equal((await campaigns.create(order, RITA)).campaign.state, "awaiting-approval");
  const again = await campaigns.create(order, OTTO);
  assert.equal(again.campaign.state, "quarantined");
  assert.deepEqual(
    again.dryRun.findings.map(({ rule }) => rule),
    ["MC-18"],
  );
});

test("a whole feeder is limited at once by the grid while three people have lifted the caps, and not before", async () => {
  const { database, bench, campaigns, newRunner } = await openBench();
  await using _ = database;
  const order: CommandOrder = { ...all("grid-limit", "grid"), urgency: "emergency" };
  const held = await campaigns.create(order, RITA);
  assert.equal(held.campaign.state, "quarantined");
  assert.deepEqual([...new Set(held.dryRun.findings.map(({ rule }) => rule))].sort(), [
    "MC-01",
    "MC-02",
    "MC-04",
    "MC-16",
  ]);
  bench.capsLifted = true;
  bench.approved = true;
  const { campaign, dryRun } = await campaigns.create(order, RITA);
  assert.deepEqual([campaign.state, dryRun.people], ["awaiting-approval", 3]);
  assert.ok(dryRun.findings.every(({ effect }) => effect === "warn"));
  await newRunner().look();
  assert.equal((await campaigns.view(campaign.id)).campaign.counts.dispatched, HOMES);
});

test("MC-10: what no work order stands behind takes three people, be it a single home", async () => {
  const { database, campaigns } = await openBench();
  await using _ = database;
  const one: CommandOrder["selection"] = { kind: "list", meters: [testTitle(0)] };
  const order: CommandOrder = { operation: "grid-limit", reason: "grid", urgency: "emergency", selection: one };
  assert.equal((await campaigns.dryRun(order, RITA)).people, 3);
  // Whoever names an order has it looked at: the billing office of this head-end is silent.
  const { verdict, findings } = await campaigns.dryRun({ ...order, workOrder: "WO-1" }, RITA);
  assert.deepEqual([verdict, findings.map(({ rule }) => rule)], ["quarantined", ["MC-10"]]);
});

test("MC-14: a relay that reads back otherwise stops the campaign, and nobody else is served", async () => {
  const { database, pool, bench, campaigns, newRunner } = await openBench();
  await using _ = database;
  bench.approved = true;
  const { campaign } = await campaigns.create(all("reconnect", "restore"), RITA);
  await newRunner().look();
  // What the session of the first home would have written.
  await pool.query(
    `update campaign_targets set state = 'failed', rule = 'MC-14', trouble = 'unexpected', attempted_at = $1, settled_at = $1
     where state = 'dispatched'`,
    [new Date(bench.now)],
  );
  await newRunner().look();
  const { campaign: ended } = await campaigns.view(campaign.id);
  assert.deepEqual([ended.state, ended.counts.failed, ended.counts.stopped], ["stopped", 1, HOMES - 1]);
  const [spared] = await campaigns.targets(campaign.id, { state: "stopped", limit: 1 });
  assert.equal(spared?.rule, "MC-14");
});

test("what is longer than a meter takes is refused with that sentence: it is no lost meter, and nobody asks again", async () => {
  const { database, pool, scope, bench, campaigns, newRunner } = await openBench(1);
  await using _ = database;
  const selection = { kind: "all" as const };
  await campaigns.create({ operation: "registers", reason: "maintenance", parameters: {}, selection }, RITA);
  bench.now += 60_000;
  await newRunner().look();
  const tooLong = "set 0.0.11.0.0.255/2: the server takes 610 octets at a time";
  const sessions = sessionsThatFail({ pool, scope, bench }, tooLong);
  const [lease] = await postgresWorkQueue(pool, scope).lease(randomUUID(), { any: 1, onDemand: 1 }, bench.now, 60);
  const held = await sessions.hold(lease!, new AbortController().signal);
  const { state, trouble, sentence } = held!.command;
  assert.deepEqual([state, trouble], ["refused", undefined]);
  assert.ok(sentence.endsWith(tooLong), sentence);
});

test("MC-23: what people ask to read is refused beyond its share of the SIM's budget, and not before", async () => {
  const { database, pool, scope, bench, campaigns, entries, newRunner } = await openBench(2);
  await using _ = database;
  const selection = { kind: "all" as const };
  await campaigns.create({ operation: "registers", reason: "maintenance", parameters: {}, selection }, RITA);
  bench.now += 60_000;
  await newRunner().look();
  await keepSimBudgets(pool, scope, parseSimBudgets("cellular=0.001"));
  const [first, second] = await database.inventory.all();
  // On the 18th of 30 days in the morning: half, and 58 % of the other half.
  const carried = (meter: Meter | undefined, octets: number) =>
    countTraffic(pool, scope, [{ meter: { id: meter!.id, route: CELLULAR }, octets, at: bench.now }]);
  await carried(first, 791);
  await carried(second, 790);
  const sessions = new CommandSessions({
    pool,
    scope,
    operations: commandOperations({ destinations: () => [], shelf: folderShelf("/nowhere") }),
    clockOf: () => WALL_SOURCE_CLOCK,
    now: () => bench.now,
    dial: async () => Promise.reject(new Error("reached")),
    record: async (kind: string, _body: unknown, sentence: string) =>
      void entries.push({ kind, by: "session", sentence }),
  } as unknown as CommandPorts);
  const leases = await postgresWorkQueue(pool, scope).lease(randomUUID(), { any: 2, onDemand: 2 }, bench.now, 60);
  const outcome = async (meter: Meter | undefined) => {
    const lease = leases.find((one) => one.meter.id === meter?.id);
    const held = await sessions.hold(lease!, new AbortController().signal).catch(String);
    return typeof held === "object" ? [held.command.state, held.command.rule] : held;
  };
  assert.deepEqual(await outcome(first), ["refused", "MC-23"]);
  assert.notDeepEqual(await outcome(second), ["refused", "MC-23"]);
  assert.match(entries.at(-1)?.sentence ?? "", /the rest of the month's is kept for scheduled reading/);
  const [kept] = await campaigns.quarantine("waiting", 10);
  assert.deepEqual([kept?.rules, kept?.meters], [["MC-23"], 1]);
});
