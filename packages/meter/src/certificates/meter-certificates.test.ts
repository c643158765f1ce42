import assert from "node:assert/strict";
import type { KeyObject } from "node:crypto";
import { once } from "node:events";
import { describe, test } from "node:test";
import {
  type CertificateIdentification,
  type ClientGeneralProtection,
  ecdsaMechanism,
  equalBytes,
  fromHex,
  type KeyPairUse,
  type KeySource,
  remote,
  SecuritySetup,
  type Session,
  SessionError,
  toHex,
} from "@meterkeep/dlms";
import { connectTls, listenTls, nodeCurves, nodePlatform } from "@meterkeep/dlms-node";
import { decodeCertificate, deviceOf, nameOctets, openRequest, type PublicKey } from "@meterkeep/pki";
import { CERTIFICATE_FAULTS } from "../faults.ts";
import { SqliteMemory } from "../nvm/sqlite.ts";
import { type BenchMeter, benchMeter } from "../testing/bench.ts";
import { CLIENT_TITLE, openBenchSession } from "../testing/bench-client.ts";
import { anchorOf, type BenchTree, benchTree } from "../testing/bench-tree.ts";

const SETUP = "0.0.43.0.0.255";
const SIGNING_CLIENT = 3;
const PURPOSE = { digitalSignature: "signature", keyAgreement: "key-agreement", tls: "tls" } as const;
type Use = keyof typeof PURPOSE;

function suiteMeter(suite: 1 | 2, tree: BenchTree): BenchMeter {
  return benchMeter({ profile: "idis-p3", securitySuite: suite, trustAnchors: [anchorOf(tree)] });
}

function setupOf(session: Session) {
  const setup = remote(session, SecuritySetup, SETUP);
  const identified = (which: CertificateIdentification) =>
    which.kind === "byEntity"
      ? ({
          kind: which.kind,
          options: {
            type: "structure",
            value: [
              {
                type: "enum",
                value: { server: 0, client: 1, certificationAuthority: 2, other: 3 }[which.certificateEntity],
              },
              {
                type: "enum",
                value: { digitalSignature: 0, keyAgreement: 1, tls: 2, other: 3 }[which.certificateType],
              },
              { type: "octet-string", value: which.systemTitle },
            ],
          },
        } as const)
      : ({
          kind: which.kind,
          options: {
            type: "structure",
            value: [
              { type: "octet-string", value: which.serialNumber },
              { type: "octet-string", value: which.issuer },
            ],
          },
        } as const);
  return {
    ...setup,
    generate: (use: KeyPairUse) => setup.call("generateKeyPair", use),
    request: (use: KeyPairUse) => setup.call("generateCertificateRequest", use),
    import: (octets: Uint8Array) => setup.call("importCertificate", octets),
    export: async (which: CertificateIdentification) =>
      Uint8Array.from(await setup.call("exportCertificate", identified(which))),
    remove: (which: CertificateIdentification) => setup.call("removeCertificate", identified(which)),
    list: () => setup.get("certificates"),
  };
}
type Setup = ReturnType<typeof setupOf>;

const titleOf = ({ record }: BenchMeter) => fromHex(record.systemTitle);
const own = (bench: BenchMeter, use: Use): CertificateIdentification => ({
  kind: "byEntity",
  certificateEntity: "server",
  certificateType: use,
  systemTitle: titleOf(bench),
});
const refused = (error: unknown) => error instanceof SessionError && error.code === "action-refused";

async function importAuthorities(setup: Setup, tree: BenchTree): Promise<void> {
  for (const { certificate } of tree.authorities) await setup.import(certificate.octets);
}

async function enrol(bench: BenchMeter, setup: Setup, tree: BenchTree, use: Use): Promise<Uint8Array> {
  await setup.generate(use);
  const request = openRequest(await setup.request(use));
  const certificate = tree.issue(titleOf(bench), PURPOSE[use], request.publicKey);
  await setup.import(certificate.octets);
  return Uint8Array.from(certificate.octets);
}

