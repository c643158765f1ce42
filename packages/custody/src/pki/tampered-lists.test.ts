import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeCertificate, openCrl, PkiError } from "@meterkeep/pki";
import { drawerRoot } from "../testing/drawer-root.ts";
import { withOwnedDatabase } from "../testing/owned-database.ts";
import { partialJournal } from "../testing/partial-journal.ts";
import { PLACE, type TestPki, withTestPki } from "../testing/test-pki.ts";
import { adoptList } from "./adopt-list.ts";

const HOUR = 3_600_000;
const serial = (octet: number) => new Uint8Array(16).fill(octet);
const refused = (error: unknown) => error instanceof PkiError && error.code === "crl-refused";
const offline = (error: unknown) => error instanceof PkiError && error.code === "authority-offline";

const served = async ({ pki }: TestPki, authority: string, kind: "full" | "delta" = "full") =>
  (await pki.publisher.list(authority, 0, kind))?.number;

describe("whoever owns the database of the PKI", () => {
  test("has no older list of a root in a drawer served, though it is in force", () =>
    withOwnedDatabase(async (bench, sql) => {
      const root = await drawerRoot(bench);
      const { authority } = root;
      const key = Buffer.from(authority, "hex");
      await root.publish(1, []);
      await root.publish(2, [serial(9)]);
      await root.publish(3, [serial(8)], { since: 2 });
      const isNewest = async (why: string) => {
        assert.equal(await served(bench, authority), 2n, why);
        assert.equal(await served(bench, authority, "delta"), 3n, why);
      };
      await isNewest("as it was adopted");
      await sql("delete from revocation_lists where authority = $1 and number > 1", [key]);
      await isNewest("without its row");
      await sql("update revocation_lists set number = 7 where authority = $1", [key]);
      await isNewest("under a higher number");
      await bench.reopen();
      await isNewest("after a start");
      assert.ok(
        bench.ledger.some(({ kind, body }) => kind === "record-refused" && /lists of/.test(JSON.stringify(body))),
      );
      await sql("delete from revocation_lists where authority = $1", [key]);
      bench.now += 2 * HOUR;
      await bench.pki.tend();
      const rows = await sql("select number from revocation_lists where authority = $1 order by number", [key]);
      assert.deepEqual(
        rows.map(({ number }) => Number(number)),
        [2, 3],
        "they are put back within the hour",
      );
      await assert.rejects(root.publish(2, [serial(9)]), refused);
    }));

  test("and who takes the journal beside it too has none served at all, until the newest is adopted again", () =>
    withOwnedDatabase(async (bench, sql) => {
      const root = await drawerRoot(bench);
      await root.publish(1, []);
      await root.publish(2, [serial(9)]);
      await sql("delete from revocation_lists where number = 2");
      // As a copy of it from before the second list has it.
      const before = partialJournal((line) => line.kind !== "listed" || line.number === "1");
      await bench.reopen(bench.store, before);
      await assert.rejects(served(bench, root.authority), offline);
      await assert.rejects(root.publish(1, [serial(9)]), refused, "the ledger knows of a newer one");
      await root.publish(2, [serial(9)]);
      assert.equal(await served(bench, root.authority), 2n);
    }));

  test("hides no list of an authority whose key is here behind a row of a higher number", () =>
    withOwnedDatabase(async (bench, sql) => {
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const first = (await bench.pki.publisher.list(authority, 0, "full"))!;
      for (const number of ["9223372036854775807", "9223372036854775806"])
        await sql(
          `insert into revocation_lists select authority, shard, $1, since, this_update_ms, next_update_ms, octets
           from revocation_lists where authority = $2 and number = $3`,
          [number, Buffer.from(authority, "hex"), String(first.number)],
        );
      assert.equal(await served(bench, authority), first.number);
      bench.now += 90 * HOUR;
      const second = (await bench.pki.publisher.list(authority, 0, "full"))!;
      assert.ok(second.number > first.number && second.number <= BigInt(bench.now));
    }));

  test("has no list of a root in a drawer served for its row alone, though the authority signed it", () =>
    withOwnedDatabase(async (bench) => {
      const root = await drawerRoot(bench);
      await root.publish(1, []);
      // Neither the journal nor the ledger says that anybody adopted it.
      const isOf = (kind: string) => bench.ledger.findIndex((entry) => entry.kind === kind);
      for (let at = isOf("list-adopted"); at >= 0; at = isOf("list-adopted")) bench.ledger.splice(at, 1);
      const withoutLists = partialJournal(({ kind }) => kind !== "listed");
      for (let start = 0; start < 2; start += 1) {
        await bench.reopen(bench.store, withoutLists);
        await assert.rejects(served(bench, root.authority), offline);
      }
    }));
});

test("a list is adopted for the shard that it is about, and of an authority whose key is elsewhere", () =>
  withTestPki(async (bench) => {
    const root = await drawerRoot(bench);
    const about = (shard: number) => bench.pki.publisher.addressOf(root.authority, shard);
    await assert.rejects(root.publish(1, [], { shard: 0, about: about(1) }), /shard 0 is at/);
    await root.publish(1, [], { shard: 0, about: about(0) });
    const [adopted] = bench.ledger.filter(({ kind }) => kind === "list-adopted");
    const said = adopted?.body as { readonly number: string } | undefined;
    assert.deepEqual([adopted?.principal, said?.number], ["anna", "1"]);
    const { authority, certificate } = await bench.pki.issuerFor(PLACE, "P-256");
    const { octets } = (await bench.pki.publisher.list(authority, 0, "full"))!;
    assert.equal(openCrl(octets, decodeCertificate(certificate)).revocations.length, 0);
    await assert.rejects(adoptList(bench.pki, { authority, shard: 0, octets }, "anna"), /is here/);
  }));
