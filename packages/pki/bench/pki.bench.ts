import { execFileSync } from "node:child_process";
import { createHash, randomBytes, webcrypto } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import "reflect-metadata";
import { KeyUsageFlags, KeyUsagesExtension, X509CertificateGenerator } from "@peculiar/x509";
import {
  issueCertificate,
  issueCrl,
  issueOcspResponse,
  lintCertificate,
  makeRequest,
  makeSubject,
  openCrl,
  openOcspResponse,
  openRequest,
  type Revocation,
  toPem,
} from "../src/index.ts";
import { BEGIN, freshKey, makeTree, profileNamed } from "../src/testing/test-tree.ts";

// What a production line and a million meters ask of an authority, on one core: certificates of three profiles a meter
// (requests verified and not), a list of a million, answers signed ahead; beside `@peculiar/x509` and OpenSSL.
// `--meters N` for the batch, 100000 unless given; `--revoked N` for the list, 1000000 unless given.

const OPENSSL_AUTHORITY = `
[ca]
default_ca = line
[line]
database = index.txt
new_certs_dir = out
rand_serial = yes
private_key = ca.key
certificate = ca.pem
default_md = sha256
default_days = 3650
policy = any
unique_subject = no
x509_extensions = meter
[any]
commonName = supplied
[meter]
keyUsage = critical, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
`;

const option = (name: string, standard: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? standard : Number(process.argv[at + 1]);
};
const meters = option("meters", 100_000);
const revoked = option("revoked", 1_000_000);

const { issuing, issuing384 } = makeTree();
const mib = (): string => `${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB`;
const line = (what: string, figure: string): void => console.log(`  ${what.padEnd(58)} ${figure}`);
const rate = (count: number, ms: number): string => `${Math.round((count * 1000) / ms).toLocaleString("en")} a second`;
/** Milliseconds of a core that this process has had: on a machine that is busy otherwise more than these pass. */
const coreMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
function timed(count: number, run: () => void): number {
  const begin = performance.now();
  for (let at = 0; at < count; at += 1) run();
  return performance.now() - begin;
}

// The keys of a batch are the meters' own; signing and verifying cost the same whosever they are.
const keys = Array.from({ length: 64 }, () => freshKey("P-256"));
const purposes = ["signature", "key-agreement", "tls"].map((purpose) => profileNamed(`dlms-suite-1-${purpose}`));
const requests = keys.map((key) => makeRequest(key, []));

interface Took {
  readonly ms: number;
  readonly core: number;
}
const took = ({ ms, core }: Took): string =>
  `${(ms / 1000).toFixed(1)} s, ${(core / 1000).toFixed(1)} s of a core, ${rate(meters * 3, core)} of it, ${mib()}`;

function batch(issuer: typeof issuing, verifyRequests: boolean): Took {
  const systemTitle = Uint8Array.from([0x4d, 0x4b, 0x30, 0x30, 0, 0, 0, 0]);
  const view = new DataView(systemTitle.buffer);
  const [begin, core] = [performance.now(), coreMs()];
  for (let meter = 0; meter < meters; meter += 1) {
    view.setUint32(4, meter);
    for (const [at, profile] of purposes.entries()) {
      const which = (meter * 3 + at) % keys.length;
      const key = verifyRequests ? openRequest(requests[which]!).publicKey : keys[which]!.publicKey;
      const order = { profile, subject: { systemTitle }, publicKey: key, serial: randomBytes(16), notBefore: BEGIN };
      issueCertificate(issuer, { ...order, policies: ["2.5.29.32.0"] });
    }
  }
  return { ms: performance.now() - begin, core: coreMs() - core };
}

/** Meters whose keys are made together, before the clock runs. */
const LOT = 1_000;

/** As it is in a factory: three keys of each meter's own, and a request that proves each. What the meters do is not counted. */
function factory(issuer: typeof issuing): Took {
  const systemTitle = Uint8Array.from([0x4d, 0x4b, 0x30, 0x30, 0, 0, 0, 0]);
  const view = new DataView(systemTitle.buffer);
  let [ms, core] = [0, 0];
  for (let from = 0; from < meters; from += LOT) {
    const count = Math.min(LOT, meters - from) * purposes.length;
    const proven = Array.from({ length: count }, () => makeRequest(freshKey("P-256"), []));
    const [begin, coreBegin] = [performance.now(), coreMs()];
    for (const [at, request] of proven.entries()) {
      view.setUint32(4, from + Math.floor(at / purposes.length));
      const profile = purposes[at % purposes.length]!;
      const { publicKey } = openRequest(request);
      const order = { profile, subject: { systemTitle }, publicKey, serial: randomBytes(16), notBefore: BEGIN };
      issueCertificate(issuer, { ...order, policies: ["2.5.29.32.0"] });
    }
    ms += performance.now() - begin;
    core += coreMs() - coreBegin;
  }
  return { ms, core };
}

console.log(`${meters} meters with three P-256 certificates each, each linted before it is signed`);
for (const [what, issuer, verify] of [
  ["by a P-256 authority", issuing, false],
  ["by a P-256 authority, each request verified", issuing, true],
] as const)
  line(what, took(batch(issuer, verify)));
line("by a P-256 authority, fresh keys, each proven by its request", took(factory(issuing)));

