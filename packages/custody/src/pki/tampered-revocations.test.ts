import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex } from "@meterkeep/dlms";
import { decodeCertificate, PROFILES } from "@meterkeep/pki";
import { withOwnedDatabase } from "../testing/owned-database.ts";
import { freshKey, PLACE, type TestPki, testTitle } from "../testing/test-pki.ts";

const SIGNATURE = PROFILES.get("dlms-suite-1-signature")!;

async function issueMeter({ pki }: TestPki, number: number) {
  const { authority } = await pki.issuerFor(PLACE, "P-256");
  const order = { authority, profile: SIGNATURE, subject: { systemTitle: testTitle(number) }, requester: "line-1" };
  return pki.authorities.issue({ ...order, publicKey: freshKey().publicKey });
}

const problem = async ({ pki }: TestPki, octets: Uint8Array): Promise<string | undefined> => {
  const seen = await pki.examine(octets, "digitalSignature");
  return seen.isTrusted ? undefined : seen.problem;
};

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
});
