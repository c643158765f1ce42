import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { systemTitle, systemTitleText, toHex } from "@meterkeep/dlms";
import {
  decodeCertificate,
  issueRoot,
  makeOcspRequest,
  makeRequest,
  openCrl,
  openOcspResponse,
  PkiError,
  PROFILES,
  shardOf,
} from "@meterkeep/pki";
import { MeterAuthority } from "../enrolment/meter-authority.ts";
import { drawerRoot } from "../testing/drawer-root.ts";
import { withOwnedDatabase } from "../testing/owned-database.ts";
import { caller } from "../testing/test-custody.ts";
import { freshKey, issueMeter, PLACE, type TestPki, testTitle } from "../testing/test-pki.ts";
import { enrolByPassword } from "./est/enrolment.ts";
import { EstRefusal } from "./est/refusal.ts";
import { passwordHash, pkiService } from "./pki-service.ts";

const PERSON = { name: "anna", password: "one two three" };

async function addPassword({ pki, now }: TestPki): Promise<void> {
  const { authority } = await pki.issuerFor(PLACE, "P-256");
  await pki.store.passwords.add({
    hash: passwordHash(PERSON.name, PERSON.password),
    name: PERSON.name,
    authority,
    profile: "technician",
    subject: JSON.stringify({ names: { CN: "anna" } }),
    madeBy: "person",
    madeAt: now,
    endsAt: now + 3_600_000,
    usedAt: undefined,
  });
}

const enrol = ({ pki }: TestPki) => enrolByPassword(pki, PERSON, makeRequest(freshKey(), []));
const problem = async ({ pki }: TestPki, octets: Uint8Array): Promise<string | undefined> => {
  const seen = await pki.examine(octets, "digitalSignature");
  return seen.isTrusted ? undefined : seen.problem;
};
const refusals = ({ ledger }: TestPki) => ledger.filter(({ kind }) => kind === "record-refused").length;

