import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { CampaignView, CommandOrder } from "@meterkeep/api";
import { takenOver } from "../testing/fleet.ts";
import { startTestServer, type TestPerson, type TestServer } from "../testing/test-server.ts";

// The attacks that docs/rules.md is there for, over HTTP against a server with a thousand homes in service. Uttar Pradesh has a
// file of its own; what a head-end that was taken over tries at the custodian is in hostile-head-end.test.ts.

const HOMES = 1000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const titleOf = (number: number): string => `4D4B56${number.toString(16).toUpperCase().padStart(10, "0")}`;

/** A town of ten feeders with ten transformers each, in service, and a billing system with an order for all of it. */
async function town(): Promise<TestServer> {
  const meters = new Set(Array.from({ length: HOMES }, (_, at) => titleOf(at)));
  const server = await startTestServer({
    // Nobody approves here: what goes on waits for people.
    custodian: {
      beginShipment: async () => ({ upload: new Uint8Array(16) }),
      shipmentChunk: async () => ({}),
      submitManifest: async () => ({ hash: "" }),
      manifest: async () => ({ state: "planned", approvedBy: [], people: 1 }),
    } as never,
    billing: {
      workOrder: async (id) => ({
        id,
        reason: "safety",
        meters,
        notBefore: Date.now() - DAY,
        notAfter: Date.now() + 90 * DAY,
        cancelled: false,
      }),
      accounts: async () => new Map(),
    },
  });
  const { pool, scope } = server.context;
  const place = [...scope.place];
  await pool.query(
    `with f as (
       insert into feeders (utility_id, island_id, feeder_id, name, path, substation_id, substation_name, position)
       select $1, $2, 'F' || n, 'F' || n, 'wan', 'S', 'S', n from generate_series(0, 9) n
     )
     insert into transformers (utility_id, island_id, transformer_id, feeder_id, rated_kva)
     select $1, $2, 'T' || n, 'F' || n / 10, 400 from generate_series(0, 99) n`,
    place,
  );
  await pool.query(
    `insert into meters (utility_id, island_id, system_title, kind, role, label, profile, security_suite, manufacturer,
       route, imported_at, feeder_id, transformer_id)
     select $1, $2, decode('4d4b56' || lpad(to_hex(n), 10, '0'), 'hex'), 'simulated', 'home', 'home ' || n, 'idis-p2', 0,
       'Maker', 'tcp://127.0.0.1:9', now(), 'F' || n / 100, 'T' || n / 10 from generate_series(0, $3::integer - 1) n`,
    [...place, HOMES],
  );
  await takenOver(server);
  return server;
}

/** What was carried out before: one meter each time, so long ago, in that direction. */
async function carriedOut(
  { context: { pool, scope } }: TestServer,
  done: readonly { readonly meter: number; readonly agoMilliseconds: number; readonly direction: "off" | "on" }[],
): Promise<void> {
  for (const { meter, agoMilliseconds, direction } of done) {
    const campaign = randomUUID();
    const at = new Date(Date.now() - agoMilliseconds);
    await pool.query(
      `insert into campaigns (utility_id, island_id, campaign_id, operation, parameters, words, command_class, direction,
         selection, sameness, requester, requester_id, reason, note, work_order, urgency, created_at, not_before, not_after,
         dry_run, targets, load_w, waves, state, sentence)
       values ($1, $2, $3, $5, '{}', '', 'C3', $6, '{}', '', 'somebody', 'x', 'safety', '', '', 'ordinary', $4, $4, $4,
         '{}', 1, 400, '[]', 'done', '')`,
      [...scope.place, campaign, at, direction === "off" ? "disconnect" : "reconnect", direction],
    );
    await pool.query(
      `insert into campaign_targets (utility_id, island_id, campaign_id, meter_id, system_title, feeder, transformer, load_w,
         wave, delay_seconds, state, attempted_at, settled_at)
       select utility_id, island_id, $3, meter_id, upper(encode(system_title, 'hex')), feeder_id, transformer_id, 400, 0, 0,
         'done', $5, $5
       from meters where utility_id = $1 and island_id = $2 and system_title = decode($4, 'hex')`,
      [...scope.place, campaign, titleOf(meter), at],
    );
  }
}

