import assert from "node:assert/strict";
import { test } from "node:test";
import { PkiError } from "../errors.ts";
import type { PkiStore, RevocationPlan } from "../registry/pki-store.ts";
import type { CertificateRecord, OrderPlace } from "../registry/registry.ts";

const AUTHORITY = "aa".repeat(20);
const NOW = 1_000_000;
const code = (wanted: string) => (error: unknown) => error instanceof PkiError && error.code === wanted;
const titleOf = (at: number): string => `4D4B3030${at.toString(16).toUpperCase().padStart(8, "0")}`;

const order = (at: number, rest: Partial<CertificateRecord> = {}): CertificateRecord => ({
  authority: AUTHORITY,
  serial: at.toString(16).padStart(32, "0"),
  utility: "stadtwerke",
  island: at % 2 === 0 ? "north" : "south",
  profile: "dlms-suite-1-signature",
  subject: `CN=${titleOf(at)}`,
  systemTitle: titleOf(at),
  keyIdentifier: at.toString(16).padStart(40, "c"),
  requester: "line-1",
  notBefore: 0,
  notAfter: NOW + at,
  orderedAt: at,
  octets: undefined,
  shard: at % 4,
  revokedAt: undefined,
  reason: undefined,
  ...rest,
});

const plan = (id: string, rest: Partial<RevocationPlan> = {}): RevocationPlan => ({
  id,
  authority: AUTHORITY,
  serial: undefined,
  reason: "superseded",
  plannedBy: "person",
  plannedAt: 1,
  stage: "refuse",
  state: "planned",
  meters: 3,
  finished: 0,
  ...rest,
});

