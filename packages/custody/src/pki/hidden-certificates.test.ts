import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ANY_CERTIFICATE } from "@meterkeep/api/custodian";
import { systemTitle, systemTitleText, toHex } from "@meterkeep/dlms";
import {
  decodeCertificate,
  makeOcspRequest,
  ocspError,
  openCrl,
  openRequest,
  PkiError,
  PROFILES,
  shardOf,
} from "@meterkeep/pki";
import { remoteWorkerOf } from "../channel/remote-workers.ts";
import { MeterAuthority } from "../enrolment/meter-authority.ts";
import { type Sql, withOwnedDatabase } from "../testing/owned-database.ts";
import { caller } from "../testing/test-custody.ts";
import { enrolWorker, freshKey, PLACE, type TestPki, testTitle, withTestPki } from "../testing/test-pki.ts";
import { pkiService } from "./pki-service.ts";

const HOUR = 3_600_000;
const code = (wanted: string) => (error: unknown) => error instanceof PkiError && error.code === wanted;
const titleOf = (number: number) => systemTitleText(systemTitle(testTitle(number)));
const alone = { require: async () => ({ hash: undefined, approvedBy: [] }) };

async function issue({ pki }: TestPki, number: number, profile = "dlms-suite-1-signature", requester = "line-1") {
  const { authority } = await pki.issuerFor(PLACE, "P-256");
  const issued = await pki.authorities.issue({
    authority,
    profile: PROFILES.get(profile)!,
    subject: { systemTitle: testTitle(number) },
    requester,
    publicKey: freshKey().publicKey,
    policies: ["2.5.29.32.0"],
  });
  return { authority, octets: issued.octets, serial: toHex(issued.serial) };
}

/** Certificates that nobody ordered, in the likeness of one that somebody did. */
const copied = (sql: Sql, serial: string, count: number) =>
  sql(
    `insert into certificates select authority, decode('77' || lpad(to_hex(n), 30, '0'), 'hex'), utility, island, profile,
       subject, system_title, key_identifier, requester, not_before_ms, not_after_ms, ordered_ms, octets, 0
     from certificates, generate_series(1, $2::integer) as n where serial = $1`,
    [Buffer.from(serial, "hex"), count],
  );

