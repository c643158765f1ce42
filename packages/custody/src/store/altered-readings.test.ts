import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { edgeOf, growthOf, type LedgerDraft } from "@meterkeep/ledger";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { growthMacs, leafJudge } from "../ledger/entry-macs.ts";
import { acceptedMark, counterMark, takeoverMark } from "../records/marks.ts";
import { asOwner } from "../testing/owned-database.ts";
import { sampleMeter, sampleShipment } from "../testing/samples.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "./postgres-store.ts";
import type { CustodyStore } from "./store.ts";

const vault = {
  authenticate: async (texts: readonly Uint8Array[]) =>
    texts.map((text) => new Uint8Array(createHmac("sha256", "the vault's").update(text).digest())),
};
const AUTHORITY = "ab".repeat(20);
const MAC = new Uint8Array(32);
const sample = sampleMeter(1);
const { utility, island, systemTitle: meter } = sample.meter;
const place = { utility, island, systemTitle: meter, setup: 0 };
const serial = (round: number) => `0${round}`.repeat(16);

/** One of each kind that a reading of its own decides by. */
function drafts(round: number): LedgerDraft[] {
  const entry = (kind: string, body: unknown): LedgerDraft => ({
    ...{ at: 1000 + round, kind, principal: "custodian", utility, island, meter, body },
  });
  const order = { authority: AUTHORITY, serial: serial(round), profile: "p", key: "cd".repeat(20) };
  const takeover = {
    ...place,
    takeover: 1,
    revision: round,
    journal: "{}",
    openedAt: 1,
    closedAt: undefined,
    mac: MAC,
  };
  return [
    entry("ledger-witnesses", { witnesses: [{ name: `w${round}` }] }),
    entry("field-lent", { round }),
    entry("withdrawals-noted", { round }),
    takeoverMark(takeover, 1),
    takeoverMark({ ...takeover, subject: "certificates" }, 1),
    takeoverMark({ ...takeover, setup: 1 }, 1),
    acceptedMark({ ...place, keyVersion: 1, highest: 64 * round, seen: new Uint8Array(128) }, MAC, 1000),
    entry("key-states-changed", { round }),
    counterMark({ ...place, keyVersion: 1, next: 100 * round, mac: MAC }, 1),
    entry("certificate-ordered", order),
    entry("authority-made", {
      ...order,
      authority: "ef".repeat(20),
      parent: AUTHORITY,
      serial: `1${round}`.repeat(16),
    }),
    entry("certificates-removed", { plan: "p1", meter: `M${round}` }),
    entry("authority-recorded", { revision: round, mac: "" }),
    entry("change-executed", { hash: `h${round}`, kind: "thaw" }),
    entry("critical-sealed", { nonce: `1${round}`.repeat(16) }),
  ];
}

async function readings({ ledger, pkiLedger, authority }: CustodyStore) {
  const serials = [serial(1), serial(2), "11".repeat(16), "12".repeat(16)];
  return {
    // First: what another reading finds is left out of any count.
    ordered: await pkiLedger.countSince("custodian", 0),
    lost: (await authority.countingSeals()).lost,
    itself: await ledger.ofItself(),
    kinds: await ledger.ofKinds(["ledger-witnesses", "authority-recorded"]),
    meters: await ledger.ofMeters([meter], ["field-lent"]),
    last: await ledger.lastOf(["withdrawals-noted"], "custodian", utility),
    page: await ledger.counted(0, 1000),
    few: await ledger.counted(drafts(1).length, 3),
    serials: await pkiLedger.ofSerials(AUTHORITY, serials),
    ofMeter: await pkiLedger.ofMeter(meter),
    orders: await pkiLedger.page(AUTHORITY, serial(1), 1),
    freed: await pkiLedger.freed("p1", ["M1", "M2"]),
    document: await authority.document(),
    executed: await authority.wasExecuted("h2"),
  };
}

