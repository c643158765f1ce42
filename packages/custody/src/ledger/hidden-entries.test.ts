import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { KEPT_FILE } from "../authority/kept-documents.ts";
import { MADE_GOOD } from "../backup/losses.ts";
import { generateRecoveryKey } from "../backup/recovery-key.ts";
import { FIELD_KINDS } from "../lease/field-record.ts";
import { AuthorityWorld, OPERATOR, person } from "../testing/authority-world.ts";
import type { CustodySite } from "../testing/custody-site.ts";
import { headEndFor } from "../testing/key-service-bench.ts";
import { asOwner } from "../testing/owned-database.ts";
import { ownedLedgers, peopleAt } from "../testing/owned-ledger.ts";
import { testCredential } from "../testing/test-credential.ts";
import { ALTERED } from "./named-findings.ts";

// Whoever owns the database hides what was withdrawn: an entry calls itself something else, and the row is as it was before.

const ledgers = ownedLedgers();
const { open, siteOn, again, stateOf, patrol, thaw, alter, takenOver } = ledgers;
after(() => ledgers.dispose());

const serviceOf = ({ custody }: CustodySite) => custody.service;
const troubleIn = async (site: CustodySite) => (await ledgers.troubleOf(site))?.code;
const headEndsOf = async (site: CustodySite) =>
  (await serviceOf(site).headEnds({}, OPERATOR)).headEnds.map(({ headEnd: { name } }) => name);
/** Enrols one, as often as it is asked for by the same record. */
function enrolmentOf(name: string, site: () => CustodySite) {
  const headEnd = headEndFor(name, testCredential(name).certificate);
  return () => serviceOf(site()).enrolHeadEnd({ headEnd, reason: "a test" }, OPERATOR);
}

/** Has entries of a kind call themselves something else. */
const hide = (database: { readonly adminUrl: string }, kind: string, more = "true") =>
  asOwner(database.adminUrl, async (pool) => {
    const { rowCount } = await pool.query(
      `update ledger set kind = 'nothing-much', body = '{}' where kind = $1 and ${more}`,
      [kind],
    );
    assert.ok((rowCount ?? 0) > 0, `no ${kind}`);
  });

test("the announcements of the signing keys may be changed: the ledger goes on under its name, running and at a start", async () => {
  await using database = await open();
  let site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  await serviceOf(site).renewLedger({}, OPERATOR);
  const { log } = site.custody.ledger.state;
  await alter(database, "kind = 'ledger-key-announced'");
  const goesOn = async () => {
    await serviceOf(site).renewLedger({}, OPERATOR);
    await site.custody.sweep();
    await site.custody.ledger.checkpoint();
    const { checkpoint, halt, log: now } = site.custody.ledger.state;
    assert.deepEqual([halt, now], [undefined, log]);
    assert.equal(checkpoint?.checkpoint.size, await site.store.ledger.size());
  };
  await goesOn();
  await site.stop();
  await alter(database, "kind = 'ledger-key-announced' and body not like '% '");
  site = await again(database, site);
  assert.deepEqual(
    site.custody.ledger.state.keys.map(({ keys }) => keys.version),
    [1, 2, 3],
  );
  await goesOn();
  assert.equal(await troubleIn(site), ALTERED);
  await thaw(world, site);
});

