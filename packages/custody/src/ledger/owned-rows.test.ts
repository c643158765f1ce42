import assert from "node:assert/strict";
import { after, test } from "node:test";
import { auditStored, LedgerError } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import type { Pool } from "pg";
import { verifyManifest } from "../backup/manifest.ts";
import { postgresSnapshots } from "../backup/snapshot.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import { asOwner } from "../testing/owned-database.ts";
import { ownedLedgers } from "../testing/owned-ledger.ts";
import { ALTERED, FOREIGN } from "./named-findings.ts";
import { RESTORED } from "./skipped-counters.ts";

// Rows that whoever owns the database puts in to keep its custodian from starting, writing, or being restored.

const ledgers = ownedLedgers();
const { open, siteOn, again, troubleOf, bodiesOf, seen, patrol, takenOver, openSession } = ledgers;
after(() => ledgers.dispose());

const ROW = "insert into ledger (sequence, at_ms, kind, principal, utility, island, body, leaf)";
const behindEnd = (body = "'{}'") =>
  `${ROW} select max(sequence) + 1, 1, 'x', 'p', '*', '*', ${body}, sha256('x') from ledger`;
const isRefused = (error: unknown) => error instanceof LedgerError && error.code === "ledger-forked";

test("rows that say that the database was restored, a thousand years ago or at no time, use up no line of counters and end no start", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await takenOver(site);
  await site.stop();
  await asOwner(database.adminUrl, (pool) =>
    pool.query(
      "insert into restorations (backup, restored_ms, known_until_ms) values ('x', 1, 0), ('y', 9000000000000000000, -9000000000000000000)",
    ),
  );
  site = await again(database, site);
  const said = await bodiesOf(site, RESTORED);
  assert.deepEqual(
    said.map(({ backup, counters }) => [backup, counters === 0]),
    [
      ["y", false],
      ["x", true],
    ],
    "both are one loss",
  );
  // No more than what one line may have used since the custodian served last.
  assert.ok(said[0].counters < 2 ** 21, String(said[0].counters));
  assert.ok(await openSession(site));
});

test("a row that is no checkpoint, of any number, is none; in the place of one it is told as one that is late", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await AuthorityWorld.open(site);
  await site.stop();
  const size = await asOwner(database.adminUrl, async (pool) => {
    const { rows } = await pool.query("select max(sequence)::int as size from ledger");
    const checkpoint = "insert into ledger_checkpoints (size, note) values";
    await pool.query(`${checkpoint} (9223372036854775807, 'x'), (${rows[0].size}, 'x') on conflict do nothing`);
    // One that looks like a checkpoint of this ledger, and is not signed.
    await pool.query(
      `${checkpoint} (${rows[0].size - 1}, (select 'l' || E'\\n' || ${rows[0].size - 1} || E'\\n' || encode(sha256('x'), 'base64') || E'\\n1\\n\\n'))
       on conflict do nothing`,
    );
    await pool.query(`${checkpoint} (${rows[0].size + 4}, 'x')`);
    return rows[0].size as number;
  });
  site = await again(database, site);
  assert.equal(site.custody.ledger.state.halt, undefined);
  await seen(site, 9);
  await site.custody.ledger.checkpoint();
  const { checkpoint } = site.custody.ledger.state;
  assert.ok((checkpoint?.checkpoint.size ?? 0) > size + 4);
  const stored = await site.store.checkpoints.last(Number.MAX_SAFE_INTEGER);
  assert.equal(stored?.note, checkpoint?.note);
  assert.equal((await site.custody.service.ledgerState({}, OPERATOR)).checkpoint?.size, stored?.size);
  // Where one stands in the place of each that could be next.
  await asOwner(database.adminUrl, (pool) =>
    pool.query(
      "insert into ledger_checkpoints (size, note) select max(sequence) + n, 'x' from ledger, generate_series(1, 99) n group by n",
    ),
  );
  await seen(site);
  await site.custody.ledger.tick();
  ledgers.clock.now += 60_000;
  await site.custody.ledger.tick();
  ledgers.clock.now += 400_000;
  await site.custody.ledger.tick();
  assert.equal((await troubleOf(site))?.code, "ledger-checkpoint-late");
});

