import assert from "node:assert/strict";
import { test } from "node:test";
import { type SystemTitle, systemTitle, systemTitleText, toHex } from "@meterkeep/dlms";
import {
  decodeCertificate,
  openCrl,
  PKI_GRANTS,
  PKI_MIGRATIONS,
  PkiError,
  type PkiStore,
  PROFILES,
  postgresPkiStore,
} from "@meterkeep/pki";
import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { CallRefusal } from "../calls/call-refusal.ts";
import { caller } from "../testing/test-custody.ts";
import { freshKey, issueMeter, PLACE, type TestPki, testTitle, withTestPki } from "../testing/test-pki.ts";
import { pkiService } from "./pki-service.ts";
import type { TrustJournal } from "./trust-journal.ts";

const METERS = 12;
const OPERATOR = caller("operator");
const HOUR = 3_600_000;
const agreed = { require: async () => ({ hash: undefined, approvedBy: [] }) };
const code = (wanted: string) => (error: unknown) => error instanceof PkiError && error.code === wanted;

async function issueMeters({ pki }: TestPki): Promise<string> {
  const { authority } = await pki.issuerFor(PLACE, "P-256");
  const profile = PROFILES.get("dlms-suite-1-signature")!;
  await pki.authorities.issueAll(
    Array.from({ length: METERS }, (_, number) => ({
      authority,
      profile,
      subject: { systemTitle: testTitle(number + 1) },
      publicKey: freshKey().publicKey,
      requester: "line-1",
    })),
  );
  return authority;
}

test("what revoking an authority would do is said before anything is done: meters, islands, hours at the measured pace", () =>
  withTestPki(async (bench) => {
    const before = bench.now;
    await issueMeters(bench);
    bench.now += HOUR;
    const authority = await issueMeters(bench);
    bench.pace = METERS / 2;
    const effect = await bench.pki.revocations.effect({ authority });
    assert.deepEqual([effect.meters, effect.certificates], [METERS, 2 * METERS]);
    assert.deepEqual(effect.extent, [{ ...PLACE, certificates: 2 * METERS, meters: METERS }]);
    assert.deepEqual([effect.perHour, effect.hours], [METERS / 2, 2]);
    assert.equal(bench.now - before, HOUR);
    const scheme = (await bench.pki.authorities.all()).find(({ profile }) => profile === "scheme")!;
    assert.equal((await bench.pki.revocations.effect({ authority: scheme.authority })).meters, METERS, "all below it");
    assert.equal(await bench.pki.revocations.heldBy([authority]), undefined, "nothing is done");
  }));

/** Store and journal as a process sees them that dies before, or after, one of its writes. */
function mortal(store: PkiStore, dieAt: number, when: "before" | "after") {
  let writes = 0;
  const wrapped = <T extends object>(port: T): T =>
    new Proxy(port, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== "function" || !WRITES.has(String(name))) return value;
        return async (...args: unknown[]) => {
          const here = writes === dieAt;
          writes += 1;
          if (here && when === "before") throw new Error("the process died");
          const result = await (value as (...all: unknown[]) => Promise<unknown>).apply(target, args);
          if (here) throw new Error("the process died");
          return result;
        };
      },
    });
  const { registry, plans, assignments } = store;
  const ports = { registry: wrapped(registry), plans: wrapped(plans), assignments: wrapped(assignments) };
  return { store: { ...store, ...ports }, journalAs: (journal: TrustJournal) => wrapped(journal) };
}
const WRITES = new Set(
  ["order", "issued", "revoke", "revokeAgain", "append"].concat(
    ["move", "add", "addRemovals", "finishRemoval", "cut", "lift"], // of plans, and of tables
  ),
);

/** A row whose line the journal has is told of when it is put back. */
const FORGIVING = { isForgiving: true } as const;

test("an authority's certificate is not revoked as one certificate: what it would do would be said of one", () =>
  withTestPki(async (bench) => {
    await issueMeters(bench);
    const all = await bench.pki.authorities.all();
    const service = pkiService(bench.pki, agreed);
    for (const { parent, certificate, authority: child } of all) {
      if (parent === undefined) continue;
      const asked = { authority: parent, serial: toHex(decodeCertificate(certificate).serial) };
      await assert.rejects(bench.pki.revocations.effect(asked), code("revocation-refused"));
      await assert.rejects(bench.pki.revocations.plan(asked, "superseded", "anna"), code("revocation-refused"));
      const planned = service.planRevocation({ ...asked, reason: "superseded" }, OPERATOR);
      await assert.rejects(planned, new RegExp(`revoke authority ${child}`));
    }
    assert.deepEqual(await bench.pki.revocations.list(), []);
    assert.ok(bench.ledger.every(({ kind }) => kind !== "revocation-planned"));
  }));

