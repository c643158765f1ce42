import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@meterkeep/dlms";
import { decodeCertificate, PROFILES } from "@meterkeep/pki";
import { CallRefusal } from "../calls/call-refusal.ts";
import { caller } from "../testing/test-custody.ts";
import { freshKey, PLACE, type TestPki, withTestPki } from "../testing/test-pki.ts";
import { pkiService } from "./pki-service.ts";
import { ALONE_CERTIFICATES_A_DAY } from "./revoking-alone.ts";

const OPERATOR = caller("operator");
const DAY = 86_400_000;
const reason = "keyCompromise";
const required = (error: unknown) => error instanceof CallRefusal && error.code === "approval-required";

/** People who agree to nothing, and what they were asked. */
function refusingPeople() {
  const asked: string[] = [];
  const require = async (kind: string) => {
    asked.push(kind);
    throw new CallRefusal("approval-required", "two people");
  };
  return { asked, changes: { require } };
}

async function issue({ pki }: TestPki, count: number) {
  const { authority } = await pki.issuerFor(PLACE, "P-256");
  const { publicKey } = freshKey();
  const profile = PROFILES.get("technician")!;
  const issued = await pki.authorities.issueAll(
    Array.from({ length: count }, (_, at) => ({
      authority,
      profile,
      subject: { names: { CN: `technician ${at}` } },
      publicKey,
      requester: "line-1",
    })),
  );
  return { authority, serials: issued.map(({ serial }) => toHex(serial)) };
}

test("nobody revokes a scheme, a utility or an issuing authority on the spot: they are planned, which people agree to", () =>
  withTestPki(async (bench) => {
    const { asked, changes } = refusingPeople();
    const service = pkiService(bench.pki, changes);
    const { authority, serials } = await issue(bench, 1);
    const octets = (await bench.pki.store.registry.find(authority, serials[0]!))!.octets!;
    const all = await bench.pki.authorities.all();
    assert.equal(all.length, 5);
    for (const { parent, certificate, authority: own, profile } of all) {
      const serial = toHex(decodeCertificate(certificate).serial);
      await assert.rejects(
        service.revokeCertificates({ authority: parent ?? own, serials: [...serials, serial], reason }, OPERATOR),
        (error: unknown) => error instanceof CallRefusal && /revoke-authority.*revocation-refused/.test(error.message),
        profile,
      );
    }
    assert.ok(
      (await bench.pki.examine(octets, "tls-client")).isTrusted,
      "nothing fell, neither what was named beside it",
    );
    assert.deepEqual(asked, []);
  }));

test("one person revokes so many end entities a day, over a restart too, and beyond it people have to agree", () =>
  withTestPki(async (bench) => {
    const { asked, changes } = refusingPeople();
    const { authority, serials } = await issue(bench, ALONE_CERTIFICATES_A_DAY + 2);
    const revoke = (some: readonly string[]) =>
      pkiService(bench.pki, changes).revokeCertificates({ authority, serials: some, reason }, OPERATOR);
    await assert.rejects(revoke(serials), required, "all of them at once");
    const service = pkiService(bench.pki, changes);
    const revokeOnOne = (some: readonly string[]) =>
      service.revokeCertificates({ authority, serials: some, reason }, OPERATOR);
    const half = ALONE_CERTIFICATES_A_DAY / 2;
    const both = [revokeOnOne(serials.slice(0, half)), revokeOnOne(serials.slice(half, 2 * half))];
    const done = await Promise.all(both);
    assert.deepEqual(done, [{ revoked: half }, { revoked: half }]);
    await assert.rejects(revokeOnOne(serials.slice(-1)), required);
    await bench.reopen();
    await assert.rejects(revoke(serials.slice(-1)), required, "a start gives nobody another day");
    assert.deepEqual(new Set(asked), new Set(["revoke-certificates"]));
    const agreed = { require: async () => ({ hash: undefined, approvedBy: [] }) };
    const withPeople = pkiService(bench.pki, agreed).revokeCertificates(
      { authority, serials: serials.slice(-1), reason },
      OPERATOR,
    );
    assert.deepEqual(await withPeople, { revoked: 1 });
    bench.now += DAY;
    assert.deepEqual(await revoke(serials.slice(-2)), { revoked: 1 });
  }));
