import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { CustodianCallError } from "@meterkeep/api/custodian";
import { DEFAULT_THRESHOLDS } from "@meterkeep/guard";
import { Ledger, memoryLedgerStore } from "@meterkeep/ledger";
import { NO_BILLING } from "../campaign/billing.ts";
import { commandOperations } from "../campaign/command-operations.ts";
import { type CommandPorts, CommandSessions } from "../campaign/command-sessions.ts";
import { NO_WEATHER } from "../campaign/weather.ts";
import { folderShelf } from "../firmware/shelf.ts";
import { volatileMemory } from "../operation/memory.ts";
import { ChannelTable } from "../reading/channels.ts";
import { countTraffic, keepSimBudgets, parseSimBudgets } from "../route/sim-traffic.ts";
import { SESSION_LIMITS, type SessionLimits } from "../session/line.ts";
import { ScalerTable } from "../session/scaler-table.ts";
import { benchMeter, openCustodian } from "../testing/bench-meter.ts";
import { all, OTTO, openBench, RITA } from "../testing/campaign-bench.ts";
import { openHeadEndDatabase } from "../testing/database.ts";
import { WALL_SOURCE_CLOCK } from "../time/source-clock.ts";
import { meterSummaries } from "../view/meter-summary.ts";
import { CustodianRoom } from "./custodian-room.ts";
import { LANES, type Lease } from "./lease.ts";
import { postgresWorkQueue } from "./postgres-queue.ts";
import { Results } from "./results.ts";
import { dayEnds, SessionRunner, type SessionRunnerPorts } from "./session-runner.ts";
import { Throttle } from "./throttle.ts";

const NOW = Date.parse("2026-11-21T12:00:00Z");

type TestDatabase = Awaited<ReturnType<typeof openHeadEndDatabase>>;

/** A runner at which nothing happens that the test does not provide for. */
function testRunner(
  { pool, scope }: TestDatabase,
  ports: Partial<Omit<SessionRunnerPorts, "custodian">> & {
    readonly custodian: Partial<SessionRunnerPorts["custodian"]>;
  },
  limits: SessionLimits = SESSION_LIMITS,
): SessionRunner {
  const { custodian, ...others } = ports;
  return new SessionRunner(
    {
      custodian: custodian as SessionRunnerPorts["custodian"],
      dial: () => assert.fail("nobody is dialled"),
      commands: { hold: async () => undefined },
      scalers: new ScalerTable(),
      results: new Results(pool, scope, new ChannelTable(pool, scope)),
      moves: { tried: async () => undefined },
      watch: { pushSetUp: async () => undefined, refused: async () => undefined },
      ledger: new Ledger(memoryLedgerStore()),
      scope,
      events: { publish: () => undefined },
      clockOf: () => WALL_SOURCE_CLOCK,
      throttle: new Throttle(),
      room: new CustodianRoom(8),
      now: () => NOW,
      sleep: () => assert.fail("nobody waits"),
      random: () => 0,
      onChange: () => undefined,
      onOtherWord: () => assert.fail("it was accepted"),
      onSession: () => assert.fail("there was none"),
      ...others,
    },
    { limits, collecting: { everySeconds: 0 } },
  );
}

/** One meter that is dialled at an address. */
async function addressed({ meters, inventory }: TestDatabase) {
  const [meter] = meters as [TestDatabase["meters"][number]];
  await inventory.setAddresses("simulated", [
    { systemTitle: meter.title, wan: { kind: "tcp", host: "127.0.0.1", port: 1 } },
  ]);
  return meter;
}