async function ask(server: TestServer, by: TestPerson, order: Partial<CommandOrder>): Promise<CampaignView> {
  const response = await server.post(
    "/api/v1/commands",
    { operation: "disconnect", reason: "safety", workOrder: "WO-1", ...order },
    { cookie: by.cookie },
  );
  assert.equal(response.status, 201, await response.clone().text());
  return (await response.json()) as CampaignView;
}

function refusedBy({ dryRun }: CampaignView): readonly string[] {
  return [...new Set(dryRun.findings.filter(({ effect }) => effect !== "warn").map(({ rule }) => rule))].sort();
}

const one = (number: number): CommandOrder["selection"] => ({ kind: "list", meters: [titleOf(number)] });

test("a slow drip: what stays under every cap of a day ends at the cap of a month", async () => {
  await using server = await town();
  const uma = await server.person("Uma", ["operator"]);
  const drip = Array.from({ length: 99 }, (_, at) => ({
    meter: at * 10,
    agoMilliseconds: (2 + Math.floor(at / 4)) * DAY,
    direction: "off" as const,
  }));
  await carriedOut(server, drip);
  assert.equal((await ask(server, uma, { selection: one(995) })).campaign.state, "awaiting-approval");
  const last = await ask(server, uma, { selection: one(5) });
  assert.deepEqual([last.campaign.state, refusedBy(last)], ["quarantined", ["MC-01"]]);
  assert.match(last.dryRun.findings[0]?.sentence ?? "", /in 30 days/);
});

test("oscillation: a fleet that was switched off and on in turns is switched off no more, and reconnecting goes on", async () => {
  await using server = await town();
  const uma = await server.person("Uma", ["operator"]);
  const swing = Array.from({ length: 24 }, (_, at) => ({
    meter: at * 40,
    agoMilliseconds: 60_000 + at * 1000,
    direction: at % 2 === 0 ? ("off" as const) : ("on" as const),
  }));
  await carriedOut(server, swing);
  const next = await ask(server, uma, { selection: one(995) });
  assert.equal(next.campaign.state, "quarantined");
  assert.ok(refusedBy(next).includes("MC-06"), refusedBy(next).join());
  const back = await ask(server, uma, { operation: "reconnect", reason: "restore", selection: one(0) });
  assert.equal(back.campaign.state, "awaiting-approval");
});

test("one transformer: few of the fleet, and all of a street", async () => {
  await using server = await town();
  const uma = await server.person("Uma", ["operator"]);
  const view = await ask(server, uma, { selection: { kind: "transformer", transformer: "T7" } });
  assert.equal(view.campaign.state, "quarantined");
  assert.deepEqual(refusedBy(view), ["MC-03"]);
  assert.equal(view.dryRun.selected, 10);
});

test("injection is counted apart from load: a day's cap of the one leaves the other, in both directions", async () => {
  await using server = await town();
  const uma = await server.person("Uma", ["operator"]);
  const load = Array.from({ length: 50 }, (_, at) => ({
    meter: at * 20,
    agoMilliseconds: 2 * HOUR,
    direction: "off" as const,
  }));
  await carriedOut(server, load);
  const limit = await ask(server, uma, { operation: "grid-limit", selection: one(995) });
  assert.ok(refusedBy(limit).includes("MC-01"), refusedBy(limit).join());
  const turned = (turn: "off" | "on") =>
    ask(server, uma, { operation: "injection-control", parameters: { turn }, reason: "safety", selection: one(995) });
  const [off, on] = [await turned("off"), await turned("on")];
  assert.deepEqual([off.campaign.state, off.dryRun.direction], ["awaiting-approval", "feed-off"]);
  assert.deepEqual([on.campaign.state, on.dryRun.direction], ["awaiting-approval", "feed-on"]);
  const restored = await ask(server, uma, { operation: "grid-restore", reason: "restore", selection: one(0) });
  assert.deepEqual([restored.campaign.state, restored.dryRun.direction], ["awaiting-approval", "on"]);
});

test("a clock that was moved forward opens no window: nothing is switched off by it, however late it says that it is", async () => {
  await using server = await town();
  const uma = await server.person("Uma", ["operator"]);
  server.pass(2 * 60_000);
  const view = await ask(server, uma, { selection: one(1) });
  assert.equal(view.campaign.state, "quarantined");
  assert.deepEqual(refusedBy(view), ["MC-08"]);
  assert.match(view.dryRun.findings[0]?.sentence ?? "", /the clock was set/);
});
