import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { complaintsOf } from "../../apps/cli/src/testing/cyclonedx-schema.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { until } from "../src/until.ts";

const run = promisify(execFile);

interface Authority {
  readonly authority: string;
  readonly profile: string;
  readonly parent?: string;
  readonly state: string;
  readonly certificate: string;
}

describe("the PKI of a running Meterkeep", () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-pki-"));
  const at = (name: string): string => join(folder, name);
  let meterkeep: Meterkeep;
  let tree: readonly Authority[];
  before(async () => {
    meterkeep = await startMeterkeep({ meters: 4 });
  });
  after(async () => {
    await meterkeep[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const openssl = async (...args: readonly string[]): Promise<string> => {
    // What it says of an answer it says beside it.
    const { stdout, stderr } = await run("openssl", args, { cwd: folder });
    return stdout + stderr;
  };
  const pki = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await meterkeep.command(["pki", ...args]);
    assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const refused = async (...args: readonly string[]): Promise<string> => {
    const { status, stderr } = await meterkeep.command(["pki", ...args]);
    assert.equal(status, 1, args.join(" "));
    return stderr;
  };
  const authority = (profile: string): Authority => tree.find((one) => one.profile === profile)!;
  const newRequest = async (name: string, curve = "P-256"): Promise<string> => {
    await openssl(
      "ecparam",
      "-name",
      curve === "P-256" ? "prime256v1" : "secp384r1",
      "-genkey",
      "-noout",
      "-out",
      `${name}.key`,
    );
    await openssl("req", "-new", "-key", `${name}.key`, "-subj", `/CN=${name}`, "-out", `${name}.csr`);
    return at(`${name}.csr`);
  };
  const issue = async (name: string, ...args: readonly string[]): Promise<string> => {
    const request = await newRequest(name);
    await pki("issue", authority("issuing-p256").authority, request, "--out", at(`${name}.pem`), ...args);
    return at(`${name}.pem`);
  };
  const serialOf = async (file: string): Promise<string> =>
    (await openssl("x509", "-in", file, "-noout", "-serial")).trim().split("=")[1]!.toLowerCase();
  const fetched = async (path: string): Promise<Response> => fetch(`${meterkeep.address}/pki/${path}`);

  test("it has a tree by itself, which OpenSSL follows from what is published", async () => {
    tree = (JSON.parse(await pki("authorities", "--json")) as { authorities: Authority[] }).authorities;
    assert.deepEqual(
      tree.map(({ profile }) => profile),
      ["root", "scheme", "utility", "issuing-p256", "issuing-p384"],
    );
    writeFileSync(at("all.pem"), await (await fetched("ca/all.pem")).text());
    writeFileSync(at("root.pem"), authority("root").certificate);
    const meter = await issue("meter", "--profile", "dlms-suite-1-signature", "--meter", "4D4B303000000001");
    assert.match(await openssl("verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "all.pem", meter), /OK/);
    assert.match(await openssl("x509", "-in", meter, "-noout", "-subject", "-dates"), /4D4B303000000001[\s\S]*9999/);
  });

  test("OpenSSL asks over HTTP, by POST and by GET, and hears of a revocation", async () => {
    const { authority: id, certificate } = authority("issuing-p256");
    writeFileSync(at("issuing.pem"), certificate);
    const serial = await serialOf("meter.pem");
    const ask = () =>
      openssl(
        ...["ocsp", "-issuer", "issuing.pem", "-cert", "meter.pem", "-no_nonce", "-respout", "answer.der"],
        ...["-url", `${meterkeep.address}/pki/ocsp/${id}`, "-CAfile", "root.pem", "-verify_other", "all.pem"],
        ...["-trust_other"],
      );
    assert.match(await ask(), /meter.pem: good[\s\S]*Response verify OK/);
    await pki("revoke", id, serial, "--reason", "keyCompromise");
    await openssl(
      "ocsp",
      "-sha256",
      "-issuer",
      "issuing.pem",
      "-cert",
      "meter.pem",
      "-no_nonce",
      "-reqout",
      "request.der",
    );
    // What was carried is given for a minute at most; the same question in other octets is asked anew.
    const asked = readFileSync(at("request.der")).toString("base64");
    const response = await fetched(`ocsp/${id}/${encodeURIComponent(asked)}`);
    assert.equal(response.headers.get("content-type"), "application/ocsp-response");
    assert.match(response.headers.get("cache-control") ?? "", /public, max-age=\d+/);
    writeFileSync(at("answer.der"), Buffer.from(await response.arrayBuffer()));
    const answer = await openssl("ocsp", "-respin", "answer.der", "-noverify", "-text");
    assert.match(answer, /Cert Status: revoked/);
    assert.match(answer, /Revocation Reason: keyCompromise/);
    assert.equal((await fetched(`ocsp/${id}/AAAA!`)).status, 400);
    assert.equal((await fetched(`ocsp/${"00".repeat(20)}/${encodeURIComponent(asked)}`)).status, 404);
  });

  test("its lists are published by shard, with tags and times, and OpenSSL refuses what is on them", async () => {
    const { authority: id } = authority("issuing-p256");
    // Certificates of TLS name the list they would be on; meters' name none, and are asked about one by one.
    await issue("person", "--profile", "technician", "--subject", "CN=Technician 7");
    const serial = await serialOf("person.pem");
    await pki("revoke", id, serial, "--reason", "cessationOfOperation");
    const shard = Number.parseInt(serial.slice(-2), 16) % 64;
    const response = await fetched(`crl/${id}/${shard}.crl`);
    assert.equal(response.headers.get("content-type"), "application/pkix-crl");
    const tag = response.headers.get("etag")!;
    writeFileSync(at("list.crl"), Buffer.from(await response.arrayBuffer()));
    const text = await openssl("crl", "-inform", "DER", "-in", "list.crl", "-noout", "-text");
    assert.match(text, new RegExp(serial.replace(/^0+/, ""), "i"));
    assert.match(text, /Full Name:\s+URI:http:\/\/localhost:\d+\/pki\/crl\//);
    assert.match(
      await openssl("crl", "-inform", "DER", "-in", "list.crl", "-noout", "-CAfile", "issuing.pem"),
      /verify OK/,
    );
    const again = await fetch(`${meterkeep.address}/pki/crl/${id}/${shard}.crl`, { headers: { "if-none-match": tag } });
    assert.equal(again.status, 304);
    await openssl("crl", "-inform", "DER", "-in", "list.crl", "-out", "list.pem");
    const verdict = spawnSync(
      "openssl",
      ["verify", "-crl_check", "-CRLfile", "list.pem", "-CAfile", "root.pem", "-untrusted", "all.pem", "person.pem"],
      { cwd: folder, encoding: "utf8" },
    );
    assert.match(verdict.stdout + verdict.stderr, /certificate revoked/);
    assert.equal((await fetched(`crl/${id}/64.crl`)).status, 404);
    assert.equal((await fetched(`crl/${id}/x.crl`)).status, 404);
  });

  test("everybody sees what was issued, and nobody's name", async () => {
    const { issued } = (await (await fetched("issued.json")).json()) as { issued: Record<string, string>[] };
    assert.ok(issued.some(({ serial, state }) => serial && state === "revoked"));
    const page = await (await fetched("issued")).text();
    assert.match(page, /<h1>Issued certificates<\/h1>/);
    for (const text of [page, JSON.stringify(issued)]) assert.doesNotMatch(text, /4D4B3030|subject|requester/i);
  });

  test("the bill of materials says what was negotiated, and of each meter its suite, keys and takeover", async () => {
    const { status, stdout, stderr } = await meterkeep.command(["cbom"]);
    assert.equal(status, 0, stderr);
    interface Component {
      readonly type: string;
      readonly name: string;
      readonly properties?: readonly { readonly name: string; readonly value: string }[];
      readonly components?: readonly Component[];
    }
    const bom = JSON.parse(stdout) as { specVersion: string; components: Component[] };
    assert.deepEqual(complaintsOf(bom), [], "it fits the official schema");
    const propertyOf = (component: Component | undefined, name: string) =>
      component?.properties?.find((one) => one.name === `meterkeep:${name}`)?.value;
    assert.equal(bom.specVersion, "1.6");
    const channel = bom.components.find(({ name }) => name === "custodian-channel");
    assert.equal(propertyOf(channel, "key-agreement"), "X25519MLKEM768");
    const headEnd = bom.components.find(({ name }) => name === "head-end-to-custodian");
    assert.equal(propertyOf(headEnd, "key-agreement"), "X25519MLKEM768");
    const meters = bom.components.filter(({ type }) => type === "device");
    assert.equal(meters.length, 8);
    for (const meter of meters) {
      assert.match(propertyOf(meter, "security-suite") ?? "", /^[012]$/);
      assert.match(propertyOf(meter, "takeover-grade") ?? "", /^(none|exposed|shielded|agreed)$/);
      assert.ok((meter.components?.length ?? 0) >= 4, meter.name);
      for (const key of meter.components ?? []) assert.match(propertyOf(key, "age-days") ?? "0", /^\d+$/);
    }
  });

  test("a batch of a production line: certificates in their order, and a wrong request spoils no other", async () => {
    const lines: string[] = [];
    for (let number = 1; number <= 3; number += 1) {
      const request = await newRequest(`line-${number}`, number === 2 ? "P-384" : "P-256");
      const der = Buffer.from(readFileSync(request, "utf8").replace(/-----[^-]+-----|\s/g, ""), "base64");
      const systemTitle = `4D4B30300000010${number}`;
      lines.push(JSON.stringify({ systemTitle, profile: "dlms-suite-1-signature", request: der.toString("base64") }));
    }
    writeFileSync(at("in.jsonl"), lines.join("\n"));
    const { authority: id } = authority("issuing-p256");
    const { status, stderr } = await meterkeep.command(["pki", "batch", id, at("in.jsonl"), at("out.jsonl")]);
    assert.equal(status, 1);
    assert.match(stderr, /2 certificates issued, 1 requests refused/);
    const out = readFileSync(at("out.jsonl"), "utf8").trim().split("\n");
    assert.deepEqual(
      out.map((line) => ["certificate" in JSON.parse(line), JSON.parse(line).systemTitle]),
      [1, 2, 3].map((number) => [number !== 2, `4D4B30300000010${number}`]),
    );
    assert.match(await pki("search", "--meter", "4D4B303000000101"), /valid/);
    const [one] = JSON.parse(await pki("search", "--meter", "4D4B303000000101", "--json")) as readonly {
      readonly serial: string;
      readonly keyIdentifier: string;
    }[];
    for (const wanted of [
      ["--serial", one!.serial],
      ["--key", one!.keyIdentifier, "--is", "valid"],
      ["--subject", "CN=4D4B303000000101"],
    ])
      assert.match(await pki("search", ...wanted), new RegExp(one!.serial), wanted.join(" "));
    assert.match(await pki("search", "--key", one!.keyIdentifier, "--is", "revoked"), /No certificate/);
    assert.match(await pki("expiry"), /dlms-suite-1-signature/);
  });

  test("an authority is revoked in stages: first what it would do, then refused, removed, cut and lifted again", async () => {
    const { authority: id } = authority("issuing-p256");
    const ofScheme = JSON.parse(await pki("revoke-authority", authority("scheme").authority, "--what-if", "--json"));
    assert.ok(ofScheme.authorities >= 4 && ofScheme.meters >= 2, "also of what is above utilities and islands");
    const effect = JSON.parse(await pki("revoke-authority", id, "--what-if", "--json"));
    // Those of the batch, and of the town's own meters as many as were enrolled meanwhile.
    assert.ok(effect.meters >= 2 && effect.certificates >= effect.meters, JSON.stringify(effect));
    assert.match(await pki("revoke-authority", id, "--what-if"), /kW[\s\S]*Nothing has been changed/);
    const plan = JSON.parse(await pki("revoke-authority", id, "--json")) as { id: string };
    await newRequest("late");
    const late = await refused(
      "issue",
      id,
      at("late.csr"),
      "--profile",
      "dlms-suite-1-signature",
      "--meter",
      "4D4B303000000009",
    );
    assert.match(late, /authority-held/);
    await refused("revocation", plan.id, "next");
    await pki("revocation", plan.id, "start");
    const stage = async () =>
      JSON.parse(await pki("revocations", "--json")) as { plans: { stage: string; state: string }[]; cuts: unknown[] };
    await until("its certificates are refused", async () => (await stage()).plans[0]?.state === "done", {
      patienceMs: 240_000,
      everyMs: 500,
    });
    assert.match(await pki("search", "--meter", "4D4B303000000101"), /revoked/);
    assert.match(await pki("authorities"), /P256[^\n]*revoked/);
    await pki("revocation", plan.id, "next");
    await pki("revocation", plan.id, "stop");
    await pki("revocation", plan.id, "next");
    await until("its island is cut", async () => (await stage()).cuts.length === 1, {
      patienceMs: 240_000,
      everyMs: 500,
    });
    await pki("revocation", plan.id, "lift");
    assert.equal((await stage()).cuts.length, 0);
  });

  test("a root of one's own: made, a scheme requested, signed in the drawer, adopted, and its list published", async () => {
    writeFileSync(at("passphrase"), "correct horse battery staple\n", { mode: 0o600 });
    const drawer = ["--folder", at("drawer"), "--passphrase-file", at("passphrase")];
    const address = `${meterkeep.address}/pki`;
    const made = await pki("root", "make", "National root", ...drawer);
    const root = /is made: ([0-9a-f]{40})/.exec(made)![1]!;
    await pki("authority", "adopt", "National root", at("drawer/root.crt"), "--profile", "root");
    const asked = await pki("authority", "request", "National scheme", at("scheme.csr"));
    const key = /The key is (\S+)\./.exec(asked)![1]!;
    await pki("root", "sign", at("scheme.csr"), at("scheme.crt"), "--crl", `${address}/crl/${root}/0.crl`, ...drawer);
    const adopt = ["authority", "adopt", "National scheme", at("scheme.crt"), "--profile", "scheme", "--key", key];
    await pki(...adopt, "--parent", root);
    assert.match(await openssl("verify", "-CAfile", at("drawer/root.crt"), "scheme.crt"), /OK/);
    const serial = await serialOf("scheme.crt");
    await pki("root", "revoke", serial.padStart(32, "0"), ...drawer);
    await pki("root", "list", at("root.crl"), "--crl", `${address}/crl/${root}/0.crl`, ...drawer);
    await pki("crl", root, at("root.crl"), "--publish");
    assert.match(await pki("authorities"), /National scheme[^\n]*revoked/);
    const published = Buffer.from(await (await fetched(`crl/${root}/0.crl`)).arrayBuffer());
    assert.deepEqual(published, readFileSync(at("root.crl")), "everybody gets the list of the ceremony");
    const read = await openssl(
      "crl",
      "-inform",
      "DER",
      "-in",
      "root.crl",
      "-noout",
      "-text",
      "-CAfile",
      "drawer/root.crt",
    );
    assert.match(read, /verify OK/);
    assert.match(read, new RegExp(serial, "i"));
    const before = ["pki", "crl", root, at("root.crl"), "--publish"];
    assert.match((await meterkeep.command(before)).stderr, /crl-refused/, "it was published before");
    const wrong = await meterkeep.command([
      "pki",
      "root",
      "list",
      at("no.crl"),
      "--folder",
      at("drawer"),
      "--passphrase-file",
      at("scheme.csr"),
    ]);
    assert.equal(wrong.status, 2, "a passphrase file that others can read");
  });
});