test("a meter whose record the custodian refuses is quarantined once, with the reason in the ledger", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope } = database;
  const { title, id } = await addressed(database);
  const queue = postgresWorkQueue(pool, scope);
  const ledger = new Ledger(memoryLedgerStore());
  const refuse = () => Promise.reject(new CustodianCallError("record-refused", `meter ${title}: record-put-back`));
  const sentences: string[] = [];
  const runner = testRunner(database, {
    custodian: { nextContact: refuse },
    ledger,
    events: { publish: (_type, _data, line) => sentences.push(line?.sentence ?? "") },
  });
  for (let turn = 0; turn < 2; turn += 1) {
    await queue.due([id], NOW, LANES.onDemand, "read");
    const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, NOW + 3_600_000, 60);
    await runner.run(lease!, new AbortController().signal);
  }
  const [line] = await meterSummaries(pool, scope, () => WALL_SOURCE_CLOCK, NOW);
  assert.equal(line?.trust, "quarantined");
  assert.match(line?.trustSentence ?? "", /refuses its record/);
  const entries = await ledger.read(0, 9);
  assert.deepEqual(
    entries.map(({ kind, meter, body }) => [kind, meter, (JSON.parse(body) as { reason: string }).reason]),
    [["trust-changed", title, "record-refused"]],
  );
  assert.match(sentences.join(), /is quarantined now/);
});

test("the depot has a meter until it is taken over, and one that had left and came back is sought in the field", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope } = database;
  const { title, id } = await addressed(database);
  await database.inventory.placeOnGrid({
    utility: "utility",
    island: "island",
    substation: { id: "s", name: "S" },
    feeders: [{ id: "f", name: "F", path: "depot", transformer: { id: "t", meter: title, ratedKva: 100 }, homes: [] }],
  });
  const queue = postgresWorkQueue(pool, scope);
  let asked = 0;
  const wait = () => {
    asked += 1;
    return Promise.reject(new CustodianCallError("meter-busy", "somebody else asks"));
  };
  const runner = testRunner(database, { custodian: { nextContact: wait }, onSession: () => undefined });
  const turn = async () => {
    await queue.due([id], NOW, LANES.takeover);
    const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, NOW + 3_600_000, 60);
    return (await runner.run(lease!, new AbortController().signal)).dueAt;
  };
  await turn();
  assert.equal(asked, 0);
  await pool.query(
    "insert into trust_history (utility_id, island_id, meter_id, state, decided_at, effective, reason, sentence) select utility_id, island_id, meter_id, 'retired', now(), now(), 'left', 'It left.' from meters",
  );
  await turn();
  assert.equal(asked, 1);
});

test("a meter that the custodian says has left is not tried again: it is looked at anew, and then left alone", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope } = database;
  const { title, id } = await addressed(database);
  await pool.query("update takeovers set phase = 'done', verdict = 'proven'");
  const queue = postgresWorkQueue(pool, scope);
  let asked = 0;
  const refuse = () => {
    asked += 1;
    return Promise.reject(new CustodianCallError("meter-left", `meter ${title} has left: it is retired`));
  };
  const looked: string[] = [];
  const runner = testRunner(database, {
    custodian: { openSession: refuse },
    onOtherWord: (meter) => looked.push(meter.title),
    onSession: () => undefined,
  });
  const turn = async () => {
    await queue.due([id], NOW, LANES.onDemand, "read");
    const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, NOW + 3_600_000, 60);
    return (await runner.run(lease!, new AbortController().signal)).dueAt;
  };
  assert.equal(await turn(), NOW + 3_600_000);
  assert.deepEqual([asked, looked], [1, [title]]);
  // As the watch writes what the custodian says.
  await pool.query("update takeovers set phase = 'left'");
  assert.equal(await turn(), Number.POSITIVE_INFINITY);
  assert.equal(asked, 1, "the custodian is not asked for it again");
  const [line] = await meterSummaries(pool, scope, () => WALL_SOURCE_CLOCK, NOW);
  assert.deepEqual([line?.takeover, line?.stale], ["left", false]);
});