/** A client with key pairs, certified by the tree. */
function clientOf(suite: 1 | 2, tree: BenchTree) {
  const curve = suite === 1 ? "P-256" : "P-384";
  const signing = nodeCurves.generate(curve);
  const agreement = nodeCurves.generate(curve);
  const key = (point: Uint8Array): PublicKey => ({ curve, point });
  return {
    signing,
    agreement,
    certificates: [
      tree.issue(CLIENT_TITLE, "signature", key(signing.publicKey)),
      tree.issue(CLIENT_TITLE, "key-agreement", key(agreement.publicKey)),
    ],
    mechanism: (meterKey: Uint8Array) =>
      ecdsaMechanism({ curves: nodeCurves, suite, signing: signing.privateKey, otherSigning: () => meterKey }),
  };
}

for (const suite of [1, 2] as const)
  describe(`a meter of suite ${suite}`, () => {
    test("makes pairs, asks for certificates with proof of possession, takes them and shows them octet for octet", async () => {
      const tree = benchTree(suite);
      const bench = suiteMeter(suite, tree);
      const setup = setupOf(await openBenchSession(bench));
      assert.deepEqual(
        (await setup.list()).map((info) => [info.certificateEntity, toHex(info.serialNumber)]),
        [["certificationAuthority", toHex(tree.root.certificate.serial)]],
      );
      await importAuthorities(setup, tree);
      for (const use of ["digitalSignature", "keyAgreement", "tls"] as const) {
        await setup.generate(use);
        const request = openRequest(await setup.request(use));
        assert.deepEqual(Uint8Array.from(deviceOf(request) ?? []), titleOf(bench));
        const octets = Uint8Array.from(tree.issue(titleOf(bench), PURPOSE[use], request.publicKey).octets);
        await assert.rejects(setup.export(own(bench, use)), refused);
        await setup.import(octets);
        assert.deepEqual(await setup.export(own(bench, use)), octets);
        const { serial, issuer } = decodeCertificate(octets);
        const bySerial = { kind: "bySerial", serialNumber: serial, issuer: nameOctets(issuer) } as const;
        assert.deepEqual(await setup.export(bySerial), octets);
      }
      assert.equal((await setup.list()).length, 6);
    });

    test("calls over TLS with the pair that it was certified for, and with none before", async () => {
      const tree = benchTree(suite);
      const bench = suiteMeter(suite, tree);
      const setup = setupOf(await openBenchSession(bench));
      await importAuthorities(setup, tree);
      await setup.generate("tls");
      const before = bench.meter.tlsCredentials;
      assert.equal(before, undefined);
      const { publicKey } = openRequest(await setup.request("tls"));
      await setup.import(tree.issue(titleOf(bench), "tls", publicKey).octets);
      const credentials = bench.meter.tlsCredentials;
      assert.ok(credentials !== undefined);
      const title = bench.record.systemTitle;
      const peers: string[] = [];
      await using listener = await listenTls({ ...credentials, onConnection: (_, peer) => peers.push(peer) });
      const target = { host: "127.0.0.1", port: listener.port, peer: title, connectTimeoutMilliseconds: 60_000 };
      const socket = await connectTls({ ...target, ...credentials });
      assert.equal((socket.getEphemeralKeyInfo() as { readonly name?: string }).name, "X25519MLKEM768");
      socket.resume();
      await once(socket.end(), "close");
      assert.deepEqual(peers, [title]);
    });

    test("associates by signature, and takes and gives signed APDUs under keys agreed on", async () => {
      const tree = benchTree(suite);
      const bench = suiteMeter(suite, tree);
      const client = clientOf(suite, tree);
      const session = await openBenchSession(bench);
      const setup = setupOf(session);
      await importAuthorities(setup, tree);
      for (const { octets } of client.certificates) await setup.import(octets);
      const keyOf = async (use: Use) => decodeCertificate(await enrol(bench, setup, tree, use)).publicKey.point;
      const otherSigning = await keyOf("digitalSignature");
      const otherAgreement = await keyOf("keyAgreement");
      await session.release();
      const keys = {
        signing: client.signing.privateKey,
        agreement: client.agreement.privateKey,
        otherSigning,
        otherAgreement,
      };
      let transaction = 0;
      const transactionIds = () => fromHex((++transaction).toString(16).padStart(16, "0"));
      for (const source of [undefined, "one-pass", "static"] as const satisfies (KeySource | undefined)[]) {
        const general: ClientGeneralProtection<KeyObject> = {
          platform: nodePlatform,
          keys,
          signs: true,
          transactionIds,
          ...(source === undefined ? {} : { source }),
        };
        const signed = await openBenchSession(bench, {
          clientSap: SIGNING_CLIENT,
          mechanism: client.mechanism(otherSigning),
          general,
          form: source === undefined ? "general-global" : "general-ciphering",
        });
        assert.equal(await remote(signed, SecuritySetup, SETUP).get("securitySuite"), `suite${suite}`);
        await signed.release();
      }
      const replaying = await openBenchSession(bench, {
        clientSap: SIGNING_CLIENT,
        mechanism: client.mechanism(otherSigning),
        general: {
          platform: nodePlatform,
          keys,
          signs: true,
          source: "static",
          transactionIds: () => fromHex("0000000000000001"),
        },
        form: "general-ciphering",
      });
      await assert.rejects(remote(replaying, SecuritySetup, SETUP).get("securitySuite"), SessionError);
    });

    test("agrees on a new unicast key by key_agreement", async () => {
      const tree = benchTree(suite);
      const bench = suiteMeter(suite, tree);
      const client = clientOf(suite, tree);
      const setup = setupOf(await openBenchSession(bench));
      await importAuthorities(setup, tree);
      for (const { octets } of client.certificates) await setup.import(octets);
      await enrol(bench, setup, tree, "digitalSignature");
      const before = bench.memory.meters()[0]?.keys.globalUnicastEncryptionKey;
      const { publicKey, privateKey: _ } = nodeCurves.generate(suite === 1 ? "P-256" : "P-384");
      const signed = nodeCurves.sign(
        suite === 1 ? "P-256" : "P-384",
        client.signing.privateKey,
        Buffer.concat([Uint8Array.of(0), publicKey]),
      );
      const keyData = new Uint8Array(Buffer.concat([publicKey, signed]));
      const answered = await setup.call("keyAgreement", [{ keyId: "globalUnicastEncryptionKey", keyData }]);
      assert.equal(answered.length, 1);
      const after = bench.memory.meters()[0]?.keys.globalUnicastEncryptionKey;
      assert.ok(before !== undefined && after !== undefined && !equalBytes(before, after));
      assert.equal(after.length, suite === 1 ? 16 : 32);
    });
  });