test("a process may die at every write of a revocation: started again it goes on, and ends where it would have", async () => {
  let survived = 0;
  for (let dieAt = 0; survived === 0 || dieAt < 3; dieAt += 1)
    for (const when of ["before", "after"] as const)
      await withTestPki(async (bench) => {
        const authority = await issueMeters(bench);
        const [told] = await bench.store.registry.search({ authority, state: "valid", limit: 1 }, bench.now);
        const { store: dying, journalAs } = mortal(bench.store, dieAt, when);
        await bench.reopen(dying, journalAs);
        let crashes = 0;
        /** As a person would: again, and where it was done already, on. */
        const insist = async (body: () => Promise<unknown>): Promise<void> => {
          try {
            await body();
          } catch (error) {
            if (error instanceof PkiError) return;
            crashes += 1;
            await bench.reopen(bench.store);
            await body().catch((again: unknown) => assert.ok(again instanceof PkiError, String(again)));
          }
        };
        const planOf = async () => (await bench.pki.revocations.list()).find(({ state }) => state !== "withdrawn")!;
        const plan = () => bench.pki.revocations.plan({ authority }, "cACompromise", "person");
        const owner = (await bench.pki.authorities.all()).find(({ profile }) => profile === "utility")!;
        const ranges = [{ first: testTitle(0), last: testTitle(METERS + 1) }];
        const rows = [{ authority: Buffer.from(owner.authority, "hex"), name: "stadtwerke", ranges }];
        await insist(() => bench.pki.assign(rows, "person"));
        await insist(() => issueMeter(bench, METERS + 1));
        await assert.rejects(issueMeter(bench, METERS + 2), code("assignment-violated"), `${when} write ${dieAt}`);
        // As an adopted list, or the ledger, tells it.
        await insist(() => bench.pki.store.registry.revokeAgain(authority, [told!.serial], bench.now, "superseded"));
        assert.equal(await bench.store.registry.isRevoked(authority, told!.serial), true);
        await insist(plan);
        const { id } = await planOf();
        await insist(() => bench.pki.revocations.move(id, "withdraw", "person"));
        await insist(() => issueMeter(bench, METERS + 1));
        await insist(plan);
        for (const stage of ["refuse", "remove", "cut"] as const) {
          const plan = await planOf();
          if (stage === "refuse") await insist(() => bench.pki.revocations.move(plan.id, "start", "person"));
          else await insist(() => bench.pki.revocations.move(plan.id, "next", "person"));
          await insist(() => bench.pki.tend());
          const meters = await bench.store.plans.removals(plan.id, undefined, 100);
          if (stage !== "remove") continue;
          assert.equal(meters.length, METERS, `every meter is to be freed, ${when} write ${dieAt}`);
          for (const { systemTitle: title } of meters)
            await insist(() => bench.store.plans.finishRemoval(plan.id, title, bench.now, "removed"));
          await insist(() => bench.pki.tend());
        }
        const { stage, state } = await planOf();
        assert.deepEqual([stage, state], ["cut", "done"], `${when} write ${dieAt}`);
        assert.equal(bench.pki.isCut(PLACE), true);
        const left = await bench.store.registry.search({ authority, state: "valid", limit: 1 }, bench.now);
        assert.equal(left.length, 0, "every certificate is refused");
        if (crashes === 0) survived += 1;
      }, FORGIVING);
});