test("a meter whose way is spared is put back until its turn, with its failures as they were; on demand it is read at once", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope } = database;
  const [{ id }] = database.meters as [(typeof database.meters)[number]];
  await pool.query("update takeovers set phase = 'done'");
  const queue = postgresWorkQueue(pool, scope);
  const urgent: boolean[] = [];
  const runner = testRunner(database, {
    custodian: {},
    throttle: {
      admit: (_meter, isUrgent, now) => {
        urgent.push(isUrgent);
        return now + 60_000;
      },
      learn: () => assert.fail("there was no session"),
    },
    events: { publish: () => assert.fail("there is nothing to tell") },
  });
  const run = async (now: number): Promise<number> => {
    const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, now, 60);
    return (await runner.run(lease!, new AbortController().signal)).dueAt;
  };
  await queue.due([id], NOW, LANES.reading);
  await pool.query("update work set attempts = 3");
  assert.equal(await run(NOW), NOW + 60_000);
  assert.deepEqual((await pool.query("select attempts, last_code, leased_by from work")).rows, [
    { attempts: 3, last_code: "way-spared", leased_by: null },
  ]);
  await queue.due([id], NOW, LANES.onDemand, "read");
  await run(NOW);
  assert.deepEqual(urgent, [false, true]);
});

test("a batch's command whose way is spared waits for its turn, and is still asked for then", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope } = database;
  const [{ id }] = database.meters as [(typeof database.meters)[number]];
  await pool.query("update takeovers set phase = 'done'");
  const queue = postgresWorkQueue(pool, scope);
  const urgent: boolean[] = [];
  const admit: Throttle["admit"] = (_meter, isUrgent, now) => {
    urgent.push(isUrgent);
    return now + 60_000;
  };
  const runner = testRunner(database, { custodian: {}, throttle: { admit, learn: () => assert.fail("no session") } });
  await queue.due([id], NOW, LANES.takeover, "command");
  const lease = async (now: number) => (await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, now, 60))[0];
  const first = await lease(NOW);
  assert.equal((await runner.run(first!, new AbortController().signal)).dueAt, NOW + 60_000);
  assert.equal(await lease(NOW + 59_999), undefined);
  const again = await lease(NOW + 60_000);
  assert.deepEqual([again?.onDemand, again?.lane, again?.attempts, urgent], ["command", LANES.takeover, 0, [false]]);
});

test("what the custodian has no room for is put back as it was and still asked for: no failure of the meter, which nobody tried", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope } = database;
  const { id } = await addressed(database);
  await pool.query("update takeovers set phase = 'done'");
  const queue = postgresWorkQueue(pool, scope);
  const room = new CustodianRoom(8);
  const codes = ["too-many-open", "custodian-closing", "too-many-open", "custodian-unreachable"] as const;
  const refuse = async () => {
    throw new CustodianCallError(codes[asked % codes.length]!, "not now");
  };
  let asked = 0;
  const runner = testRunner(database, {
    custodian: { openSession: refuse, nextContact: refuse },
    room,
    throttle: { admit: (_meter, _isUrgent, now) => now, learn: () => assert.fail("nobody was spoken to") },
    moves: { tried: () => assert.fail("nobody was tried") },
    events: { publish: () => assert.fail("there is nothing to tell") },
  });
  const turn = async (now = NOW) => {
    const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, now, 60);
    await runner.run(lease!, new AbortController().signal);
    const { rows } = await pool.query(
      "select attempts, last_code, leased_by, lane, on_demand, due_at > asked_at as later, (select count(*)::integer from sessions) as sessions from work",
    );
    asked += 1;
    return rows[0];
  };
  const free = { attempts: 3, leased_by: null, sessions: 0 };
  await queue.due([id], NOW, LANES.reading);
  await pool.query("update work set attempts = 3");
  assert.deepEqual(await turn(), { ...free, last_code: codes[0], lane: LANES.reading, on_demand: null, later: null });
  await queue.due([id], NOW, LANES.onDemand, "read");
  const again = { ...free, lane: LANES.onDemand, on_demand: "read", later: true };
  assert.deepEqual(await turn(), { ...again, last_code: codes[1] });
  assert.deepEqual(await turn(NOW + 60_000), { ...again, last_code: codes[2] });
  assert.deepEqual([room.places, room.shutUntil - NOW], [1, 2_000], "less is leased, and later");
  await pool.query("update takeovers set phase = 'waiting'");
  assert.deepEqual(await turn(NOW + 60_000), { ...again, last_code: codes[3] });
  // Somebody dialled in, or was found elsewhere: nothing was asked of it, and it waits for no reading.
  await pool.query("update takeovers set phase = 'done'");
  await pool.query("update work set on_demand = null, asked_at = null");
  await queue.due([id], NOW, LANES.onDemand);
  assert.deepEqual(await turn(NOW + 120_000), { ...again, last_code: codes[0], on_demand: null, later: null });
});

