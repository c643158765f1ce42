import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import { fromHex, systemTitle, toHex } from "@meterkeep/dlms";
import { connectTls } from "@meterkeep/dlms-node";
import { openPolicyKey } from "@meterkeep/headend";
import { decodeCertificate, PROFILES } from "@meterkeep/pki";
import { socketIn } from "@meterkeep/postgres";
import { ExchangeFiles } from "../../apps/server/src/exchange-files.ts";
import { deskClient } from "../../apps/server/src/gate/desk-client.ts";
import { openGate } from "../../apps/server/src/gate/gate.ts";
import { GATE_NAME, GATE_STREAMS } from "../../apps/server/src/gate/streams.ts";
import { openTunnel } from "../../apps/server/src/gate/tunnel.ts";
import { caller } from "../../packages/custody/src/testing/test-custody.ts";
import { OPERATOR, type WorkerCredential, withWorkers } from "../../packages/custody/src/testing/worker-bench.ts";

const METER = systemTitle(fromHex("5453540000000001"));
const MANIFEST = "ab".repeat(48);
const HOST = "127.0.0.1";

type Bench = Parameters<Parameters<typeof withWorkers>[0]>[0];

/** A gate before a custodian, and before two sockets that say after whoever comes which one they are. */
function withGate(
  body: (
    bench: Bench & {
      readonly port: number;
      readonly folder: string;
      /** How many connections came as far as that. */
      readonly arrived: { lines: number; database: number };
      readonly seen: string[];
      tunnel(of: WorkerCredential): Promise<Awaited<ReturnType<typeof openTunnel>>>;
    },
  ) => Promise<void>,
): Promise<void> {
  return withWorkers(async (bench) => {
    await using stack = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), "mk-gate-"));
    stack.defer(() => rmSync(folder, { recursive: true }));
    const arrived = { lines: 0, database: 0 };
    const behind = async (name: keyof typeof arrived) => {
      const sockets = new Set<Socket>();
      const server = createServer((socket) => {
        arrived[name] += 1;
        sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("data", (chunk) => socket.write(`${name} hears ${chunk}`));
      });
      server.listen(join(folder, name));
      await once(server, "listening");
      stack.defer(() => {
        for (const socket of sockets) socket.destroy();
        server.close();
      });
      return { path: join(folder, name) };
    };
    writeFileSync(join(folder, "addresses.json"), '{"meters":[]}');
    writeFileSync(join(folder, "secret.json"), "nobody's");
    const key = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
    const policy = openPolicyKey(key.export({ type: "pkcs8", format: "pem" }).toString());
    const own = await bench.enrol(GATE_NAME, "tls-server", [HOST]);
    const seen: string[] = [];
    const { service } = bench.custody.custody;
    const gate = stack.use(
      await openGate({
        host: HOST,
        port: 0,
        identity: { ...own, authorities: bench.authorities },
        custodian: { searchCertificates: (request) => service.searchCertificates(request, caller("head-end")) },
        places: {
          custodian: { path: bench.socketPath },
          lines: await behind("lines"),
          database: await behind("database"),
        },
        desk: {
          settings: { policyKey: policy.publicKey, utility: "stadtwerke" } as never,
          policy,
          exchange: new ExchangeFiles(folder),
          shelf: {
            read: async (name) => {
              assert.ok(!name.includes(".."), name);
              if (name !== "makers/one.pem") throw new Error("there is none");
              return Buffer.from("a key");
            },
            makers: async () => ["one.pem"],
          },
          now: () => bench.custody.now,
        },
        onWorker: (name, what) => seen.push(`${name} ${what}`),
      }),
    );
    await body({
      ...bench,
      port: gate.port,
      folder,
      arrived,
      seen,
      tunnel: async (of) => {
        const directory = mkdtempSync(join(tmpdir(), "mk-far-"));
        stack.defer(() => rmSync(directory, { recursive: true }));
        const identity = { ...of, authorities: bench.authorities };
        const place = { host: HOST, port: gate.port };
        return stack.use(await openTunnel({ gate: place, identity, directory, onError: () => undefined }));
      },
    });
  });
}

/** Says a word at a socket and gives what comes back; nothing where it is closed. */
async function say(path: string, word: string): Promise<{ readonly socket: Socket; readonly answer: string }> {
  const socket = connect(path);
  socket.on("error", () => undefined);
  socket.write(word);
  const answer = await Promise.race([
    once(socket, "data").then(([chunk]) => String(chunk)),
    once(socket, "close").then(() => ""),
  ]);
  return { socket, answer };
}

