import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fromHex, systemTitle, toHex } from "@meterkeep/dlms";
import { publicKeyOctets } from "@meterkeep/dlms-node";
import { decodeCertificate, localSigner, makeRequestWith } from "@meterkeep/pki";
import { profileOf } from "../pki/development-tree.ts";
import { AuthorityWorld } from "../testing/authority-world.ts";
import { carryTakeover } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { HOME, OPERATOR, withWorkers } from "../testing/worker-bench.ts";

/** Asks until it is so. */
async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 3_000; tries += 1) {
    if (await isSo()) return;
    await sleep(20);
  }
  assert.fail(what);
}

const meter = systemTitle(fromHex(HOME.systemTitle));
const serialOf = ({ certificate }: { readonly certificate: string }): string =>
  toHex(decodeCertificate(Buffer.from(certificate.split("-----")[2]!, "base64")).serial);

test("a worker with a certificate of the custodian's PKI asks what the head-end asks, over the hybrid group, and the ledger has it by its name", () =>
  withWorkers(async ({ custody, enrol, client }) => {
    await carryTakeover(custody, HOME);
    custody.now = Date.now();
    const worker = client(await enrol("far-1", "worker"));
    assert.ok((await worker.describeKeys({ meter })).keys.length >= 4);
    assert.deepEqual(await worker.negotiated().then((said) => [said?.protocol, said?.group]), [
      "TLSv1.3",
      "X25519MLKEM768",
    ]);
    await worker.openSession({ meter, purpose: "read" });
    await assert.rejects(worker.revokeCertificates({ authority: "x", serials: [], reason: "superseded" }), {
      code: "method-not-permitted",
    });
    const entries = await custody.store.ledger.read(0, 1_000);
    const opened = entries.find(({ kind }) => kind === "session-opened");
    assert.equal(opened?.principal, "worker:far-1");
    const other = new TestMeter({ systemTitle: "5453540000000002" });
    await custody.add(other, { island: "elsewhere" });
    const elsewhere = { meter: systemTitle(fromHex(other.systemTitle)) };
    const refused = { code: "unknown-meter" };
    await assert.rejects(worker.nextContact(elsewhere), refused, "its authority issues for another island");
    await assert.rejects(worker.openSession({ ...elsewhere, purpose: "read" }), refused);
  }));

test("no other certificate of that PKI is heard, and none that has ended", () =>
  withWorkers(async ({ custody, authority, enrol, client }) => {
    for (const profile of ["tls-client", "edge-adapter", "technician"])
      await assert.rejects(
        client(await enrol("far-1", profile)).status({}),
        { code: "custodian-unreachable" },
        profile,
      );
    const { key } = { key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey };
    const signer = localSigner(key, { curve: "P-256", point: publicKeyOctets(key) });
    const { results } = await custody.custody.service.issueCertificates(
      {
        authority,
        items: [
          {
            request: await makeRequestWith(signer, "far-1"),
            profile: "worker",
            subject: { kind: "named", fields: [{ field: "CN", text: "far-1" }], entity: undefined },
          },
        ],
        hosts: [],
      },
      OPERATOR,
    );
    assert.equal(results[0]?.kind, "refused", "its key is made where the worker is");
    const ended = await enrol("far-2", "worker");
    custody.now += 400 * 86_400_000;
    await assert.rejects(client(ended).status({}), { code: "custodian-unreachable" });
    assert.equal(profileOf("worker").authority, false);
  }));

test("a worker whose certificate is revoked is cut off in the middle of what it asked, and comes in no more", () =>
  withWorkers(async ({ custody, authority, enrol, client }) => {
    const [far, near] = [await enrol("far-1", "worker"), await enrol("near-1", "worker")];
    const [revoked, other] = [client(far), client(near)];
    assert.equal((await revoked.nextContact({ meter })).kind, "connect");
    await other.status({});
    await custody.custody.service.revokeCertificates(
      { authority, serials: [serialOf(far)], reason: "cessationOfOperation" },
      OPERATOR,
    );
    await assert.rejects(revoked.describeKeys({ meter }), { code: "custodian-unreachable" });
    await assert.rejects(revoked.status({}), { code: "custodian-unreachable" });
    await other.status({});
  }));

test("what a worker leaves open when it dies keeps nobody from the meter", () =>
  withWorkers(async ({ custody, enrol, client }) => {
    const [dying, other] = [client(await enrol("far-1", "worker")), client(await enrol("far-2", "worker"))];
    // Meters are tried again after a while.
    Object.defineProperty(custody, "now", { get: () => Date.now() });
    assert.equal((await dying.nextContact({ meter })).kind, "connect");
    assert.equal((await other.nextContact({ meter })).kind, "wait", "one contact at a time");
    await dying.close();
    await until("the contact is given up", async () => (await other.nextContact({ meter })).kind === "connect");
    const entries = await custody.store.ledger.read(0, 1_000);
    const contacts = entries.filter(({ kind }) => kind === "takeover-contact-opened");
    assert.deepEqual(
      contacts.map(({ principal }) => principal),
      ["worker:far-1", "worker:far-2"],
    );
  }));

test("once people approve, a worker is enrolled when they have agreed to that name", () =>
  withWorkers(async ({ custody, enrol }) => {
    const world = await AuthorityWorld.open(custody);
    await assert.rejects(enrol("far-1", "worker"), { code: "approval-required" });
    const { changes } = await custody.custody.service.changes({ limit: 50 }, OPERATOR);
    const planned = changes.find(({ kind }) => kind === "enrol-worker");
    assert.ok(planned !== undefined);
    for (const who of [world.anna, world.ben]) await world.approve(planned.hash, who);
    await assert.rejects(enrol("far-2", "worker"), { code: "approval-required" }, "another one");
    await enrol("far-1", "worker");
    await assert.rejects(enrol("far-1", "worker"), { code: "approval-required" }, "a second time");
  }));
