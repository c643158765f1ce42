import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { after, test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { KEPT_FILE } from "../authority/kept-documents.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR, person } from "../testing/authority-world.ts";
import type { CustodySite } from "../testing/custody-site.ts";
import { headEndFor } from "../testing/key-service-bench.ts";
import { asOwner } from "../testing/owned-database.ts";
import { ownedLedgers, peopleAt } from "../testing/owned-ledger.ts";
import { testCredential } from "../testing/test-credential.ts";
import type { TestMeter } from "../testing/test-meter.ts";
import { MADE_GOOD } from "./losses.ts";
import { WITHDRAWALS } from "./withdrawals.ts";

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");
const ledgers = ownedLedgers();
const { open, siteOn, again, stateOf } = ledgers;
after(() => ledgers.dispose());

const titleOf = (meter: TestMeter) => systemTitle(fromHex(meter.systemTitle));
/** What stands in the entries that ended the makings good. */
const madeGood = (site: CustodySite) =>
  ledgers.bodiesOf(site, MADE_GOOD) as Promise<
    { frozen: boolean; again: number; left?: readonly string[]; leftInAll: number; strange: number }[]
  >;

test("a database that is restored without the feed starts frozen, and forgets nothing that was withdrawn since its backup", async () => {
  await using database = await open();
  const site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  const [carl, dora] = [person("Carl", "operations"), person("Dora", "security")];
  for (const who of [carl, dora]) await world.enrolFurther(who);
  // The same was said of Carl before, and taken back.
  await site.custody.service.suspendApprover({ approver: "carl", reason: "has left" }, OPERATOR);
  await world.change("reinstate-approver", { approver: "carl" });
  const [stolen, retired, hoarded] = [await world.meter(1), await world.meter(2), await world.meter(3)];
  const { file } = await ledgers.makeBackup(site);
  ledgers.clock.now += 3_600_000;

  const { service } = site.custody;
  await service.changeKeyState(
    { meter: titleOf(stolen), purpose: "GAK", version: 2, client: undefined, command: "compromise", reason: "seen" },
    OPERATOR,
  );
  await service.suspendApprover({ approver: "carl", reason: "has left" }, OPERATOR);
  await world.change("remove-approver", { approver: "dora" });
  await world.agreed(() =>
    service.departMeters(
      {
        meters: [titleOf(retired)],
        how: "retired",
        reason: "scrap",
        sender: { flag: "TST", name: "us" },
        recipient: undefined,
      },
      OPERATOR,
    ),
  );
  const hash = await world.approved(DISCONNECT, [hoarded.systemTitle]);
  const withheld = await world.command(hoarded, DISCONNECT_APDU, world.token(hash, hoarded.systemTitle), false);
  assert.equal(withheld.kind, "sealed");
  const before = await stateOf(site);
  assert.deepEqual([before.counts.day, before.unsettled, before.frozen], [1, 1, undefined]);
  await site.stop();
  // Somebody writes on second storage: a withdrawal becomes nobody's, and is told of.
  const journal = `${site.escrow}/${WITHDRAWALS.file}`;
  const lines = await readFile(journal, "utf8");
  const line = lines.split("\n").find((one) => one.includes("key-states-changed")) ?? "";
  await writeFile(journal, `${lines}\nAAAA${line.slice(4)}\n`);

  await using target = await ledgers.emptyDatabase();
  await ledgers.restoreInto(target, file);
  let back = await siteOn(target, { escrow: site.escrow });
  const now = await stateOf(back);
  assert.match(now.frozen?.reason ?? "", /the database lost what it knew: backup .*, put back at \d{4}-\d\d-\d\dT/);
  assert.deepEqual([now.counts.day, now.unsettled], [1, 1], "the withheld command counts");
  assert.ok(now.approvers.find(({ id }) => id === "carl")?.suspended !== undefined);
  assert.ok(!now.approvers.some(({ id }) => id === "dora"));
  const key = (await back.store.load(stolen.systemTitle))?.keys.find((one) => one.purpose === 2 && one.version === 2);
  assert.equal(key?.state, "compromised");
  assert.equal((await back.store.load(stolen.systemTitle))?.rotations[0]?.cause, "compromise");
  assert.equal((await back.store.load(retired.systemTitle))?.meter.standing, "retired");
  assert.deepEqual(
    (await madeGood(back)).map(({ frozen, leftInAll, strange }) => [frozen, leftInAll, strange]),
    [[true, 0, 1]],
  );

  // Two people lift it; it is no loss a second time.
  await peopleAt(world, back).change("thaw", { since: now.frozen?.since });
  await back.stop();
  back = await again(target, back);
  const later = await stateOf(back);
  assert.deepEqual([later.frozen, later.counts.day, later.unsettled], [undefined, 1, 1]);
  assert.equal((await madeGood(back)).length, 1);
});

test("a restore of weeks later forgets no suspended key, no rights of a head-end, and no suspension that leaves too few; the journal does not grow by it", async () => {
  await using database = await open();
  const site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  await world.enrolFurther(person("Carl", "operations"));
  const { service } = site.custody;
  const wide = headEndFor("acme", testCredential("acme").certificate);
  const gone = headEndFor("gone", testCredential("gone").certificate);
  for (const headEnd of [wide, gone])
    await world.agreed(() => service.enrolHeadEnd({ headEnd, reason: "a test" }, OPERATOR));
  const [suspended, resumed] = [await world.meter(1), await world.meter(2)];
  const { file } = await ledgers.makeBackup(site);
  ledgers.clock.now += 3_600_000;

  const gak = { purpose: "GAK", version: 2, client: undefined, reason: "a broken seal" } as const;
  for (const meter of [suspended, resumed])
    await service.changeKeyState({ ...gak, meter: titleOf(meter), command: "suspend" }, OPERATOR);
  await world.agreed(() => service.changeKeyState({ ...gak, meter: titleOf(resumed), command: "resume" }, OPERATOR));
  await service.removeHeadEnd({ name: "gone", reason: "stolen" }, OPERATOR);
  const narrow = { ...wide, limits: { ...wide.limits, sessions: 7 } };
  await service.removeHeadEnd({ name: "acme", reason: "too wide" }, OPERATOR);
  await world.agreed(() => service.enrolHeadEnd({ headEnd: narrow, reason: "narrower" }, OPERATOR));
  for (const one of [person("Dora", "security"), person("Emil", "security")]) await world.enrolFurther(one);
  for (const approver of ["carl", "anna"]) await service.suspendApprover({ approver, reason: "has left" }, OPERATOR);
  await site.stop();
  const linesThere = async () =>
    (await readFile(`${site.escrow}/${WITHDRAWALS.file}`, "utf8")).split("\n").filter((line) => line !== "").length;
  const before = await linesThere();

  await using target = await ledgers.emptyDatabase();
  await ledgers.restoreInto(target, file);
  ledgers.clock.now += 40 * 86_400_000;
  // With the authority's document nobody would have to be suspended again.
  await rm(`${site.escrow}/${KEPT_FILE}`);
  const back = await siteOn(target, { escrow: site.escrow });
  const now = await stateOf(back);
  assert.match(now.frozen?.reason ?? "", /the database lost what it knew/);
  const isOut = (id: string) => now.approvers.find((one) => one.id === id)?.suspended !== undefined;
  assert.deepEqual([isOut("anna"), isOut("ben"), isOut("carl")], [true, false, true]);
  const stateOfKey = async ({ systemTitle: title }: TestMeter) =>
    (await back.store.load(title))?.keys.find(({ purpose, version }) => purpose === 2 && version === 2)?.state;
  assert.deepEqual([await stateOfKey(suspended), await stateOfKey(resumed)], ["suspended", "active"]);
  const { headEnds } = await back.custody.service.headEnds({}, OPERATOR);
  assert.deepEqual(
    headEnds.map(({ headEnd: { name, limits } }) => [name, limits.sessions]),
    [["acme", 7]],
  );
  const [told] = await madeGood(back);
  assert.match(told?.left?.join() ?? "", /^fewer than two approvers are left/);
  assert.equal(await linesThere(), before, "what is done again is not noted again");
});

test("a database that somebody put back without saying so, with the custodian's own folder, is behind its journal: it is a loss as any other", async () => {
  await using database = await open();
  const site = await siteOn(database);
  const world = await AuthorityWorld.open(site);
  await world.enrolFurther(person("Carl", "operations"));
  const { file } = await ledgers.makeBackup(site);
  await world.meter(1);
  await site.custody.service.suspendApprover({ approver: "carl", reason: "has left" }, OPERATOR);
  await site.stop();
  await using target = await ledgers.emptyDatabase();
  await ledgers.restoreInto(target, file);
  await asOwner(target.adminUrl, (thief) => thief.query("delete from restorations"));
  let back = await siteOn(target, { escrow: site.escrow });
  const now = await stateOf(back);
  assert.match(now.frozen?.reason ?? "", /the ledger has \d+ entries, and the journal of withdrawals knows of \d+/);
  assert.ok(now.approvers.find(({ id }) => id === "carl")?.suspended !== undefined);
  await back.stop();
  back = await again(target, back);
  assert.equal((await madeGood(back)).length, 1, "it is no loss a second time");
});
