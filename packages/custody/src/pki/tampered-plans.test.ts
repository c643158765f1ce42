import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemTitle, toHex } from "@meterkeep/dlms";
import { decodeCertificate, openCrl, PROFILES, SHARDS } from "@meterkeep/pki";
import { MeterAuthority } from "../enrolment/meter-authority.ts";
import { withOwnedDatabase } from "../testing/owned-database.ts";
import { partialJournal } from "../testing/partial-journal.ts";
import { caller } from "../testing/test-custody.ts";
import { freshKey, PLACE, type TestPki, testTitle } from "../testing/test-pki.ts";
import { pkiService } from "./pki-service.ts";

const SIGNATURE = PROFILES.get("dlms-suite-1-signature")!;
const HOUR = 3_600_000;

/** A journal that has lost what was revoked and planned. */
const WITHOUT_PLANS = partialJournal(({ kind }) => kind !== undefined && !["held", "moved"].includes(kind));

async function issueMeter({ pki }: TestPki, number: number) {
  const { authority } = await pki.issuerFor(PLACE, "P-256");
  const order = { authority, profile: SIGNATURE, subject: { systemTitle: testTitle(number) }, requester: "line-1" };
  const { octets, serial } = await pki.authorities.issue({ ...order, publicKey: freshKey().publicKey });
  return { authority, octets, serial: toHex(serial) };
}

const isTrusted = async ({ pki }: TestPki, octets: Uint8Array) =>
  (await pki.examine(octets, "digitalSignature")).isTrusted;
const refusals = ({ ledger }: TestPki) => ledger.filter(({ kind }) => kind === "record-refused").length;
const INSERTED = `insert into revocation_plans (id, authority, reason, planned_by, planned_ms, stage, state, meters, finished)
  select 'rogue', authority, 'cACompromise', 'nobody', 5, 'refuse', 'running', 0, 0 from authorities where profile = $1`;

/** Serial numbers on all full lists of an authority. */
async function listed({ pki }: TestPki, authority: string) {
  const issuer = decodeCertificate((await pki.authorities.recordOf(authority)).certificate);
  const found = new Map<string, string>();
  for (let shard = 0; shard < SHARDS; shard += 1)
    for (const kind of ["full", "delta"] as const) {
      const list = await pki.publisher.list(authority, shard, kind);
      for (const { serial, reason } of list ? openCrl(list.octets, issuer).revocations : [])
        found.set(toHex(serial), reason);
    }
  return found;
}

