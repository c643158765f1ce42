import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { openTestDatabase } from "@meterkeep/postgres/testing";
import { CUSTODY_MIGRATIONS } from "../store/postgres-store.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR, person } from "../testing/authority-world.ts";
import { backupWorld } from "../testing/backup-world.ts";
import type { CustodySite } from "../testing/custody-site.ts";
import type { TestMeter } from "../testing/test-meter.ts";
import { MADE_GOOD } from "./make-good.ts";
import { WITHDRAWALS } from "./withdrawals.ts";

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");
const backups = backupWorld();
after(() => backups.dispose());

const titleOf = (meter: TestMeter) => systemTitle(fromHex(meter.systemTitle));
const stateOf = ({ custody }: CustodySite) => custody.service.authorityState({}, OPERATOR);

/** What stands in the entry that ended the last making good. */
async function madeGood({ store }: CustodySite) {
  const entries = await store.ledger.ofKinds([MADE_GOOD]);
  return entries.map(
    ({ body }) => JSON.parse(body) as { frozen: boolean; again: number; leftInAll: number; strange: number },
  );
}

test("a database that is restored without the feed starts frozen, and forgets nothing that was withdrawn since its backup", async () => {
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  const site = await backups.siteOn(database);
  const world = await AuthorityWorld.open(site);
  const [carl, dora] = [person("Carl", "operations"), person("Dora", "security")];
  for (const { id, name, roles, publicKey } of [carl, dora])
    await world.change("enrol-approver", {
      id,
      name,
      roles: [...roles],
      keyKind: "signature",
      publicKey: Buffer.from(publicKey).toString("hex"),
    });
  // The same was said of Carl before, and taken back.
  await site.custody.service.suspendApprover({ approver: "carl", reason: "has left" }, OPERATOR);
  await world.change("reinstate-approver", { approver: "carl" });
  const [stolen, retired, hoarded] = [await world.meter(1), await world.meter(2), await world.meter(3)];
  const { file } = await backups.makeBackup(site);
  backups.clock.now += 3_600_000;

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

  const target = await backups.emptyDatabase();
  await backups.restoreInto(target, file);
  let back = await backups.siteOn(target, { escrow: site.escrow });
  try {
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
    const again = Object.assign(Object.create(world) as AuthorityWorld, { custody: back });
    await again.change("thaw", { since: now.frozen?.since });
    await back.stop();
    back = await backups.siteOn(target, { escrow: site.escrow, state: back.state });
    const later = await stateOf(back);
    assert.deepEqual([later.frozen, later.counts.day, later.unsettled], [undefined, 1, 1]);
    assert.equal((await madeGood(back)).length, 1);
  } finally {
    await back.stop();
    await target.drop();
  }
});
