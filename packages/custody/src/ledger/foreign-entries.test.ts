import assert from "node:assert/strict";
import { after, test } from "node:test";
import { edgeOf, postgresLedgerStore, rootOf } from "@meterkeep/ledger";
import type { Pool } from "pg";
import { MADE_GOOD } from "../backup/losses.ts";
import { AuthorityWorld, OPERATOR, person } from "../testing/authority-world.ts";
import type { CustodySite } from "../testing/custody-site.ts";
import { asOwner } from "../testing/owned-database.ts";
import { ownedLedgers } from "../testing/owned-ledger.ts";
import { FOREIGN } from "./named-findings.ts";

const ledgers = ownedLedgers();
const { open, siteOn, again, stateOf, troubleOf, bodiesOf, seen, thaw, forge, takenOver, openSession } = ledgers;
after(() => ledgers.dispose());

async function headOf(pool: Pool) {
  const { frontier } = await edgeOf(postgresLedgerStore(pool));
  return { size: frontier.size, root: Buffer.from(rootOf(frontier)).toString("hex") };
}

const foreignIn = (site: CustodySite) => bodiesOf(site, FOREIGN);

test("what is appended to the ledger of a stopped custodian passes over no loss: it is named, freezes, and counts nowhere at any later start", async () => {
  await using database = await open();
  const site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  await world.enrolFurther(person("Carl", "operations"));
  const { file } = await ledgers.makeBackup(site);
  ledgers.clock.now += 3_600_000;
  await site.custody.service.suspendApprover({ approver: "carl", reason: "has left" }, OPERATOR);
  await site.stop();
  await using target = await ledgers.emptyDatabase();
  await ledgers.restoreInto(target, file);
  // The restore is made good before anybody has made it good, and the journal ends where it is said to.
  const entries = await asOwner(target.adminUrl, async (pool) => {
    const { rows } = await pool.query<{ name: string }>(
      "select 'backup ' || backup || ' at ' || restored_ms as name from restorations",
    );
    const losses = rows.map(({ name }) => name);
    await forge(
      pool,
      { kind: MADE_GOOD, body: { losses, frozen: true, again: 0, left: [], leftInAll: 0, strange: 0 } },
      { kind: "withdrawals-begun", body: { before: losses } },
      { kind: "withdrawals-noted", body: { lines: 0, link: "", from: 0, sequence: 999_999 } },
      { kind: "withdrawals-broken", body: { problems: [], marks: [], accepted: true } },
      { kind: FOREIGN, body: { from: 1, to: 999, accepted: true } },
    );
    return postgresLedgerStore(pool).size();
  });
  let back = await siteOn(target, { escrow: site.escrow });
  const [from, to] = [entries - 4, entries];
  const kinds = [MADE_GOOD, "withdrawals-begun", "withdrawals-noted", "withdrawals-broken", FOREIGN];
  assert.deepEqual((await foreignIn(back)).slice(1), [{ from, to, kinds }]);
  assert.ok((await stateOf(back)).approvers.find(({ id }) => id === "carl")?.suspended !== undefined);
  const told = await troubleOf(back);
  assert.equal(told?.code, FOREIGN);
  assert.match(told?.message ?? "", new RegExp(`entries ${from} to ${to} of the ledger: not written by this`));
  assert.match((await stateOf(back)).frozen?.reason ?? "", /not written by this custodian, and counted nowhere/);
  const ends = await back.store.ledger.ofKinds([MADE_GOOD]);
  assert.deepEqual(
    ends.map(({ sequence }) => sequence > to),
    [false, true],
    "the loss is made good by the custodian",
  );
  await back.stop();
  // Start after start, until two people have thawed.
  back = await again(target, back);
  assert.equal((await troubleOf(back))?.code, FOREIGN);
  assert.equal((await foreignIn(back)).length, 2, "it is named once");
  await thaw(world, back);
  await back.stop();
  back = await again(target, back);
  assert.deepEqual([await troubleOf(back), (await stateOf(back)).frozen], [undefined, undefined]);
  assert.ok((await stateOf(back)).approvers.find(({ id }) => id === "carl")?.suspended !== undefined);
});