/** A campaign of homes that get their supply back, the first handed out, and a runner whose custodian answers as it is told. */
async function openCommand(custodian: Partial<SessionRunnerPorts["custodian"]>, homes = 1) {
  const opened = await openBench(homes);
  const { database, pool, scope, bench, campaigns, newRunner, entries } = opened;
  await addressed(database);
  bench.approved = true;
  const { campaign } = await campaigns.create(all("reconnect", "restore"), RITA);
  await newRunner().look();
  const meter = benchMeter({ now: bench.now, connected: false, rows: [] });
  const now = (): number => bench.now;
  const commands = new CommandSessions({
    pool,
    scope,
    custodian,
    dial: async () => meter(),
    memoryOf: volatileMemory(),
    billing: NO_BILLING,
    weather: NO_WEATHER,
    operations: commandOperations({ destinations: () => [], shelf: folderShelf("/nowhere") }),
    policy: { token: async () => new Uint8Array(8) },
    holding: async () => ({
      thresholds: DEFAULT_THRESHOLDS,
      frozen: undefined,
      clockDoubt: undefined,
      capsLifted: false,
    }),
    clockTrouble: () => undefined,
    clockOf: () => WALL_SOURCE_CLOCK,
    now,
    record: async (kind: string, _: unknown, sentence: string) => void entries.push({ kind, by: "session", sentence }),
  } as unknown as CommandPorts);
  const runner = testRunner(database, { custodian, commands, now, onSession: () => undefined });
  const queue = postgresWorkQueue(pool, scope);
  const target = async () => {
    const { rows } = await pool.query(
      `select t.state, trouble, losses, attempted_at, t.epoch, session_id, expires_at, settled_at is not null as settled, on_demand
       from campaign_targets t join work using (utility_id, island_id, meter_id)`,
    );
    return rows[0];
  };
  const turn = async () => {
    const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, bench.now, 60);
    assert.equal(lease?.onDemand, "command");
    await runner.run(lease!, new AbortController().signal);
    return target();
  };
  return { ...opened, campaign, target, turn };
}

test("MC-17: a command that the custodian has no room for is put back as if nobody had taken it, in its own time, and dropped when that is over", async () => {
  const codes = ["too-many-open", "custodian-closing", "custodian-unreachable"] as const;
  let asked = 0;
  const openSession = async () => {
    const code = codes[asked % codes.length]!;
    asked += 1;
    throw new CustodianCallError(code, "not now");
  };
  const { database, bench, campaigns, newRunner, campaign, target, turn } = await openCommand({ openSession });
  await using _ = database;
  const handedOut = await target();
  assert.equal(handedOut.state, "dispatched");
  for (const _code of codes) {
    assert.deepEqual(await turn(), handedOut);
    bench.now += 60_000;
    await newRunner().look();
    assert.deepEqual(await target(), handedOut, "its time does not grow");
  }
  assert.equal(asked, codes.length);
  assert.equal((await campaigns.view(campaign.id)).campaign.state, "running", "nobody was lost");
  bench.now = handedOut.expires_at.getTime() + 1;
  await newRunner().look();
  const dropped = await target();
  assert.deepEqual([dropped.state, dropped.trouble, dropped.attempted_at], ["stale", null, null]);
});

test("MC-15: what waits for the custodian's room holds up its neighbours, so that they do not come back at once when there is room", async () => {
  const openSession = async () => Promise.reject(new CustodianCallError("custodian-unreachable", "not now"));
  const { database, bench, campaigns, newRunner, campaign, turn } = await openCommand({ openSession }, 2);
  await using _ = database;
  for (let minute = 0; minute < 5; minute += 1) {
    await turn();
    bench.now += 59_000;
    await newRunner().look();
    const { dispatched, waiting } = (await campaigns.view(campaign.id)).campaign.counts;
    assert.deepEqual([dispatched, waiting], [1, 1]);
  }
});

