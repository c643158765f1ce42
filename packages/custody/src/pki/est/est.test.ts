import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { fromHex, toHex } from "@meterkeep/dlms";
import { connectTls, listenTls, type TlsIdentity } from "@meterkeep/dlms-node";
import type { LedgerDraft } from "@meterkeep/ledger";
import {
  askedAttributes,
  type Certificate,
  decodeCertificate,
  decodeCertsOnly,
  fromPem,
  nameText,
  OID,
  PROFILES,
  toPem,
} from "@meterkeep/pki";
import { caller } from "../../testing/test-custody.ts";
import { PLACE, type TestPki, withTestPki } from "../../testing/test-pki.ts";
import { pkiService } from "../pki-service.ts";
import { listenForEnrolment } from "./server.ts";

const STRONGSWAN = "/usr/bin/pki";

interface EstBench extends TestPki {
  readonly port: number;
  readonly refusals: LedgerDraft[];
  readonly at: (name: string) => string;
  tend(): Promise<void>;
  password(name: string, profile?: string, subject?: string, hosts?: readonly string[]): Promise<string>;
}

/** An enrolment service on a real socket, and a folder with the root's certificate. */
function withEst(body: (bench: EstBench) => Promise<void>): Promise<void> {
  return withTestPki(async (bench) => {
    const refusals: LedgerDraft[] = [];
    const at = (name: string): string => join(bench.folder, name);
    const all = await bench.pki.authorities.all();
    writeFileSync(at("root.pem"), toPem("CERTIFICATE", all[0]!.certificate));
    // Certificates are judged at the clock of the test, by others at the clock of the machine.
    bench.now = Date.now();
    const service = await listenForEnrolment({
      pki: bench.pki,
      bursts: { record: async (entries) => void refusals.push(...entries) },
      host: "127.0.0.1",
      port: 0,
      names: ["localhost", "127.0.0.1"],
      place: PLACE,
      onFailure: (error) => {
        throw error;
      },
    });
    const methods = pkiService(bench.pki, { require: async () => ({ hash: undefined, approvedBy: [] }) });
    try {
      await body({
        ...bench,
        pki: bench.pki,
        port: service.port,
        refusals,
        at,
        tend: () => service.tend(),
        password: async (name, profile = "technician", subject = `Technician ${name}`, hosts = []) => {
          const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
          const fields = [{ field: "CN", text: subject }];
          const asked = {
            name,
            authority,
            profile,
            subject: { kind: "named", fields, entity: undefined },
            hosts: [...hosts],
          } as const;
          const made = await methods.makeEnrolmentPassword(
            { ...asked, endsAt: bench.now + 60_000 },
            caller("operator"),
          );
          return made.password;
        },
      });
    } finally {
      await service.close();
    }
  });
}

function newKey(bench: EstBench, name: string, subject: string): void {
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { cwd: bench.folder, stdio: "pipe" });
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.key`);
  openssl("req", "-new", "-key", `${name}.key`, "-subj", subject, "-outform", "DER", "-out", `${name}.csr`);
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** A request of EST by node:https. */
function ask(
  bench: EstBench,
  path: string,
  options: {
    readonly method?: string;
    readonly body?: string | Uint8Array;
    readonly headers?: Readonly<Record<string, string>>;
    readonly client?: string;
  } = {},
): Promise<Answer> {
  const { method = options.body === undefined ? "GET" : "POST", body, headers = {}, client } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const shown =
    client === undefined
      ? {}
      : { cert: readFileSync(bench.at(`${client}.pem`)), key: readFileSync(bench.at(`${client}.key`)) };
  const sent = httpsRequest(
    {
      host: "localhost",
      port: bench.port,
      path: `/.well-known/est/${path}`,
      method,
      headers: { ...(body !== undefined && { "content-type": "application/pkcs10" }), ...headers },
      ca: readFileSync(bench.at("root.pem")),
      agent: false,
      ...shown,
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString("utf8"),
        }),
      );
    },
  );
  sent.on("error", reject);
  sent.end(body);
  return promise;
}

const basic = (name: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`,
});
const csr = (bench: EstBench, name: string): string => readFileSync(bench.at(`${name}.csr`)).toString("base64");
const certificateIn = ({ text }: Answer): Certificate =>
  decodeCertificate(decodeCertsOnly(new Uint8Array(Buffer.from(text, "base64")))[0]!);