/** A stopped custodian whose meter has had a session since its counters were copied, and how the copy is put back: row and mark. */
async function olderCounters(database: Awaited<ReturnType<typeof open>>) {
  let site = await siteOn(database);
  const folders = { state: site.state, escrow: site.escrow };
  await takenOver(site);
  await site.stop();
  const markIn = async (pool: Pool) =>
    (await pool.query("select * from ledger where kind = 'counters-reserved' order by sequence desc limit 1")).rows[0];
  const older = await asOwner(database.adminUrl, async (pool) => ({
    rows: (await pool.query("select * from send_counters")).rows,
    mark: await markIn(pool),
  }));
  site = await siteOn(database, folders);
  await openSession(site);
  await site.stop();
  const putBack = () =>
    asOwner(database.adminUrl, async (pool) => {
      assert.notEqual((await markIn(pool)).sequence, older.mark.sequence);
      for (const { key_version: version, next, mac } of older.rows)
        await pool.query("update send_counters set next = $2, mac = $3 where key_version = $1", [version, next, mac]);
      const { kind, principal, utility, island, meter: title, body } = older.mark;
      await forge(pool, { kind, principal, utility, island, meter: title, body: JSON.parse(body) });
    });
  return { folders, putBack };
}

test("an older row of counters does not come back with a copy of the mark that it had", async () => {
  await using database = await open();
  const counters = await olderCounters(database);
  await counters.putBack();
  const site = await siteOn(database, counters.folders);
  await assert.rejects(openSession(site), { code: "record-refused" });
  const refused = (await site.store.ledger.ofKinds(["record-refused"])).at(-1);
  assert.match(refused?.body ?? "", /record-put-back/);
});

test("what is appended to the ledger of a stopped custodian plans no revocation and starts none", async () => {
  await using database = await open();
  const site = await siteOn(database);
  await site.stop();
  const authority = "ab".repeat(20);
  const planned = { plan: "rogue", authority, reason: "cACompromise", meters: 0, certificates: 0 };
  await asOwner(database.adminUrl, (pool) =>
    forge(
      pool,
      { kind: "revocation-planned", body: planned },
      { kind: "revocation-moved", body: { plan: "rogue", move: "start", stage: "refuse", state: "running" } },
    ),
  );
  const back = await again(database, site);
  assert.deepEqual((await back.custody.service.revocations({}, OPERATOR)).plans, []);
  assert.equal((await troubleOf(back))?.code, FOREIGN);
});

test("what is appended under a running custodian costs one write, and counts as little", async () => {
  await using database = await open();
  const site = await siteOn(database);
  await AuthorityWorld.open(site);
  await asOwner(database.adminUrl, (pool) =>
    forge(pool, { kind: "head-end-enrolled", body: { name: "mallory" } }, { kind: "ledger-witnesses", body: {} }),
  );
  await assert.rejects(seen(site), { code: "ledger-forked" });
  await seen(site);
  await site.custody.sweep();
  const [said] = await foreignIn(site);
  assert.deepEqual(said.kinds, ["head-end-enrolled", "ledger-witnesses"]);
  assert.equal((await troubleOf(site))?.code, FOREIGN);
  assert.match((await stateOf(site)).frozen?.reason ?? "", /not written by this custodian/);
});

/** The database refuses new rows of a table, as it does on a full disk. */
const block = (url: string, table: string) =>
  asOwner(url, async (pool) => {
    await pool.query(
      "create or replace function no_more() returns trigger language plpgsql as $$ begin raise exception 'full' using errcode = '53100'; end $$",
    );
    await pool.query(`create trigger no_more before insert on ${table} for each row execute function no_more()`);
  });
