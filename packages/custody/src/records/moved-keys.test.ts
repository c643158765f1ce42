import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import type { Pool } from "pg";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { KeyRecord } from "../store/records.ts";
import { asOwner } from "../testing/owned-database.ts";
import { caller, carryTakeover, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { openSession } from "../testing/test-session.ts";

// Somebody who owns the database puts what is sealed in one row of keys into another: of each meter, each security setup, each
// purpose and each version into each.

const TITLES = ["5453540000000A01", "5453540000000A02"] as const;
const COLUMNS = "system_title, setup, purpose, version";

/** Two meters with two security setups each, all of whose keys were changed twice. */
async function withKeys(body: (custody: TestCustody, meters: readonly TestMeter[], owner: Pool) => Promise<void>) {
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool, adminUrl }) =>
    withTestCustody(async (custody) => {
      const meters = TITLES.map((title) => new TestMeter({ systemTitle: title, secondSetup: true }));
      for (const meter of meters) {
        await custody.add(meter, { profile: "idis-p2-service" });
        await carryTakeover(custody, meter);
      }
      const all = { meters: [], madeBefore: undefined, purposes: [], cause: "demand", reason: "a test" } as const;
      await custody.custody.service.planRotations(all, caller("operator"));
      for (const meter of meters) await carryTakeover(custody, meter);
      await asOwner(adminUrl, (owner) => body(custody, meters, owner));
    }, postgresCustodyStore(pool)),
  );
}

async function keysOf({ store }: TestCustody): Promise<readonly KeyRecord[]> {
  const files = await Promise.all(TITLES.map((title) => store.load(title)));
  return files.flatMap((file) => file?.keys ?? []).filter(({ sealed }) => sealed.length > 0);
}

const nameOf = ({ systemTitle: title, setup, purpose, version }: KeyRecord) =>
  `${title}, setup ${setup}, purpose ${purpose}, version ${version}`;

/** Writes what is sealed of the first into the row of the second, of each pair at once. */
async function put(owner: Pool, pairs: readonly (readonly [KeyRecord, KeyRecord])[]): Promise<void> {
  const values = [
    pairs.map(([, to]) => Buffer.from(to.systemTitle, "hex")),
    pairs.map(([, to]) => to.setup),
    pairs.map(([, to]) => to.purpose),
    pairs.map(([, to]) => to.version),
    pairs.map(([from]) => Buffer.from(from.sealed)),
  ];
  const { rowCount } = await owner.query(
    `update meter_keys set sealed = moved.octets
     from unnest($1::bytea[], $2::int[], $3::int[], $4::int[], $5::bytea[]) as moved (${COLUMNS}, octets)
     where (${COLUMNS.replace(/\w+/g, "meter_keys.$&")}) = (${COLUMNS.replace(/\w+/g, "moved.$&")})`,
    values,
  );
  assert.equal(rowCount, pairs.length);
}

test("no row of keys opens with what stood in another: each of every meter, setup, purpose and version put into each", () =>
  withKeys(async (custody, _, owner) => {
    const before = await keysOf(custody);
    for (const part of ["systemTitle", "setup", "purpose", "version"] as const)
      assert.ok(new Set(before.map((key) => key[part])).size > 1, part);
    const opened = async () => {
      const found: string[] = [];
      for (const key of await keysOf(custody)) {
        const place = { ...key, systemTitle: fromHex(key.systemTitle) };
        try {
          for (const secret of await custody.vault.unseal([{ place, sealed: key.sealed }])) secret[Symbol.dispose]();
          found.push(nameOf(key));
        } catch (error) {
          assert.equal((error as { readonly code?: string }).code, "vault-record-not-authentic", nameOf(key));
        }
      }
      return found;
    };
    assert.deepEqual(await opened(), before.map(nameOf), "each where it belongs");
    // So far on, all of them at once: after as many turns as there are rows each has stood in each other's place.
    for (let on = 1; on < before.length; on += 1) {
      await put(
        owner,
        before.map((key, at) => [before[(at + on) % before.length] as KeyRecord, key]),
      );
      assert.deepEqual(await opened(), [], `${on} rows on`);
    }
    await put(
      owner,
      before.map((key) => [key, key]),
    );
    assert.deepEqual(await opened(), before.map(nameOf));
  }));

/** In how much of its place one key differs from another. */
const parts = (one: KeyRecord, other: KeyRecord) =>
  (["systemTitle", "setup", "purpose", "version"] as const).filter((part) => one[part] !== other[part]);

test("a meter is not spoken to under a key that stood in the row beside, of another meter, setup, purpose or version, and is as ever when it is put back", () =>
  withKeys(async (custody, [meter], owner) => {
    assert.ok(meter);
    const keys = await keysOf(custody);
    const inUse = keys.filter(
      ({ systemTitle: title, setup, purpose, state }) =>
        title === meter.systemTitle && setup === 0 && (purpose === 0 || purpose === 2) && state === "active",
    );
    assert.equal(inUse.length, 2);
    for (const to of inUse) {
      const beside = keys.filter((from) => parts(from, to).length === 1);
      assert.deepEqual([...new Set(beside.flatMap((from) => parts(from, to)))].sort(), [
        "purpose",
        "setup",
        "systemTitle",
        "version",
      ]);
      for (const from of beside) {
        await put(owner, [[from, to]]);
        await custody.restart();
        const opening = custody.custody.service.openSession(
          { meter: systemTitle(fromHex(meter.systemTitle)), purpose: "read" },
          caller("head-end"),
        );
        await assert.rejects(opening, { code: "vault-record-not-authentic" }, `${nameOf(from)} in ${nameOf(to)}`);
        await put(owner, [[to, to]]);
        custody.now += 60_000;
      }
    }
    await custody.restart();
    await openSession(custody, meter);
  }));
