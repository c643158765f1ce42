import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { entriesAfter } from "../src/attack.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { until } from "../src/until.ts";

// Sixty homes: the two that lie are numbers 7 and 13 of the fourth feeder, which has fifteen.
const HOMES = 60;

let meterkeep: Meterkeep;
let api: ApiClient;
before(async () => {
  meterkeep = await startMeterkeep({ meters: HOMES });
  api = await ownerClient(meterkeep);
});
after(() => meterkeep.stop());

const intervals = async (): Promise<number> => (await api.call("overview")).counts.intervalsAll;

test("every meter is taken over and read: the field provisional, the depot trusted, the liars set aside", async () => {
  await until(
    "every takeover has ended",
    async () => {
      const { counts } = await api.call("overview");
      return counts.byTakeover["proven"] === counts.meters - 2 && counts.byTakeover["refused"] === 2;
    },
    { patienceMs: 300_000 },
  );
  const { meters, grid, counts } = await api.call("overview");
  const depot = new Set(
    grid?.feeders
      .filter(({ path }) => path === "depot")
      .flatMap(({ homes, transformer }) => [...homes, transformer.meter]),
  );
  for (const meter of meters) {
    const expected =
      meter.takeover === "refused" ? "quarantined" : depot.has(meter.systemTitle) ? "trusted" : "provisional";
    assert.equal(meter.trust, expected, `${meter.label}: ${meter.trustSentence}`);
  }
  assert.equal(counts.byTrust["quarantined"], 2);
});

test("the default answer holds only what decisions may use, and every number opens its evidence and its session", async () => {
  const trusted = (await api.meters()).find(({ trust, role }) => trust === "trusted" && role === "home")!;
  const at = { params: { systemTitle: trusted.systemTitle } };
  await until("a trusted interval is there", async () => (await api.call("profile", at)).rows.length > 0);
  const decisive = await api.call("profile", at);
  const all = await api.call("profile", { ...at, query: { trust: "all" } });
  assert.ok(decisive.leftOut > 0, "ten days of history were captured before the takeover");
  assert.equal(all.rows.length, decisive.rows.length + decisive.leftOut);
  for (const row of decisive.rows) assert.deepEqual([row.trustAtCapture, row.trustNow], ["trusted", "trusted"]);
  const { evidence } = decisive.rows.at(-1)!;
  const shown = await api.call("evidence", { params: { hash: evidence } });
  assert.equal(shown.meter, trusted.systemTitle);
  const { ladder } = await api.call("session", { params: { id: shown.session! } });
  const rests = ladder.filter((step) => step.evidence === evidence).map(({ octets }) => octets);
  assert.equal(rests.join(""), shown.apdu);
});

test("a server that is killed goes on where it was, reads nothing twice and loses no meter", async () => {
  const pid = meterkeep.pids()["server"]!;
  process.kill(pid, "SIGKILL");
  await until("the server is back", async () => {
    if (meterkeep.pids()["server"] === pid) return false;
    return api.call("health").then(
      () => true,
      () => false,
    );
  });
  const before = await intervals();
  await until("new intervals are read", async () => (await intervals()) > before + HOMES);
  const [first] = (await api.meters()).filter(({ takeover }) => takeover === "proven");
  const { rows } = await api.call("profile", {
    params: { systemTitle: first!.systemTitle },
    query: { trust: "all", limit: 1000 },
  });
  const times = rows.map(({ time }) => Date.parse(time));
  assert.equal(new Set(times).size, times.length);
  for (const [n, time] of times.entries())
    if (n > 0) assert.equal(time - times[n - 1]!, 900_000, "no interval is missing");
  assert.equal((await api.meters()).filter(({ takeover }) => takeover === "proven").length, HOMES + 2);
});

test("a thief with the head-end's credentials seals nothing and darkens no home", async () => {
  const before = (await api.call("ledger", { query: { source: "head-end", limit: 1 } })).head!.size;
  const { status, stdout, stderr } = await meterkeep.command(["drill", "break-in", "--json"]);
  assert.equal(status, 0, stderr);
  const report = JSON.parse(stdout) as Awaited<ReturnType<typeof drillOf>>;
  assert.deepEqual(
    // A meter that the depot let go of late is read when it is there: nobody waits for it.
    [report.state, report.asked, report.sealed, report.dark, report.readBack + (report.onItsWay ?? 0)],
    ["done", HOMES + 1, 0, 0, HOMES],
  );
  const refusals = new Map<string, number>();
  for (const { outcome, code } of report.items)
    refusals.set(`${outcome} ${code}`, (refusals.get(`${outcome} ${code}`) ?? 0) + 1);
  assert.deepEqual(Object.fromEntries(refusals), {
    "refused command-token-missing": HOMES,
    "refused method-not-offered": 1,
  });
  const entries = await entriesAfter(api, "head-end", before - 1);
  assert.ok(entries.some(({ kind }) => kind === "drill-started"));
});

const drillOf = (id: string) => api.call("drill", { params: { id } });

test("a custodian that is stopped is noticed and said on the page, and everything goes on by itself when it runs again", async () => {
  const unreachable = async (): Promise<boolean> =>
    (await api.call("overview")).warnings.some(({ code }) => code === "custodian-unreachable");
  const custodian = meterkeep.pids()["custodian"]!;
  process.kill(custodian, "SIGSTOP");
  try {
    await until("the page warns", unreachable, { patienceMs: 240_000, everyMs: 250 });
    assert.equal((await api.call("health")).status, "degraded");
    // Longer than any call waits: what hung on the old connection is given up.
    await sleep(10_000);
    assert.ok(await unreachable());
  } finally {
    process.kill(custodian, "SIGCONT");
  }
  await until("the warning is gone", async () => !(await unreachable()), { patienceMs: 240_000, everyMs: 250 });
  assert.equal(meterkeep.pids()["custodian"], custodian, "nobody had to start it again");
  const before = await intervals();
  await until("meters are read again", async () => (await intervals()) > before, { patienceMs: 240_000 });
});
