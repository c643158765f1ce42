import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { PlausibilityView, Problem, ReadingList, SettledDisputes } from "@meterkeep/api";
import { rows } from "@meterkeep/headend";
import { startTestServer, type TestServer } from "../testing/test-server.ts";

const TITLES = ["4D4B560000000001", "4D4B560000000002"] as const;
const NOON = Date.parse("2026-11-21T12:00:00Z");
const SPAN = { from: new Date(NOON).toISOString(), to: new Date(NOON + 3_600_000).toISOString() } as const;

let server: TestServer;
before(async () => {
  server = await startTestServer();
  const { inventory, pool, scope } = server.context;
  const meter = {
    kind: "simulated",
    profile: "idis-p2",
    securitySuite: 0,
    manufacturer: "Maker",
    model: "MKV",
  } as const;
  await inventory.add(
    TITLES.map((systemTitle) => ({ ...meter, systemTitle, firmware: "1.0", holders: [], shipment: "5".repeat(32) })),
    new Date(),
  );
  await pool.query("update trust set state = 'trusted'");
  await pool.query(
    `with e as (
       insert into evidence (utility_id, island_id, hash, meter_id, octets, plain, protection, received_at, trust_at_capture)
       select utility_id, island_id, sha256(system_title), meter_id, system_title, system_title, 'authenticated', now(),
         'trusted' from meters where utility_id = $1 and island_id = $2 returning *
     ), f as (
       insert into plausibility_findings (utility_id, island_id, rule, subject_kind, subject, meter_id, from_at, to_at,
         found_at, severity, confidence, disputes, sentence, data)
       select utility_id, island_id, 'P-8', 'meter', meter_id::text, meter_id, $3, $4, now(), 'alert', 1, true, '', '{}'
       from e
     )
     insert into register_readings (utility_id, island_id, meter_id, obis, at, received_at, number_value, unit, source,
       evidence_id, protection, trust_at_capture)
     select utility_id, island_id, meter_id, '1-0:1.8.0', $4, now(), 7, 'Wh', 'session', evidence_id, 'authenticated',
       'trusted' from e`,
    [...scope.place, SPAN.from, SPAN.to],
  );
});
after(() => server?.[Symbol.asyncDispose]());

test("disputes of two meters are looked at, then settled by an approver who is named in the ledger; nobody else may", async () => {
  const otto = await server.person("Otto", ["approver"]);
  const rita = await server.person("Rita", ["operator"]);
  const body = { verdict: "accepted", meters: TITLES, ...SPAN, reason: "the clock was seen to" } as const;
  const settle = async (cookie: string, more: object = {}) => {
    const answer = await server.post("/api/v1/disputes/settle", { ...body, ...more }, { cookie });
    return { status: answer.status, body: (await answer.json()) as SettledDisputes & Problem };
  };
  const decisive = async () => {
    const answer = await server.get(`/api/v1/meters/${TITLES[0]}/readings`, { cookie: otto.cookie });
    return ((await answer.json()) as ReadingList).readings.map(({ standing }) => standing);
  };
  const refused = await settle(rita.cookie);
  assert.deepEqual([refused.status, refused.body.code], [403, "scope-missing"]);
  const tried = await settle(otto.cookie, { dryRun: true });
  assert.deepEqual(
    tried.body.meters.map(({ meter, registers, intervals }) => [meter, registers, intervals]),
    TITLES.map((title) => [title, 1, 0]),
  );
  assert.deepEqual(await decisive(), [], "it was looked at, and nothing more");
  const unseen = await settle(otto.cookie);
  assert.deepEqual([unseen.status, unseen.body.code], [400, "body-invalid"]);
  const { digest } = tried.body;
  const other = await settle(otto.cookie, { digest: digest.replace(/^2/, "1") });
  assert.deepEqual([other.status, other.body.code], [409, "dispute-changed"]);
  assert.match(other.body.detail ?? "", /meters: 1 then, 2 now\); look again/);
  assert.deepEqual(await decisive(), []);
  const turned = await settle(otto.cookie, { dryRun: true, meters: TITLES.toReversed() });
  assert.equal(turned.body.digest, digest, "in whatever order they are asked for");
  assert.equal((await settle(otto.cookie, { digest })).status, 200);
  assert.deepEqual(await decisive(), ["accepted"]);
  const { ledger, pool } = server.context;
  const entries = (await ledger.read(0, 1000)).filter(({ kind }) => kind === "dispute-settled");
  assert.deepEqual(
    entries.map(({ principal, meter, body: said }) => [
      principal,
      meter,
      (JSON.parse(said) as { reason: string }).reason,
    ]),
    TITLES.map((title) => ["Otto", title, body.reason]),
  );
  // What was looked at, and how far it went: it can be held against the database afterwards.
  const seen = await rows<{ seen_to: string }>(pool, "select seen_to from dispute_decisions order by decision_id");
  assert.deepEqual(
    entries.map(({ body: said }) => {
      const { digest: looked, seenTo } = JSON.parse(said) as { digest: string; seenTo: number };
      return [looked, seenTo];
    }),
    seen.map(({ seen_to }) => [digest, Number(seen_to)]),
  );
  const kept = await rows<{ sequence: string }>(pool, "select sequence from dispute_decisions order by decision_id");
  assert.deepEqual(
    kept.map(({ sequence }) => Number(sequence)),
    entries.map(({ sequence }) => sequence),
  );
  const answer = await server.get("/api/v1/plausibility?limit=1", { cookie: otto.cookie });
  const [view] = ((await answer.json()) as PlausibilityView).findings;
  assert.ok(view);
  assert.deepEqual([view.standing, view.decision?.by, view.decision?.reason], ["accepted", "Otto", body.reason]);
});

test("a settlement of nothing, of no time or of too much is refused in words", async () => {
  const { cookie } = await server.person("Olga", ["approver"]);
  const refusal = async (more: object) => {
    const body = { verdict: "rejected", meters: [TITLES[0]], ...SPAN, reason: "x", digest: "x", ...more };
    const answer = await server.post("/api/v1/disputes/settle", body, { cookie });
    return [answer.status, ((await answer.json()) as Problem).code];
  };
  assert.deepEqual(await refusal({ rule: "P-1" }), [404, "dispute-unknown"]);
  assert.deepEqual(await refusal({ to: SPAN.from }), [400, "body-invalid"]);
  assert.deepEqual(await refusal({ from: "1970-01-01T00:00:00Z" }), [400, "body-invalid"]);
});

test("an export is answered as a file of its kind and form; events have no form in CIM", async () => {
  const { cookie } = await server.person("Eva", ["operator"]);
  const asked = async (what: string, format: string) => {
    const query = `format=${format}&from=${SPAN.from}&to=${SPAN.to}&trust=all`;
    const answer = await server.get(`/api/v1/export/${what}?${query}`, { cookie });
    const [first = ""] = (await answer.text()).split("\r\n");
    return [answer.status, answer.headers.get("content-disposition") ?? "", first.split(",").slice(0, 3).join()];
  };
  assert.deepEqual(await asked("registers", "csv"), [200, 'attachment; filename="registers.csv"', "meter,obis,unit"]);
  assert.deepEqual(await asked("events", "csv"), [200, 'attachment; filename="events.csv"', "meter,time,log"]);
  assert.equal((await asked("events", "cim"))[0], 400);
});
