import assert from "node:assert/strict";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { edgeOf, growthOf, type LedgerDraft, postgresLedgerStore } from "@meterkeep/ledger";
import { openTestDatabase, testServerUrl } from "@meterkeep/postgres/testing";
import type { Pool } from "pg";
import { CUSTODY_MIGRATIONS } from "../store/postgres-store.ts";
import { type AuthorityWorld, OPERATOR } from "./authority-world.ts";
import { backupWorld } from "./backup-world.ts";
import type { CustodySite, SiteOptions } from "./custody-site.ts";
import { asOwner } from "./owned-database.ts";
import { carryTakeover, HEAD_END } from "./test-custody.ts";
import { TestMeter } from "./test-meter.ts";

/** The meter of `takenOver` and `openSession`. */
const TITLE = "5453540000000007";
const PATROL_EVERY_MILLISECONDS = 3_600_000;

type Owned = { readonly adminUrl: string };
type Places = Partial<Pick<SiteOptions, "state" | "escrow" | "onFailure">>;

/**
 * Custodians whose ledger lies in the hands of whoever owns the database, and what a test asks of them. A database that `open`
 * or `emptyDatabase` gave stops what `siteOn` and `again` have opened on it, newest first, before it goes: a test that fails
 * keeps no custodian running.
 */
export function ownedLedgers() {
  const backups = backupWorld();
  const { clock } = backups;
  const closing = new Map<string, AsyncDisposableStack>();

  function held<Database extends { readonly url: string }>(database: Database, drop: () => PromiseLike<void>) {
    const stack = new AsyncDisposableStack();
    stack.defer(drop);
    closing.set(database.url, stack);
    return { ...database, [Symbol.asyncDispose]: async () => stack.disposeAsync() };
  }

  async function open() {
    const database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
    return held(database, () => database[Symbol.asyncDispose]());
  }

  /** An empty database as an installer makes it, to restore into. */
  async function emptyDatabase() {
    const database = await backups.emptyDatabase();
    const admin = new URL(await testServerUrl());
    admin.pathname = `/${database.database}`;
    return held({ ...database, adminUrl: admin.href }, database.drop);
  }

  async function siteOn(database: { readonly url: string }, places: Places = {}): Promise<CustodySite> {
    const site = await backups.siteOn(database, places);
    closing.get(database.url)?.defer(() => site.stop());
    return site;
  }

  /** The custodian of a site that was stopped, at its next start. */
  const again = (database: { readonly url: string }, { state, escrow }: CustodySite, places: Places = {}) =>
    siteOn(database, { state, escrow, ...places });

  const stateOf = ({ custody }: CustodySite) => custody.service.authorityState({}, OPERATOR);
  const troubleOf = async ({ custody }: CustodySite) => (await custody.service.status({}, OPERATOR)).ledgerTrouble;

  /** What entries of a kind say, oldest first. */
  const bodiesOf = async ({ store }: CustodySite, kind: string) =>
    (await store.ledger.ofKinds([kind])).map(({ body }) => JSON.parse(body));

  /** Entries of its own, `seen-0` and so on, in one write. */
  const seen = ({ custody }: CustodySite, entries = 1) =>
    custody.bursts.record(
      Array.from({ length: entries }, (_, at) => ({
        ...{ at: clock.now, kind: `seen-${at}`, principal: "p", utility: "*", island: "*", body: {} },
      })),
    );

  /** Reads the whole ledger: a pass that came to no end would find nothing, and a test that asks for nothing would pass. */
  async function patrol({ custody }: CustodySite): Promise<void> {
    clock.now += PATROL_EVERY_MILLISECONDS + 1;
    for (let second = 0; second < 99; second += 1) if (await custody.patrol()) return;
    assert.fail("the patrol has not come to the end of the ledger");
  }

  /** Two people end a freeze, and accept what it was for. */
  async function thaw(world: AuthorityWorld, site: CustodySite): Promise<void> {
    await peopleAt(world, site).change("thaw", { since: (await stateOf(site)).frozen?.since });
    for (let sweep = 0; sweep < 2; sweep += 1) await site.custody.sweep();
    assert.deepEqual([(await stateOf(site)).frozen, await troubleOf(site)], [undefined, undefined]);
  }

  /** Changes the text of entries, without their hash. */
  const alter = (database: Owned, where: string) =>
    asOwner(database.adminUrl, (pool) => pool.query(`update ledger set body = body || ' ' where ${where}`));

  /** Appends entries as somebody does who knows the format: leaf, nodes and all. */
  async function forge(
    pool: Pool,
    ...entries: readonly (Pick<LedgerDraft, "kind" | "body"> & Partial<LedgerDraft>)[]
  ): Promise<void> {
    const store = postgresLedgerStore(pool);
    const who = { at: clock.now, principal: "custodian", utility: "*", island: "*" };
    await store.append(
      growthOf(
        await edgeOf(store),
        entries.map((entry) => ({ ...who, ...entry })),
      ),
    );
  }

  /** Has a meter in custody that was taken over. */
  async function takenOver(site: CustodySite): Promise<TestMeter> {
    const meter = new TestMeter({ systemTitle: TITLE });
    await site.add(meter);
    await carryTakeover(site, meter);
    return meter;
  }

  /** A session with the meter of `takenOver`. */
  const openSession = ({ custody }: CustodySite) =>
    custody.service.openSession({ meter: systemTitle(fromHex(TITLE)), purpose: "read" }, HEAD_END);

  const { makeBackup, restoreInto, dispose } = backups;
  return {
    ...{ clock, open, emptyDatabase, siteOn, again, makeBackup, restoreInto, dispose },
    ...{ stateOf, troubleOf, bodiesOf, seen, patrol, thaw, alter, forge, takenOver, openSession },
  };
}

/** The people of an authority at another start. */
export function peopleAt(world: AuthorityWorld, custody: CustodySite): AuthorityWorld {
  return Object.assign(Object.create(world) as AuthorityWorld, { custody });
}
