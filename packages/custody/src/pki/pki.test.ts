import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemTitle, toHex } from "@meterkeep/dlms";
import { SoftTokens, softTokenMissing } from "@meterkeep/hsm/testing";
import {
  type Certificate,
  decodeCertificate,
  memoryPkiStore,
  PKI_GRANTS,
  PKI_MIGRATIONS,
  PkiError,
  PROFILES,
  postgresPkiStore,
  SHARDS,
  toPem,
} from "@meterkeep/pki";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { freshKey, PLACE, type TestPki, testTitle, withTestPki } from "../testing/test-pki.ts";
import { ANY_POLICY } from "./development-tree.ts";
import { openTrustJournal } from "./trust-journal.ts";

const code = (wanted: string) => (error: unknown) => error instanceof PkiError && error.code === wanted;
const SIGNATURE = PROFILES.get("dlms-suite-1-signature")!;

async function issueMeter({ pki }: TestPki, number: number, requester = "line-1"): Promise<Certificate> {
  const { authority } = await pki.issuerFor(PLACE, "P-256");
  const order = { authority, profile: SIGNATURE, subject: { systemTitle: testTitle(number) }, requester };
  return pki.authorities.issue({ ...order, publicKey: freshKey().publicKey });
}

/** What OpenSSL says of a certificate under the tree as it is published. */
async function opensslVerify({ pki, folder }: TestPki, certificate: Certificate): Promise<string> {
  const all = await pki.authorities.all();
  const pem = (rows: typeof all) => rows.map((one) => toPem("CERTIFICATE", one.certificate)).join("");
  writeFileSync(join(folder, "root.pem"), pem(all.filter(({ parent }) => parent === undefined)));
  writeFileSync(join(folder, "between.pem"), pem(all.filter(({ parent }) => parent !== undefined)));
  writeFileSync(join(folder, "leaf.pem"), toPem("CERTIFICATE", certificate.octets));
  const args = ["verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "between.pem", "leaf.pem"];
  return execFileSync("openssl", args, { cwd: folder, encoding: "utf8" });
}

test("a development tree stands by itself, and what it issues is trusted, by OpenSSL too", () =>
  withTestPki(async (bench) => {
    const { pki } = bench;
    const all = await pki.authorities.all();
    assert.deepEqual(
      all.map(({ profile }) => profile),
      ["root", "scheme", "utility", "issuing-p256", "issuing-p384"],
    );
    const certificate = await issueMeter(bench, 1);
    assert.match(await opensslVerify(bench, certificate), /OK/);
    const seen = await pki.examine(certificate.octets, "digitalSignature", systemTitle(testTitle(1)));
    assert.ok(seen.isTrusted);
    assert.equal(seen.path.length, 5);
    const other = await pki.examine(certificate.octets, "digitalSignature", systemTitle(testTitle(2)));
    assert.equal(other.isTrusted === false && other.problem, "other-device");
    await bench.reopen();
    assert.equal((await bench.pki.authorities.all()).length, 5, "one tree, not a second");
  }));

test("the key of a development root is forgotten: nobody makes a second scheme under it", () =>
  withTestPki(async ({ pki }) => {
    const [root] = await pki.authorities.all();
    assert.equal(pki.keys.placeOf(root!.keyName), "offline");
    await assert.rejects(pki.authorities.open(root!.authority), code("authority-offline"));
    const list = await pki.publisher.list(root!.authority, 0, "full");
    assert.ok(list !== undefined, "its lists were signed in time");
  }));

test("an authority that steps outside its table is caught: at admission, and in a chain whose signatures are perfect", () =>
  withTestPki(async (bench) => {
    const { pki, ledger } = bench;
    const all = await pki.authorities.all();
    const owner = all.find(({ profile }) => profile === "utility")!;
    const scheme = all.find(({ profile }) => profile === "scheme")!;
    await pki.keys.make("utility-2", "P-384");
    const common = { island: "*", requester: "ceremony", policies: [ANY_POLICY] } as const;
    const second = await pki.authorities.make({
      ...common,
      utility: "nachbarwerke",
      name: "Nachbarwerke",
      profile: PROFILES.get("utility")!,
      parent: scheme.authority,
      keyName: "utility-2",
    });
    // What the second utility issued before the table said whose its meter is.
    const strayed = await issueMeter(bench, 7);
    const range = (first: number, last: number) => [{ first: testTitle(first), last: testTitle(last) }];
    const rows = [
      { authority: Buffer.from(owner.authority, "hex"), name: "stadtwerke", ranges: range(1, 5) },
      { authority: Buffer.from(second.authority, "hex"), name: "nachbarwerke", ranges: range(6, 9) },
    ];
    assert.equal((await pki.assign(rows, "ceremony")).number, 2);
    await issueMeter(bench, 5);
    await assert.rejects(issueMeter(bench, 6), code("assignment-violated"));
    const seen = await pki.examine(strayed.octets, "digitalSignature", systemTitle(testTitle(7)));
    assert.equal(seen.isTrusted === false && seen.problem, "assignment-violated");
    assert.equal(ledger.filter(({ kind }) => kind === "assignment-violated").length, 2);
    await bench.reopen();
    await assert.rejects(issueMeter(bench, 6), code("assignment-violated"), "the table is read back");
  }));

test("a root in a drawer signs a scheme: request, signature elsewhere, adoption; another key's certificate is refused", () =>
  withTestPki(
    async ({ pki }) => {
      assert.deepEqual(await pki.authorities.all(), []);
      const { issueRoot, issueCertificate } = await import("@meterkeep/pki");
      const drawer = freshKey("P-384");
      const serial = new Uint8Array(16).fill(5);
      const notBefore = new Date(Date.UTC(2026, 0));
      const subject = { names: { CN: "National root" } };
      const root = issueRoot(drawer, { profile: PROFILES.get("root")!, subject, serial, notBefore });
      const place = { utility: "*", island: "*", requester: "ceremony" } as const;
      const profile = PROFILES.get("root")!;
      const adopted = await pki.authorities.adopt({
        ...place,
        name: "National root",
        profile,
        keyName: "offline:national",
        certificate: root.octets,
      });
      const key = await pki.keys.make("scheme-1", "P-384");
      const sign = (publicKey: typeof key.publicKey) =>
        issueCertificate(
          { certificate: root, signer: drawer },
          {
            profile: PROFILES.get("scheme")!,
            subject: { names: { CN: "Scheme" } },
            serial,
            notBefore,
            publicKey,
            policies: [ANY_POLICY],
          },
        );
      const scheme = (certificate: Certificate) => ({
        ...place,
        name: "Scheme",
        profile: PROFILES.get("scheme")!,
        parent: adopted.authority,
        keyName: "scheme-1",
        certificate: certificate.octets,
      });
      await assert.rejects(pki.authorities.adopt(scheme(sign(freshKey("P-384").publicKey))), code("request-refused"));
      const made = await pki.authorities.adopt(scheme(sign(key.publicKey)));
      assert.equal((await pki.authorities.open(made.authority)).record.name, "Scheme");
    },
    { options: {} },
  ));

test("what was revoked stays revoked: in a database restored from before, and of certificates it never had", () =>
  withTestPki(async (bench) => {
    const certificate = await issueMeter(bench, 1);
    const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
    const old = memoryPkiStore();
    for (const one of await bench.pki.authorities.all()) await old.registry.addAuthority(one);
    const table = await bench.store.assignments.newest();
    await old.assignments.add(table!);
    const serial = toHex(certificate.serial);
    await bench.pki.authorities.revoke(authority, serial, "keyCompromise", "person");
    await bench.reopen(old);
    const seen = await bench.pki.examine(certificate.octets, "digitalSignature", systemTitle(testTitle(1)));
    assert.equal(seen.isTrusted === false && seen.problem, "revoked");
    const vault = { authenticate: async (texts: readonly Uint8Array[]) => texts.map(() => new Uint8Array(32)) };
    const strange: number[] = [];
    const foreign = await openTrustJournal(bench.folder, vault as never);
    for await (const _ of foreign.read((line) => strange.push(line))) assert.fail("another vault's line");
    const lines = readFileSync(join(bench.folder, "revocations.jsonl"), "utf8").split("\n");
    const written = lines.flatMap((line, at) => (line === "" ? [] : [at + 1]));
    assert.deepEqual(strange, written);
    // The root's lists, the table, the lost key, and the revocation.
    assert.equal(written.length, SHARDS + 3);
  }));

test("what the ledger does not take is neither issued nor revoked nor signed into a table", () =>
  withTestPki(async (bench) => {
    const certificate = await issueMeter(bench, 1);
    const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
    bench.isLedgerFull = true;
    await assert.rejects(issueMeter(bench, 2), /full/);
    await assert.rejects(
      bench.pki.authorities.revoke(authority, toHex(certificate.serial), "superseded", "person"),
      /full/,
    );
    await assert.rejects(bench.pki.assign([], "person"), /full/);
    assert.equal((await bench.pki.assignments())?.table.number, 1);
    assert.equal(await bench.store.registry.isRevoked(authority, toHex(certificate.serial)), false);
  }));

test("the tree in PostgreSQL, as the role that the custodian runs under", () =>
  withTestDatabase({ migrations: [{ component: "pki", directory: PKI_MIGRATIONS, grants: PKI_GRANTS }] }, ({ pool }) =>
    withTestPki(
      async (bench) => {
        const certificate = await issueMeter(bench, 1);
        await bench.reopen();
        const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
        await bench.pki.authorities.revoke(authority, toHex(certificate.serial), "superseded", "person");
        const seen = await bench.pki.examine(certificate.octets, "digitalSignature");
        assert.equal(seen.isTrusted === false && seen.problem, "revoked");
        assert.equal(await bench.store.registry.isRevoked(authority, toHex(certificate.serial)), true);
      },
      { store: postgresPkiStore(pool) },
    ),
  ));

test("authorities sign inside the token, and their keys are nowhere else", { skip: softTokenMissing() }, async () => {
  using tokens = new SoftTokens();
  const source = { kind: "tokens", tokens: [tokens.make("first"), tokens.make("second")] } as const;
  await withTestPki(
    async (bench) => {
      const { pki } = bench;
      const issuing = await pki.issuerFor(PLACE, "P-384");
      assert.equal(pki.keys.placeOf(issuing.keyName), "token");
      const certificate = await issueMeter(bench, 1);
      assert.match(await opensslVerify(bench, certificate), /OK/);
      await bench.reopen();
      assert.match(await opensslVerify(bench, await issueMeter(bench, 2)), /OK/);
      assert.ok(decodeCertificate(issuing.certificate).publicKey.curve === "P-384");
    },
    { vault: source },
  );
});