test("a row that completes a block of 256 without its node costs one write, and so does a leaf of the last entries that is changed under a running custodian", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await AuthorityWorld.open(site);
  await seen(site, 255 - (await site.store.ledger.size()));
  await asOwner(database.adminUrl, (pool) => pool.query(behindEnd()));
  await assert.rejects(seen(site), isRefused);
  await seen(site);
  assert.equal((await troubleOf(site))?.code, FOREIGN);
  assert.equal((await site.store.ledger.nodes(8, 0, 1)).length, 1);
  await site.stop();
  site = await again(database, site);
  await seen(site);
  await asOwner(database.adminUrl, (pool) =>
    pool.query("update ledger set leaf = sha256('y') where sequence = (select max(sequence) from ledger)"),
  );
  await assert.rejects(seen(site), isRefused);
  await seen(site);
  assert.equal(site.custody.ledger.state.halt, undefined);
});

test("nodes that somebody has stored, before their time or in place of others, stop nothing: the patrol and a start put them right and tell", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await AuthorityWorld.open(site);
  const owner = <T>(act: (pool: Pool) => Promise<T>) => asOwner(database.adminUrl, act);
  await owner((pool) =>
    pool.query("insert into ledger_nodes (level, index, hash) select 8, n, sha256('x') from generate_series(0, 2) n"),
  );
  for (const entries of [200, 200, 200]) await seen(site, entries);
  await site.custody.ledger.checkpoint();
  assert.equal((await auditStored(site.store.ledger)).fault, undefined, "its own commits put them right");
  const wrong = "update ledger_nodes set hash = sha256('y') where (level, index)";
  await owner((pool) => pool.query(`${wrong} = (8, 0)`));
  await patrol(site);
  assert.equal((await auditStored(site.store.ledger)).fault, undefined);
  await site.custody.sweep();
  assert.match(
    (await troubleOf(site))?.message ?? "",
    /^entries 1 to 256 of the ledger: as they were written, under a stored hash/,
  );
  await site.stop();
  // What a start needs to know its own end by; and of a witness, whose checkpoint ends elsewhere.
  await owner((pool) => pool.query(`${wrong} in ((8, 0), (8, 1))`));
  site = await again(database, site);
  assert.equal(site.custody.ledger.state.halt, undefined);
  assert.equal((await auditStored(site.store.ledger)).fault, undefined);
  const named = await bodiesOf(site, ALTERED);
  assert.deepEqual(
    named.filter(({ accepted }) => accepted === undefined).map(({ from, to, fault }) => [from, to, fault]),
    [
      [1, 256, "rehashed"],
      [1, 512, "rehashed"],
    ],
  );
  await site.stop();
  // Leaf and node, so that neither says any more what the other was.
  await owner(async (pool) => {
    await pool.query(`${wrong} = (8, 0)`);
    await pool.query("update ledger set leaf = sha256('y') where sequence = 7");
  });
  site = await again(database, site);
  assert.equal(site.custody.ledger.state.halt, undefined);
  await seen(site);
});

test("a text of five hundred million characters is read as far as an entry can be long", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await AuthorityWorld.open(site);
  await site.stop();
  await asOwner(database.adminUrl, (pool) => pool.query(behindEnd("repeat('x', 537000000)")));
  site = await again(database, site);
  assert.equal((await troubleOf(site))?.code, FOREIGN);
  await patrol(site);
  const { file } = await ledgers.makeBackup(site);
  await using target = await ledgers.emptyDatabase();
  const { faults, replayed } = await ledgers.restoreInto(target, file, site.escrow);
  assert.deepEqual([faults?.differing.length, replayed?.broken], [1, undefined]);
});

test("rows at every other number are gone through in one write, named as one, and left out by a restore from the feed as by the custodian", async () => {
  await using database = await open();
  const site = await siteOn(database);
  await AuthorityWorld.open(site);
  const { file } = await ledgers.makeBackup(site);
  const size = await site.store.ledger.size();
  const count = 700;
  await asOwner(database.adminUrl, (pool) =>
    pool.query(
      `${ROW} select ${size} + 2 * g, 1, 'x', 'p', '*', '*', 'no JSON', sha256('x') from generate_series(1, ${count}) g`,
    ),
  );
  let tries = 0;
  while (
    tries < 9 &&
    !(await seen(site).then(
      () => true,
      () => false,
    ))
  )
    tries += 1;
  assert.ok(tries < 3, `${tries} tries`);
  const named = (await bodiesOf(site, FOREIGN)).map(({ from, to, fault }) => [from, to, fault]);
  const end = size + 2 * count;
  assert.deepEqual(named.slice(-3), [
    [size + 2, end - 2, undefined],
    [size + 2, Number.MAX_SAFE_INTEGER, "beyond"],
    [end, end, undefined],
  ]);
  assert.equal(site.store.ledger.foreign.has(end - 1), false, "what names them counts");
  await seen(site);
  await patrol(site);
  assert.deepEqual(await bodiesOf(site, ALTERED), []);
  await site.stop();
  await using target = await ledgers.emptyDatabase();
  const { replayed } = await ledgers.restoreInto(target, file, site.escrow);
  assert.equal(replayed?.broken, undefined);
  const back = await again(target, site);
  assert.equal(back.custody.ledger.state.halt, undefined);
  await patrol(back);
  assert.deepEqual(await bodiesOf(back, ALTERED), []);
});