describe("what a meter does not take", () => {
  const tree = benchTree();
  const stranger = benchTree();

  test("anchors, strangers' certificates, certificates of keys it has not, or of another meter's title", async () => {
    const bench = suiteMeter(1, tree);
    const setup = setupOf(await openBenchSession(bench));
    const pair = nodeCurves.generate("P-256").publicKey;
    await assert.rejects(setup.import(tree.root.certificate.octets), refused);
    await assert.rejects(setup.import(stranger.root.certificate.octets), refused);
    await assert.rejects(setup.import(stranger.authorities[0]!.certificate.octets), refused);
    // Without the authority above there is no path yet.
    await assert.rejects(setup.import(tree.issuing.certificate.octets), refused);
    await importAuthorities(setup, tree);
    const key = { curve: "P-256", point: pair } as const;
    await assert.rejects(setup.import(tree.issue(titleOf(bench), "signature", key).octets), refused);
    await setup.generate("digitalSignature");
    const { publicKey } = openRequest(await setup.request("digitalSignature"));
    await assert.rejects(setup.import(stranger.issue(titleOf(bench), "signature", publicKey).octets), refused);
    await assert.rejects(setup.import(tree.issue(titleOf(bench), "key-agreement", publicKey).octets), refused);
    await assert.rejects(setup.import(Uint8Array.of(0x30, 0x80)), refused);
    assert.equal((await setup.list()).length, 3);
  });

  test("a removal of its anchor; that of its own certificate destroys the key", async () => {
    const bench = suiteMeter(1, tree);
    const setup = setupOf(await openBenchSession(bench));
    const { serial, issuer } = tree.root.certificate;
    const anchor = { kind: "bySerial", serialNumber: serial, issuer: nameOctets(issuer) } as const;
    assert.deepEqual(await setup.export(anchor), Uint8Array.from(tree.root.certificate.octets));
    await assert.rejects(setup.remove(anchor), refused);
    await importAuthorities(setup, tree);
    await enrol(bench, setup, tree, "digitalSignature");
    await setup.remove(own(bench, "digitalSignature"));
    assert.deepEqual(bench.memory.meters()[0]?.credentials?.pairs, []);
    await assert.rejects(setup.request("digitalSignature"), refused);
  });

  test("anything of this in suite 0, which has no key pairs", async () => {
    const setup = setupOf(await openBenchSession(benchMeter()));
    await assert.rejects(setup.generate("digitalSignature"), refused);
    assert.deepEqual(await setup.list(), []);
  });
});

