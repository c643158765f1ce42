import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { TakeoverState } from "@meterkeep/api/custodian";
import type { SystemTitle } from "@meterkeep/dlms";
import { Ledger, memoryLedgerStore } from "@meterkeep/ledger";
import { openHeadEndDatabase, testMeter } from "../testing/database.ts";
import { WALL_SOURCE_CLOCK } from "../time/source-clock.ts";
import { meterSummaries } from "../view/meter-summary.ts";
import { LANES } from "../work/lease.ts";
import { postgresWorkQueue } from "../work/postgres-queue.ts";
import { notInService } from "./not-in-service.ts";
import { TakeoverWatch, type TakeoverWatchPorts } from "./takeover-watch.ts";

const nothing = async () => ({ meters: [], at: 0 });
const NOW = Date.parse("2026-11-21T12:00:00Z");

type TestDatabase = Awaited<ReturnType<typeof openHeadEndDatabase>>;

/** A watch over what the test's custodian says. */
const testWatch = (
  { pool, scope }: TestDatabase,
  ports: Pick<TakeoverWatchPorts, "custodian"> & Partial<TakeoverWatchPorts>,
) =>
  new TakeoverWatch({
    pool,
    scope,
    ledger: new Ledger(memoryLedgerStore()),
    queue: postgresWorkQueue(pool, scope),
    clockOf: () => WALL_SOURCE_CLOCK,
    now: () => NOW,
    onChange: () => undefined,
    ...ports,
  });

/** What the custodian says of a meter that it has taken over and proven. */
const proven = (meter: SystemTitle, more: Partial<TakeoverState> = {}): TakeoverState => ({
  meter,
  phase: "done",
  step: "done",
  grade: "shielded",
  verdict: "proven",
  provenAt: NOW - 60_000,
  steps: [],
  holders: ["Maker"],
  sentence: "Proven.",
  ...more,
});

test("what the depot has proven raises trust from the moment it was proven, is ledgered, and makes the meter due", async () => {
  await using database = await openHeadEndDatabase(4);
  const { pool, scope, meters, inventory } = database;
  const titles = meters.map(({ title }) => title);
  await inventory.placeOnGrid({
    utility: "utility",
    island: "island",
    substation: { id: "s", name: "S" },
    feeders: [
      {
        id: "f",
        name: "F",
        path: "depot",
        transformer: { id: "t", meter: titles[0]!, ratedKva: 100 },
        homes: titles.slice(1, 3).map((meter) => ({ meter, label: meter, phase: "L1" })),
      },
    ],
  });
  const queue = postgresWorkQueue(pool, scope);
  await queue.enrol(
    meters.map(({ id }) => id),
    Number.POSITIVE_INFINITY,
    LANES.reading,
  );
  const states = [
    {},
    { verdict: "keeps-master-key", provenAt: undefined } as const,
    { phase: "in-progress", verdict: "pending", provenAt: undefined } as const,
  ].map((more, at) => proven(meters[at]!.systemTitle, more));
  const ledger = new Ledger(memoryLedgerStore());
  const asked: number[] = [];
  const watch = testWatch(database, {
    custodian: {
      compromisedSince: nothing,
      takeoverStates: async ({ meters: wanted }) => {
        asked.push(wanted.length);
        return { states: states.filter(({ meter }) => wanted.some((title) => Buffer.from(title).equals(meter))) };
      },
    },
    ledger,
    queue,
  });
  assert.equal(await watch.look("depot"), 3);
  assert.equal(await watch.look("depot"), 1);
  assert.deepEqual(asked, [3, 1], "what is done is not asked for again, and meters of the field not at all");
  const lines = await meterSummaries(pool, scope, () => WALL_SOURCE_CLOCK, NOW);
  assert.deepEqual(
    lines.map(({ trust, takeover }) => [trust, takeover]),
    [
      ["trusted", "proven"],
      ["quarantined", "refused"],
      ["held", "under-way"],
      ["held", "shipped"],
    ],
  );
  const entries = await ledger.read(0, 10);
  assert.deepEqual(entries.map(({ kind, meter }) => [kind, meter]).sort(), [
    ["trust-changed", titles[0]],
    ["trust-changed", titles[1]],
    ["trust-changed", titles[2]],
  ]);
  const { rows } = await pool.query("select effective from trust_history where state = 'trusted'");
  assert.equal((rows[0] as { effective: Date }).effective.getTime(), NOW - 60_000);
  const due = await queue.lease(randomUUID(), { any: 9, onDemand: 0 }, NOW, 60);
  assert.deepEqual(due.map(({ meter }) => meter.title).sort(), titles.slice(0, 2).sort());
});