test("a backup of a ledger in which something was changed says so when it is made, and is restored all the same", async () => {
  await using database = await open();
  const site = await siteOn(database);
  await AuthorityWorld.open(site);
  await seen(site, 300);
  const owner = (text: string) => asOwner(database.adminUrl, (pool) => pool.query(text));
  await owner("update ledger set body = body || ' ' where sequence in (3, 5)");
  await owner("update ledger set leaf = sha256('y') where sequence = 9");
  await owner("delete from ledger where sequence = 200");
  await owner(behindEnd());
  await assert.rejects(seen(site), isRefused);
  await seen(site);
  await site.custody.ledger.checkpoint();
  // A row behind a gap, of a moment ago: this process does not know it yet, and a backup goes no further than the ledger.
  const size = await site.store.ledger.size();
  await owner(`${ROW} select max(sequence) + 900, 1, 'x', 'p', '*', '*', '{}', sha256('x') from ledger`);
  const pool = createPool(database.url, { applicationName: "snapshot" });
  const snapshot = await postgresSnapshots(pool, site.store.ledger.foreign).open(
    site.custody.ledger.state.checkpoint?.checkpoint,
  );
  assert.equal(snapshot.ledgerSize, size);
  await snapshot.close();
  await pool.end();
  await assert.rejects(seen(site), isRefused);
  const foreign = (await bodiesOf(site, FOREIGN))[0].from;
  const { file, manifest } = await ledgers.makeBackup(site);
  const wrong = {
    differing: [3, 5, 9, foreign].map((sequence) => ({ from: sequence, to: sequence })),
    missing: [{ from: 200, to: 200 }],
    isOther: false,
    words: `of another text than was hashed: entries 3, 5, 9, ${foreign}; gone: entries 200`,
  };
  assert.deepEqual(verifyManifest(manifest).facts.faults, wrong);
  assert.match(
    (await troubleOf(site))?.message ?? "",
    /entry 3, entry 5 of the ledger: changed .* entry 200 of the ledger: written by this custodian, and gone/,
  );
  // One of the last block as well, of which nothing is stored above the leaves: the next one is proven all the same.
  const late = (site.custody.ledger.state.checkpoint?.checkpoint.size ?? 0) - 2;
  await owner(`delete from ledger where sequence = ${late}`);
  const next = await ledgers.makeBackup(site);
  const missing = [200, late].map((sequence) => ({ from: sequence, to: sequence }));
  assert.deepEqual(verifyManifest(next.manifest).facts.faults?.missing, missing);
  assert.match(verifyManifest(next.manifest).facts.faults?.words ?? "", new RegExp(`gone: entries 200, ${late}$`));
  await site.stop();
  await using target = await ledgers.emptyDatabase();
  const { faults } = await ledgers.restoreInto(target, file, site.escrow);
  // Of what was changed at the ninth nobody knows without the vault that the leaf was, and not the text.
  assert.deepEqual([faults?.differing, faults?.missing], [wrong.differing, wrong.missing]);
  const back = await again(target, site);
  assert.equal(back.custody.ledger.state.halt, undefined);
  await seen(back);
  await patrol(back);
});

test("nodes of a backup are not believed: they are computed anew when it is restored", async () => {
  await using database = await open();
  const site = await siteOn(database);
  await AuthorityWorld.open(site);
  await seen(site, 600);
  await asOwner(database.adminUrl, (pool) => pool.query("update ledger_nodes set hash = sha256('y')"));
  const { file } = await ledgers.makeBackup(site);
  await site.stop();
  await using target = await ledgers.emptyDatabase();
  const { faults } = await ledgers.restoreInto(target, file, site.escrow);
  assert.equal(faults, undefined);
  const back = await again(target, site);
  assert.deepEqual(
    [(await auditStored(back.store.ledger)).fault, back.custody.ledger.state.halt],
    [undefined, undefined],
  );
});
