import assert from "node:assert/strict";
import { test } from "node:test";
import type { CampaignView, DryRun, LedgerPage, QuarantineList, RecentEventList, RuleList } from "@meterkeep/api";
import { takenOver } from "../testing/fleet.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";

const HOMES = 300_000;
/** What a home counts as that was never read, in watts. */
const UNREAD_W = 1000;

/** Homes of one model: a third of the fleet. */
const OF_MODEL = 100_000;

/** A fleet in service, every meter of it taken over and reachable. */
async function settle(server: TestServer): Promise<void> {
  const { pool, scope } = server.context;
  const place = [...scope.place];
  await pool.query(
    `insert into meters (utility_id, island_id, system_title, kind, role, label, profile, security_suite, manufacturer,
       route, imported_at, model)
     select $1, $2, decode('4d4b56' || lpad(to_hex(n), 10, '0'), 'hex'), 'simulated', 'home', 'home ' || n, 'idis-p2', 0,
       'Maker', 'tcp://127.0.0.1:9', now(), case when n <= $4 then 'M-100' else 'M-300' end
     from generate_series(1, $3::integer) n`,
    [...place, HOMES, OF_MODEL],
  );
  await takenOver(server);
  await pool.query("analyze");
}

test("Uttar Pradesh: 300 000 disconnects in one call switch nobody off, are told before they are judged, and say whose they were", async () => {
  await using server = await startTestServer();
  await settle(server);
  const uma = await server.person("Uma", ["operator"]);
  const [tried, cpu] = [performance.now(), process.cpuUsage()];
  const dry = await server.post(
    "/api/v1/commands/dry-run",
    { operation: "disconnect", selection: { kind: "model", model: "M-100" }, reason: "safety" },
    { cookie: uma.cookie },
  );
  const { user, system } = process.cpuUsage(cpu);
  assert.equal(((await dry.json()) as DryRun).selected, OF_MODEL);
  console.log(
    `# PF-8: a dry run of ${OF_MODEL} of ${HOMES} homes took ${((performance.now() - tried) / 1000).toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of CPU of the server`,
  );
  const ravi = await server.person("Ravi", ["approver"]);
  const began = performance.now();
  const beganAt = Date.now();
  const response = await server.post(
    "/api/v1/commands",
    { operation: "disconnect", selection: { kind: "all" }, reason: "safety", note: "server command" },
    { cookie: uma.cookie },
  );
  const seconds = (performance.now() - began) / 1000;
  assert.equal(response.status, 201, await response.clone().text());
  const { campaign, dryRun, manifest } = (await response.json()) as CampaignView;
  assert.deepEqual([campaign.state, campaign.requester, dryRun.selected], ["quarantined", "Uma", HOMES]);
  assert.equal(manifest, undefined);
  const rules = new Set(dryRun.findings.filter(({ effect }) => effect !== "warn").map(({ rule }) => rule));
  for (const rule of ["MC-01", "MC-02", "MC-04", "MC-10", "MC-16"]) assert.ok(rules.has(rule), rule);
  assert.equal(dryRun.loadAtRiskW, HOMES * UNREAD_W);

  // Nothing was handed to anybody: no work, no target.
  const { pool, ledger } = server.context;
  const entries = await ledger.read(0, 1000);
  for (const table of ["work", "campaign_targets"])
    assert.equal((await pool.query(`select 1 from ${table} limit 1`)).rowCount, 0, table);
  // The alarm was raised before anything was expanded, judged or kept, and it names a person.
  const [alarmed, held] = ["command-alarm", "command-quarantined"].map((kind) =>
    entries.find((entry) => entry.kind === kind),
  );
  assert.ok(alarmed !== undefined && held !== undefined && alarmed.sequence < held.sequence);
  assert.equal(alarmed.principal, "Uma");
  const { meters, loadW, rules: beyond } = JSON.parse(alarmed.body) as Record<string, unknown>;
  assert.deepEqual([meters, loadW, beyond], [HOMES, HOMES * UNREAD_W, ["MC-01", "MC-04"]]);
  const alarmSeconds = (alarmed.at - beganAt) / 1000;
  console.log(
    `# 300 000 disconnects in one call: told after ${alarmSeconds} s, judged and kept after ${seconds.toFixed(1)} s`,
  );
  const as = { cookie: ravi.cookie };
  const { events } = (await (await server.get("/api/v1/events/recent", as)).json()) as RecentEventList;
  const alarm = events.find(({ severity, sentence }) => severity === "warning" && sentence.includes("quarantined"));
  assert.match(alarm?.sentence ?? "", /^Uma asks to disconnect the supply on 300000 meters/);
  assert.equal(held.principal, "Uma");
  const { selected, reason } = JSON.parse(held.body) as { selected: number; reason: string };
  assert.deepEqual([selected, reason], [HOMES, "safety"]);
  const page = (await (await server.get("/api/v1/ledger?source=head-end&limit=100", as)).json()) as LedgerPage;
  assert.ok(page.entries.some(({ kind, principal }) => kind === "command-quarantined" && principal === "Uma"));
  // It is kept whole; she cannot release it, and neither can anybody: there is no work order behind it.
  const { items } = (await (await server.get("/api/v1/quarantine", as)).json()) as QuarantineList;
  assert.deepEqual([items.length, items[0]?.meters, items[0]?.releasable], [1, HOMES, false]);
  const release = (cookie: string) =>
    server.post(`/api/v1/quarantine/${items[0]?.id}/release`, { reason: "please" }, { cookie });
  assert.equal((await release(uma.cookie)).status, 403);
  assert.equal((await release(ravi.cookie)).status, 422);
  const { rules: shown } = (await (await server.get("/api/v1/rules", as)).json()) as RuleList;
  assert.equal(shown.length, 23);
  const last = shown.find(({ id }) => id === "MC-01")?.last;
  assert.deepEqual([last?.by, last?.meters, last?.campaign], ["Uma", HOMES, campaign.id]);
});