describe("a renewal", () => {
  const tree = benchTree();

  test("keeps the identity in use until the new one is imported, which destroys the old key", async () => {
    const bench = suiteMeter(1, tree);
    const setup = setupOf(await openBenchSession(bench));
    await importAuthorities(setup, tree);
    const first = await enrol(bench, setup, tree, "digitalSignature");
    await setup.generate("digitalSignature");
    assert.deepEqual(await setup.export(own(bench, "digitalSignature")), first);
    const { publicKey } = openRequest(await setup.request("digitalSignature"));
    const second = Uint8Array.from(tree.issue(titleOf(bench), "signature", publicKey).octets);
    await setup.import(second);
    assert.deepEqual(await setup.export(own(bench, "digitalSignature")), second);
    assert.equal(bench.memory.meters()[0]?.credentials?.pairs.length, 1);
    await assert.rejects(setup.import(first), refused);
    await setup.import(second);
  });

  test("is wholly done or not at all, whenever the power goes", async () => {
    for (const kind of ["crash-before", "crash-after"] as const)
      for (const [after, call] of ["generate", "import"].entries()) {
        const bench = suiteMeter(1, tree);
        const session = await openBenchSession(bench);
        const setup = setupOf(session);
        await importAuthorities(setup, tree);
        const first = await enrol(bench, setup, tree, "digitalSignature");
        bench.meter.faults.arm({ fault: { kind }, scope: "certificates", times: 1, after });
        let second: Uint8Array | undefined;
        const renewal = (async () => {
          await setup.generate("digitalSignature");
          const { publicKey } = openRequest(await setup.request("digitalSignature"));
          second = Uint8Array.from(tree.issue(titleOf(bench), "signature", publicKey).octets);
          await setup.import(second);
        })();
        if (kind === "crash-before" || call === "generate") await assert.rejects(renewal);
        else await renewal.catch(() => undefined);
        const again = setupOf(await openBenchSession(bench.restarted()));
        const shown = await again.export(own(bench, "digitalSignature"));
        const isNew = kind === "crash-after" && call === "import" && second !== undefined;
        assert.deepEqual(shown, isNew ? second : first, `${kind} at ${call}`);
      }
  });
});

test("a meter that misbehaves about its certificates does so in one way at a time", async () => {
  const tree = benchTree();
  for (const fault of CERTIFICATE_FAULTS) {
    const bench = suiteMeter(1, tree);
    const setup = setupOf(await openBenchSession(bench));
    await importAuthorities(setup, tree);
    const first = await enrol(bench, setup, tree, "digitalSignature");
    bench.meter.faults.certificates = fault;
    await setup.generate("digitalSignature");
    const { publicKey } = openRequest(await setup.request("digitalSignature"));
    const second = Uint8Array.from(tree.issue(titleOf(bench), "signature", publicKey).octets);
    if (fault === "requestsForAnother") await assert.rejects(setup.import(second), refused);
    else await setup.import(second);
    const isFormer = fault !== "none" && fault !== "keepsForeign";
    assert.deepEqual(await setup.export(own(bench, "digitalSignature")), isFormer ? first : second, fault);
    await setup.remove(own(bench, "digitalSignature"));
    assert.equal((await setup.list()).length, fault === "keepsForeign" ? 4 : 3);
  }
});

test("key pairs and certificates are in the meters' memory file", () => {
  const tree = benchTree();
  const { record } = suiteMeter(1, tree);
  const memory = new SqliteMemory(":memory:");
  memory.install([{ record, firstInterval: 0 }]);
  assert.equal(memory.meters()[0]?.credentials, undefined);
  const credentials = {
    pairs: [{ use: "digitalSignature", privateKey: "AAAA", state: "pending" }],
    certificates: [anchorOf(tree)],
    transactions: { "4d4b480000000001": "0000000000000007" },
  } as const;
  memory.write(record.systemTitle, { kind: "credentials", credentials });
  memory.commit();
  assert.deepEqual(memory.meters()[0]?.credentials, credentials);
  assert.deepEqual(memory.meters()[0]?.record.trustAnchors, [anchorOf(tree)]);
  memory.close();
});
