import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { CustodianCallError } from "@meterkeep/api/custodian";
import { type CustodianClient, custodianClient } from "@meterkeep/api/custodian-channel";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { fileOf, testManufacturer, testMeters, writeShipment } from "../testing/shipment-writer.ts";
import { testCredential } from "../testing/test-credential.ts";
import { type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { type ChannelServer, listenOnChannel, type Principal } from "./server.ts";

const CUSTODIAN = testCredential("custodian");
const HEAD_END = testCredential("head-end");
const DEPOT = testCredential("depot");
const OPERATOR = testCredential("operator");
const STRANGER = testCredential("head-end");

const PRINCIPALS: readonly Principal[] = [
  { name: "head-end", role: "head-end", certificate: HEAD_END.certificate },
  { name: "bench 1", role: "depot", certificate: DEPOT.certificate },
  { name: "operator", role: "operator", certificate: OPERATOR.certificate },
];

interface Channel {
  readonly custody: TestCustody;
  readonly socketPath: string;
  client(of: typeof HEAD_END, custodian?: typeof CUSTODIAN): CustodianClient;
  restart(): Promise<void>;
}

/** Sequence of the entry that ends the first start. */
const STARTED = 5;

async function withChannel(body: (channel: Channel) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-channel-"));
  const socketPath = join(folder, "channel.sock");
  const clients: CustodianClient[] = [];
  let server: ChannelServer | undefined;
  try {
    await withTestCustody(async (custody) => {
      const listen = async () => {
        server = await listenOnChannel({ ...custody.custody, socketPath, ...CUSTODIAN, principals: PRINCIPALS });
      };
      await listen();
      await body({
        custody,
        socketPath,
        client: (of, custodian = CUSTODIAN) => {
          const { certificate: custodianCertificate } = custodian;
          const client = custodianClient({ socketPath, ...of, custodianCertificate, connectMilliseconds: 2000 });
          clients.push(client);
          return client;
        },
        restart: async () => {
          await server?.close();
          await custody.restart();
          await listen();
        },
      });
    });
  } finally {
    for (const client of clients) await client.close();
    await server?.close();
    rmSync(folder, { recursive: true });
  }
}

const code = (expected: string) => (error: unknown) => error instanceof CustodianCallError && error.code === expected;

test("calls are pipelined, answered each with its own, and what they say arrives", () =>
  withChannel(async ({ custody, client }) => {
    const meters = [1, 2, 3].map((number) => new TestMeter({ systemTitle: `545354000000000${number}` }));
    for (const meter of meters) await custody.add(meter);
    const headEnd = client(HEAD_END);
    const asked = meters.map((meter) => systemTitle(fromHex(meter.systemTitle)));
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, at) => headEnd.describeKeys({ meter: asked[at % 3]! })),
    );
    assert.ok(answers.every(({ keys }) => keys.length === 4));
    const status = await headEnd.status({});
    assert.deepEqual([status.meters, status.vault, status.rootKey, status.killSwitch], [3, "software", "file", false]);
    assert.match(status.recipient.keyId, /^[0-9a-f]{64}$/);
    const { entries } = await headEnd.ledgerEntries({ after: 0, limit: 10 });
    assert.equal(entries[STARTED - 1]?.kind, "custodian-started");
    await assert.rejects(headEnd.describeKeys({ meter: systemTitle(new Uint8Array(8)) }), code("unknown-meter"));
  }));

test("a method that does not exist is refused, and who asked for what stands in the ledger", () =>
  withChannel(async ({ custody, client }) => {
    const headEnd = client(HEAD_END);
    for (const name of ["exportKey", "wrapKey", "sign", "mac", "__proto__"])
      await assert.rejects(headEnd.askByName(name), code("method-not-offered"));
    const entries = await custody.store.ledger.read(STARTED, 100);
    assert.deepEqual(
      entries.map(({ kind, principal, body }) => [kind, principal, (JSON.parse(body) as { method: string }).method]),
      ["exportKey", "wrapKey", "sign", "mac", "__proto__"].map((name) => ["method-not-offered", "head-end", name]),
    );
  }));

test("a principal may call what its role allows and nothing else, whatever it says it is", () =>
  withChannel(async ({ custody, client }) => {
    const [depot, operator] = [client(DEPOT), client(OPERATOR)];
    const meter = systemTitle(new Uint8Array(8));
    await assert.rejects(depot.openSession({ meter, purpose: "read" }), code("method-not-permitted"));
    await assert.rejects(depot.ledgerEntries({ after: 0, limit: 1 }), code("method-not-permitted"));
    await assert.rejects(operator.seal({ session: "x", items: [] }), code("method-not-permitted"));
    await assert.rejects(operator.nextContact({ meter }), code("method-not-permitted"));
    const entries = await custody.store.ledger.read(STARTED, 10);
    assert.deepEqual(
      entries.map(({ kind, principal }) => `${kind} ${principal}`),
      ["bench 1", "bench 1", "operator", "operator"].map((name) => `method-not-permitted ${name}`),
    );
  }));

test("nobody without a pinned certificate gets through, whatever name is on it", () =>
  withChannel(async ({ socketPath, client }) => {
    await assert.rejects(client(STRANGER).status({}), CustodianCallError);
    const anonymous = await new Promise<string>((resolve) => {
      const socket = connect({ path: socketPath, rejectUnauthorized: false });
      socket.on("error", (error) => resolve(error.message));
      socket.on("close", () => resolve("closed"));
      socket.on("secureConnect", () => socket.write(Buffer.alloc(16)));
      socket.on("data", () => resolve("answered"));
    });
    assert.notEqual(anonymous, "answered");
    const plain = await new Promise<string>((resolve) => {
      const socket = connectPlain(socketPath, () => socket.write("status\n"));
      socket.on("data", (chunk) => resolve(chunk[0] === 0x15 ? "alert" : "answered"));
      socket.on("error", () => resolve("closed"));
      socket.on("close", () => resolve("closed"));
    });
    assert.notEqual(plain, "answered");
  }));