describe("whoever owns the database of the PKI", () => {
  test("hides no key of a meter's maker from its retiring, and no certificate from a search that asks for its device", () =>
    withOwnedDatabase(async (bench, sql) => {
      const service = pkiService(bench.pki, alone);
      for (const [at, hiding] of [
        "update certificates set system_title = null",
        "update certificates set system_title = '\\x0011223344556677'",
        "delete from certificates",
      ].entries()) {
        const made = await issue(bench, at, "dlms-suite-1-tls");
        const kept = await issue(bench, at, "dlms-suite-1-tls", "enrolment");
        await sql(`${hiding} where profile = 'dlms-suite-1-tls'`);
        const { certificates } = await service.searchCertificates(
          { ...ANY_CERTIFICATE, systemTitle: titleOf(at), limit: 10, after: undefined },
          caller("operator"),
        );
        assert.equal(certificates.length, hiding.startsWith("delete") ? 0 : 2, hiding);
        const meters = new MeterAuthority(bench.pki, {} as never, () => systemTitle(testTitle(99)));
        await meters.retireOrdered(titleOf(at), kept as never);
        assert.ok(await bench.pki.store.registry.isRevoked(made.authority, made.serial), hiding);
        assert.ok(!(await bench.pki.store.registry.isRevoked(kept.authority, kept.serial)), hiding);
      }
    }));

  test("hides no worker from who removes it by its name, page by page, before a start and after it", () =>
    withOwnedDatabase(async (bench, sql) => {
      const worker = await enrolWorker(bench, "far-1");
      await enrolWorker(bench, "far-10");
      await sql("update certificates set subject = 'CN=somebody' where subject = 'CN=far-1'");
      assert.ok(await remoteWorkerOf(bench.pki, worker.octets), "its certificate is as good as it was");
      for (const again of [false, true]) {
        if (again) await bench.reopen();
        const service = pkiService(bench.pki, alone);
        const found: string[] = [];
        for (let after: { notAfter: number; authority: string; serial: string } | undefined; ; ) {
          const query = { ...ANY_CERTIFICATE, subject: "CN=far-1", limit: 1, after };
          const { certificates } = await service.searchCertificates(query, caller("operator"));
          found.push(...certificates.map(({ subject }) => subject));
          after = certificates[0];
          if (certificates.length === 0) break;
        }
        assert.deepEqual(found.toSorted(), ["CN=far-1", "CN=far-10"]);
      }
    }));

  test("has nothing said or revoked of certificates that nobody ordered, and stops no revocation with them", () =>
    withOwnedDatabase(async (bench, sql) => {
      const meter = await issue(bench, 1);
      const { authority, serial } = meter;
      await copied(sql, serial, 3);
      const strange = `77${"1".padStart(30, "0")}`;
      const issuer = decodeCertificate((await bench.pki.authorities.recordOf(authority)).certificate);
      const asked = () =>
        bench.pki.publisher.answer(authority, makeOcspRequest(issuer, new Uint8Array(Buffer.from(strange, "hex"))));
      assert.deepEqual(await asked(), ocspError("unauthorized"));
      await bench.pki.tend();
      assert.deepEqual(await asked(), ocspError("unauthorized"));
      const answers = await sql("select serial from ocsp_answers where authority = $1", [
        Buffer.from(authority, "hex"),
      ]);
      assert.deepEqual(
        answers.map((row) => toHex(row["serial"] as Buffer)),
        [serial],
      );
      const { authorities, revocations, publisher } = bench.pki;
      const unknown = code("certificate-unknown");
      await assert.rejects(authorities.revoke(authority, strange, "keyCompromise", "anna"), unknown);
      await assert.rejects(revocations.plan({ authority, serial: strange }, "keyCompromise", "anna"), unknown);
      const { id } = await revocations.plan({ authority }, "cACompromise", "anna");
      await revocations.move(id, "start", "anna");
      await bench.pki.tend();
      assert.deepEqual(
        (await revocations.list()).map(({ state }) => state),
        ["done"],
      );
      const listed: string[] = [];
      for (const shard of new Set([0, shardOf(new Uint8Array(Buffer.from(serial, "hex")))])) {
        const list = (await publisher.list(authority, shard, "full"))!;
        listed.push(...Array.from(openCrl(list.octets, issuer).revocations, (one) => toHex(one.serial)));
      }
      assert.deepEqual(listed, [serial]);
    }));

  test("gives nobody another limit by deleting what was ordered", () =>
    withOwnedDatabase(async (bench, sql) => {
      const orders = async (count: number) => {
        const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
        const profile = PROFILES.get("dlms-suite-1-signature")!;
        const order = (at: number) => ({
          authority,
          profile,
          subject: { systemTitle: testTitle(at) },
          requester: "eve",
          publicKey: freshKey().publicKey,
        });
        await bench.pki.authorities.issueAll(Array.from({ length: count }, (_, at) => order(at)));
      };
      await orders(999);
      for (const change of [
        "update certificates set requester = 'other', ordered_ms = 5",
        "delete from certificates",
      ]) {
        await sql(change);
        await assert.rejects(orders(2), code("requester-limited"), change);
        await bench.reopen();
        await assert.rejects(orders(2), code("requester-limited"), `${change}, after a start`);
      }
      await orders(1);
    }));

  test("frees no meter of what it holds by taking out the rows of its removal, or by calling them ended", () =>
    withOwnedDatabase(async (bench, sql) => {
      const [one] = [await issue(bench, 1), await issue(bench, 2), await issue(bench, 3)];
      await sql("update certificates set system_title = null where serial = $1", [Buffer.from(one!.serial, "hex")]);
      const { revocations } = bench.pki;
      const { id } = await revocations.plan({ authority: one!.authority }, "cACompromise", "anna");
      await revocations.move(id, "start", "anna");
      await bench.pki.tend();
      await revocations.move(id, "next", "anna");
      await bench.pki.tend();
      await revocations.freed(id, titleOf(3), "removed", "enrolment");
      const open = async () =>
        (
          await sql("select system_title from certificate_removals where finished_ms is null order by system_title")
        ).map((row) => toHex(row["system_title"] as Buffer).toUpperCase());
      const place = async () => (await revocations.list()).map(({ stage, state }) => `${stage} ${state}`);
      assert.deepEqual(await open(), [titleOf(1), titleOf(2)], "also one whose row names no device");
      for (const change of [
        "delete from certificate_removals",
        "update certificate_removals set finished_ms = 5, outcome = 'removed'",
      ]) {
        await sql(change);
        await bench.pki.tend();
        assert.deepEqual([await open(), await place()], [[titleOf(1), titleOf(2)], ["remove running"]], change);
      }
      await revocations.freed(id, titleOf(1), "removed", "enrolment");
      await revocations.freed(id, titleOf(2), "removed", "enrolment");
      await bench.pki.tend();
      assert.deepEqual(await place(), ["remove done"]);
    }));

  test("keeps a plan without its row for an hour at most while the custodian runs", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { authority } = await issue(bench, 1);
      const { id } = await bench.pki.revocations.plan({ authority }, "cACompromise", "anna");
      await sql("delete from certificate_removals");
      await sql("delete from revocation_plans");
      await bench.pki.tend();
      assert.deepEqual(await sql("select id from revocation_plans"), []);
      bench.now += HOUR + 1;
      await bench.pki.tend();
      assert.deepEqual(await sql("select id from revocation_plans"), [{ id }]);
    }));

  test("gives no authority the key of one that was taken out of the database", () =>
    withOwnedDatabase(async (bench, sql) => {
      const before = (await bench.pki.authorities.all()).find(({ profile }) => profile === "utility")!;
      await sql("delete from authorities where profile <> 'root'");
      await bench.reopen();
      const { utility, island, name, profile } = before;
      const asked = { utility, island, name, profile, parent: undefined };
      const made = await pkiService(bench.pki, alone).makeAuthority(asked, caller("operator"));
      assert.ok(made.kind === "requested");
      const { point } = decodeCertificate(before.certificate).publicKey;
      assert.notEqual(toHex(openRequest(made.request).publicKey.point), toHex(point));
    }));
});

