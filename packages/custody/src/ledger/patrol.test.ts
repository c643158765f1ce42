import assert from "node:assert/strict";
import { after, test } from "node:test";
import { edgeOf, type Finding, postgresLedgerStore } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import type { Pool } from "pg";
import { postgresCustodyStore } from "../store/postgres-store.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import type { CustodySite } from "../testing/custody-site.ts";
import { headEndFor } from "../testing/key-service-bench.ts";
import { asOwner } from "../testing/owned-database.ts";
import { ownedLedgers, peopleAt } from "../testing/owned-ledger.ts";
import { testCredential } from "../testing/test-credential.ts";
import { DecidingQuestions } from "./deciding-questions.ts";
import { leafJudge } from "./entry-macs.ts";
import { ALTERED, FOREIGN } from "./named-findings.ts";
import { DEFAULT_PATROL_SETTINGS, LedgerPatrol } from "./patrol.ts";

const ledgers = ownedLedgers();
const { open, siteOn, again, stateOf, troubleOf, bodiesOf, seen, thaw, takenOver, openSession } = ledgers;
after(() => ledgers.dispose());

/** A pass through the whole ledger, and what follows from it. */
async function patrol(site: CustodySite): Promise<void> {
  await ledgers.patrol(site);
  for (let sweep = 0; sweep < 2; sweep += 1) await site.custody.sweep();
  await site.custody.ledger.tick();
}

test("what the database keeps from whoever decides by it and shows to whoever reads it through is hidden, and found", async () => {
  await using database = await open();
  const site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  await takenOver(site);
  const headEnd = headEndFor("acme", testCredential("acme").certificate);
  await world.agreed(() => site.custody.service.enrolHeadEnd({ headEnd, reason: "a test" }, OPERATOR));
  await site.stop();
  const kinds = [
    ...["authority-recorded", "change-executed", "head-end-enrolled", "custodian-started", "ledger-key-announced"],
    ...["counters-reserved", "takeover-recorded", "key-states-changed"],
  ];
  const hidden = await asOwner(database.adminUrl, async (owner) => {
    const { rows } = await owner.query<{ sequence: string }>(
      "select max(sequence) as sequence from ledger where kind = any($1) group by kind",
      [kinds],
    );
    const sequences = rows.map(({ sequence }) => Number(sequence)).sort((one, other) => one - other);
    await owner.query("alter table ledger enable row level security");
    await owner.query(
      `create policy look on ledger for select using (not (sequence = any('{${sequences.join()}}')) or current_query() like '%sequence > greatest(%')`,
    );
    return sequences;
  });
  assert.equal(hidden.length, kinds.length);
  // As a custodian would ask that did not look at the rules of its database.
  const pool = createPool(database.url, { applicationName: "custodian" });
  try {
    const store = postgresCustodyStore(pool);
    store.ledger.foreign.judgeBy(leafJudge(site.vault));
    const questions = new DecidingQuestions(store);
    const reads = questions.noting(store.ledger);
    await reads.ofKinds(["head-end-enrolled", "head-end-removed"]);
    await reads.lastOf(["custodian-started"], "custodian", "*");
    const marks = await reads.ofKinds(["authority-recorded"]);
    assert.equal(
      marks.some(({ sequence }) => hidden.includes(sequence)),
      false,
      "what is hidden is hidden",
    );
    const ledger = await asOwner(database.adminUrl, (owner) => edgeOf(postgresLedgerStore(owner)));
    const watch = new LedgerPatrol({
      ledger: store.ledger,
      edge: async () => ledger,
      questions,
      settings: DEFAULT_PATROL_SETTINGS,
      now: () => 1,
    });
    while (!(await watch.tick()));
    const found = store.ledger.foreign.findings.flatMap(({ from, to, fault }: Finding) =>
      Array.from({ length: to - from + 1 }, (_, at) => `${fault} ${from + at}`),
    );
    assert.deepEqual(found.sort(), hidden.map((sequence) => `hidden ${sequence}`).sort());
  } finally {
    await pool.end();
  }
});

test("a database that answers by the question is refused at a start, and halts a running custodian until that is gone", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await AuthorityWorld.open(site);
  const owner = (text: string) => asOwner(database.adminUrl, (pool) => pool.query(text));
  await patrol(site);
  await owner("alter table ledger enable row level security; create policy all_of_it on ledger using (true)");
  ledgers.clock.now += 10_001;
  await assert.rejects(site.custody.patrol(), { code: "ledger-under-rules" });
  const told = await troubleOf(site);
  assert.equal(told?.code, "ledger-under-rules");
  assert.match(told?.message ?? "", /row level security of ledger/);
  await assert.rejects(openSession(site), { code: "ledger-under-rules" });
  await site.stop();
  await assert.rejects(again(database, site), { code: "ledger-under-rules" });
  await owner("drop policy all_of_it on ledger; alter table ledger disable row level security");
  site = await again(database, site);
  assert.equal(await troubleOf(site), undefined);
});