test("a command that had no room while its campaign was paused or stopped waits with it, or is stopped with it", async () => {
  const during: (() => Promise<unknown>)[] = [];
  const openSession = async () => {
    await during.shift()?.();
    throw new CustodianCallError("too-many-open", "not now");
  };
  const { database, bench, campaigns, newRunner, campaign, turn } = await openCommand({ openSession });
  await using _ = database;
  during.push(() => campaigns.decide(campaign.id, "pause", OTTO, "not now"));
  assert.equal((await turn()).state, "waiting");
  await campaigns.decide(campaign.id, "resume", OTTO, "now");
  bench.now += 60_000;
  await newRunner().look();
  during.push(() => campaigns.decide(campaign.id, "stop", OTTO, "enough"));
  const { state, trouble, settled } = await turn();
  assert.deepEqual([state, trouble, settled], ["stopped", null, true]);
});

test("a command that may have been sealed when the custodian went away is never tried again", async () => {
  const open = openCustodian();
  let sealed = 0;
  const custodian = {
    ...open,
    seal: async (request: Parameters<typeof open.seal>[0]) => {
      if (request.items.every(({ token }) => token === undefined)) return open.seal(request);
      sealed += 1;
      throw new CustodianCallError("custodian-unreachable", "it has gone");
    },
  };
  const { database, turn } = await openCommand(custodian as Partial<SessionRunnerPorts["custodian"]>);
  await using _ = database;
  const { state, trouble, attempted_at, on_demand } = await turn();
  assert.deepEqual([sealed, state, trouble, on_demand], [1, "uncertain", "lost", null]);
  assert.ok(attempted_at !== null);
});

test("MC-23: reading waits where the SIM's budget is used up; what people ask for, commands and keys do not", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope } = database;
  const meter = await addressed(database);
  await pool.query("update takeovers set phase = 'done'");
  await keepSimBudgets(pool, scope, parseSimBudgets("cellular=0.001"));
  const [addressedMeter] = await database.inventory.all();
  await countTraffic(pool, scope, [{ meter: addressedMeter!, octets: 1_000, at: NOW }]);
  const queue = postgresWorkQueue(pool, scope);
  const admitted: (string | undefined)[] = [];
  let asked: Lease | undefined;
  const runner = testRunner(database, {
    custodian: {},
    throttle: {
      admit: (_meter, _isUrgent, now) => {
        admitted.push(asked?.onDemand);
        return now + 60_000;
      },
      learn: () => assert.fail("there was no session"),
    },
  });
  const run = async (): Promise<number> => {
    [asked] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, NOW, 60);
    return (await runner.run(asked!, new AbortController().signal)).dueAt;
  };
  await queue.due([meter.id], NOW, LANES.reading);
  assert.equal(await run(), NOW + 6 * 3_600_000);
  assert.deepEqual((await pool.query("select attempts, last_code, leased_by from work")).rows, [
    { attempts: 0, last_code: "sim-budget", leased_by: null },
  ]);
  for (const onDemand of ["read", "verify", "rotate", "command"] as const) {
    await queue.due([meter.id], NOW, LANES.onDemand, onDemand);
    await run();
  }
  assert.deepEqual(admitted, ["read", "verify", "rotate", "command"]);
});

