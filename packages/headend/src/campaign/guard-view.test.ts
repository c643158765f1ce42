import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { test } from "node:test";
import type { Custodian } from "@meterkeep/api/custodian";
import { DEFAULT_THRESHOLDS, RULE_IDS, thresholds, writeCanonical } from "@meterkeep/guard";
import { type HeadEndDatabase, openHeadEndDatabase, testTitle } from "../testing/database.ts";
import { insertQuarantineItem } from "./campaign-store.ts";
import { FleetCensus } from "./fleet-census.ts";
import { GuardView } from "./guard-view.ts";
import { openPolicyKey } from "./policy-key.ts";
import { HeardRefusals } from "./refusals.ts";

const NOW = Date.UTC(2026, 10, 18, 10);
const HOMES = 40;
/** Two that certify meters, one below the other, and one that is revoked. */
const AUTHORITIES = [
  { authority: "aa", name: "Devices", profile: "root", state: "standing" },
  { authority: "bb", name: "Batch 7", profile: "issuing", state: "standing" },
  { authority: "cc", name: "Lost", profile: "issuing", state: "revoked" },
];
const BELOW: Readonly<Record<string, number>> = { aa: 12, bb: 5, cc: 7 };

function viewOf({ pool, scope }: HeadEndDatabase, heard = new HeardRefusals()): GuardView {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const approver = { roles: ["security"], key: "passkey" as const, credentialId: new Uint8Array(0), enrolledAt: NOW };
  const authority = {
    approvers: [
      { ...approver, id: "ben", name: "Ben" },
      { ...approver, id: "zoe", name: "Zoe", suspended: { since: NOW, by: "Ben", reason: "left" } },
    ],
    policyServices: [{ name: "policy", enrolledAt: NOW }],
    thresholds: writeCanonical(thresholds, DEFAULT_THRESHOLDS),
    founding: false,
    page: "",
    counts: { day: 1, dayCap: 4, tenMinutes: 1, tenMinutesCap: 4 },
    unsettled: 0,
  };
  const leases = [
    {
      handheld: "van 3",
      meters: [{ meter: testTitle(0) }, { meter: testTitle(1), rotatedAt: NOW }, { meter: testTitle(2) }],
    },
  ];
  return new GuardView({
    sql: pool,
    scope,
    census: new FleetCensus(pool, scope, () => NOW),
    custodian: {
      authorityState: async () => authority as unknown as Awaited<ReturnType<Custodian["authorityState"]>>,
      authorities: async () => ({ authorities: AUTHORITIES as never, address: "" }),
      revocationEffect: async ({ authority: id }) => ({ meters: BELOW[id] ?? 0 }) as never,
      fieldReport: async () => ({ report: JSON.stringify({ handhelds: [], leases }) }),
    },
    policy: openPolicyKey(privateKey.export({ format: "pem", type: "pkcs8" }).toString()),
    heard,
    now: () => NOW,
  });
}

test("the reach of whoever asks with whoever approves ends at the caps, and nobody reaches a home alone", async () => {
  await using database = await openHeadEndDatabase(HOMES);
  const { pool, scope } = database;
  await pool.query("update meters set role = 'home'");
  const admit = (name: string, role: string) =>
    pool.query(
      `insert into people (utility_id, island_id, person_id, name, roles, created_at) values ($1, $2, $3, $4, $5, $6)`,
      [...scope.place, randomUUID(), name, [role], new Date(NOW)],
    );
  await admit("Rita", "operator");
  await admit("Ada", "auditor");
  const { reach, used, meters, times } = await viewOf(database).blastRadius();
  assert.deepEqual([meters, used.day, used.dayCap], [HOMES, 1, 4]);
  const of = (kind: string) =>
    reach.filter((one) => one.kind === kind).map((one) => [one.name, one.meters, one.metersInTenMinutes]);
  assert.deepEqual(of("person"), [
    ["Rita", 0, 0],
    ["Ben", 0, 0],
  ]);
  // A tenth of a small town, whatever the floors say.
  assert.deepEqual(of("pair"), [
    ["Rita and Ben", 4, 4],
    ["Ben and a head-end that was taken over", 4, 4],
  ]);
  // Each row is proven by a drill, may be, or says why it cannot.
  for (const { kind, drill, undrilled } of reach)
    assert.equal(undrilled === undefined, kind === "worker" || kind === "policy-service", `${kind} ${drill?.id}`);
  assert.deepEqual(of("worker"), [["a process of the head-end", 0, 0]]);
  assert.deepEqual(of("policy-service"), [["policy", 0, 0]]);
  assert.deepEqual(of("key"), [["the keys of any one meter", 1, 1]]);
  // What was lent opens a meter until that has shown new keys.
  assert.deepEqual(of("handheld"), [["van 3", 2, 2]]);
  assert.deepEqual(
    of("firmware").map(([, count]) => count),
    [HOMES],
  );
  // Of an authority those meters that are below it, and no others that happen to have certificates.
  assert.deepEqual(of("authority"), [
    ["Devices (root)", 12, 12],
    ["Batch 7 (issuing)", 5, 5],
  ]);
  // Of a load profile of 5 760 quarters of an hour.
  assert.equal(times.autonomyHours, 1440);
  assert.deepEqual(of("island"), [[scope.island, HOMES, HOMES]]);
});

test("each rule is shown with its numbers, and with what it refused last, here or at the custodian", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope } = database;
  const campaign = randomUUID();
  await pool.query(
    `insert into campaigns (utility_id, island_id, campaign_id, operation, parameters, words, command_class, direction,
       selection, sameness, requester, requester_id, reason, note, work_order, urgency, created_at, not_before, not_after,
       dry_run, targets, load_w, waves, state, sentence)
     values ($1, $2, $3, 'disconnect', '{}', 'disconnect', 'C3', 'off', '{}', '', 'Rita', 'rita', 'safety', '', '',
       'ordinary', $4, $4, $4, '{}', 0, 0, '[]', 'quarantined', '')`,
    [...scope.place, campaign, new Date(NOW)],
  );
  for (const [minutes, sentence] of [
    [5, "the older"],
    [1, "the newer"],
  ] as const)
    await insertQuarantineItem(pool, scope, {
      campaign,
      rules: ["MC-01", "MC-10"],
      sentence,
      meters: [testTitle(0), testTitle(1)],
      loadW: 800,
      releasable: false,
      at: NOW - minutes * 60_000,
    });
  const heard = new HeardRefusals();
  const seal = (code: string, detail: string) =>
    heard.noteSeal({ at: NOW, principal: "head-end", body: JSON.stringify({ code, message: "refused", detail }) });
  seal("command-token-missing", "");
  seal("command-token-not-accepted", "1 of 2 people have approved, the requester not among them");
  seal("cap-reached", "10 such commands count in ten minutes (MC-02)");
  const { rules } = await viewOf(database, heard).rules();
  assert.deepEqual(
    rules.map(({ id }) => id),
    RULE_IDS,
  );
  assert.ok(rules.every(({ now }) => now !== ""));
  const last = (id: string) => rules.find((rule) => rule.id === id)?.last;
  assert.deepEqual(last("MC-01"), {
    at: new Date(NOW - 60_000).toISOString(),
    sentence: "the newer",
    by: "Rita",
    meters: 2,
    campaign,
  });
  for (const id of ["MC-02", "MC-07", "MC-20"]) assert.equal(last(id)?.by, "head-end", id);
  assert.equal(last("MC-22"), undefined);
});