/** A stopped custodian whose rows of counters, three blocks on, are put back to what they were, the marks since being called something else. */
async function olderCounters(database: Awaited<ReturnType<typeof open>>) {
  let site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  await takenOver(site);
  await site.stop();
  const older = await asOwner(database.adminUrl, async (pool) => ({
    rows: (await pool.query("select * from send_counters")).rows,
    size: Number((await pool.query("select max(sequence) as size from ledger")).rows[0].size),
  }));
  for (let block = 0; block < 3; block += 1) {
    site = await again(database, site);
    await openSession(site);
    await site.stop();
  }
  const used = await asOwner(database.adminUrl, async (pool) => {
    const next = await nextIn(pool);
    for (const { key_version: version, next: before, mac } of older.rows)
      await pool.query("update send_counters set next = $2, mac = $3 where key_version = $1", [version, before, mac]);
    const renamed = await pool.query(
      "update ledger set kind = 'nothing-much' where kind = 'counters-reserved' and sequence > $1",
      [older.size],
    );
    assert.equal(renamed.rowCount, 3);
    return next;
  });
  return { site, world, used };
}

/** Up to where the counters are reserved, by the newest mark that there is. */
async function nextIn(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ next: number }>(
    "select (body::jsonb->>'next')::int as next from ledger where kind = 'counters-reserved' order by sequence desc limit 1",
  );
  return rows[0]?.next ?? 0;
}

test("a row of counters that was put back gives none out twice once its newer marks are found to be gone", async () => {
  await using database = await open();
  const { site: stopped, used } = await olderCounters(database);
  const next = () => asOwner(database.adminUrl, nextIn);
  let site = await again(database, stopped);
  await patrol(site);
  assert.equal((await troubleOf(site))?.code, ALTERED);
  const before = await next();
  assert.ok(before < used, "this is what the attack is for");
  await site.stop();
  // Another process knows of it by the ledger alone.
  site = await again(database, site);
  await openSession(site);
  assert.ok((await next()) - 64 >= used, `${before} -> ${await next()}, used up to ${used}`);
});

test("a line of which the ledger knows nothing is refused while something is wrong that people have not seen, and begins above it then", async () => {
  await using database = await open();
  const { site: stopped, world, used } = await olderCounters(database);
  await asOwner(database.adminUrl, async (pool) => {
    await pool.query("delete from send_counters");
    await pool.query("update ledger set kind = 'nothing-much' where kind = 'counters-reserved'");
  });
  const site = await again(database, stopped);
  await patrol(site);
  await assert.rejects(openSession(site), { code: "record-refused" });
  const refused = (await site.store.ledger.ofKinds(["record-refused"])).at(-1);
  assert.match(refused?.body ?? "", /until people have thawed/);
  await thaw(world, site);
  await openSession(site);
  assert.ok((await asOwner(database.adminUrl, nextIn)) - 64 >= used);
});

test("what people have accepted and was put right since is told once more where it is wrong again, start or no start", async () => {
  await using database = await open();
  let site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  const alter = (text: string) =>
    asOwner(database.adminUrl, (pool) => pool.query(`update ledger set body = ${text} where sequence = 4`));
  const accept = async () => {
    assert.match((await troubleOf(site))?.message ?? "", /^entry 4 of the ledger: changed/);
    assert.match((await stateOf(site)).frozen?.reason ?? "", /entry 4/);
    await thaw(world, site);
    // As long as it is wrong it is told no more.
    await patrol(site);
    assert.equal(await troubleOf(site), undefined);
  };
  await alter("body || ' '");
  await patrol(site);
  await accept();
  await alter("rtrim(body)");
  await patrol(site);
  await alter("body || ' '");
  await patrol(site);
  await accept();
  await alter("rtrim(body)");
  await patrol(site);
  await site.stop();
  await alter("body || ' '");
  site = await again(database, site);
  await patrol(site);
  await accept();
  const named = (await bodiesOf(site, ALTERED)).map(({ accepted, mended }) =>
    accepted ? "seen" : mended ? "right" : "wrong",
  );
  assert.deepEqual(named, ["wrong", "seen", "right", "wrong", "seen", "right", "wrong", "seen"]);
});

test("a thaw from before something was named accepts nothing of it", async () => {
  await using database = await open();
  const site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  await seen(site, 200);
  await ledgers.alter(database, "kind like 'seen-%' and sequence % 2 = 0");
  await ledgers.patrol(site);
  // So many are named at once, and the others by the next look.
  await site.custody.sweep();
  assert.equal((await bodiesOf(site, ALTERED)).length, 64);
  await peopleAt(world, site).change("thaw", { since: (await stateOf(site)).frozen?.since });
  for (let sweep = 0; sweep < 3; sweep += 1) await site.custody.sweep();
  const named = await bodiesOf(site, ALTERED);
  assert.deepEqual([named.length, named.filter(({ accepted }) => accepted)], [100, []]);
  assert.equal((await troubleOf(site))?.code, ALTERED);
});

test("what somebody else has appended is what it is to the patrol, and seals that are among it are no seals", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await AuthorityWorld.open(site);
  await site.stop();
  await asOwner(database.adminUrl, (pool) => ledgers.forge(pool, { kind: "critical-sealed", body: {} }));
  site = await again(database, site);
  assert.equal((await stateOf(site)).trouble, undefined, "as many seals are kept as the ledger has");
  await patrol(site);
  assert.deepEqual([(await bodiesOf(site, ALTERED)).length, (await bodiesOf(site, FOREIGN)).length], [0, 1]);
  assert.equal((await troubleOf(site))?.code, FOREIGN);
});