test("a client does not speak to a custodian that is not the pinned one", () =>
  withChannel(async ({ client }) => {
    await assert.rejects(client(HEAD_END, STRANGER).status({}), CustodianCallError);
  }));

test("both ends agree on the hybrid group, and on no other", () =>
  withChannel(async ({ client, socketPath }) => {
    const headEnd = client(HEAD_END);
    await headEnd.status({});
    const { protocol, group } = (await headEnd.negotiated()) ?? {};
    assert.deepEqual([protocol, group], ["TLSv1.3", "X25519MLKEM768"]);
    const { certificate: cert, privateKey: key } = HEAD_END;
    for (const ecdhCurve of ["X25519", "prime256v1", "SecP256r1MLKEM768"]) {
      const socket = connect({ path: socketPath, cert, key, rejectUnauthorized: false, ecdhCurve });
      const [error] = (await once(socket, "error")) as [Error & { readonly code?: string }];
      assert.match(error.code ?? error.message, /HANDSHAKE_FAILURE|ECONNRESET/, ecdhCurve);
    }
  }));

test("old versions of TLS are not spoken", () =>
  withChannel(async ({ socketPath }) => {
    const outcome = await new Promise<string>((resolve) => {
      const socket = connect({
        path: socketPath,
        cert: HEAD_END.certificate,
        key: HEAD_END.privateKey,
        rejectUnauthorized: false,
        maxVersion: "TLSv1.2",
      });
      socket.on("secureConnect", () => resolve("connected"));
      socket.on("error", (error) => resolve((error as { code?: string }).code ?? error.message));
    });
    assert.match(outcome, /PROTOCOL_VERSION/);
  }));

test("octets that are no frames end the connection, and other connections go on", () =>
  withChannel(async ({ socketPath, client }) => {
    const headEnd = client(HEAD_END);
    await headEnd.status({});
    for (const octets of ["ffffffff", "00000003010203", "0000000600000000010199"]) {
      const ended = new Promise<void>((resolve) => {
        const socket = connect({
          path: socketPath,
          cert: DEPOT.certificate,
          key: DEPOT.privateKey,
          ca: [CUSTODIAN.certificate],
          checkServerIdentity: () => undefined,
        });
        socket.on("error", () => undefined);
        socket.on("close", () => resolve());
        socket.on("data", () => socket.destroy());
        socket.on("secureConnect", () => socket.write(fromHex(octets)));
      });
      await ended;
    }
    await headEnd.status({});
  }));

test("a request whose payload is not what its method wants is refused as malformed", () =>
  withChannel(async ({ socketPath, client }) => {
    // openSession with a payload that ends within the title.
    const frame = fromHex("000000080000000007140102");
    const answered = new Promise<Buffer>((resolve) => {
      const socket = connect({
        path: socketPath,
        cert: HEAD_END.certificate,
        key: HEAD_END.privateKey,
        ca: [CUSTODIAN.certificate],
        checkServerIdentity: () => undefined,
      });
      socket.on("secureConnect", () => socket.write(frame));
      socket.on("data", (chunk: Buffer) => {
        resolve(chunk);
        socket.destroy();
      });
      socket.on("error", () => undefined);
    });
    const octets = await answered;
    assert.deepEqual([...octets.subarray(4, 10)], [2, 0, 0, 0, 7, 0x14], "an error frame with its correlation");
    assert.equal(octets[10], 2, "request-malformed");
    await client(HEAD_END).status({});
  }));

test("a client finds a custodian that comes back, and calls under way fail when it goes", () =>
  withChannel(async ({ client, restart }) => {
    const headEnd = client(HEAD_END);
    await headEnd.status({});
    await restart();
    await headEnd.status({}).catch(() => undefined);
    assert.equal((await headEnd.status({})).meters, 0);
    await headEnd.close();
    await assert.rejects(headEnd.status({}), code("channel-closed"));
  }));

test("where nobody listens, calls say so", async () => {
  const client = custodianClient({
    socketPath: "/nonexistent/channel.sock",
    ...HEAD_END,
    custodianCertificate: CUSTODIAN.certificate,
  });
  await assert.rejects(client.status({}), code("custodian-unreachable"));
  await client.close();
});

test("a shipment goes through the channel in chunks, is refused whole or imported, and its meters come in pages", () =>
  withChannel(async ({ custody, client }) => {
    const headEnd = client(HEAD_END);
    const maker = testManufacturer();
    const { recipient } = await headEnd.status({});
    const file = fileOf(writeShipment(maker, recipient, testMeters(3)));
    const upload = async (octets: Uint8Array) => {
      const { upload: handle } = await headEnd.beginShipment({ utility: "stadtwerke", island: "mainland" });
      for (let at = 0; at < octets.length; at += 1000)
        await headEnd.shipmentChunk({ upload: handle, bytes: octets.subarray(at, at + 1000) });
      return headEnd.commitShipment({ upload: handle });
    };
    const outcome = await upload(file);
    assert.ok(
      outcome.kind === "refused" && outcome.code === "shipment-manufacturer-unknown",
      "nobody is trusted by a file",
    );
    assert.equal((await custody.store.ledger.read(STARTED, 5))[0]?.kind, "shipment-refused");
    await assert.rejects(headEnd.commitShipment({ upload: "00" }), code("upload-unknown"));
    const page = await headEnd.shipmentMeters({ utility: "stadtwerke", island: "mainland", shipment: "00", from: 0 });
    assert.deepEqual(page.meters, []);
  }));