/** What every adapter of `PkiStore` keeps to, beside what `registryContract` says of its registry. */
export function pkiStoreContract(
  name: string,
  withStore: (body: (store: PkiStore) => Promise<void>) => Promise<void>,
): void {
  const contract = (sentence: string, body: (store: PkiStore) => Promise<void>) =>
    test(`${name}: ${sentence}`, () =>
      withStore(async (store) => {
        const place = {
          utility: "stadtwerke",
          island: "north",
          name: "One",
          profile: "issuing-p256",
          parent: undefined,
        };
        const certificate = Uint8Array.of(1);
        await store.registry.addAuthority({
          ...place,
          authority: AUTHORITY,
          keyName: "one",
          certificate,
          createdAt: 1,
        });
        await body(store);
      }));

  contract(
    "a revocation that came before its certificate is on the lists, and told again changes nothing",
    async (store) => {
      const { registry } = store;
      await registry.order([order(1)]);
      await registry.issued(AUTHORITY, [{ serial: order(1).serial, octets: Uint8Array.of(1) }]);
      const serials = [order(1).serial, order(2).serial];
      assert.equal(await registry.revokeAgain(AUTHORITY, serials, 5, "keyCompromise"), 2);
      assert.equal(await registry.revokeAgain(AUTHORITY, serials, 6, "superseded"), 0);
      for (const serial of serials) assert.equal(await registry.isRevoked(AUTHORITY, serial), true);
      assert.equal(await registry.isRevoked(AUTHORITY, order(3).serial), false);
      assert.deepEqual(await registry.revoked(AUTHORITY, 2), [
        { serial: order(2).serial, revokedAt: 5, reason: "keyCompromise" },
      ]);
    },
  );

  contract("certificates are counted by island, meter and end, and listed newest first", async ({ registry }) => {
    const all = [1, 2, 3, 4].map((at) => order(at));
    const twice = order(5, { systemTitle: titleOf(4), island: "north" });
    await registry.order([...all, twice, order(6)]);
    assert.equal(await registry.count(), 6);
    await registry.issued(
      AUTHORITY,
      [...all, twice].map(({ serial }) => ({ serial, octets: Uint8Array.of(1) })),
    );
    await registry.revoke(AUTHORITY, [order(1).serial], 5, "superseded");
    assert.deepEqual(await registry.extent([AUTHORITY], NOW), [
      { utility: "stadtwerke", island: "north", certificates: 3, meters: 2 },
      { utility: "stadtwerke", island: "south", certificates: 1, meters: 1 },
    ]);
    const titles = async (after: string | undefined, limit: number) =>
      (await registry.meters([AUTHORITY], after, limit)).map(({ systemTitle }) => systemTitle);
    assert.deepEqual(await titles(undefined, 2), [titleOf(2), titleOf(3)]);
    assert.deepEqual(await titles(titleOf(3), 9), [titleOf(4)]);
    const profile = "dlms-suite-1-signature";
    assert.deepEqual(await registry.endings(NOW, [NOW + 3, NOW + 100]), [
      { profile, before: NOW + 3, count: 1 },
      { profile, before: NOW + 100, count: 3 },
    ]);
    assert.deepEqual(
      (await registry.newest({ before: 5 }, 2)).map(({ orderedAt }) => orderedAt),
      [4, 3],
    );
  });

  contract("of certificates that were ordered in one moment each is on one page", async ({ registry }) => {
    const batch = Array.from({ length: 25 }, (_, at) => order(at + 1, { orderedAt: at < 23 ? 7 : 6 }));
    await registry.order(batch);
    await registry.issued(
      AUTHORITY,
      batch.map(({ serial }) => ({ serial, octets: Uint8Array.of(1) })),
    );
    const seen: string[] = [];
    for (let from: OrderPlace | undefined = { before: 8 }; from !== undefined; ) {
      const page: readonly CertificateRecord[] = await registry.newest(from, 10);
      seen.push(...page.map(({ serial }) => serial));
      const last = page.at(-1);
      from = last && { before: last.orderedAt, after: last };
    }
    assert.deepEqual(
      seen,
      batch.map(({ serial }) => serial),
    );
  });

  contract("a plan that was withdrawn is over: another of the same authority may follow", async ({ plans }) => {
    await plans.add(plan("p1"));
    const withdrawn = { stage: "refuse", state: "withdrawn", finished: 0 } as const;
    assert.equal(await plans.move("p1", { stage: "refuse", state: "planned" }, withdrawn), true);
    await plans.add(plan("p2", { plannedAt: 2 }));
    await assert.rejects(plans.add(plan("p3")), code("revocation-refused"));
    assert.deepEqual(
      (await plans.list()).map(({ state }) => state),
      ["withdrawn", "planned"],
    );
  });

  contract("a meter that had very many certificates is listed by the one that stands", async ({ registry }) => {
    const many = Array.from({ length: 130 }, (_, at) => order(at + 1, { systemTitle: titleOf(1) }));
    const all = [...many, order(200), order(201)];
    await registry.order(all);
    const signed = (records: readonly CertificateRecord[]) =>
      records.map(({ serial }) => ({ serial, octets: Uint8Array.of(1) }));
    await registry.issued(AUTHORITY, signed(all));
    await registry.revoke(
      AUTHORITY,
      many.slice(0, -1).map(({ serial }) => serial),
      5,
      "superseded",
    );
    const titles = (await registry.meters([AUTHORITY], undefined, 9)).map(({ systemTitle }) => systemTitle);
    assert.deepEqual(titles, [1, 200, 201].map(titleOf));
  });

  contract("answers that were signed ahead take the place of those before", async (store) => {
    const { answers, registry } = store;
    await registry.order([order(1), order(2)]);
    const one = {
      authority: AUTHORITY,
      serial: order(1).serial,
      isRevoked: false,
      until: 10,
      octets: Uint8Array.of(1),
    };
    const other = { ...one, serial: order(2).serial, until: 20 };
    await answers.put([one, other]);
    await answers.put([{ ...one, isRevoked: true, until: 30, octets: Uint8Array.of(2) }]);
    assert.deepEqual(await answers.find(AUTHORITY, one.serial), {
      ...one,
      isRevoked: true,
      until: 30,
      octets: Uint8Array.of(2),
    });
    const asked = [one.serial, other.serial, order(3).serial];
    assert.deepEqual(
      (await answers.terms(AUTHORITY, asked)).toSorted((a, b) => a.until - b.until),
      [
        { serial: other.serial, isRevoked: false, until: 20 },
        { serial: one.serial, isRevoked: true, until: 30 },
      ],
    );
    assert.equal(await answers.find(AUTHORITY, order(3).serial), undefined);
  });

  contract("a table's number is given once, and the newest counts", async ({ assignments }) => {
    assert.equal(await assignments.newest(), undefined);
    await assignments.add({ number: 1, octets: Uint8Array.of(1), addedAt: 1 });
    await assignments.add({ number: 2, octets: Uint8Array.of(2), addedAt: 2 });
    await assert.rejects(assignments.add({ number: 2, octets: Uint8Array.of(3), addedAt: 3 }), code("serial-taken"));
    assert.deepEqual(await assignments.newest(), { number: 2, octets: Uint8Array.of(2), addedAt: 2 });
  });

  contract("a password is used once, by one of many who try at once, and not after its end", async ({ passwords }) => {
    const password = {
      name: "anna",
      authority: AUTHORITY,
      profile: "technician",
      subject: "{}",
      madeBy: "person",
      madeAt: 1,
      endsAt: 100,
      usedAt: undefined,
    };
    await passwords.add({ ...password, hash: new Uint8Array(32).fill(1) });
    await passwords.add({ ...password, hash: new Uint8Array(32).fill(2) });
    const tries = await Promise.all(Array.from({ length: 8 }, () => passwords.take(new Uint8Array(32).fill(1), 50)));
    assert.deepEqual(
      tries.filter((one) => one !== undefined).map(({ name: who, usedAt }) => [who, usedAt]),
      [["anna", 50]],
    );
    await passwords.giveBack(new Uint8Array(32).fill(1), 60);
    assert.equal((await passwords.take(new Uint8Array(32).fill(1), 61))?.usedAt, 61, "given back it is good again");
    assert.equal(await passwords.take(new Uint8Array(32).fill(1), 62), undefined, "once");
    assert.equal(await passwords.take(new Uint8Array(32).fill(2), 100), undefined);
    assert.equal(await passwords.take(new Uint8Array(32).fill(3), 50), undefined);
  });

  contract("a plan is moved from where it stands alone, and an authority has one that is open", async ({ plans }) => {
    await plans.add(plan("p1"));
    await assert.rejects(plans.add(plan("p2")), code("revocation-refused"));
    const running = { stage: "refuse", state: "running", finished: 0 } as const;
    assert.equal(await plans.move("p1", { stage: "refuse", state: "planned" }, running), true);
    assert.equal(await plans.move("p1", { stage: "refuse", state: "planned" }, running), false);
    assert.equal(await plans.move("none", { stage: "refuse", state: "planned" }, running), false);
    assert.equal(await plans.move("p1", running, { stage: "cut", state: "done", finished: 1 }), true);
    await plans.add(plan("p2", { plannedAt: 2 }));
    assert.deepEqual(
      (await plans.list()).map(({ id, stage, state, finished }) => [id, stage, state, finished]),
      [
        ["p1", "cut", "done", 1],
        ["p2", "refuse", "planned", 0],
      ],
    );
  });

  contract(
    "a plan of one certificate stands beside that of its authority, and is over with its removal",
    async ({ plans }) => {
      await plans.add(plan("p1"));
      const serial = order(1).serial;
      await plans.add(plan("p2", { serial, plannedAt: 2 }));
      await assert.rejects(plans.add(plan("p3", { serial })), code("revocation-refused"));
      assert.deepEqual(
        (await plans.list()).map((one) => one.serial),
        [undefined, serial],
      );
      const done = { stage: "remove", state: "done", finished: 1 } as const;
      assert.equal(await plans.move("p2", { stage: "refuse", state: "planned" }, done), true);
      await plans.add(plan("p3", { serial, plannedAt: 3 }));
    },
  );

  contract("meters are freed once each, and islands are cut until they are lifted", async ({ plans }) => {
    await plans.add(plan("p1"));
    const meters = [1, 2, 3].map((at) => ({ systemTitle: titleOf(at), utility: "stadtwerke", island: "north" }));
    await plans.addRemovals("p1", meters);
    await plans.addRemovals("p1", meters.slice(0, 2));
    assert.equal(await plans.openRemovals("p1"), 3);
    assert.deepEqual(await plans.plansOf(titleOf(2)), ["p1"]);
    assert.equal(await plans.finishRemoval("p1", titleOf(2), 7, "removed"), true);
    assert.equal(await plans.finishRemoval("p1", titleOf(2), 8, "again"), false);
    await plans.reopenRemovals("p1", meters.slice(1, 2));
    assert.equal(await plans.openRemovals("p1"), 3, "its row may say that it was freed, and the ledger not");
    assert.equal(await plans.finishRemoval("p1", titleOf(2), 9, "removed"), true);
    assert.equal(await plans.finishRemoval("p1", titleOf(9), 8, "never planned"), false);
    assert.deepEqual(await plans.plansOf(titleOf(2)), []);
    const open = async (after?: string) => (await plans.removals("p1", after, 9)).map(({ systemTitle }) => systemTitle);
    assert.deepEqual(await open(), [titleOf(1), titleOf(3)]);
    assert.deepEqual(await open(titleOf(1)), [titleOf(3)]);
    await plans.cut("p1", [{ utility: "stadtwerke", island: "north" }], 9);
    await plans.cut("p1", [{ utility: "stadtwerke", island: "north" }], 10);
    assert.deepEqual(await plans.cuts(), [{ plan: "p1", utility: "stadtwerke", island: "north", cutAt: 9 }]);
    await plans.lift("p1", 11);
    assert.deepEqual(await plans.cuts(), []);
  });
}