const unblock = (url: string, table: string) => asOwner(url, (pool) => pool.query(`drop trigger no_more on ${table}`));

test("nothing is signed over foreign entries before the entry that names them is durable", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await AuthorityWorld.open(site);
  const body = { losses: ["forged"], frozen: true, again: 0, left: [], leftInAll: 0, strange: 0 };
  await asOwner(database.adminUrl, (pool) => forge(pool, { kind: MADE_GOOD, body }));
  const foreign = await site.store.ledger.size();
  await block(database.adminUrl, "ledger");
  await assert.rejects(seen(site));
  ledgers.clock.now += 31_000;
  await assert.rejects(site.custody.ledger.tick());
  assert.ok((site.custody.ledger.state.checkpoint?.checkpoint.size ?? 0) < foreign);
  // It dies before it could say so.
  await site.stop().catch(() => undefined);
  await unblock(database.adminUrl, "ledger");
  site = await again(database, site);
  assert.deepEqual(
    (await foreignIn(site)).map(({ from, to }) => ({ from, to })),
    [{ from: foreign, to: foreign }],
  );
  assert.match((await stateOf(site)).frozen?.reason ?? "", /not written by this custodian/);
});

test("an older row of counters and a copy of its mark give no counter twice under a running custodian either", async () => {
  await using database = await open();
  const counters = await olderCounters(database);
  const site = await siteOn(database, counters.folders);
  const marked = (await site.store.ledger.ofKinds(["counters-reserved"])).length + 1;
  await counters.putBack();
  await assert.rejects(openSession(site), { code: "ledger-forked" });
  for (let at = 0; at < 2; at += 1) await assert.rejects(openSession(site), { code: "record-refused" });
  assert.equal((await site.store.ledger.ofKinds(["counters-reserved"])).length, marked, "the copy, and none besides");
});

test("a restore from a backup and the feed goes on behind what somebody else has written, and knows it", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await AuthorityWorld.open(site);
  const { file } = await ledgers.makeBackup(site);
  const forged = { kind: MADE_GOOD, body: { losses: ["forged"] } };
  await seen(site);
  await asOwner(database.adminUrl, (pool) => forge(pool, forged, forged));
  await assert.rejects(seen(site), { code: "ledger-forked" });
  await seen(site);
  // The same while nobody runs.
  await site.stop();
  await asOwner(database.adminUrl, (pool) => forge(pool, forged));
  site = await again(database, site);
  await seen(site);
  await site.stop();
  await using target = await ledgers.emptyDatabase();
  const { entries, replayed } = await ledgers.restoreInto(target, file, site.escrow);
  const { size, root } = await asOwner(database.adminUrl, (pool) => headOf(pool));
  assert.deepEqual([replayed?.broken, entries], [undefined, size]);
  assert.deepEqual(await asOwner(target.adminUrl, (pool) => headOf(pool)), { size, root });
  const back = await siteOn(target, { escrow: site.escrow });
  assert.deepEqual(
    (await foreignIn(back)).map(({ kinds }) => kinds),
    [[MADE_GOOD], [MADE_GOOD]],
  );
});

test("ends whose MACs are taken off are believed as far as a checkpoint has them", async () => {
  await using database = await open();
  let site = await siteOn(database);
  const restart = async (change: (pool: Pool) => Promise<unknown>) => {
    await site.stop();
    await asOwner(database.adminUrl, change);
    site = await again(database, site);
  };
  const strip = (pool: Pool) => pool.query("update ledger set end_mac = null");
  await restart(strip);
  assert.deepEqual(await foreignIn(site), [], "the stop was signed");
  await restart(async (pool) => {
    await strip(pool);
    await forge(pool, { kind: "custodian-stopped", body: {} });
  });
  assert.deepEqual(
    (await foreignIn(site)).map(({ kinds }) => kinds),
    [["custodian-stopped"]],
  );
});