test("a meter of which the custodian gives no state is quarantined with the reason, until it gives one again", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope, meters } = database;
  const ledger = new Ledger(memoryLedgerStore());
  const state = proven(meters[0]!.systemTitle, { grade: "exposed" });
  let states: TakeoverState[] = [state];
  const told: unknown[] = [];
  const watch = testWatch(database, {
    custodian: { takeoverStates: async () => ({ states }), compromisedSince: nothing },
    ledger,
    onChange: (_, seen, trust) => told.push([seen?.verdict, trust?.reason]),
  });
  const line = async () => {
    const [first] = await meterSummaries(pool, scope, () => WALL_SOURCE_CLOCK, NOW, { ids: [meters[0]!.id] });
    return [first?.trust, first?.takeover];
  };
  await watch.lookAt(meters[0]!.id);
  assert.deepEqual(await line(), ["provisional", "proven"]);
  states = [];
  await watch.lookAt(meters[0]!.id);
  await watch.lookAt(meters[0]!.id);
  assert.deepEqual(await line(), ["quarantined", "proven"]);
  states = [state];
  await watch.lookAt(meters[0]!.id);
  assert.deepEqual(await line(), ["provisional", "proven"]);
  assert.deepEqual(told.slice(0, 2), [
    ["proven", "proven-exposed"],
    [undefined, "record-refused"],
  ]);
  const bodies = (await ledger.read(0, 9)).map(({ body }) => JSON.parse(body) as { to: string; effective: string });
  assert.deepEqual(
    bodies.map(({ to, effective }) => [to, Date.parse(effective) - NOW]),
    [
      ["provisional", -60_000],
      ["quarantined", 0],
      ["provisional", 0],
    ],
    "what came in between is not raised afterwards",
  );
});

test("a key that the custodian marks compromised takes the trust of a finished meter at once, and is asked for once", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope, meters } = database;
  let grade: TakeoverState["grade"] = "shielded";
  const asked: number[] = [];
  const watch = testWatch(database, {
    custodian: {
      takeoverStates: async ({ meters: wanted }) => ({ states: wanted.map((meter) => proven(meter, { grade })) }),
      compromisedSince: async ({ at }) => {
        asked.push(at);
        return grade === "exposed" && at < NOW
          ? { meters: [meters[0]!.systemTitle], at: NOW, meter: meters[0]!.systemTitle }
          : { meters: [], at };
      },
    },
  });
  const trust = async () =>
    (await meterSummaries(pool, scope, () => WALL_SOURCE_CLOCK, NOW)).map((meter) => meter.trust);
  await watch.look("all");
  assert.deepEqual(await trust(), ["trusted", "trusted"]);
  assert.equal(await watch.follow(), 0);
  grade = "exposed";
  assert.equal(await watch.look("all"), 0, "what is finished is not looked at");
  assert.equal(await watch.follow(), 1);
  assert.deepEqual(await trust(), ["provisional", "trusted"]);
  assert.equal(await watch.follow(), 0);
  assert.deepEqual(asked, [0, 0, NOW, NOW]);
});

test("a meter that has left is retired in its line and asked about no more; one that came back is held, of its new shipment", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope, meters, inventory } = database;
  const [meter] = meters as [(typeof meters)[number]];
  let state = proven(meter.systemTitle, {
    phase: "left",
    grade: "exposed",
    provenAt: undefined,
    sentence: "It was given to another owner.",
  });
  const asked: number[] = [];
  const ledger = new Ledger(memoryLedgerStore());
  const watch = testWatch(database, {
    custodian: {
      compromisedSince: nothing,
      takeoverStates: async ({ meters: wanted }) => {
        asked.push(wanted.length);
        return { states: [state] };
      },
    },
    ledger,
  });
  const line = async () => (await meterSummaries(pool, scope, () => WALL_SOURCE_CLOCK, NOW))[0];
  await watch.lookAt(meter.id);
  assert.deepEqual([(await line())?.takeover, (await line())?.trust], ["left", "retired"]);
  assert.equal((await ledger.head()).size, 1);
  assert.equal(await watch.look("all"), 1, "of the two it is only the other that is asked about");
  assert.deepEqual([...(await notInService(pool, scope, [meter.id]))], [meter.id]);
  const back = testMeter(0, { shipment: "6".repeat(32), holders: ["Maker", "Neighbour"] });
  assert.deepEqual(await inventory.left([back, testMeter(1)]), [meter.id]);
  state = {
    ...state,
    phase: "in-progress",
    grade: "none",
    verdict: "pending",
    sentence: "Its keys are being changed.",
  };
  await watch.lookAt(meter.id);
  await inventory.reship([back]);
  assert.deepEqual([(await line())?.takeover, (await line())?.trust], ["under-way", "held"]);
  assert.deepEqual(await inventory.left([back]), []);
  const { shipment, holders } = await inventory.get(meter.title);
  assert.deepEqual([shipment, holders], ["6".repeat(32), ["Maker", "Neighbour"]]);
});
