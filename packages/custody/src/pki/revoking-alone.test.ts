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
  const profile = PROFILES.get("technician")!;
  const issued = await pki.authorities.issueAll(
    Array.from({ length: count }, (_, at) => ({
      authority,
      profile,
      subject: { names: { CN: `technician ${at}` } },
      publicKey: freshKey().publicKey,
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
    assert.deepEqual(done, [
      { revoked: half, others: [] },
      { revoked: half, others: [] },
    ]);
    await assert.rejects(revokeOnOne(serials.slice(-1)), required);
    await bench.reopen();
    await assert.rejects(revoke(serials.slice(-1)), required, "a start gives nobody another day");
    assert.deepEqual(new Set(asked), new Set(["revoke-certificates"]));
    const agreed = { require: async () => ({ hash: undefined, approvedBy: [] }) };
    const withPeople = pkiService(bench.pki, agreed).revokeCertificates(
      { authority, serials: serials.slice(-1), reason },
      OPERATOR,
    );
    assert.equal((await withPeople).revoked, 1);
    bench.now += DAY;
    assert.equal((await revoke(serials.slice(-2))).revoked, 1);
  }));

test("who revokes for a lost key is told what stands for the same key, and what may have been renewed with it", () =>
  withTestPki(async (bench) => {
    const { changes } = refusingPeople();
    const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
    const issued = async (name: string, { publicKey } = freshKey()) => {
      const order = { authority, profile: PROFILES.get("technician")!, subject: { names: { CN: name } }, publicKey };
      return toHex((await bench.pki.authorities.issue({ ...order, requester: "line-1" })).serial);
    };
    const key = freshKey();
    const [lost, renewed, same] = [await issued("anna", key), await issued("anna"), await issued("anna at home", key)];
    await issued("anna-lena");
    const service = pkiService(bench.pki, changes);
    const revoke = async (serial: string) =>
      (await service.revokeCertificates({ authority, serials: [serial], reason }, OPERATOR)).others.map(
        (one) => one.serial,
      );
    assert.deepEqual((await revoke(lost)).toSorted(), [renewed, same].toSorted());
    assert.deepEqual(await revoke(renewed), []);
    assert.deepEqual(await revoke(same), []);
  }));
