import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@meterkeep/dlms";
import {
  type Certificate,
  certificateOf,
  crlOf,
  decodeCertificate,
  makeOcspRequest,
  memoryPkiStore,
  openCrl,
  openOcspResponse,
  PkiError,
  PROFILES,
  prepareCertificate,
  prepareCrl,
  prepareRoot,
  shardOf,
} from "@meterkeep/pki";
import { freshKey, issueMeter, PLACE, type TestPki, withTestPki } from "../testing/test-pki.ts";
import { adoptList } from "./adopt-list.ts";

const HOUR = 3_600_000;
const SIGNATURE = PROFILES.get("dlms-suite-1-signature")!;
const code = (wanted: string) => (error: unknown) => error instanceof PkiError && error.code === wanted;

/** A store as it was before anything was issued. */
async function withAuthoritiesOnly(bench: TestPki) {
  const store = memoryPkiStore();
  for (const one of await bench.pki.authorities.all()) await store.registry.addAuthority(one);
  return store;
}

test("the list of a root in a drawer is given until its own end, and not a moment longer", () =>
  withTestPki(async (bench) => {
    const [root] = await bench.pki.authorities.all();
    const list = () => bench.pki.publisher.list(root!.authority, 0, "full");
    const first = (await list())!;
    assert.equal(openCrl(first.octets, decodeCertificate(root!.certificate)).revocations.length, 0);
    for (const hours of [83, 85, 400 * 24]) {
      bench.now = first.thisUpdate + hours * HOUR;
      assert.deepEqual((await list())?.octets, first.octets, `after ${hours} hours`);
    }
    bench.now = first.nextUpdate;
    await assert.rejects(list(), code("authority-offline"));
  }));

test("a list of a root that goes back is not published: neither an older one, nor one from which an entry was taken", () =>
  withTestPki(async ({ pki, now, ledger }) => {
    const root = freshKey("P-384");
    const serial = (octet: number) => Uint8Array.from({ length: 16 }, () => octet);
    const prepared = prepareRoot({
      profile: PROFILES.get("root")!,
      subject: { names: { CN: "National root" } },
      publicKey: root.publicKey,
      serial: serial(1),
      notBefore: new Date(now),
    });
    const certificate = certificateOf(prepared, root.sign(prepared.octets));
    const place = { name: "National root", utility: "*", island: "*", requester: "person" } as const;
    const common = { ...place, profile: PROFILES.get("root")!, keyName: "offline:root" };
    const { authority } = await pki.authorities.adopt({ ...common, certificate: certificate.octets });
    const scheme = prepareCertificate(certificate, {
      profile: PROFILES.get("scheme")!,
      subject: { names: { CN: "National scheme" } },
      publicKey: freshKey("P-384").publicKey,
      serial: serial(2),
      notBefore: new Date(now),
      policies: ["2.5.29.32.0"],
    });
    const signed = certificateOf(scheme, root.sign(scheme.octets));
    await pki.authorities.adopt({
      ...common,
      name: "National scheme",
      profile: PROFILES.get("scheme")!,
      keyName: "offline:scheme",
      parent: authority,
      certificate: signed.octets,
    });
    const publish = (
      number: number,
      entries: readonly number[],
      thisUpdate = now,
      reason: "cACompromise" | "removeFromCRL" = "cACompromise",
      since?: number,
    ) => {
      const times = { thisUpdate: new Date(thisUpdate), nextUpdate: new Date(thisUpdate + 400 * 24 * HOUR) };
      const revocations = entries.map((octet) => ({
        serial: serial(octet),
        revokedAt: new Date(now),
        reason,
      }));
      const octets = prepareCrl(
        certificate,
        { number: BigInt(number), ...times, ...(since !== undefined && { since: BigInt(since) }) },
        revocations,
      );
      return adoptList(pki, { authority, shard: 0, octets: crlOf(certificate, octets, root.sign(octets)) }, "anna");
    };
    const refused = code("crl-refused");
    await assert.rejects(
      publish(1, [9], now, "removeFromCRL"),
      refused,
      "nothing is un-revoked, nor revoked by saying so",
    );
    assert.equal(await pki.store.registry.isRevoked(authority, toHex(serial(9))), false);
    await publish(1, [9]);
    const entry = ledger.findLast(({ kind }) => kind === "certificates-revoked");
    assert.deepEqual(entry?.body, { authority, reason: "cACompromise", serials: [toHex(serial(9))], list: "1" });
    assert.equal(entry?.principal, "anna");
    await assert.rejects(publish(1, [9]), refused, "the same number");
    await assert.rejects(publish(2, []), refused, "what was on the list before, of which nobody here knows more");
    await assert.rejects(publish(2, [9], now - 500 * 24 * HOUR), refused, "it has ended");
    await pki.authorities.revoke(authority, toHex(serial(2)), "cACompromise", "person");
    await assert.rejects(publish(2, [9]), refused, "what was revoked here by its stages");
    await publish(2, [9, 2]);
    await assert.rejects(publish(1, [9, 2]), refused, "an older number");
    assert.equal((await pki.publisher.list(authority, 0, "full"))?.number, 2n);
    assert.equal(await pki.store.registry.isRevoked(authority, toHex(serial(9))), true);
    const delta = (number: number, entries: readonly number[], since: number) =>
      publish(number, entries, now, "cACompromise", since);
    await assert.rejects(delta(3, [8], 1), refused, "it begins at a list that is not the newest");
    await delta(3, [8], 2);
    await assert.rejects(delta(4, [], 2), refused, "it lacks what the delta before it named");
    await delta(4, [8], 2);
    assert.equal((await pki.publisher.list(authority, 0, "delta"))?.number, 4n);
  }));

