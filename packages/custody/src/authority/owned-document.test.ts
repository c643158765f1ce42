import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Pool } from "pg";
import { MADE_GOOD, PUT_BACK } from "../backup/losses.ts";
import { AuthorityWorld, OPERATOR, person } from "../testing/authority-world.ts";
import type { CustodySite } from "../testing/custody-site.ts";
import { asOwner } from "../testing/owned-database.ts";
import { ownedLedgers, peopleAt } from "../testing/owned-ledger.ts";
import { KEPT_FILE } from "./kept-documents.ts";

// Whoever owns the database takes the document of the authority away, or writes something else into its row.

const owned = ownedLedgers();
after(() => owned.dispose());

const { stateOf } = owned;
const complaints: string[] = [];
const places = { onFailure: (error: unknown) => complaints.push(String(error)) };
const rowOf = async ({ store }: CustodySite) => (await store.authority.document()).stored;
const gone = (pool: Pool) => pool.query("delete from authority");
const garbled = (pool: Pool) =>
  pool.query("update authority set revision = 2147483647, document = repeat('x', 9000000)");

/** What the people of the installation were, whatever became of the row: and everything critical rests until two of them have looked. */
async function requireWhole(site: CustodySite, world: AuthorityWorld): Promise<void> {
  const { approvers, frozen, trouble } = await stateOf(site);
  assert.deepEqual([approvers.map(({ id }) => id), trouble], [["anna", "ben", "carl"], undefined]);
  assert.ok(approvers.find(({ id }) => id === "carl")?.suspended !== undefined, "he has left");
  assert.match(frozen?.reason ?? "", /the authority's document (?:is gone|was changed) in the database/);
  await peopleAt(world, site).change("thaw", { since: frozen?.since });
  assert.equal((await stateOf(site)).frozen, undefined);
}

test("a document that is deleted or garbled is put right from what is kept outside the database", async () => {
  await using database = await owned.open();
  let site = await owned.siteOn(database, places);
  const { state, escrow } = site;
  const world = await AuthorityWorld.open(site);
  await world.enrolFurther(person("Carl", "operations"));
  await site.custody.service.suspendApprover({ approver: "carl", reason: "has left" }, OPERATOR);
  await site.custody.sweep();
  assert.deepEqual([await site.store.ledger.ofKinds([PUT_BACK]), complaints], [[], []], "nothing happened yet");
  // While it runs: it goes by what it knows.
  for (const act of [gone, garbled]) {
    const before = await rowOf(site);
    await asOwner(database.adminUrl, act);
    await site.custody.sweep();
    assert.equal((await rowOf(site))?.revision, (before?.revision ?? 0) + 1, "put right, and frozen");
    await requireWhole(site, world);
  }
  // And a change that comes before anybody has looked.
  await asOwner(database.adminUrl, gone);
  await site.custody.service.freeze({ reason: "a drill" }, OPERATOR);
  await site.custody.sweep();
  const said = await site.store.ledger.ofKinds([PUT_BACK, MADE_GOOD]);
  assert.equal(said.filter(({ kind }) => kind === PUT_BACK).length, 3);
  assert.equal(said.filter(({ kind }) => kind === MADE_GOOD).length, 3);
  const { frozen } = await stateOf(site);
  assert.equal(frozen?.reason, "a drill");
  await world.change("thaw", { since: frozen?.since });
  // A backup of just that moment has no document.
  await asOwner(database.adminUrl, gone);
  const { file } = await owned.makeBackup(site);
  await site.stop();
  // At a start.
  site = await owned.siteOn(database, { state, escrow, ...places });
  await requireWhole(site, world);
  await site.stop();
  // A standby on another machine: what it finds is on second storage.
  await asOwner(database.adminUrl, garbled);
  site = await owned.siteOn(database, { escrow, ...places });
  await requireWhole(site, world);
  await site.stop();
  // On a new machine from that backup, whose ledger has an older end.
  {
    await using target = await owned.emptyDatabase();
    await owned.restoreInto(target, file);
    site = await owned.siteOn(target, { escrow, ...places });
    const { approvers, frozen: restored, trouble } = await stateOf(site);
    assert.deepEqual([approvers.map(({ id }) => id), trouble], [["anna", "ben", "carl"], undefined]);
    assert.match(restored?.reason ?? "", /put back at/);
  }
  // Nothing is left of it anywhere.
  await asOwner(database.adminUrl, gone);
  for (const folder of [state, escrow]) rmSync(join(folder, KEPT_FILE));
  site = await owned.siteOn(database, { state, escrow, ...places });
  const { trouble, approvers } = await stateOf(site);
  assert.match(
    trouble?.message ?? "",
    /the authority's document is gone, the ledger at \d+, and none is kept outside the database/,
  );
  assert.deepEqual(approvers, []);
  await assert.rejects(
    world.enrol.call({ ...world, service: site.custody.service } as never, person("Eve", "security")),
    {
      code: "authority-spoilt",
    },
  );
  await site.stop();
});