test("a stage is stopped and goes on where it stood, and none is skipped", () =>
  withTestPki(async (bench) => {
    const authority = await issueMeters(bench);
    const { revocations } = bench.pki;
    const { id } = await revocations.plan({ authority }, "superseded", "person");
    await assert.rejects(revocations.plan({ authority }, "superseded", "person"), code("revocation-refused"));
    await assert.rejects(revocations.move(id, "next", "person"), code("revocation-refused"));
    await revocations.move(id, "start", "person");
    await revocations.move(id, "stop", "person");
    await bench.pki.tend();
    assert.equal(
      (await bench.store.registry.search({ authority, state: "valid", limit: 100 }, bench.now)).length,
      METERS,
    );
    await revocations.move(id, "start", "person");
    await bench.pki.tend();
    assert.equal((await revocations.list())[0]?.finished, METERS);
    await assert.rejects(bench.pki.issuerFor(PLACE, "P-256"), code("authority-unknown"), "it is held from the plan on");
    const kinds = bench.ledger.map(({ kind }) => kind);
    for (const kind of ["revocation-planned", "revocation-moved", "certificates-revoked"])
      assert.ok(kinds.includes(kind), kind);
  }));

test("nothing of the tree changes before people have agreed, and stopping needs nobody's leave", () =>
  withTestPki(async (bench) => {
    const authority = await issueMeters(bench);
    const asked: string[] = [];
    const changes = {
      require: async (kind: string) => {
        asked.push(kind);
        throw new CallRefusal("approval-required", "two people");
      },
    };
    const before = JSON.stringify(await bench.pki.authorities.all());
    const service = pkiService(bench.pki, changes);
    const all = await bench.pki.authorities.all();
    const place = { utility: "u", island: "*", name: "n" } as const;
    const required = (error: unknown) => error instanceof CallRefusal && error.code === "approval-required";
    await assert.rejects(
      service.makeAuthority({ ...place, profile: "utility", parent: all[1]!.authority }, OPERATOR),
      required,
    );
    const certificate = all[0]!.certificate;
    const adopted = { ...place, profile: "root", parent: undefined, keyName: undefined, certificate };
    await assert.rejects(service.adoptAuthority(adopted, OPERATOR), required);
    await assert.rejects(service.setAssignments({ rows: [] }, OPERATOR), required);
    await assert.rejects(
      service.planRevocation({ authority, serial: undefined, reason: "superseded" }, OPERATOR),
      required,
    );
    const { id } = await bench.pki.revocations.plan({ authority }, "superseded", "person");
    await assert.rejects(service.moveRevocation({ plan: id, move: "start" }, OPERATOR), required);
    await bench.pki.revocations.move(id, "start", "person");
    assert.equal((await service.moveRevocation({ plan: id, move: "stop" }, OPERATOR)).state, "stopped");
    assert.deepEqual(asked, [
      "make-authority",
      "adopt-authority",
      "assign-titles",
      "revoke-authority",
      "move-revocation",
    ]);
    assert.equal(JSON.stringify(await bench.pki.authorities.all()), before);
    assert.equal((await bench.pki.assignments())?.table.number, 1);
  }));

test("what was planned and has not begun is taken back, and its authority issues again: by the journal, whatever a row says", () =>
  withTestPki(
    async (bench) => {
      const authority = await issueMeters(bench);
      const { id } = await bench.pki.revocations.plan({ authority }, "superseded", "person");
      await assert.rejects(bench.pki.issuerFor(PLACE, "P-256"), code("authority-unknown"));
      const planned = { stage: "refuse", state: "planned" } as const;
      // Whoever owns the database takes nothing back.
      await bench.store.plans.move(id, planned, { stage: "refuse", state: "withdrawn", finished: 0 });
      await assert.rejects(bench.pki.issuerFor(PLACE, "P-256"), code("authority-unknown"));
      await bench.store.plans.move(id, { stage: "refuse", state: "withdrawn" }, { ...planned, finished: 0 });
      assert.equal((await bench.pki.revocations.move(id, "withdraw", "person")).state, "withdrawn");
      await issueMeters(bench);
      await bench.reopen();
      await issueMeters(bench);
      const again = await bench.pki.revocations.plan({ authority }, "superseded", "person");
      await bench.pki.revocations.move(again.id, "start", "person");
      await assert.rejects(bench.pki.revocations.move(again.id, "withdraw", "person"), code("revocation-refused"));
      await assert.rejects(bench.pki.revocations.move(id, "lift", "person"), code("revocation-refused"));
    },
    { isForgiving: true },
  ));