test("no reading that decides believes an entry that was changed, and each goes on to the newest that was not", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
    const store = postgresCustodyStore(pool);
    store.ledger.foreign.judgeBy(leafJudge(vault));
    const stage = await store.stageShipment();
    await stage.add([sample]);
    await stage.commit(sampleShipment);
    const write = async (round: number) => {
      const growth = growthOf(await edgeOf(store.ledger), drafts(round));
      await store.commit([], { ...growth, macs: await growthMacs(vault, growth) });
    };
    await write(1);
    const before = await readings(store);
    await write(2);
    const after = await readings(store);
    for (const [name, read] of Object.entries(after))
      assert.notDeepEqual(read, before[name as keyof typeof before], `${name} reads what was written`);
    assert.deepEqual(store.ledger.foreign.findings, []);
    const count = drafts(1).length;
    for (const [at, change] of [
      "at_ms = at_ms + 1",
      "island = island || 'x'",
      "body = body || ' '",
      "mac = null",
    ].entries())
      await asOwner(adminUrl, (owner) =>
        owner.query(`update ledger set ${change} where sequence > $1 and sequence % 4 = $2`, [count, at]),
      );
    assert.deepEqual(await readings(store), before);
    // What rows stand behind is refused instead: an older mark would let an older row pass.
    const kindsOf = async (sequences: readonly number[] = []) =>
      (
        await Promise.all(sequences.map(async (sequence) => (await store.ledger.read(sequence - 1, 1))[0]?.kind))
      ).sort();
    for (const file of [await store.load(meter), ...(await store.loadPage([], undefined, 5))])
      assert.deepEqual(await kindsOf(file?.altered), [
        "counters-accepted",
        "enrolment-recorded",
        "key-states-changed",
        "takeover-recorded",
        "takeover-recorded",
      ]);
    assert.deepEqual(await kindsOf((await store.counterLine(place)).altered), ["counters-reserved"]);
    const { findings } = store.ledger.foreign;
    const found = new Set(
      findings.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, at) => from + at)),
    );
    assert.deepEqual(
      [...found].sort((one, other) => one - other),
      Array.from({ length: count }, (_, at) => count + 1 + at),
    );
    assert.ok(findings.every(({ fault }) => fault === "altered"));
  }));

test("entries that are no JSON any more cost the readings that decide nothing but themselves", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
    const store = postgresCustodyStore(pool);
    store.ledger.foreign.judgeBy(leafJudge(vault));
    const write = async (round: number) => {
      const growth = growthOf(await edgeOf(store.ledger), drafts(round));
      await store.commit([], { ...growth, macs: await growthMacs(vault, growth) });
    };
    await write(1);
    const before = await readings(store);
    await write(2);
    const count = drafts(1).length;
    await asOwner(adminUrl, async (owner) => {
      // One over what JSON says would keep them from being written, and is the owner's to drop.
      const { rows } = await owner.query<{ name: string }>(
        "select indexname as name from pg_indexes where tablename = 'ledger' and indexdef like '%json%'",
      );
      for (const { name } of rows) await owner.query(`drop index ${name}`);
      // With all that is looked for by text still in it.
      await owner.query("update ledger set body = body || '}' where sequence > $1", [count]);
    });
    assert.deepEqual(await readings(store), before);
  }));

test("a mark that is no JSON any more has its own meter refused, and no other that is loaded in the same turn", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
    const store = postgresCustodyStore(pool);
    store.ledger.foreign.judgeBy(leafJudge(vault));
    const other = sampleMeter(2);
    const stage = await store.stageShipment();
    await stage.add([sample, other]);
    await stage.commit(sampleShipment);
    const growth = growthOf(await edgeOf(store.ledger), drafts(1));
    await store.commit([], { ...growth, macs: await growthMacs(vault, growth) });
    for (const body of ["no JSON", '{"setup":9,no JSON']) {
      await asOwner(adminUrl, (owner) =>
        owner.query(
          "update ledger set body = $1 where kind in ('takeover-recorded', 'enrolment-recorded', 'counters-reserved', 'counters-accepted', 'key-states-changed')",
          [body],
        ),
      );
      const [its, others] = await Promise.all([store.load(meter), store.load(other.meter.systemTitle)]);
      assert.ok((its?.altered?.length ?? 0) > 0);
      assert.equal(others?.altered, undefined);
      assert.ok(others);
    }
    assert.equal((await store.counterLine(place)).mark, undefined);
  }));