describe("whoever owns the database of the PKI", () => {
  test("makes the custodian revoke nothing by a row of a plan, before a start or after it", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { octets, authority } = await issueMeter(bench, 1);
      for (const profile of ["scheme", "utility", "issuing-p256"]) {
        await sql(INSERTED, [profile]);
        await bench.pki.tend();
        await issueMeter(bench, 2);
        await bench.reopen();
        await bench.pki.tend();
        await issueMeter(bench, 3);
        assert.ok(await isTrusted(bench, octets), profile);
        assert.deepEqual(await bench.pki.revocations.list(), []);
        await sql("delete from revocation_plans");
      }
      assert.ok(refusals(bench) >= 3);
      assert.ok(bench.ledger.every(({ kind }) => kind !== "certificates-revoked"));
      // What is in the way of a row of ours gives way.
      await sql(INSERTED, ["issuing-p256"]);
      const { id } = await bench.pki.revocations.plan({ authority }, "cACompromise", "anna");
      await bench.reopen();
      assert.deepEqual(
        (await bench.pki.revocations.list()).map((plan) => [plan.id, plan.state]),
        [[id, "planned"]],
      );
      assert.deepEqual(
        (await sql("select id, state from revocation_plans order by id desc")).map((row) => row["state"]),
        ["withdrawn", "planned"],
      );
      await bench.pki.revocations.move(id, "start", "anna");
      await bench.pki.tend();
      assert.ok(!(await isTrusted(bench, octets)));
    }));

  test("neither starts, stops, ends nor turns a plan that people made", () =>
    withOwnedDatabase(async (bench, sql) => {
      const one = await issueMeter(bench, 1);
      const two = await issueMeter(bench, 2);
      const { authority, serial } = one;
      const { id } = await bench.pki.revocations.plan({ authority, serial }, "keyCompromise", "anna");
      await sql(
        "update revocation_plans set state = 'running', serial = null, authority = (select authority from authorities where profile = 'scheme')",
      );
      await bench.pki.tend();
      await bench.reopen();
      await bench.pki.tend();
      assert.ok(
        (await isTrusted(bench, one.octets)) && (await isTrusted(bench, two.octets)),
        "it was planned, not begun",
      );
      await bench.pki.revocations.move(id, "start", "anna");
      await sql("update revocation_plans set state = 'done', stage = 'remove', finished = -7");
      await bench.pki.tend();
      assert.ok(!(await isTrusted(bench, one.octets)), "it runs, whatever its row says");
      assert.ok(await isTrusted(bench, two.octets));
      await bench.reopen();
      const [plan] = await bench.pki.revocations.list();
      assert.deepEqual(
        [plan?.stage, plan?.state, plan?.serial, plan?.authority],
        ["refuse", "done", serial, authority],
      );
      assert.ok(plan!.finished >= 0);
    }));

  test("cuts no island, and a plan that is open is mended over whatever stands in its place", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { authority } = await issueMeter(bench, 1);
      const { id } = await bench.pki.revocations.plan({ authority }, "cACompromise", "anna");
      await sql(
        `insert into island_cuts (plan, utility, island, cut_ms) values ('${id}', '${PLACE.utility}', '${PLACE.island}', 5)`,
      );
      await bench.pki.tend();
      await bench.reopen();
      assert.equal(bench.pki.isCut(PLACE), false);
      await sql("delete from island_cuts");
      await sql("delete from certificate_removals");
      await sql("delete from revocation_plans");
      await sql(INSERTED, ["issuing-p256"]);
      bench.now += 2 * HOUR;
      await bench.pki.tend();
      await bench.reopen();
      const rows = await sql("select id, state from revocation_plans order by planned_ms");
      assert.deepEqual(rows, [
        { id: "rogue", state: "withdrawn" },
        { id, state: "planned" },
      ]);
    }));

  test("a journal that lost its plans has those that the ledger knows, as people moved them, and no others", () =>
    withOwnedDatabase(async (bench, sql) => {
      const one = await issueMeter(bench, 1);
      const two = await issueMeter(bench, 2);
      const { authority, serial } = one;
      const { id } = await bench.pki.revocations.plan({ authority, serial }, "keyCompromise", "anna");
      await bench.pki.revocations.move(id, "start", "anna");
      await bench.pki.authorities.revoke(authority, two.serial, "superseded", "anna");
      await sql(INSERTED, ["scheme"]);
      await bench.reopen(bench.store, WITHOUT_PLANS);
      await bench.pki.tend();
      assert.ok(!(await isTrusted(bench, one.octets)) && !(await isTrusted(bench, two.octets)));
      await issueMeter(bench, 3);
      await bench.reopen();
      assert.deepEqual(
        (await bench.pki.revocations.list()).map((plan) => [plan.id, plan.state]),
        [[id, "done"]],
      );
      assert.ok(!(await isTrusted(bench, two.octets)));
    }));

  test("neither revokes nor un-revokes by a moment, and changes no reason", () =>
    withOwnedDatabase(async (bench, sql) => {
      const [gone, good] = [await issueMeter(bench, 1), await issueMeter(bench, 2)];
      const { authority } = gone;
      await bench.pki.authorities.revoke(authority, gone.serial, "keyCompromise", "anna");
      const set = (text: string, serial: string) =>
        sql(`update certificates set ${text} where serial = $1`, [Buffer.from(serial, "hex")]);
      const find = async (serial: string) => (await bench.pki.store.registry.find(authority, serial))!;
      for (const text of [
        "revoked_ms = -1",
        "reason = 'superseded'",
        "shard = (shard + 1) % 64",
        "revoked_ms = 9000000000000000",
      ]) {
        await sql("create temporary table kept as select * from certificates");
        await set(text, gone.serial);
        assert.deepEqual([...(await listed(bench, authority))], [[gone.serial, "keyCompromise"]], text);
        assert.equal((await find(gone.serial)).reason, "keyCompromise", text);
        bench.now += 200 * HOUR;
        await bench.pki.tend();
        assert.deepEqual([...(await listed(bench, authority))], [[gone.serial, "keyCompromise"]], text);
        await bench.reopen();
        assert.ok(!(await isTrusted(bench, gone.octets)), text);
        await sql("delete from certificates");
        await sql("insert into certificates select * from kept");
        await sql("drop table kept");
      }
      await set("revoked_ms = 5, reason = 'keyCompromise'", good.serial);
      await sql(
        "update certificates set revoked_ms = 5, reason = 'cACompromise' where profile in ('utility', 'scheme')",
      );
      assert.ok(await isTrusted(bench, good.octets));
      assert.deepEqual([...(await listed(bench, authority))], [[gone.serial, "keyCompromise"]]);
      assert.equal((await find(good.serial)).revokedAt, undefined);
      await bench.reopen();
      assert.ok(await isTrusted(bench, good.octets));
      await issueMeter(bench, 3);
      assert.ok(refusals(bench) > 0);
      // What says that it was revoked already is revoked with the others.
      const { id } = await bench.pki.revocations.plan({ authority }, "cACompromise", "anna");
      await bench.pki.revocations.move(id, "start", "anna");
      await bench.pki.tend();
      assert.equal(await bench.pki.store.registry.isRevoked(authority, good.serial), true);
    }));

  test("hands out no octets that an authority has not signed for that very key, and lets nobody revoke an authority alone", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const keys = [freshKey().publicKey, freshKey().publicKey];
      const [, utilityTitle] = [1, 2].map((number) => systemTitle(testTitle(number)));
      const meters = new MeterAuthority(bench.pki, {} as never, () => utilityTitle!);
      const certify = (number: number) =>
        meters.certify({
          place: PLACE,
          suite: 1,
          use: "digitalSignature",
          device: systemTitle(testTitle(number)),
          publicKey: keys[number - 1]!.point,
        });
      const [first, second] = [await certify(1), await certify(2)];
      assert.deepEqual((await certify(1)).octets, first.octets, "the same again");
      const service = pkiService(bench.pki, { require: async () => ({ hash: undefined, approvedBy: [] }) });
      const none = {
        utility: undefined,
        authority,
        systemTitle: undefined,
        keyIdentifier: undefined,
        subject: undefined,
      };
      const query = { ...none, state: undefined, endsBefore: undefined, after: undefined, limit: 10 };
      const shown = async () =>
        (await service.searchCertificates({ ...query, serial: first.credential.serial }, caller("operator")))
          .certificates[0]?.certificate;
      assert.deepEqual(await shown(), first.octets);
      const spoilt = Uint8Array.from(first.octets);
      spoilt[spoilt.length - 1]! ^= 1;
      for (const octets of [second.octets, spoilt, Uint8Array.of(0x30, 0)]) {
        await sql("update certificates set octets = $1 where serial = $2", [
          Buffer.from(octets),
          Buffer.from(first.credential.serial, "hex"),
        ]);
        assert.equal(await shown(), undefined);
        const again = decodeCertificate((await certify(1)).octets);
        assert.deepEqual(again.publicKey.point, keys[0]!.point);
        assert.ok((await bench.pki.examine(again.octets, "digitalSignature", systemTitle(testTitle(1)))).isTrusted);
      }
      assert.ok(refusals(bench) > 0);
      const { parent, certificate } = await bench.pki.authorities.recordOf(authority);
      const below = toHex(decodeCertificate(certificate).serial);
      await sql("update certificates set profile = 'dlms-suite-1-signature'");
      await sql("delete from authorities where authority = $1", [Buffer.from(authority, "hex")]);
      await bench.reopen();
      await assert.rejects(
        pkiService(bench.pki, { require: async () => ({ hash: undefined, approvedBy: [] }) }).revokeCertificates(
          { authority: parent!, serials: [below], reason: "keyCompromise" },
          caller("operator"),
        ),
        /is an authority/,
      );
    }));

  test("hides no certificate of a key that was lost behind others", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { publicKey } = freshKey();
      const title = systemTitle(testTitle(1));
      const meters = new MeterAuthority(bench.pki, {} as never, () => title);
      const certify = () =>
        meters.certify({ place: PLACE, suite: 1, use: "digitalSignature", device: title, publicKey: publicKey.point });
      const { credential } = await certify();
      const { authority, serial } = credential;
      await bench.pki.authorities.revoke(authority, serial, "keyCompromise", "anna");
      await sql(
        `insert into certificates select authority, decode(lpad(to_hex(n), 32, '0'), 'hex'), utility, island, profile, subject,
           system_title, key_identifier, requester, not_before_ms, 5, ordered_ms, octets, shard
         from certificates, generate_series(1, 40) as n where serial = $1`,
        [Buffer.from(serial, "hex")],
      );
      await assert.rejects(certify(), /was lost/);
      await sql(
        "delete from certificates where key_identifier = (select key_identifier from certificates where serial = $1)",
        [Buffer.from(serial, "hex")],
      );
      for (const again of [false, true]) {
        if (again) await bench.reopen();
        await assert.rejects(certify(), /was lost/, "no row says so");
        const order = { authority, subject: { systemTitle: testTitle(2) }, requester: "line-1", publicKey };
        const profile = PROFILES.get("gbcs-device-signature")!;
        const other = { profile, hwType: "1.2.826.0.1", policies: ["2.5.29.32.0"] };
        await assert.rejects(bench.pki.authorities.issue({ ...order, ...other }), /was lost/, "its short identifier");
      }
    }));

  test("makes no technician a worker, and moves nobody to another island", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const order = { authority, subject: { names: { CN: "anna" } }, requester: "line-1" };
      const technician = await bench.pki.authorities.issue({
        ...order,
        profile: PROFILES.get("technician")!,
        publicKey: freshKey().publicKey,
      });
      const meter = await issueMeter(bench, 1);
      await sql(
        "update certificates set profile = 'worker', utility = 'other', island = 'other' where octets is not null",
      );
      for (const again of [false, true]) {
        if (again) await bench.reopen();
        const found = await bench.pki.store.registry.findAll(authority, [toHex(technician.serial), meter.serial]);
        const profiles = new Map(found.map((one) => [one.serial, one.profile]));
        assert.equal(profiles.get(toHex(technician.serial)), "technician");
        assert.equal(profiles.get(meter.serial), "unfounded");
        assert.ok(found.every(({ utility, island }) => utility === PLACE.utility && island === PLACE.island));
      }
    }));
});