const sample = {
  profile: purposes[0]!,
  subject: { systemTitle: Uint8Array.from([0x4d, 0x4b, 0x30, 0x30, 0, 0, 0, 1]) },
  publicKey: keys[0]!.publicKey,
  notBefore: BEGIN,
};
const issueOne = (issuer: typeof issuing) => () => issueCertificate(issuer, { ...sample, serial: randomBytes(16) });
const signOnly = (issuer: typeof issuing) => {
  const octets = issueOne(issuer)().toBeSigned;
  return () => issuer.signer.sign(octets);
};
console.log("one certificate after the other");
for (const [curve, issuer] of [
  ["P-256", issuing],
  ["P-384", issuing384],
] as const) {
  const count = curve === "P-256" ? 10_000 : 1_000;
  const bare = timed(count, signOnly(issuer));
  const issued = timed(count, issueOne(issuer));
  line(
    `issued by ${curve}`,
    `${rate(count, issued)}; its signatures alone ${rate(count, bare)}: ${(issued / bare).toFixed(2)} times their cost`,
  );
}
const certificate = issueOne(issuing)();
line(
  "linted",
  rate(
    20_000,
    timed(20_000, () => lintCertificate(certificate, purposes[0]!)),
  ),
);

const peculiarKeys = (await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
  "sign",
  "verify",
])) as webcrypto.CryptoKeyPair;
const peculiarBegin = performance.now();
for (let at = 0; at < 300; at += 1)
  await X509CertificateGenerator.create({
    serialNumber: randomBytes(16).toString("hex"),
    subject: "CN=4D4B303000000001",
    issuer: "CN=Issuing",
    notBefore: BEGIN,
    notAfter: new Date("2050-01-01"),
    signingKey: peculiarKeys.privateKey,
    publicKey: peculiarKeys.publicKey,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true)],
  });
line("@peculiar/x509, a smaller certificate", rate(300, performance.now() - peculiarBegin));
const opensslLine = opensslBatch(2_000);
line("OpenSSL's own authority (openssl ca), each request verified", rate(2_000, opensslLine));
const speed = execFileSync("openssl", ["speed", "-seconds", "1", "ecdsap256"], { stdio: ["ignore", "pipe", "ignore"] });
line("OpenSSL's own signatures (openssl speed ecdsap256)", `${String(speed).trim().split(/\s+/).at(-2)} a second`);

console.log(`a revocation list of ${revoked} certificates`);
const revocations: Revocation[] = Array.from({ length: revoked }, (_, at) => ({
  serial: createHash("md5").update(String(at)).digest(),
  revokedAt: BEGIN,
  reason: "keyCompromise",
}));
const order = { number: 1n, thisUpdate: BEGIN, nextUpdate: new Date("2027-01-01") };
const crlBegin = performance.now();
const list = issueCrl(issuing, order, revocations);
line(
  "written and signed at once",
  `${((performance.now() - crlBegin) / 1000).toFixed(2)} s, ${(list.length / 2 ** 20).toFixed(1)} MiB`,
);
const shards = 64;
const shardMs = timed(1, () => {
  for (let at = 0; at < shards; at += 1)
    issueCrl(
      issuing,
      { ...order, shard: `http://crl.example/${at}` },
      revocations.slice(Math.floor((at * revoked) / shards), Math.floor(((at + 1) * revoked) / shards)),
    );
});
line(`in ${shards} shards`, `${(shardMs / 1000).toFixed(2)} s`);
globalThis.gc?.();
const beforeReading = process.memoryUsage().rss;
const readBegin = performance.now();
const entries = openCrl(list, issuing.certificate).revocations.length;
const reading = ((performance.now() - readBegin) / 1000).toFixed(2);
const grown = Math.max(0, (process.memoryUsage().rss - beforeReading) / 2 ** 20).toFixed(0);
line(`read and verified, ${entries} entries`, `${reading} s, ${grown} MiB more than before`);

console.log("answers about certificates (OCSP)");
const answer = {
  serial: certificate.serial,
  status: { kind: "good" },
  thisUpdate: BEGIN,
  nextUpdate: new Date("2050-01-01"),
} as const;
line(
  "signed ahead by P-256",
  rate(
    5_000,
    timed(5_000, () => issueOcspResponse(issuing.certificate, issuing, answer)),
  ),
);
const response = issueOcspResponse(issuing.certificate, issuing, answer);
line(
  "verified",
  rate(
    2_000,
    timed(2_000, () =>
      openOcspResponse(response, {
        issuer: issuing.certificate,
        serial: certificate.serial,
        at: new Date("2027-01-01"),
      }),
    ),
  ),
);

/** So many certificates for requests in files, by an authority of OpenSSL's in one process: it keeps an index, and writes each to a file. */
function opensslBatch(count: number): number {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-openssl-"));
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  mkdirSync(join(folder, "out"));
  writeFileSync(join(folder, "index.txt"), "");
  writeFileSync(join(folder, "ca.cnf"), OPENSSL_AUTHORITY);
  const named = keys.map((key, at) =>
    makeRequest(
      key,
      makeSubject({ kind: "system-title" }, { systemTitle: Uint8Array.of(0x4d, 0x4b, 0x30, 0x30, 0, 0, 0, at) }),
    ),
  );
  const files = Array.from({ length: count }, (_, at) => `${at}.csr`);
  for (const [at, file] of files.entries())
    writeFileSync(join(folder, file), toPem("CERTIFICATE REQUEST", named[at % named.length]!));
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  openssl("req", "-x509", ...curve, "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Issuing");
  const begin = performance.now();
  openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-out", "all.pem", "-infiles", ...files);
  const ms = performance.now() - begin;
  rmSync(folder, { recursive: true });
  return ms;
}