test("a secret that nobody here has sealed is no signing key, and stops nothing", async () => {
  await using database = await open();
  let site = await siteOn(database);
  await site.stop();
  const complaints: string[] = [];
  await asOwner(database.adminUrl, async (pool) => {
    await pool.query(
      "insert into named_secrets (utility, island, name, sealed) values ('*', '*', 'ledger-signing-99', decode(repeat('00', 80), 'hex'))",
    );
    await pool.query(
      "insert into ledger (sequence, at_ms, kind, principal, utility, island, body, leaf) select max(sequence) + 1, 1, 'x', 'p', '*', '*', '{}', sha256('x') from ledger",
    );
  });
  site = await again(database, site, { onFailure: (error) => complaints.push(String(error)) });
  assert.match(complaints.join(), /the secret ledger-signing-99 in the database is none of this vault's/);
  assert.equal(site.custody.ledger.state.halt, undefined);
});

/** Carl is enrolled and suspended; then the document of before is put back, and the marks after it are hidden. */
async function withSuspensionUndone(isKept: boolean): Promise<void> {
  await using database = await open();
  let site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  await world.enrolFurther(person("Carl", "operations"));
  const older = await asOwner(database.adminUrl, async (pool) => ({
    row: (await pool.query("select revision, document, mac from authority")).rows[0],
    mark: (await pool.query("select max(sequence) from ledger where kind = 'authority-recorded'")).rows[0].max,
  }));
  await serviceOf(site).suspendApprover({ approver: "carl", reason: "has left" }, OPERATOR);
  await site.stop();
  site = await again(database, site);
  assert.deepEqual(await site.store.ledger.ofKinds([MADE_GOOD]), [], "a start by itself is no loss");
  await site.stop();
  const { revision, document, mac } = older.row;
  await asOwner(database.adminUrl, (pool) =>
    pool.query("update authority set revision = $1, document = $2, mac = $3", [revision, document, mac]),
  );
  await hide(database, "authority-recorded", `sequence > ${older.mark}`);
  if (!isKept) for (const folder of [site.state, site.escrow]) rmSync(join(folder, KEPT_FILE));
  site = await again(database, site, { onFailure: () => undefined });
  await site.stop();
  for (let starts = 0; starts < 2; starts += 1) {
    site = await again(database, site);
    const { approvers, frozen, trouble } = await stateOf(site);
    assert.ok(approvers.find(({ id }) => id === "carl")?.suspended !== undefined, "he is suspended");
    assert.ok(frozen !== undefined && trouble === undefined);
    await site.stop();
  }
  site = await again(database, site);
  await thaw(world, site);
}

test("a document that is put back with its marks hidden undoes no suspension", () => withSuspensionUndone(true));

test("nor does it where no document is kept outside the database", () => withSuspensionUndone(false));

test("the newest mark of the document may be changed: two people thaw all the same", async () => {
  await using database = await open();
  let site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  await site.custody.authority.freeze("an attack", "operator");
  await site.stop();
  await alter(database, "sequence = (select max(sequence) from ledger where kind = 'authority-recorded')");
  site = await again(database, site);
  assert.equal((await stateOf(site)).trouble, undefined);
  assert.equal(await troubleIn(site), ALTERED);
  await thaw(world, site);
  await site.stop();
  site = await again(database, site);
  assert.deepEqual([(await stateOf(site)).frozen, (await stateOf(site)).trouble], [undefined, undefined]);
});

test("an approval that was used is not used again, whatever row and entry say: in the process that used it, and after a start", async () => {
  await using database = await open();
  let site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  const enrol = enrolmentOf("acme", () => site);
  await world.agreed(enrol);
  await serviceOf(site).removeHeadEnd({ name: "acme", reason: "broken into" }, OPERATOR);
  await asOwner(database.adminUrl, (pool) =>
    pool.query("update change_requests set executed_ms = null where kind = 'enrol-head-end'"),
  );
  await hide(database, "change-executed", "body like '%acme%'");
  const refused = async () => {
    await assert.rejects(enrol(), { code: "approval-required" });
    const entries = await site.store.ledger.ofKinds(["record-refused"]);
    assert.match(entries.at(-1)?.body ?? "", /change [0-9a-f]{96} was (?:executed|planned before this start)/);
    assert.deepEqual(await headEndsOf(site), []);
  };
  await refused();
  await site.stop();
  site = await again(database, site);
  await refused();
  // An entry of it that is no JSON stops nobody either.
  await asOwner(database.adminUrl, (pool) =>
    pool.query(
      `update ledger set kind = 'change-executed', body = 'no JSON: ' || (select string_agg(encode(hash, 'hex'), ' ') from change_requests)
       where kind = 'nothing-much'`,
    ),
  );
  await refused();
  // People who agree to it anew are heard.
  await peopleAt(world, site).agreed(enrol);
  assert.deepEqual(await headEndsOf(site), ["acme"]);
});

test("one record of a head-end that was changed takes none of the others away, and one that is hidden brings none back", async () => {
  await using database = await open();
  let site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  const enrol = (name: string) => peopleAt(world, site).agreed(enrolmentOf(name, () => site));
  for (const name of ["acme", "other", "third"]) await enrol(name);
  await serviceOf(site).removeHeadEnd({ name: "acme", reason: "broken into" }, OPERATOR);
  await site.stop();
  await hide(database, "head-end-removed");
  site = await again(database, site);
  assert.deepEqual(await headEndsOf(site), ["other", "third"], "it is removed again");
  assert.equal(await troubleIn(site), ALTERED);
  await thaw(world, site);
  await site.stop();
  await alter(database, `kind = 'head-end-enrolled' and body like '%"other"%'`);
  site = await again(database, site);
  assert.deepEqual(await headEndsOf(site), ["third"]);
  await thaw(world, site);
  await enrol("other");
  await site.stop();
  site = await again(database, site);
  assert.deepEqual((await headEndsOf(site)).sort(), ["other", "third"]);
});

test("a lost handheld stays lost, and a key that was compromised stays so: at a start, and once the patrol has found it", async () => {
  await using database = await open();
  let site = await siteOn(database);
  const meter = await takenOver(site);
  const publicKey = JSON.stringify({
    ...(JSON.parse(generateRecoveryKey("HH-7").publicText) as object),
    signing: "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
  });
  await serviceOf(site).enrolHandheld({ publicKey, technician: "Ada" }, OPERATOR);
  await serviceOf(site).loseHandheld({ handheld: "HH-7", reason: "left on a train" }, OPERATOR);
  const title = systemTitle(fromHex(meter.systemTitle));
  const change = { meter: title, purpose: "GAK", version: 2, client: undefined, command: "compromise" } as const;
  await serviceOf(site).changeKeyState({ ...change, reason: "seen" }, OPERATOR);
  const states = async () => {
    const { report } = await serviceOf(site).fieldReport({}, OPERATOR);
    const key = (await site.store.load(meter.systemTitle))?.keys.find(
      ({ purpose, version }) => purpose === 2 && version === 2,
    );
    return [(JSON.parse(report) as { handhelds: { state: string }[] }).handhelds[0]?.state, key?.state];
  };
  assert.deepEqual(await states(), ["lost", "compromised"]);
  const undo = async () => {
    await hide(database, FIELD_KINDS.lost);
    await hide(database, "key-states-changed", `body like '%"to":"compromised"%'`);
    await asOwner(database.adminUrl, (pool) =>
      pool.query("update meter_keys set state = 'active' where purpose = 2 and version = 2"),
    );
  };
  await site.stop();
  await undo();
  site = await again(database, site);
  assert.deepEqual(await states(), ["lost", "compromised"]);
  // And under a running custodian, as soon as somebody has come across it.
  await undo();
  await patrol(site);
  await site.custody.sweep();
  assert.deepEqual(await states(), ["lost", "compromised"]);
});