test("what the ledger has as revoked, and the journal not yet, is revoked by the next start", () =>
  withTestPki(
    async (bench) => {
      const { authority, serial, octets } = await issue(bench, 1);
      // As of a process that died between the two.
      const body = { authority, reason: "keyCompromise", serials: [serial] };
      const place = { principal: "anna", utility: PLACE.utility, island: PLACE.island };
      bench.ledger.push({ at: bench.now, kind: "certificates-revoked", ...place, body });
      assert.equal(await bench.pki.store.registry.isRevoked(authority, serial), false);
      await bench.reopen();
      assert.equal(await bench.pki.store.registry.isRevoked(authority, serial), true);
      const seen = await bench.pki.examine(octets, "digitalSignature");
      assert.equal(seen.isTrusted === false && seen.problem, "revoked");
    },
    { isForgiving: true },
  ));

test("a worker of an island that is cut is heard no more, and again when it is lifted", () =>
  withTestPki(async (bench) => {
    const { octets } = await enrolWorker(bench, "far-1");
    const isHeard = async () => (await remoteWorkerOf(bench.pki, octets)) !== undefined;
    assert.ok(await isHeard());
    const { authority } = await bench.pki.issuerFor(PLACE, "P-384");
    const { id } = await bench.pki.revocations.plan({ authority }, "cACompromise", "anna");
    await bench.pki.store.plans.cut(id, [PLACE], bench.now);
    await bench.pki.tend();
    assert.ok(!(await isHeard()));
    await bench.pki.store.plans.lift(id, bench.now);
    await bench.pki.tend();
    assert.ok(await isHeard());
  }));

test("nothing is planned or revoked for the reason that takes an entry back", () =>
  withTestPki(async (bench) => {
    const { authority, serial } = await issue(bench, 1);
    const service = pkiService(bench.pki, alone);
    const reason = "removeFromCRL" as "superseded";
    const refused = /nothing here is un-revoked/;
    await assert.rejects(service.planRevocation({ authority, serial: undefined, reason }, caller("operator")), refused);
    await assert.rejects(
      service.revokeCertificates({ authority, serials: [serial], reason }, caller("operator")),
      refused,
    );
    assert.deepEqual(await bench.pki.revocations.list(), []);
  }));