/** What has become of a certificate's issuer: what everybody is told of it. */
async function told({ pki, now }: TestPki, { serial }: Certificate) {
  const { authority, certificate } = await pki.issuerFor(PLACE, "P-256");
  const issuer = decodeCertificate(certificate);
  const list = (await pki.publisher.list(authority, shardOf(serial), "full"))!;
  const { number, revocations } = openCrl(list.octets, issuer, new Date(now));
  const answer = await pki.publisher.answer(authority, makeOcspRequest(issuer, serial));
  return {
    number,
    isListed: [...revocations].some((one) => toHex(one.serial) === toHex(serial)),
    status: openOcspResponse(answer, { issuer, serial, at: new Date(now) }).kind,
  };
}

test("a restored database's next lists name what was revoked, under numbers that no list before had, and so do its answers", () =>
  withTestPki(
    async (bench) => {
      const certificate = await issueMeter(bench, 1);
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const old = await withAuthoritiesOnly(bench);
      await told(bench, certificate);
      bench.now += 90 * HOUR;
      await bench.pki.authorities.revoke(authority, toHex(certificate.serial), "keyCompromise", "person");
      const before = await told(bench, certificate);
      assert.deepEqual([before.isListed, before.status], [true, "revoked"]);
      bench.now += 1000;
      await bench.reopen(old);
      const after = await told(bench, certificate);
      assert.deepEqual([after.isListed, after.status], [true, "revoked"]);
      assert.ok(after.number > before.number, `${after.number} after ${before.number}`);
    },
    { isForgiving: true },
  ));

test("a certificate that a restored registry lost is named by the replay, and revoked by the ledger's order for it", () =>
  withTestPki(
    async (bench) => {
      const old = await withAuthoritiesOnly(bench);
      const certificate = await issueMeter(bench, 1);
      const serial = toHex(certificate.serial);
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      await bench.reopen(old);
      assert.ok(
        (await bench.pki.examine(certificate.octets, "digitalSignature")).isTrusted,
        "its signature is perfect",
      );
      const { missing, lost } = await bench.pki.replay();
      assert.equal(missing, 1);
      assert.deepEqual(lost, [{ authority, serial, profile: SIGNATURE.name }]);
      await assert.rejects(
        bench.pki.authorities.revoke(authority, "ab".repeat(16), "keyCompromise", "person"),
        code("certificate-unknown"),
      );
      assert.equal(await bench.pki.authorities.revoke(authority, serial, "keyCompromise", "person"), true);
      assert.equal(await bench.pki.authorities.revoke(authority, serial, "keyCompromise", "person"), false);
      const seen = await bench.pki.examine(certificate.octets, "digitalSignature");
      assert.equal(seen.isTrusted === false && seen.problem, "revoked");
      assert.deepEqual(bench.ledger.at(-1)?.kind, "certificates-revoked");
      bench.now += 85 * HOUR;
      assert.equal((await told(bench, certificate)).isListed, true);
      await bench.reopen();
      assert.equal((await told(bench, certificate)).isListed, true);
    },
    { isForgiving: true },
  ));

test("a certificate that a restored registry lost is revoked in stages like any other, and one that nobody ordered is not", () =>
  withTestPki(
    async (bench) => {
      const old = await withAuthoritiesOnly(bench);
      const certificate = await issueMeter(bench, 1);
      const serial = toHex(certificate.serial);
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      await bench.reopen(old);
      const { revocations } = bench.pki;
      await assert.rejects(revocations.effect({ authority, serial: "ab".repeat(16) }), code("certificate-unknown"));
      assert.equal((await revocations.effect({ authority, serial })).certificates, 1);
      const { id } = await revocations.plan({ authority, serial }, "keyCompromise", "person");
      await revocations.move(id, "start", "person");
      await bench.pki.tend();
      const plan = (await revocations.list()).find((one) => one.id === id);
      assert.deepEqual([plan?.stage, plan?.state], ["refuse", "done"]);
      const seen = await bench.pki.examine(certificate.octets, "digitalSignature");
      assert.equal(seen.isTrusted === false && seen.problem, "revoked");
    },
    { isForgiving: true },
  ));

test("an authority that was made stands in the ledger with its certificate's serial number and a digest of what was signed", () =>
  withTestPki(async ({ pki, ledger }) => {
    const made = ledger.filter(({ kind }) => kind === "authority-made").map(({ body }) => body);
    const { createHash } = await import("node:crypto");
    const wanted = (await pki.authorities.all()).map((one) => {
      const { serial, toBeSigned } = decodeCertificate(one.certificate);
      return [one.authority, toHex(serial), createHash("sha256").update(toBeSigned).digest("hex")];
    });
    const said = made.map((body) => {
      const { authority, serial, toBeSigned } = body as Readonly<Record<string, string>>;
      return [authority, serial, toBeSigned];
    });
    assert.deepEqual(said.toSorted(), wanted.toSorted());
  }));