test("in PostgreSQL the stages are the same, and meters are given out once", () =>
  withTestDatabase({ migrations: [{ component: "pki", directory: PKI_MIGRATIONS, grants: PKI_GRANTS }] }, ({ pool }) =>
    withTestPki(
      async (bench) => {
        const authority = await issueMeters(bench);
        const service = pkiService(bench.pki, agreed);
        const plan = await service.planRevocation({ authority, serial: undefined, reason: "cACompromise" }, OPERATOR);
        await service.moveRevocation({ plan: plan.id, move: "start" }, OPERATOR);
        await bench.pki.tend();
        await service.moveRevocation({ plan: plan.id, move: "next" }, OPERATOR);
        const { removals } = await service.certificateRemovals({ after: undefined, limit: 5 }, OPERATOR);
        assert.deepEqual(
          removals.map(({ meter }) => toHex(meter)),
          [1, 2, 3, 4, 5].map((number) => toHex(testTitle(number))),
        );
        await bench.pki.revocations.freed(plan.id, systemTitleText(systemTitle(testTitle(1))), "gone", "test");
        const rest = await service.certificateRemovals({ after: undefined, limit: 100 }, OPERATOR);
        assert.equal(rest.removals.length, METERS - 1);
        await service.moveRevocation({ plan: plan.id, move: "next" }, OPERATOR);
        await bench.pki.tend();
        assert.equal(bench.pki.isCut(PLACE), true);
        await service.moveRevocation({ plan: plan.id, move: "lift" }, OPERATOR);
        await bench.pki.tend();
        assert.equal(bench.pki.isCut(PLACE), false);
        const shards = new Set<string>();
        for (let shard = 0; shard < 64; shard += 1) {
          const list = await bench.pki.publisher.list(authority, shard, "full");
          const issuer = decodeCertificate((await bench.pki.authorities.recordOf(authority)).certificate);
          for (const { serial } of openCrl(list!.octets, issuer).revocations) shards.add(toHex(serial));
        }
        assert.equal(shards.size, METERS, "each is on a list, once");
      },
      { store: postgresPkiStore(pool) },
    ),
  ));

test("pages of removals pass over no meter, however many revocations free it", () =>
  withTestPki(async (bench) => {
    const authority = await issueMeters(bench);
    const service = pkiService(bench.pki, agreed);
    const all = await bench.store.registry.search({ authority, state: "valid", limit: 100 }, bench.now);
    const plans: string[] = [];
    for (const { serial } of all.slice(0, 3)) {
      const plan = await service.planRevocation({ authority, serial, reason: "keyCompromise" }, OPERATOR);
      plans.push(plan.id);
      await service.moveRevocation({ plan: plan.id, move: "start" }, OPERATOR);
      await bench.pki.tend();
      await service.moveRevocation({ plan: plan.id, move: "next" }, OPERATOR);
    }
    await bench.pki.revocations.freed(plans[0]!, systemTitleText(systemTitle(testTitle(1))), "gone", "test");
    const wanted: string[] = [];
    for (const { id } of await bench.pki.revocations.removing())
      for (const one of await bench.store.plans.removals(id, undefined, 100)) wanted.push(`${one.systemTitle} ${id}`);
    for (const limit of [1, 2, 4, 5, 7, 100]) {
      const found: string[] = [];
      for (let after: SystemTitle | undefined; ; ) {
        const { removals } = await service.certificateRemovals({ after, limit }, OPERATOR);
        found.push(...removals.map(({ meter, plan }) => `${systemTitleText(meter)} ${plan}`));
        after = removals.at(-1)?.meter;
        if (after === undefined) break;
      }
      assert.deepEqual(found.toSorted(), wanted.toSorted(), `pages of ${limit}`);
    }
  }));

