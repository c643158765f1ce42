import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex } from "@meterkeep/dlms";
import { type Certificate, decodeCertificate, openCrl, shardOf } from "@meterkeep/pki";
import { withOwnedDatabase } from "../testing/owned-database.ts";
import { issueMeter, PLACE, type TestPki } from "../testing/test-pki.ts";

const problem = async ({ pki }: TestPki, octets: Uint8Array): Promise<string | undefined> => {
  const seen = await pki.examine(octets, "digitalSignature");
  return seen.isTrusted ? undefined : seen.problem;
};
const refusals = ({ ledger }: TestPki) => ledger.filter(({ kind }) => kind === "record-refused").length;

describe("whoever owns the database of the PKI", () => {
  test("keeps no revocation from being heard of by writing it into its row first", () =>
    withOwnedDatabase(async (bench, sql) => {
      const meter = await issueMeter(bench, 1);
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const { parent, certificate } = await bench.pki.authorities.recordOf(authority);
      const serial = toHex(decodeCertificate(certificate).serial);
      assert.equal(await problem(bench, meter.octets), undefined);
      await sql("update certificates set revoked_ms = 5, reason = 'superseded' where serial = $1", [
        Buffer.from(serial, "hex"),
      ]);
      await bench.pki.store.registry.revokeAgain(parent!, [serial], bench.now, "cACompromise");
      assert.ok((await bench.pki.fallen(authority)) !== undefined);
      assert.equal(await problem(bench, meter.octets), "revoked");
    }));

  test("takes no revocation off its shard's list by putting another into that shard", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { authority, certificate } = await bench.pki.issuerFor(PLACE, "P-256");
      const first = await issueMeter(bench, 1);
      let other = await issueMeter(bench, 2);
      while (shardOf(other.serial) === shardOf(first.serial)) other = await issueMeter(bench, 2);
      for (const { serial } of [first, other])
        await bench.pki.authorities.revoke(authority, toHex(serial), "keyCompromise", "person");
      const move = ({ serial }: Certificate, shard: number) =>
        sql("update certificates set shard = $2 where serial = $1", [Buffer.from(serial), shard]);
      const listed = async ({ serial }: Certificate) => {
        const list = (await bench.pki.publisher.list(authority, shardOf(serial), "full"))!;
        return [...openCrl(list.octets, decodeCertificate(certificate)).revocations].map((one) => toHex(one.serial));
      };
      await move(first, shardOf(other.serial));
      await move(other, shardOf(first.serial));
      assert.deepEqual(await listed(first), [toHex(first.serial)]);
      assert.deepEqual(await listed(other), [toHex(other.serial)]);
      assert.ok(refusals(bench) > 0);
    }));

  for (const [what, statement] of [
    ["ends", "update certificates set not_after_ms = 5"],
    ["deletes", "delete from certificates"],
    ["empties", "update certificates set octets = null"],
  ] as const)
    test(`keeps nothing from falling with its root who ${what} every row`, () =>
      withOwnedDatabase(async (bench, sql) => {
        const meter = await issueMeter(bench, 1);
        const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
        const all = await bench.pki.authorities.all();
        const root = all.find(({ parent }) => parent === undefined)!;
        await sql(statement);
        const { id } = await bench.pki.revocations.plan({ authority: root.authority }, "cACompromise", "person");
        await bench.pki.revocations.move(id, "start", "person");
        await bench.pki.tend();
        assert.equal((await bench.pki.revocations.list())[0]?.state, "done");
        const { registry } = bench.pki.store;
        for (const { parent, certificate, name } of all)
          if (parent !== undefined)
            assert.ok(await registry.isRevoked(parent, toHex(decodeCertificate(certificate).serial)), name);
        assert.ok(await registry.isRevoked(authority, toHex(meter.serial)), "the meter's own");
        assert.equal(await problem(bench, meter.octets), "revoked");
      }));

  test("of what has truly ended nothing is revoked with its authority", () =>
    withOwnedDatabase(async (bench) => {
      const meter = await issueMeter(bench, 1);
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      bench.now = meter.validity.notAfter.getTime() + 1;
      const { id } = await bench.pki.revocations.plan({ authority }, "cACompromise", "person");
      await bench.pki.revocations.move(id, "start", "person");
      await bench.pki.tend();
      assert.equal((await bench.pki.revocations.list())[0]?.state, "done");
      assert.equal(await bench.pki.store.registry.isRevoked(authority, toHex(meter.serial)), false);
    }));
});
