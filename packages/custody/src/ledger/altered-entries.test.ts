import assert from "node:assert/strict";
import { after, test } from "node:test";
import { auditStored, entryLeaf, type LedgerEntry } from "@meterkeep/ledger";
import type { Pool } from "pg";
import { BEHIND, MADE_GOOD } from "../backup/losses.ts";
import { AuthorityWorld } from "../testing/authority-world.ts";
import { asOwner } from "../testing/owned-database.ts";
import { ownedLedgers } from "../testing/owned-ledger.ts";
import { growthMacs } from "./entry-macs.ts";
import { ALTERED, FOREIGN } from "./named-findings.ts";

const ledgers = ownedLedgers();
const { open, siteOn, again, stateOf, troubleOf, bodiesOf, seen, patrol, thaw, alter } = ledgers;
after(() => ledgers.dispose());

test("an old entry that is changed in place makes no loss good: it is named, freezes, and counts again when it is put right", async () => {
  await using database = await open();
  let site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  await site.stop();
  const change = (values: readonly unknown[]) =>
    asOwner(database.adminUrl, async (pool) => {
      const { rows } = await pool.query("select sequence, kind, body from ledger where kind = 'custodian-started'");
      await pool.query("update ledger set kind = $2, body = $3 where sequence = $1", [rows[0]?.sequence, ...values]);
      return rows[0];
    });
  const forged = JSON.stringify({ losses: ["forged"], frozen: true, again: 0, left: [], leftInAll: 0, strange: 0 });
  const was = await change([MADE_GOOD, forged]);
  const number = Number(was.sequence);
  site = await again(database, site);
  const told = await troubleOf(site);
  assert.equal(told?.code, ALTERED);
  assert.match(told?.message ?? "", new RegExp(`entry ${number} of the ledger: changed since this custodian wrote it`));
  assert.match((await stateOf(site)).frozen?.reason ?? "", /changed since this custodian wrote it/);
  const [named, ...others] = await bodiesOf(site, ALTERED);
  assert.deepEqual([named, others], [{ from: number, to: number, fault: "altered", kinds: [MADE_GOOD] }, []]);
  await site.stop();
  // It is told of start after start, and named once; what was put right counts again.
  await asOwner(database.adminUrl, (pool) =>
    pool.query("update ledger set kind = $2, body = $3 where sequence = $1", [number, was.kind, was.body]),
  );
  site = await again(database, site);
  assert.equal((await troubleOf(site))?.code, ALTERED);
  await patrol(site);
  await thaw(world, site);
  assert.equal((await bodiesOf(site, ALTERED)).length, 2, "it is named once, and accepted");
  await site.stop();
  site = await again(database, site);
  await patrol(site);
  await site.custody.sweep();
  assert.deepEqual([await troubleOf(site), (await stateOf(site)).frozen], [undefined, undefined]);
});

for (const count of [1, 1001])
  test(`whoever changes the last entries (${count}) hides from no start that the clock leapt meanwhile`, async () => {
    await using database = await open();
    let site = await siteOn(database);
    await AuthorityWorld.open(site);
    if (count > 1) await seen(site, count);
    const then = ledgers.clock.now;
    await site.stop();
    await alter(database, `sequence > (select max(sequence) - ${count} from ledger)`);
    ledgers.clock.now += 8 * 3_600_000;
    site = await again(database, site);
    const { clockDoubt, trouble, frozen } = await stateOf(site);
    assert.equal(trouble?.code, "clock-doubted");
    assert.ok(clockDoubt !== undefined && clockDoubt.written <= then && clockDoubt.found - then >= 8 * 3_600_000);
    assert.match(frozen?.reason ?? "", /changed since this custodian wrote it/);
    assert.deepEqual(await bodiesOf(site, BEHIND), [], "nothing of the ledger is gone");
    await site.stop();
  });

test("an old entry that is changed after newer ones were accepted is told of all the same", async () => {
  await using database = await open();
  const site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  const found = async () => {
    await patrol(site);
    for (let sweep = 0; sweep < 2; sweep += 1) await site.custody.sweep();
  };
  await alter(database, "sequence = (select max(sequence) from ledger)");
  await found();
  await thaw(world, site);
  await alter(database, "sequence = 4");
  await found();
  assert.match((await troubleOf(site))?.message ?? "", /^entry 4 of the ledger: changed/);
  await thaw(world, site);
});