test("a worker finds behind the gate what it finds beside it elsewhere: custodian, kept lines, database, and what is in files", () =>
  withGate(async ({ enrol, tunnel, port, authorities, custodianCertificate, folder }) => {
    const own = await enrol("far-1", "worker");
    await using sockets = await tunnel(own);
    const custodian = custodianClient({ ...own, socketPath: sockets.custodian, custodianCertificate });
    assert.equal((await custodian.nextContact({ meter: METER })).kind, "connect");
    assert.equal((await custodian.negotiated())?.group, "X25519MLKEM768");
    await custodian.close();
    for (const [path, answer] of [
      [sockets.lines, "lines hears hallo"],
      [socketIn(sockets.database), "database hears hallo"],
    ] as const) {
      const said = await say(path, "hallo");
      assert.equal(said.answer, answer);
      said.socket.destroy();
    }
    using desk = deskClient({ host: HOST, port }, { ...own, authorities });
    const { policyKey, utility } = await desk.settings();
    assert.equal(utility, "stadtwerke");
    const token = await desk.policy(policyKey).token(MANIFEST, METER, 0, 0);
    assert.ok(toHex(token).includes(toHex(METER)));
    await assert.rejects(desk.policy(policyKey).token("no hash", METER, 0, 0), { code: "gate-refused" });
    const before = await desk.exchange.stamp("addresses.json");
    assert.equal(await desk.exchange.text("addresses.json"), '{"meters":[]}');
    assert.equal(await desk.exchange.stamp("addresses.json"), before);
    writeFileSync(join(folder, "addresses.json"), '{"meters": [ ]}');
    assert.notEqual(await desk.exchange.stamp("addresses.json"), before);
    assert.deepEqual(await desk.shelf.makers(), ["one.pem"]);
    assert.equal(Buffer.from(await desk.shelf.read("makers/one.pem")).toString(), "a key");
    assert.equal(await desk.exchange.text("billing.json"), undefined, "it is not there");
    for (const name of ["secret.json", "../secret.json", "%2e%2e/secret.json", ""])
      assert.equal(await desk.exchange.text(name), undefined, name);
    for (const name of ["../secret.json", "makers/../../secret.json", "two.pem", "makers/"])
      await assert.rejects(desk.shelf.read(name), { code: "gate-refused" }, name);
  }));

test("whoever is no worker by the registry gets no further than the handshake", () =>
  withGate(async ({ enrol, tunnel, port, authorities, arrived, seen }) => {
    for (const profile of ["edge-adapter", "tls-client", "concentrator"]) {
      const sockets = await tunnel(await enrol("far-1", profile, profile === "concentrator" ? [HOST] : []));
      for (const path of [sockets.lines, sockets.custodian, socketIn(sockets.database)])
        assert.equal((await say(path, "hallo")).answer, "", profile);
    }
    assert.deepEqual(new Set(seen), new Set(["far-1 refused"]));
    const own = { ...(await enrol("far-2", "worker")), authorities };
    const target = { ...own, host: HOST, port, peer: GATE_NAME };
    const stream = { protocols: [GATE_STREAMS.lines] };
    await assert.rejects(connectTls({ ...target, ...stream, groups: "X25519" }), { code: "connection-failed" });
    await assert.rejects(connectTls({ ...target, protocols: ["another"] }), { code: "connection-failed" });
    await assert.rejects(connectTls({ ...target, ...stream, peer: "another" }), { code: "connection-failed" });
    // Who names no stream has shaken hands, and is then left standing.
    const mute = await connectTls(target);
    mute.resume();
    await once(mute, "close");
    const plain = connect(port, HOST);
    plain.on("error", () => undefined);
    plain.end("GET /settings HTTP/1.1\r\n\r\n");
    await once(plain.resume(), "close");
    assert.deepEqual(arrived, { lines: 0, database: 0 });
  }));

test("a worker is found among any number of certificates whose names begin like its own", () =>
  withGate(async ({ enrol, tunnel, custody, authority }) => {
    const { authorities } = custody.custody.pki;
    const { publicKey } = decodeCertificate((await authorities.recordOf(authority)).certificate);
    const order = { authority, publicKey, profile: PROFILES.get("technician")!, requester: "line" };
    // Of a month, so that they come first.
    const likeIt = Array.from({ length: 201 }, (_, at) => ({ ...order, subject: { names: { CN: `far-1${at}` } } }));
    await authorities.issueAll(likeIt);
    const sockets = await tunnel(await enrol("far-1", "worker"));
    const { socket, answer } = await say(sockets.lines, "hallo");
    assert.equal(answer, "lines hears hallo");
    socket.destroy();
  }));

test("a worker that is removed loses every stream at once, and comes in no more, while others stay", () =>
  withGate(async ({ enrol, tunnel, custody, authority, custodianCertificate, seen }) => {
    const [own, other] = [await enrol("far-1", "worker"), await enrol("far-2", "worker")];
    const [sockets, others] = [await tunnel(own), await tunnel(other)];
    const [lines, database] = [await say(sockets.lines, "hallo"), await say(socketIn(sockets.database), "hallo")];
    const staying = await say(others.lines, "hallo");
    const custodian = custodianClient({ ...own, socketPath: sockets.custodian, custodianCertificate });
    assert.equal((await custodian.nextContact({ meter: METER })).kind, "connect");
    const octets = Buffer.from(own.certificate.split("-----")[2]!, "base64");
    const serials = [toHex(decodeCertificate(octets).serial)];
    const gone = Promise.all([once(lines.socket, "close"), once(database.socket, "close")]);
    await custody.custody.service.revokeCertificates({ authority, serials, reason: "keyCompromise" }, OPERATOR);
    await assert.rejects(custodian.status({}), { code: "custodian-unreachable" });
    await gone;
    assert.ok(seen.includes("far-1 cut"));
    for (const path of [sockets.lines, sockets.custodian, socketIn(sockets.database)])
      assert.equal((await say(path, "hallo")).answer, "");
    staying.socket.write("again");
    assert.equal(String((await once(staying.socket, "data"))[0]), "lines hears again");
    staying.socket.destroy();
    await custodian.close();
  }));