describe("whoever owns the database of the PKI", () => {
  test("makes no authority that is believed, and changes none", () =>
    withOwnedDatabase(async (bench, sql) => {
      const certificate = await issueMeter(bench, 1);
      const key = freshKey("P-384");
      const rogue = issueRoot(key, {
        profile: PROFILES.get("root")!,
        subject: { names: { CN: "Meterkeep development root" } },
        serial: new Uint8Array(16).fill(9),
        notBefore: new Date(Date.UTC(2026, 0)),
      });
      await sql(
        `insert into authorities select $1, utility, island, name, profile, parent, 'offline:rogue', $2, created_ms, mac
         from authorities where parent is null`,
        [Buffer.alloc(20, 7), Buffer.from(rogue.octets)],
      );
      await bench.reopen();
      assert.equal((await bench.pki.authorities.all()).length, 5);
      assert.equal(refusals(bench), 1);
      assert.equal(await problem(bench, certificate.octets), undefined);
      await sql("delete from authorities where key_name = 'offline:rogue'");
      const columns = await sql(
        "select column_name as name, data_type as type from information_schema.columns where table_name = 'authorities'",
      );
      assert.equal(columns.length, 10);
      for (const { name, type } of columns) {
        const other = { bytea: `decode('${"ab".repeat(20)}', 'hex')`, text: "'other'", bigint: "5" }[String(type)];
        assert.ok(other, `a column of type ${type}`);
        const value = name === "mac" ? `decode('${"ab".repeat(32)}', 'hex')` : other;
        await sql("create temporary table kept as select * from authorities");
        await sql(`update authorities set ${name} = ${value} where profile = 'utility'`);
        await bench.reopen();
        assert.equal((await bench.pki.authorities.all()).length, 4, `a change of ${name} was believed`);
        assert.equal(await problem(bench, certificate.octets), "no-path");
        await sql("delete from authorities");
        await sql("insert into authorities select * from kept");
        await sql("drop table kept");
      }
      await bench.reopen();
      assert.equal(await problem(bench, certificate.octets), undefined);
    }));

  test("un-revokes nothing, neither before the eyes of a running custodian nor behind its back", () =>
    withOwnedDatabase(async (bench, sql) => {
      const certificate = await issueMeter(bench, 1);
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const serial = toHex(certificate.serial);
      await bench.pki.authorities.revoke(authority, serial, "keyCompromise", "person");
      const unrevoke = () => sql("update certificates set revoked_ms = null, reason = null");
      await unrevoke();
      assert.equal(await problem(bench, certificate.octets), "revoked");
      assert.equal((await bench.pki.store.registry.find(authority, serial))?.reason, "keyCompromise");
      assert.equal(refusals(bench), 1);
      await unrevoke();
      bench.now += 2 * 3_600_000;
      await bench.pki.tend();
      assert.equal((await sql("select from certificates where revoked_ms is not null")).length, 1);
      await sql("delete from certificates");
      assert.equal(await problem(bench, certificate.octets), "revoked");
      await bench.reopen();
      assert.equal(await problem(bench, certificate.octets), "revoked");
    }));

  test("brings no former table of assignments into force", () =>
    withOwnedDatabase(async (bench, sql) => {
      const owner = (await bench.pki.authorities.all()).find(({ profile }) => profile === "utility")!;
      const ranges = [{ first: testTitle(1), last: testTitle(5) }];
      await bench.pki.assign([{ authority: Buffer.from(owner.authority, "hex"), name: "us", ranges }], "ceremony");
      await sql("delete from assignment_tables where number = 2");
      const refused = (error: unknown) => error instanceof PkiError;
      await assert.rejects(issueMeter(bench, 6), refused, "this process has the table");
      await bench.reopen();
      await assert.rejects(issueMeter(bench, 6), refused, "the journal has the table");
      await issueMeter(bench, 1);
      assert.equal(refusals(bench), 1);
      assert.equal((await sql("select from assignment_tables where number = 2")).length, 1, "its row is back");
      await sql("update assignment_tables set octets = (select octets from assignment_tables where number = 1)");
      await bench.reopen();
      await assert.rejects(issueMeter(bench, 6), refused, "another table in its place is not taken for it");
      await issueMeter(bench, 2);
      await sql("insert into assignment_tables select 3, octets, added_ms from assignment_tables where number = 1");
      await bench.reopen();
      await assert.rejects(issueMeter(bench, 6), refused, "a former table under a new number is not taken for it");
      await bench.pki.assign([{ authority: Buffer.from(owner.authority, "hex"), name: "us", ranges }], "ceremony");
      await issueMeter(bench, 1);
    }));

  test("stops no table of assignments by a row of any number", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { table } = (await bench.pki.assignments())!;
      for (const number of [2_147_483_647, 2_147_483_646, table.number + 1])
        await sql("insert into assignment_tables values ($1, $2, 1)", [number, Buffer.of(0)]);
      await bench.reopen();
      await issueMeter(bench, 1);
      assert.equal((await bench.pki.assign(table.rows, "ceremony")).number, table.number + 1);
      await issueMeter(bench, 2);
      await bench.reopen();
      await issueMeter(bench, 3);
      assert.equal((await bench.pki.assignments())?.table.number, table.number + 1);
      assert.ok(
        bench.ledger.some(({ kind, body }) => kind === "record-refused" && /2147483647/.test(JSON.stringify(body))),
      );
    }));

  test("keeps no certificate from being revoked by what its row has for octets", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const service = pkiService(bench.pki, { require: async () => ({ hash: undefined, approvedBy: [] }) });
      const [utility] = await sql("select certificate from authorities where profile = 'utility'");
      for (const [at, octets] of [Buffer.of(0), utility!["certificate"]].entries()) {
        const serial = toHex((await issueMeter(bench, at + 1)).serial);
        await sql("update certificates set octets = $1, profile = 'utility' where serial = $2", [
          octets,
          Buffer.from(serial, "hex"),
        ]);
        const revoking = { authority, serials: [serial], reason: "keyCompromise" } as const;
        assert.equal((await service.revokeCertificates(revoking, caller("operator"))).revoked, 1);
      }
    }));

  test("neither stops a ceremony's list by octets of a row, nor has it taken for complete", () =>
    withOwnedDatabase(async (bench, sql) => {
      const root = await drawerRoot(bench);
      const serial = new Uint8Array(16).fill(2);
      await root.certify(serial);
      await bench.pki.authorities.revoke(root.authority, toHex(serial), "cACompromise", "person");
      await sql("update certificates set octets = $1 where serial = $2", [Buffer.of(0), Buffer.from(serial)]);
      await assert.rejects(root.publish(1, []), /was revoked, and this list does not name it/);
      await root.publish(1, [serial]);
      await sql("delete from certificates");
      await assert.rejects(root.publish(2, []), /was revoked, and this list does not name it/);
      await root.publish(2, [serial]);
    }));

  test("has no list served that its authority did not sign for that shard and those moments", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { serial } = await issueMeter(bench, 1);
      const { authority, certificate } = await bench.pki.issuerFor(PLACE, "P-256");
      const issuer = decodeCertificate(certificate);
      const shard = shardOf(serial);
      const list = () => bench.pki.publisher.list(authority, shard, "full");
      const named = async () =>
        [...openCrl((await list())!.octets, issuer, new Date(bench.now)).revocations].map((one) => toHex(one.serial));
      const before = (await list())!;
      await bench.pki.authorities.revoke(authority, toHex(serial), "keyCompromise", "person");
      bench.now += 90 * 3_600_000;
      assert.deepEqual(await named(), [toHex(serial)]);
      await named();
      for (const octets of [before.octets, Uint8Array.of(0)]) {
        await sql("update revocation_lists set octets = $1 where shard = $2", [Buffer.from(octets), shard]);
        assert.deepEqual(await named(), [toHex(serial)]);
      }
      const other = (shard + 1) % 64;
      await bench.pki.publisher.list(authority, other, "full");
      await sql("delete from revocation_lists where shard = $1", [shard]);
      await sql(
        `insert into revocation_lists select authority, $1, number, since, this_update_ms, next_update_ms, octets
         from revocation_lists where shard = $2`,
        [shard, other],
      );
      assert.deepEqual(await named(), [toHex(serial)], "another shard's");
      await sql("update revocation_lists set this_update_ms = 8000000000000000, next_update_ms = 8000000000000000");
      bench.now += 1000 * 3_600_000;
      assert.deepEqual(await named(), [toHex(serial)], "one that has ended");
    }));

  test("has no answer given for longer than it holds", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { serial } = await issueMeter(bench, 1);
      const { authority, certificate } = await bench.pki.issuerFor(PLACE, "P-256");
      const issuer = decodeCertificate(certificate);
      await bench.pki.tend();
      await sql("update ocsp_answers set until_ms = 8000000000000000");
      const asked = () => bench.pki.publisher.timedAnswer(authority, makeOcspRequest(issuer, serial));
      assert.ok((await asked()).until <= bench.now + 24 * 3_600_000);
      bench.now += 60 * 3_600_000;
      const { octets } = await asked();
      assert.deepEqual(openOcspResponse(octets, { issuer, serial, at: new Date(bench.now) }), { kind: "good" });
    }));

  test("is not suspected where an order was revoked that nobody had signed", () =>
    withOwnedDatabase(async (bench, sql) => {
      const serial = toHex((await issueMeter(bench, 1)).serial);
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      // As of a process that died before it signed.
      await sql("update certificates set octets = null where serial = $1", [Buffer.from(serial, "hex")]);
      await bench.pki.authorities.revoke(authority, serial, "keyCompromise", "person");
      const found = await bench.pki.store.registry.find(authority, serial);
      assert.deepEqual([found?.revokedAt, found?.reason], [bench.now, "keyCompromise"]);
      assert.equal(refusals(bench), 0);
    }));

  test("neither has a meter's key escape the table by taking its title, nor its retiring by its end", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const issued = await bench.pki.authorities.issue({
        authority,
        profile: PROFILES.get("dlms-suite-1-tls")!,
        subject: { systemTitle: testTitle(1) },
        requester: "line-1",
        publicKey: freshKey().publicKey,
        policies: ["2.5.29.32.0"],
      });
      const serial = toHex(issued.serial);
      const named = { utility: undefined, authority, serial, keyIdentifier: undefined, systemTitle: undefined };
      const query = { ...named, subject: undefined, state: "valid", endsBefore: undefined, after: undefined } as const;
      const service = pkiService(bench.pki, { require: async () => ({ hash: undefined, approvedBy: [] }) });
      const valid = async () =>
        (await service.searchCertificates({ ...query, limit: 10 }, caller("operator"))).certificates;
      assert.equal((await valid()).length, 1);
      await sql("create temporary table kept as select * from certificates");
      await sql("update certificates set system_title = null");
      assert.equal((await valid())[0]?.certificate, undefined, "it is not what its row says");
      const { table } = (await bench.pki.assignments())!;
      const ranges = [{ first: testTitle(5), last: testTitle(9) }];
      await bench.pki.assign(
        table.rows.map((row) => ({ ...row, ranges })),
        "ceremony",
      );
      assert.deepEqual(await valid(), []);
      await sql("delete from certificates");
      await sql("insert into certificates select * from kept");
      await sql("update certificates set not_after_ms = 5");
      const meters = new MeterAuthority(bench.pki, {} as never, () => systemTitle(testTitle(2)));
      const own = { authority, serial: "00".repeat(16) } as never;
      await meters.retireOrdered(systemTitleText(systemTitle(testTitle(1))), own);
      assert.ok(await bench.pki.store.registry.isRevoked(authority, serial));
    }));

  test("makes no password that enrols, and no used one good again", () =>
    withOwnedDatabase(async (bench, sql) => {
      const refused = (error: unknown) => error instanceof EstRefusal && error.status === 401;
      await addPassword(bench);
      await enrol(bench);
      await assert.rejects(enrol(bench), refused);
      await sql("update enrolment_passwords set used_ms = null");
      await assert.rejects(enrol(bench), refused);
      await bench.reopen();
      await sql("update enrolment_passwords set used_ms = null");
      await assert.rejects(enrol(bench), refused);
      const columns = await sql(
        "select column_name as name, data_type as type from information_schema.columns where table_name = 'enrolment_passwords'",
      );
      for (const { name, type } of columns) {
        // Its hash is what it is found by, and its use is in the journal.
        if (name === "used_ms" || name === "hash") continue;
        await sql("delete from enrolment_passwords");
        await addPassword(bench);
        const changed = {
          bytea: `decode('${"cd".repeat(name === "mac" ? 32 : 20)}', 'hex')`,
          text: name === "profile" ? "'concentrator'" : name === "subject" ? `'{"names":{"CN":"eve"}}'` : "'eve'",
          bigint: String(bench.now + 7_200_000),
        }[String(type)];
        assert.ok(changed, `a column of type ${type}`);
        await sql(`update enrolment_passwords set ${name} = ${changed}`);
        await assert.rejects(enrol(bench), refused, `a change of ${name} was believed`);
      }
      await sql("delete from enrolment_passwords");
      await sql(
        `insert into enrolment_passwords (hash, name, authority, profile, subject, made_by, made_ms, ends_ms, mac)
         select $1, $2, authority, 'technician', '{"names":{"CN":"eve"}}', 'person', 0, $3, $4 from authorities limit 1`,
        [Buffer.from(passwordHash(PERSON.name, PERSON.password)), PERSON.name, bench.now + 1000, randomBytes(32)],
      );
      await assert.rejects(enrol(bench), refused);
    }));

  test("gets one certificate for a password, however many ask at once and whatever its row takes", () =>
    withOwnedDatabase(async (bench, sql) => {
      await sql(
        "create function keep() returns trigger language plpgsql as $$ begin new.used_ms := null; return new; end $$",
      );
      await sql("create trigger keep before update on enrolment_passwords for each row execute function keep()");
      await sql("alter table enrolment_passwords enable always trigger keep");
      await addPassword(bench);
      const all = await Promise.allSettled(Array.from({ length: 8 }, () => enrol(bench)));
      assert.equal(all.filter(({ status }) => status === "fulfilled").length, 1);
    }));

  test("neither lets an authority that is being revoked issue again, nor opens an island that is cut", () =>
    withOwnedDatabase(async (bench, sql) => {
      await issueMeter(bench, 1);
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const { id } = await bench.pki.revocations.plan({ authority, serial: undefined }, "cACompromise", "person");
      await sql("update revocation_plans set authority = (select authority from authorities where profile = 'root')");
      await assert.rejects(issueMeter(bench, 2), PkiError);
      await sql("update revocation_plans set serial = decode('00112233445566778899', 'hex')");
      await assert.rejects(issueMeter(bench, 2), PkiError);
      await bench.pki.store.plans.cut(id, [PLACE], bench.now);
      await sql("update island_cuts set lifted_ms = 5");
      await sql("delete from certificate_removals");
      await sql("delete from revocation_plans");
      await bench.pki.tend();
      assert.ok(bench.pki.isCut(PLACE));
      await assert.rejects(issueMeter(bench, 2), PkiError);
      await bench.reopen();
      assert.ok(bench.pki.isCut(PLACE));
      await assert.rejects(issueMeter(bench, 2), PkiError);
      assert.deepEqual(
        (await bench.pki.revocations.list()).map((plan) => [plan.id, plan.authority, plan.state]),
        [[id, authority, "planned"]],
      );
      await bench.pki.store.plans.lift(id, bench.now);
      await bench.reopen();
      assert.ok(!bench.pki.isCut(PLACE));
    }));
});