test("what cannot be told of a push set-up costs no reading, and is looked for again until it is told", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope, meters } = database;
  const { id } = await addressed(database);
  await pool.query("update takeovers set phase = 'done'");
  const queue = postgresWorkQueue(pool, scope);
  const told: string[] = [];
  let isLedgerAway = true;
  const meter = benchMeter({
    now: NOW,
    connected: true,
    rows: [{ at: NOW, wattHours: 7_000 }],
    events: [{ at: NOW - 1_000, code: 2 ** 32 - 1 }],
    pushTo: { 0: "198.51.100.7:4059" },
  });
  const runner = testRunner(database, {
    custodian: openCustodian() as SessionRunnerPorts["custodian"],
    dial: async () => meter(),
    watch: {
      pushSetUp: async (_meter, obis, destination) => {
        if (isLedgerAway) throw new CustodianCallError("ledger-halted", "the ledger takes nothing");
        if (destination !== "") told.push(`${obis} ${destination}`);
      },
      refused: async () => undefined,
    },
    onSession: () => undefined,
  });
  const turn = async () => {
    await queue.due([id], NOW, LANES.reading);
    const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, NOW + 3_600_000, 60);
    await runner.run(lease!, new AbortController().signal);
    const { rows } = await pool.query(
      `select last_code, (select count(*)::integer from register_readings) as registers,
         (select count(*)::integer from meter_events where code = 4294967295) as events,
         (select logged_to is not null from interval_coverage) as logged from work`,
    );
    return rows[0];
  };
  const first = await turn();
  assert.equal(meters.length, 1);
  assert.deepEqual(
    [first.last_code, first.registers > 0, first.events, first.logged],
    ["ledger-halted", true, 1, false],
  );
  assert.deepEqual(told, []);
  isLedgerAway = false;
  const second = await turn();
  assert.deepEqual([second.last_code, second.events, second.logged], [null, 1, true]);
  assert.deepEqual(told, ["0-0:25.9.0 198.51.100.7:4059"]);
});

test("totalSeconds: a session that would take longer than all of it may is ended, whatever its meter still promises", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope } = database;
  const { id } = await addressed(database);
  await pool.query("update takeovers set phase = 'done'");
  const queue = postgresWorkQueue(pool, scope);
  const sessions: string[] = [];
  const runner = testRunner(
    database,
    {
      custodian: openCustodian() as SessionRunnerPorts["custodian"],
      // It takes the connection, and answers when the session is over.
      dial: async () => ({
        exchange: (_, signal) =>
          new Promise((_resolve, reject) =>
            signal.addEventListener("abort", () =>
              reject(Object.assign(new Error("the session took too long"), { code: "exchange-aborted" })),
            ),
          ),
        [Symbol.asyncDispose]: async () => undefined,
      }),
      sleep: async () => undefined,
      onSession: (_, { outcome, code }) => sessions.push(`${outcome} ${code}`),
    },
    { totalSeconds: 0.05 },
  );
  await queue.due([id], NOW, LANES.onDemand, "read");
  const [lease] = await queue.lease(randomUUID(), { any: 1, onDemand: 0 }, NOW, 60);
  const { dueAt } = await runner.run(lease!, new AbortController().signal);
  assert.deepEqual(sessions, ["lost exchange-aborted"]);
  assert.ok(dueAt > NOW, "it comes back");
  assert.equal(SESSION_LIMITS.totalSeconds, 300);
});

test("logs and days' ends are read once when a day has ended, all days that a meter was away for, and a late one again", () => {
  const [hour, day] = [3_600_000, 86_400_000];
  const midnight = Date.parse("2026-11-21T00:00:00Z");
  const ours = [{ effective: midnight - 10 * day, state: "trusted" }] as const;
  const at = (now: number, loggedTo?: number, daysTo?: number) =>
    dayEnds(
      {
        trustHistory: ours,
        ...(loggedTo === undefined ? {} : { loggedTo }),
        ...(daysTo === undefined ? {} : { daysTo }),
      },
      now,
    );
  assert.deepEqual(at(midnight + hour), { eventsFrom: "whole", daysFrom: midnight - 10 * day }, "since it is ours");
  const away = at(midnight + hour, midnight - 5 * day, midnight - 5 * day);
  assert.deepEqual(away, { eventsFrom: midnight - 6 * day, daysFrom: midnight - 5 * day + 1_000 }, "five days away");
  assert.deepEqual(at(midnight + 2 * hour, midnight + hour, midnight), {}, "it is all there");
  const late = at(midnight + 2 * hour, midnight + hour, midnight - day);
  assert.deepEqual(late, { daysFrom: midnight - day + 1_000 }, "it had not stored the day when it was asked");
  assert.deepEqual(at(midnight + 4 * hour, midnight + hour, midnight - day), {}, "until the next day ends");
});