test("the patrol finds what is gone, what calls itself something else, and what is of another history", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await AuthorityWorld.open(site);
  for (let at = 0; at < 3; at += 1) await seen(site, 200);
  const size = await site.store.ledger.size();
  await patrol(site);
  await site.custody.ledger.tick();
  assert.equal(await troubleOf(site), undefined);
  // As a copy of the database from before a restore has it: this custodian's own, and not of this history.
  const [old] = await site.store.ledger.read(299, 1);
  const { leaf: _, ...entry } = { ...(old as LedgerEntry), body: '{"of":"another history"}' };
  const other = { ...entry, leaf: entryLeaf(entry) };
  const { entries: macs } = await growthMacs(site.vault, {
    entries: [other],
    nodes: [],
    from: { frontier: { size: 0, peaks: [] }, lastLeaf: undefined },
    to: { frontier: { size: 0, peaks: [] }, lastLeaf: undefined },
  });
  await asOwner(database.adminUrl, async (pool) => {
    await pool.query("update ledger set body = $2, leaf = $3, mac = $4 where sequence = $1", [
      ...[other.sequence, other.body],
      ...[other.leaf, macs[0]].map((octets) => Buffer.from(octets as Uint8Array)),
    ]);
    await pool.query("delete from ledger where sequence between 11 and 13");
    await pool.query("update ledger set kind = 'nothing-much' where sequence = 20");
    await pool.query("update ledger set kind = 'nothing-much', leaf = sha256('x'), mac = null where sequence = 30");
    // It explains the tree over the block in which the other stands.
    await pool.query("update ledger set leaf = sha256('x'), mac = null where sequence = 310");
  });
  const expected = [
    { from: 1, to: 512, fault: "replaced" },
    { from: 11, to: 13, fault: "missing" },
    { from: 20, to: 20, fault: "altered" },
    { from: 30, to: 30, fault: "altered" },
    { from: 310, to: 310, fault: "altered" },
  ];
  const found = async () =>
    (await bodiesOf(site, ALTERED))
      .map(({ from, to, fault }) => ({ from, to, fault }))
      .sort((one, another) => one.from - another.from);
  await patrol(site);
  await site.custody.sweep();
  assert.deepEqual(await found(), expected);
  const told = await troubleOf(site);
  assert.equal(told?.code, ALTERED);
  assert.match(told?.message ?? "", /entries 11 to 13 of the ledger: written by this custodian, and gone/);
  assert.match(told?.message ?? "", /entries 1 to 512 of the ledger: not the history that this custodian wrote/);
  assert.match((await stateOf(site)).frozen?.reason ?? "", /of the ledger/);
  await site.stop();
  // A pass begins at each start; what was named before is not named again.
  site = await again(database, site);
  await patrol(site);
  await site.custody.sweep();
  assert.deepEqual(await found(), expected);
  assert.ok((await site.store.ledger.size()) > size);
});

test("a ledger of which nothing holds is refused with another state folder", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await AuthorityWorld.open(site);
  await site.stop();
  const { escrow } = site;
  await asOwner(database.adminUrl, async (pool) => {
    await pool.query("update ledger set end_mac = null");
    await pool.query("delete from ledger_checkpoints");
  });
  await assert.rejects(siteOn(database, { escrow }), { code: "ledger-unbound" });
  // The nearest witness has what was signed, and the entries have their own MACs.
  site = await again(database, site);
  assert.equal(await troubleOf(site), undefined);
});

/** As somebody puts it there who knows the format. @returns its number */
async function putRow(pool: Pool, number: string): Promise<number> {
  const { rows } = await pool.query(`select ${number}::text as sequence`);
  const { sequence } = rows[0];
  const entry = { at: 1, kind: "x", principal: "custodian", utility: "*", island: "*", meter: undefined, body: "{}" };
  const leaf = entryLeaf({ ...entry, sequence: Number(sequence) });
  await pool.query(
    `insert into ledger (sequence, at_ms, kind, principal, utility, island, body, leaf)
     values ($1, 1, 'x', 'custodian', '*', '*', '{}', $2)`,
    [sequence, Buffer.from(leaf)],
  );
  return Number(sequence);
}

test("a row behind a gap in the numbers stops no custodian, wherever it stands", async () => {
  for (const number of ["(select max(sequence) + 3 from ledger)", "9223372036854775807"]) {
    await using database = await open();
    let site = await siteOn(database);
    await AuthorityWorld.open(site);
    await site.stop();
    const sequence = await asOwner(database.adminUrl, (pool) => putRow(pool, number));
    site = await again(database, site);
    assert.equal((await troubleOf(site))?.code, FOREIGN);
    assert.match((await stateOf(site)).frozen?.reason ?? "", /gap in the numbers/);
    for (let at = 0; at < 5; at += 1) await seen(site, 2);
    const appended = (await bodiesOf(site, FOREIGN)).filter(({ fault }) => fault === undefined);
    const isMet = sequence < 1000;
    assert.deepEqual(appended, isMet ? [{ from: sequence, to: sequence, kinds: ["x"] }] : []);
    if (isMet) assert.equal((await auditStored(site.store.ledger)).fault, undefined);
    await site.stop();
    site = await again(database, site);
    if (isMet) {
      await site.stop();
      continue;
    }
    const { file } = await ledgers.makeBackup(site);
    await site.stop();
    await using target = await ledgers.emptyDatabase();
    const { entries } = await ledgers.restoreInto(target, file, site.escrow);
    assert.ok(entries > 20, String(entries));
  }
});

test("who refuses rows of checkpoints takes nothing back that a witness could not see", async () => {
  await using database = await open();
  let site = await siteOn(database);
  const from = await site.store.ledger.size();
  await asOwner(database.adminUrl, (pool) =>
    pool.query(
      `create function no_more() returns trigger language plpgsql as $$ begin raise exception 'full' using errcode = '53100'; end $$;
       create trigger no_more before insert on ledger_checkpoints for each row execute function no_more()`,
    ),
  );
  await seen(site);
  for (const seconds of [31, 301]) {
    await site.custody.ledger.tick();
    ledgers.clock.now += seconds * 1000;
  }
  await site.custody.ledger.tick();
  const told = await troubleOf(site);
  assert.equal(told?.code, "ledger-checkpoint-late");
  assert.match(told?.message ?? "", /full/);
  await site.stop();
  await asOwner(database.adminUrl, async (pool) => {
    await pool.query("drop trigger no_more on ledger_checkpoints");
    await pool.query("delete from ledger where sequence > $1", [from]);
  });
  site = await again(database, site);
  assert.equal((await troubleOf(site))?.code, "ledger-restored");
});