test("a page of what is valid is filled past what has fallen", () =>
  withTestPki(async (bench) => {
    const service = pkiService(bench.pki, agreed);
    const authority = await issueMeters(bench);
    bench.now += HOUR;
    const profile = PROFILES.get("technician")!;
    const { utility, island } = PLACE;
    const { record: owner } = await bench.pki.authorities.openStanding(
      (await bench.pki.authorities.all()).find((one) => one.profile === "utility")!.authority,
    );
    const made = await service.makeAuthority(
      { utility, island, name: "second", profile: "issuing-p256", parent: owner.authority },
      OPERATOR,
    );
    assert.equal(made.kind, "made");
    const second = made.kind === "made" ? made.authority : "";
    const order = { profile, subject: { names: { CN: "anna" } }, requester: "line-1" };
    // The first of the order of ends, so that they fill the pages before.
    for (let at = 0; at < 5; at += 1)
      await bench.pki.authorities.issue({ ...order, authority, publicKey: freshKey().publicKey });
    bench.now += HOUR;
    for (let at = 0; at < 3; at += 1)
      await bench.pki.authorities.issue({ ...order, authority: second, publicKey: freshKey().publicKey });
    const { certificate } = await bench.pki.authorities.recordOf(authority);
    const fallen = toHex(decodeCertificate(certificate).serial);
    await bench.pki.store.registry.revokeAgain(owner.authority, [fallen], bench.now, "cACompromise");
    const none = { utility: undefined, authority: undefined, serial: undefined, keyIdentifier: undefined };
    const rest = { systemTitle: undefined, endsBefore: undefined, after: undefined };
    const query = { ...none, ...rest, subject: "CN=anna", state: "valid" } as const;
    for (const limit of [1, 2, 3, 50]) {
      const { certificates } = await service.searchCertificates({ ...query, limit }, OPERATOR);
      assert.equal(certificates.length, Math.min(limit, 3), `a page of ${limit}`);
      assert.ok(certificates.every((one) => one.authority === second));
    }
    // Titles that the table gives to nobody here fall one by one, and not with their authority.
    const titles = await bench.pki.assignments();
    const rows = titles!.table.rows.map((row) => ({ ...row, ranges: [{ first: testTitle(11), last: testTitle(12) }] }));
    for (let number = 1; number <= METERS; number += 1)
      await bench.pki.authorities.issue({
        authority: second,
        profile: PROFILES.get("dlms-suite-1-signature")!,
        subject: { systemTitle: testTitle(number) },
        publicKey: freshKey().publicKey,
        requester: "line-1",
      });
    await bench.pki.assign(rows, "person");
    const meters = { ...none, ...rest, authority: second, subject: "CN=4D4B", state: "valid" } as const;
    const found = await service.searchCertificates({ ...meters, limit: 2 }, OPERATOR);
    assert.deepEqual(found.certificates.map((one) => one.systemTitle).sort(), [
      systemTitleText(systemTitle(testTitle(11))),
      systemTitleText(systemTitle(testTitle(12))),
    ]);
  }));

test("the registry is held against the whole ledger: what somebody un-revoked, took out or put in shows, and is revoked again", () =>
  withTestDatabase(
    { migrations: [{ component: "pki", directory: PKI_MIGRATIONS, grants: PKI_GRANTS }] },
    ({ pool, adminUrl }) =>
      withTestPki(
        async (bench) => {
          const authority = await issueMeters(bench);
          const { registry } = bench.store;
          const all = await registry.search({ authority, state: "valid", limit: 100 }, bench.now);
          const [one, two, three] = all.map(({ serial }) => serial) as [string, string, string];
          await bench.pki.authorities.revokeAll(authority, [one], "keyCompromise", "person");
          const whole = await bench.pki.replay();
          assert.deepEqual([whole.revokedAgain, whole.missing, whole.altered, whole.unordered], [0, 0, 0, 0]);
          assert.ok(whole.ordered >= METERS);
          await using admin = disposable(createPool(adminUrl, { applicationName: "owner", maxConnections: 1 }));
          // Whoever owns the database needs no trigger's leave.
          await admin.query("set session_replication_role = replica");
          await admin.query("update certificates set revoked_ms = null, reason = null");
          const serial = (text: string) => Buffer.from(text, "hex");
          await admin.query("delete from certificates where serial = $1", [serial(two)]);
          await admin.query("update certificates set key_identifier = $2 where serial = $1", [
            serial(three),
            serial(one),
          ]);
          assert.equal(await registry.isRevoked(authority, one), false);
          const mended = await bench.pki.replay();
          assert.deepEqual([mended.revokedAgain, mended.missing, mended.altered, mended.unordered], [1, 1, 1, 0]);
          assert.equal(await registry.isRevoked(authority, one), true);
          await admin.query(
            `insert into certificates select authority, decode('00112233445566778899', 'hex'), utility, island, profile,
             subject, system_title, key_identifier, requester, not_before_ms, not_after_ms, ordered_ms, octets, shard
           from certificates where revoked_ms is null limit 1`,
          );
          assert.equal((await bench.pki.replay()).unordered, 1);
        },
        { store: postgresPkiStore(pool) },
      ),
  ));

function disposable<T extends { end(): Promise<void> }>(pool: T): T & AsyncDisposable {
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.end() });
}