/** Whoever owns the database lets nothing of a kind be written. */
const withoutWriting = async (url: string, kind: string, act: () => Promise<unknown>) => {
  await asOwner(url, async (pool) => {
    await pool.query(
      `create function not_written() returns trigger language plpgsql as
         $$ begin raise exception 'no' using errcode = 'disk_full'; end $$;
       create trigger not_written before insert on ledger for each row when (new.kind = '${kind}')
         execute function not_written();`,
    );
  });
  await act();
  await asOwner(url, (pool) => pool.query("drop trigger not_written on ledger; drop function not_written()"));
};

const forgedHeadEnd = { kind: "head-end-enrolled", body: { name: "mallory" } };

test("a freeze that was not written is not taken for one that people have ended", async () => {
  await using database = await open();
  const site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  await asOwner(database.adminUrl, (pool) => forge(pool, forgedHeadEnd));
  await assert.rejects(seen(site), { code: "ledger-forked" });
  await seen(site);
  await withoutWriting(database.adminUrl, "kill-switch-on", () => site.custody.sweep().catch(() => undefined));
  assert.equal((await stateOf(site)).frozen, undefined);
  await site.custody.sweep();
  assert.match((await stateOf(site)).frozen?.reason ?? "", /not written by this custodian/);
  await site.custody.sweep();
  assert.equal((await troubleOf(site))?.code, FOREIGN);
  assert.equal((await foreignIn(site)).length, 1);
  await thaw(world, site);
  assert.equal((await foreignIn(site))[1].accepted, true);
});

test("what is found before anybody is enrolled freezes once somebody is, and is accepted by nobody before a thaw", async () => {
  await using database = await open();
  const site = await siteOn(database);
  await asOwner(database.adminUrl, (pool) => forge(pool, forgedHeadEnd));
  await assert.rejects(seen(site), { code: "ledger-forked" });
  await seen(site);
  await site.custody.sweep();
  assert.equal((await troubleOf(site))?.code, FOREIGN);
  const world = await AuthorityWorld.open(site);
  for (let sweep = 0; sweep < 3; sweep += 1) await site.custody.sweep();
  assert.equal((await troubleOf(site))?.code, FOREIGN);
  assert.match((await stateOf(site)).frozen?.reason ?? "", /not written by this custodian/);
  await thaw(world, site);
});

test("a row below the first entry, where the table's check was dropped, is read by nobody", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await site.stop();
  await asOwner(database.adminUrl, async (pool) => {
    await pool.query("alter table ledger drop constraint ledger_sequence_check");
    for (const [sequence, kind, body] of [
      [0, MADE_GOOD, { losses: ["forged"] }],
      [-1, "ledger-witnesses", { witnesses: [] }],
      [-2, "authority-recorded", { revision: 9, mac: "00" }],
    ] as const)
      await pool.query(
        `insert into ledger (sequence, at_ms, kind, principal, utility, island, meter, body, leaf, end_mac)
         values ($1, 1, $2, 'custodian', '*', '*', 'M', $3, sha256('x'), sha256('y'))`,
        [sequence, kind, JSON.stringify(body)],
      );
  });
  site = await again(database, site);
  const { ledger, authority } = site.store;
  assert.deepEqual(await ledger.ofKinds([MADE_GOOD]), []);
  assert.deepEqual(await ledger.ofMeters(["M"], [MADE_GOOD]), []);
  assert.equal(await ledger.lastOf([MADE_GOOD], "custodian", "*"), undefined);
  assert.ok((await ledger.ofItself()).every(({ sequence }) => sequence >= 1));
  assert.ok((await ledger.ends(9999, 9999)).every(({ size }) => size >= 1));
  assert.equal((await ledger.read(-9, 1))[0]?.sequence, 1);
  assert.equal((await authority.document()).mark, undefined);
  assert.equal(await troubleOf(site), undefined);
});