/** Runs strongSwan's client without blocking the server that is in this process. */
async function strongswan(...args: readonly string[]): Promise<{ status: number; stdout: Buffer; stderr: string }> {
  const child = spawn(STRONGSWAN, args, { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  const [status] = (await once(child, "close")) as [number];
  return { status, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString("utf8") };
}

test("strongSwan's EST client fetches the authorities, enrols by password once, and renews", () =>
  withEst(async (bench) => {
    const url = `https://localhost:${bench.port}`;
    const trust = ["--cacert", bench.at("root.pem")];
    const authorities = await strongswan(
      "--estca",
      "--url",
      url,
      ...trust,
      "--caout",
      bench.at("ca"),
      "--outform",
      "pem",
    );
    assert.equal(authorities.status, 0, authorities.stderr);
    newKey(bench, "first", "/CN=Technician anna");
    const password = await bench.password("anna");
    const enrol = ["--est", "--url", url, ...trust, "--in", bench.at("first.csr"), "--userpass", `anna:${password}`];
    const enrolled = await strongswan(...enrol);
    assert.equal(enrolled.status, 0, enrolled.stderr);
    const first = decodeCertificate(new Uint8Array(enrolled.stdout));
    assert.equal(nameText(first.subject), "CN=Technician anna");
    writeFileSync(bench.at("first.pem"), toPem("CERTIFICATE", first.octets));
    assert.notEqual((await strongswan(...enrol)).status, 0, "once");
    newKey(bench, "second", "/CN=Technician anna");
    const renewed = await strongswan(
      ...["--est", "--url", url, ...trust, "--in", bench.at("second.csr")],
      ...["--cert", bench.at("first.pem"), "--key", bench.at("first.key")],
    );
    assert.equal(renewed.status, 0, renewed.stderr);
    const second = decodeCertificate(new Uint8Array(renewed.stdout));
    assert.equal(nameText(second.subject), "CN=Technician anna");
    assert.notDeepEqual(second.publicKey, first.publicKey);
  }));

test("the authorities come as CMS that OpenSSL reads, and the attributes say which key is wanted", () =>
  withEst(async (bench) => {
    const answer = await ask(bench, "cacerts");
    assert.deepEqual([answer.status, answer.headers["content-type"]], [200, "application/pkcs7-mime"]);
    assert.equal(answer.headers["content-transfer-encoding"], "base64");
    writeFileSync(bench.at("ca.p7"), Buffer.from(answer.text, "base64"));
    const args = ["pkcs7", "-inform", "DER", "-in", bench.at("ca.p7"), "-print_certs"];
    const pem = execFileSync("openssl", args, { encoding: "utf8" });
    assert.equal(fromPem("CERTIFICATE", pem).length, 5);
    const attributes = await ask(bench, "csrattrs");
    assert.equal(attributes.headers["content-type"], "application/csrattrs");
    const asked = askedAttributes(new Uint8Array(Buffer.from(attributes.text, "base64")));
    assert.deepEqual(asked, [OID.idEcPublicKey, OID.ecdsaWithSha256]);
  }));

test("authorities that were revoked are given to nobody any more, nor those below them", () =>
  withEst(async (bench) => {
    const given = async () => {
      const answer = await ask(bench, "cacerts");
      const found = decodeCertsOnly(new Uint8Array(Buffer.from(answer.text, "base64")));
      return new Set(found.map((octets) => nameText(decodeCertificate(octets).subject)));
    };
    const all = await bench.pki.authorities.all();
    const names = new Set(all.map(({ certificate }) => nameText(decodeCertificate(certificate).subject)));
    assert.deepEqual(await given(), names);
    const { id } = await bench.pki.revocations.plan({ authority: all[0]!.authority }, "cACompromise", "anna");
    assert.deepEqual(await given(), names, "a plan takes nothing from anybody");
    await bench.pki.revocations.move(id, "withdraw", "anna");
    const issuing = all.find(({ profile }) => profile === "issuing-p256")!;
    const fall = async (authority: (typeof all)[number]) => {
      const serial = toHex(decodeCertificate(authority.certificate).serial);
      await bench.pki.store.registry.revokeAgain(authority.parent!, [serial], bench.now, "cACompromise");
    };
    await fall(issuing);
    names.delete(nameText(decodeCertificate(issuing.certificate).subject));
    assert.deepEqual(await given(), names);
    await fall(all.find(({ profile }) => profile === "scheme")!);
    assert.equal((await given()).size, 1, "the root is left");
    const root = await bench.pki.revocations.plan({ authority: all[0]!.authority }, "cACompromise", "anna");
    await bench.pki.revocations.move(root.id, "start", "anna");
    assert.equal((await given()).size, 0);
  }));

test("a certificate says what its password was made for, whatever the request asks", () =>
  withEst(async (bench) => {
    newKey(bench, "first", "/CN=Chief of everything/O=Elsewhere");
    const password = await bench.password("anna");
    const answer = await ask(bench, "simpleenroll", { body: csr(bench, "first"), headers: basic("anna", password) });
    assert.deepEqual(
      [answer.status, answer.headers["content-type"]],
      [200, "application/pkcs7-mime; smime-type=certs-only"],
    );
    assert.equal(nameText(certificateIn(answer).subject), "CN=Technician anna");
  }));

test("a password is refused when it is wrong, another's, used or over, and the ledger has it", () =>
  withEst(async (bench) => {
    newKey(bench, "first", "/CN=x");
    const enrol = (name: string, password: string) =>
      ask(bench, "simpleenroll", { body: csr(bench, "first"), headers: basic(name, password) });
    const password = await bench.password("anna");
    for (const [name, given] of [
      ["anna", "wrong"],
      ["bert", password],
    ] as const) {
      const answer = await enrol(name, given);
      assert.equal(answer.status, 401);
      assert.match(String(answer.headers["www-authenticate"]), /^Basic realm=/);
    }
    assert.equal((await ask(bench, "simpleenroll", { body: csr(bench, "first") })).status, 401);
    assert.equal((await enrol("anna", password)).status, 200);
    assert.equal((await enrol("anna", password)).status, 401);
    assert.equal(bench.refusals.length, 4);
    assert.ok(
      bench.refusals.every(({ kind, principal }) => kind === "enrolment-refused" && principal.includes("127.0.0.1")),
    );
    const text = JSON.stringify([...bench.refusals, ...bench.ledger]);
    assert.ok(!text.includes(password), "no password is written anywhere");
  }));

test("a malformed request does not use the password up", () =>
  withEst(async (bench) => {
    newKey(bench, "first", "/CN=x");
    const password = await bench.password("anna");
    const headers = basic("anna", password);
    for (const body of ["AAAA", "no base64 at all!", Buffer.from(fromHex("3003020100")).toString("base64")])
      assert.equal((await ask(bench, "simpleenroll", { body, headers })).status, 400, body);
    const changed = Buffer.from(csr(bench, "first"), "base64");
    changed[changed.length - 3]! ^= 1;
    const spoilt = await ask(bench, "simpleenroll", { body: changed.toString("base64"), headers });
    assert.equal(spoilt.status, 400, "whoever asks proves the key");
    assert.equal((await ask(bench, "simpleenroll", { body: csr(bench, "first"), headers })).status, 200);
  }));

test("only a certificate of ours that holds is renewed, for its own names", () =>
  withEst(async (bench) => {
    newKey(bench, "first", "/CN=Technician anna");
    const password = await bench.password("anna");
    const enrolled = await ask(bench, "simpleenroll", { body: csr(bench, "first"), headers: basic("anna", password) });
    const first = certificateIn(enrolled);
    writeFileSync(bench.at("first.pem"), toPem("CERTIFICATE", first.octets));
    const renew = (body: string, client?: string) => ask(bench, "simplereenroll", { body, ...(client && { client }) });
    assert.equal((await renew(csr(bench, "first"))).status, 403, "without a certificate");
    assert.equal((await renew(csr(bench, "first"), "first")).status, 200);
    newKey(bench, "other", "/CN=Technician bert");
    assert.equal((await renew(csr(bench, "other"), "first")).status, 400, "another name");
    execFileSync(
      "openssl",
      ["req", "-new", "-x509", "-key", "first.key", "-subj", "/CN=Technician anna", "-out", "self.pem"],
      {
        cwd: bench.folder,
      },
    );
    writeFileSync(bench.at("self.key"), readFileSync(bench.at("first.key")));
    assert.equal((await renew(csr(bench, "first"), "self")).status, 403, "signed by nobody we know");
    const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
    await bench.pki.authorities.revoke(authority, toHex(first.serial), "superseded", "person");
    assert.equal((await renew(csr(bench, "first"), "first")).status, 403, "revoked");
  }));

test("the service has a certificate of whoever issues here now, and what it asks of TLS stays what it was", () =>
  withEst(async (bench) => {
    const { pki } = bench;
    const ca = readFileSync(bench.at("root.pem"));
    /** Who has issued what it shows, and the group that was agreed on; undefined where nothing was. */
    const met = async (options: ConnectionOptions = {}) => {
      const socket = connect({ port: bench.port, host: "localhost", ca, ...options });
      try {
        await once(socket, "secureConnect");
        const { name } = socket.getEphemeralKeyInfo() as { readonly name?: string };
        return { issuer: socket.getPeerCertificate().issuer.CN, group: name };
      } catch {
        return undefined;
      } finally {
        socket.destroy();
      }
    };
    const lines = ["former", "successor", "former"];
    const former = await pki.issuerFor(PLACE, "P-256");
    await pki.keys.make("successor", "P-256");
    const names: Readonly<Record<string, string>> = { former: former.name, successor: "Successor" };
    let plan = "";
    for (const [at, line] of lines.entries()) {
      if (at === 1) {
        const place = { ...PLACE, name: "Successor", profile: PROFILES.get("issuing-p256")!, keyName: "successor" };
        const order = { ...place, parent: former.parent!, requester: "person", policies: ["2.5.29.32.0"] };
        const { authority } = await pki.authorities.make(order);
        await bench.tend();
        plan = authority;
      }
      if (at === 2) {
        await pki.revocations.plan({ authority: plan }, "cACompromise", "person");
        await bench.tend();
      }
      assert.deepEqual(await met(), { issuer: names[line], group: "X25519MLKEM768" }, line);
      const old = { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA256" } as const;
      assert.equal(await met(old), undefined, "without authenticated encryption");
      assert.ok(await met({ maxVersion: "TLSv1.2" }));
    }
    await bench.tend();
    assert.equal(
      bench.ledger.filter(({ principal }) => principal === "custodian").length,
      5 + 3,
      "no more than it takes",
    );
  }));

test("a concentrator and an edge adapter enrol, renew, and prove themselves with what they got over mutual TLS", () =>
  withEst(async (bench) => {
    const authorities = readFileSync(bench.at("root.pem"), "utf8");
    const above = (await bench.pki.authorities.lineOf((await bench.pki.issuerFor(PLACE, "P-256")).authority))
      .filter(({ parent }) => parent !== undefined)
      .map(({ certificate }) => toPem("CERTIFICATE", certificate))
      .join("");
    const identity = (name: string, certificate: Certificate): TlsIdentity => ({
      privateKey: execFileSync("openssl", ["pkcs8", "-topk8", "-nocrypt", "-in", bench.at(`${name}.key`)], {
        encoding: "utf8",
      }),
      certificate: toPem("CERTIFICATE", certificate.octets) + above,
      authorities,
    });
    const enrol = async (name: string, profile: string, hosts: readonly string[]): Promise<TlsIdentity> => {
      newKey(bench, name, `/CN=${name}`);
      const headers = basic(name, await bench.password(name, profile, name, hosts));
      const first = certificateIn(await ask(bench, "simpleenroll", { body: csr(bench, name), headers }));
      writeFileSync(bench.at(`${name}.pem`), toPem("CERTIFICATE", first.octets));
      const renewed = certificateIn(await ask(bench, "simplereenroll", { body: csr(bench, name), client: name }));
      assert.notDeepEqual(renewed.serial, first.serial);
      const found = await bench.pki.store.registry.search({ subject: `CN=${name}`, limit: 5 }, bench.now);
      assert.deepEqual(found.map((one) => `${one.profile} for ${one.requester}`).sort(), [
        `${profile} for est:CN=${name}`,
        `${profile} for est:${name}`,
      ]);
      return identity(name, renewed);
    };
    const concentrator = await enrol("dc-7", "concentrator", ["127.0.0.1"]);
    const peers: string[] = [];
    await using listener = await listenTls({ ...concentrator, onConnection: (_, peer) => peers.push(peer) });
    const target = { host: "127.0.0.1", port: listener.port, peer: "dc-7", connectTimeoutMilliseconds: 60_000 };
    const socket = await connectTls({ ...target, ...(await enrol("edge-3", "edge-adapter", [])) });
    assert.equal((socket.getEphemeralKeyInfo() as { readonly name?: string }).name, "X25519MLKEM768");
    socket.resume();
    socket.write("proven");
    while (peers.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(peers, ["edge-3"]);
    socket.destroy();
  }));

test("keys are not generated here, and what is no operation of EST is not there", () =>
  withEst(async (bench) => {
    newKey(bench, "first", "/CN=x");
    for (const operation of ["serverkeygen", "fullcmc"]) {
      const answer = await ask(bench, operation, { body: csr(bench, "first") });
      assert.equal(answer.status, 501);
    }
    assert.equal((await ask(bench, "nothing")).status, 404);
    assert.equal((await ask(bench, "cacerts", { method: "DELETE" })).status, 405);
    assert.equal((await ask(bench, "simpleenroll")).status, 405);
    const plain = { "content-type": "text/plain", ...basic("a", "b") };
    assert.equal((await ask(bench, "simpleenroll", { body: "x", headers: plain })).status, 415);
    const long = await ask(bench, "simpleenroll", { body: "A".repeat(20_000), headers: basic("a", "b") });
    assert.equal(long.status, 413);
    assert.equal((await ask(bench, "production-line-1/cacerts")).status, 200, "a label in the path");
  }));

test("the connection agrees on a hybrid group with whoever offers one", () =>
  withEst(async (bench) => {
    const socket: TLSSocket = connect({ host: "localhost", port: bench.port, ca: readFileSync(bench.at("root.pem")) });
    await once(socket, "secureConnect");
    assert.deepEqual(socket.getEphemeralKeyInfo(), { type: "TLSGroup", name: "X25519MLKEM768", size: undefined });
    assert.equal(socket.getProtocol(), "TLSv1.3");
    socket.destroy();
  }));
