import assert from "node:assert/strict";
import {
  createCipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { pseudoTerminal } from "@meterkeep/dlms-node/testing";
import { startSampleMeter } from "../assess/testing/sample-meter.ts";
import { startVirtualMeter, virtualMeterAtPort } from "../assess/testing/virtual-meter.ts";
import { run } from "../program.ts";
import { scratchTerminal } from "../testing/scratch-terminal.ts";

const folder = mkdtempSync(join(tmpdir(), "meterkeep-field-"));
after(() => rmSync(folder, { recursive: true }));

const METER = "4D4B530000000001";
const HOUR = 3_600_000;

async function meterkeep(...args: readonly string[]) {
  const terminal = scratchTerminal({ XDG_STATE_HOME: folder });
  const status = await run(terminal, args);
  return { status, out: terminal.out(), err: terminal.err() };
}

const gcm = (key: Uint8Array, data: Uint8Array, plain: Uint8Array): string => {
  const cipher = createCipheriv("aes-256-gcm", key, new Uint8Array(12));
  cipher.setAAD(data);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString("base64");
};

const custodian = () => ({
  ecdsa: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  mldsa: generateKeyPairSync("ml-dsa-65"),
});
const CUSTODIAN = custodian();
const der = (key: KeyObject) => key.export({ type: "spki", format: "der" }).toString("base64");

/** A lease as the custodian's end of docs/formats/lease.md says. */
function seal(publicFile: string, terms: object, keys: object, by = CUSTODIAN): string {
  const to = JSON.parse(readFileSync(publicFile, "utf8")) as { keyId: string; ecdh: string; mlkem: string };
  const spki = (text: string) => createPublicKey({ key: Buffer.from(text, "base64"), format: "der", type: "spki" });
  const ephemeral = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const epk = ephemeral.publicKey.export({ type: "spki", format: "der" });
  const { sharedKey, ciphertext } = encapsulate(spki(to.mlkem));
  const z = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: spki(to.ecdh) });
  const sha256 = (octets: Uint8Array) => createHash("sha256").update(octets).digest();
  const info = Buffer.concat([Buffer.from("meterkeep-backup-1"), sha256(epk), sha256(ciphertext)]);
  const wrapping = new Uint8Array(hkdfSync("sha384", Buffer.concat([z, sharedKey]), new Uint8Array(0), info, 32));
  const content = randomBytes(32);
  const text = JSON.stringify(terms);
  const lease = {
    terms: text,
    key: {
      keyId: to.keyId,
      epk: epk.toString("base64"),
      kem: ciphertext.toString("base64"),
      wrapped: gcm(wrapping, Buffer.from(to.keyId, "hex"), content),
    },
    sealed: gcm(content, Buffer.from(text), Buffer.from(JSON.stringify(keys))),
  };
  const hash = createHash("sha384").update(JSON.stringify(lease)).digest("hex");
  const signed = Buffer.from(`meterkeep-lease-signature-1:${hash}`);
  return JSON.stringify({
    ...lease,
    signed: {
      ecdsa: sign("sha384", signed, { key: by.ecdsa.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64"),
      mldsa: sign(null, signed, by.mldsa.privateKey).toString("base64"),
      by: { ecdsa: der(by.ecdsa.publicKey), mldsa: der(by.mldsa.publicKey) },
    },
  });
}

test("a handheld reads a meter under its lease, offline, with the lease's own counters, and signs what it did", async () => {
  await using meter = await startSampleMeter();
  const key = join(folder, "handheld.json");
  const made = await meterkeep("field", "key", "HH-1", "--out", key);
  assert.equal(made.status, 0, made.err);
  assert.equal(statSync(key).mode & 0o777, 0o600);
  const terms = {
    format: "meterkeep-lease-1",
    lease: "00ff",
    technician: "Ada",
    handheld: "HH-1",
    from: Date.now() - HOUR,
    until: Date.now() + HOUR,
    operations: ["read"],
    client: "4D4B430102030405",
    meters: [
      {
        meter: METER,
        label: "MKS0001",
        profile: "unknown",
        securitySuite: 0,
        clients: { read: 1 },
        first: 1000,
        count: 64,
      },
    ],
  };
  const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
  const { encryptionKey, authenticationKey } = meter.keys;
  const keys = [{ meter: METER, encryptionKey: hex(encryptionKey), authenticationKey: hex(authenticationKey) }];
  const lease = join(folder, "today.lease");
  writeFileSync(lease, seal(`${key}.pub`, terms, keys));
  const visit = (operation: string, title = METER, file = lease, own = key) =>
    meterkeep("field", operation, title, meter.address, "--lease", file, "--key", own);
  const read = await visit("read");
  assert.equal(read.status, 0, read.err);
  assert.match(read.out, /Active energy import/);
  assert.match(read.out, /client 1, mechanism gmac; authenticated and encrypted/);
  // What the first lease pins is shown, once, for a person to compare.
  const id = readFileSync(`${key}.custodian`, "utf8").trim();
  const shown = /takes those of this custodian alone,\n {2}([0-9a-f ]+)\n/.exec(read.err)?.[1];
  assert.equal(shown?.replaceAll(" ", ""), id);
  const { text = "", signature = "" } = JSON.parse(readFileSync(`${lease}.journal`, "utf8")) as Record<string, string>;
  const { signing } = JSON.parse(readFileSync(`${key}.pub`, "utf8")) as { signing: string };
  const spki = createPublicKey({ key: Buffer.from(signing, "base64"), format: "der", type: "spki" });
  assert.ok(verify(null, Buffer.from(`meterkeep-field-journal-1\n${text}`), spki, Buffer.from(signature, "base64")));
  const journal = JSON.parse(text) as { used: { next: number }[]; acts: { outcome: string }[] };
  const next = journal.used[0]?.next ?? 0;
  assert.ok(next > 1000 && next <= 1064, `${next}`);
  assert.deepEqual(
    journal.acts.map(({ outcome }) => outcome),
    ["done"],
  );
  const refused = async (why: RegExp, ...visiting: Parameters<typeof visit>) => {
    const { status, err } = await visit(...visiting);
    assert.notEqual(status, 0);
    assert.match(err, why);
  };
  await refused(/does not allow to set-clock/, "set-clock");
  // Whoever has the counters of before written there again has none used again.
  const whole = readFileSync(`${lease}.journal`, "utf8");
  writeFileSync(`${lease}.journal`, JSON.stringify({ text: JSON.stringify({ ...journal, used: [] }), signature }));
  await refused(/not what this handheld has signed/, "read");
  writeFileSync(`${lease}.journal`, "{}");
  await refused(/not what this handheld has signed/, "read");
  // A journal that is put back is signed as well: the meter is asked, and what it has taken since is told and not used again.
  writeFileSync(`${lease}.journal`, whole);
  assert.equal((await visit("read")).status, 0);
  writeFileSync(`${lease}.journal`, whole);
  const again = await visit("read");
  assert.equal(again.status, 0, again.err);
  const later = JSON.parse((JSON.parse(readFileSync(`${lease}.journal`, "utf8")) as { text: string }).text) as {
    used: { next: number }[];
    passed: { meter: string; first: number; next: number }[];
  };
  const [passed] = later.passed;
  assert.deepEqual([passed?.meter, passed?.first], [METER, next]);
  assert.ok((passed?.next ?? 0) > next && (later.used[0]?.next ?? 0) > (passed?.next ?? 0));
  writeFileSync(`${lease}.journal`, whole);
  writeFileSync(`${join(folder, "renamed.lease")}.journal`, whole);
  writeFileSync(join(folder, "renamed.lease"), seal(`${key}.pub`, { ...terms, lease: "0100" }, keys));
  await refused(/is the journal of lease 00ff/, "read", METER, join(folder, "renamed.lease"));
  assert.doesNotMatch((await visit("set-clock")).err, /first lease/);
  await refused(/not in the lease/, "read", "4D4B530000000002");
  const over = join(folder, "yesterday.lease");
  writeFileSync(over, seal(`${key}.pub`, { ...terms, until: Date.now() - 1 }, keys));
  await refused(/the lease is from/, "read", METER, over);
  // Somebody makes it last longer.
  writeFileSync(over, readFileSync(over, "utf8").replace(/\\"until\\":\d/, '\\"until\\":9'));
  await refused(/somebody changed it on its way/, "read", METER, over);
  const other = join(folder, "other.json");
  await meterkeep("field", "key", "HH-2", "--out", other);
  await refused(/sealed to another handheld/, "read", METER, lease, other);
  // Whoever knows a handheld's public keys can seal to it: its custodian alone can sign.
  const forged = join(folder, "forged.lease");
  writeFileSync(forged, seal(`${key}.pub`, terms, keys, custodian()));
  await refused(/has signed it, and this handheld is/, "read", METER, forged);
  const { signed: _, ...unsigned } = JSON.parse(readFileSync(lease, "utf8")) as { readonly signed: object };
  writeFileSync(forged, JSON.stringify(unsigned));
  await refused(/no custodian has signed it/, "read", METER, forged);
  const spent = join(folder, "spent.lease");
  const few = { ...terms, meters: [{ ...terms.meters[0], first: 2000, count: 4 }] };
  writeFileSync(spent, seal(`${key}.pub`, few, keys));
  await refused(/a new lease is needed/, "read", METER, spent);
});

const LEAST: readonly (readonly [profile: string, reading: number])[] = [
  ["idis-p2", 2],
  ["metcom-mcs301", 2],
  ["is15959", 32],
  ["dsmr-5", 1],
  ["landis-gyr-e350", 1],
];

for (const [profile, reading] of LEAST)
  test(`a lease reads a meter of ${profile} as client ${reading}, and sets its clock as the management client alone`, async () => {
    await using meter = await startVirtualMeter(profile);
    const key = join(folder, `${profile}.json`);
    assert.equal((await meterkeep("field", "key", `HH-${profile}`, "--out", key)).status, 0);
    const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
    const { encryptionKey, authenticationKey } = meter.keys;
    const title = meter.meter.record.systemTitle;
    const keys = [{ meter: title, encryptionKey: hex(encryptionKey), authenticationKey: hex(authenticationKey) }];
    let first = 1000;
    const visit = async (operation: string, clients: object) => {
      first += 64;
      const lease = join(folder, `${profile}-${first}.lease`);
      const leased = { meter: title, label: profile, profile, securitySuite: 0, clients, first, count: 64 };
      const terms = {
        format: "meterkeep-lease-1",
        lease: `${first}`,
        technician: "Ada",
        handheld: `HH-${profile}`,
        from: Date.now() - HOUR,
        until: Date.now() + HOUR,
        operations: ["read", "set-clock"],
        client: "4D4B430102030405",
        meters: [leased],
      };
      writeFileSync(lease, seal(`${key}.pub`, terms, keys));
      return meterkeep("field", operation, title, meter.address, "--lease", lease, "--key", key);
    };
    const clients = { read: reading, "set-clock": 1 };
    const read = await visit("read", clients);
    assert.equal(read.status, 0, read.err);
    assert.match(read.out, new RegExp(`client ${reading}, mechanism gmac; authenticated and encrypted`));
    assert.match(read.out, /Active energy import/);
    const set = await visit("set-clock", clients);
    assert.equal(set.status, 0, set.err);
    if (reading === 1) return;
    const beyond = await visit("set-clock", { "set-clock": reading });
    assert.notEqual(beyond.status, 0, "the meter itself gives its reading client no right to write");
    const unnamed = await visit("read", {});
    assert.match(unnamed.err, /names no client/);
  });

/**
 * Has `stty` set all that it is told to set but 7 bits and parity, which a pseudo-terminal does not have. Gives what it was told so far:
 * speed, bits and parity.
 */
function told(context: TestContext): () => readonly string[] {
  const place = mkdtempSync(join(folder, "stty-"));
  const log = join(place, "told");
  const before = process.env["PATH"] ?? "";
  const script = `#!/bin/sh
PATH='${before}'
echo "$3 $8 $9" >> '${log}'
case "$8" in cs7) exec stty "$1" "$2" "$3" "$4" "$5" "$6" "$7" cs8 -parenb -cstopb;; esac
exec stty "$@"
`;
  mkdirSync(join(place, "bin"));
  writeFileSync(join(place, "bin", "stty"), script, { mode: 0o755 });
  process.env["PATH"] = `${join(place, "bin")}:${before}`;
  context.after(() => {
    process.env["PATH"] = before;
  });
  return () => readFileSync(log, "utf8").trimEnd().split("\n");
}

test("a handheld reads a meter under its lease through an optical port: opened at 300 baud in mode E, then HDLC, and nothing else is reached", async (context) => {
  const line = await pseudoTerminal(context);
  assert.ok(line, "script(1) gives no pseudo-terminal: install bsdutils");
  const settings = told(context);
  const { meter, keys } = virtualMeterAtPort("idis-p2", line.far);
  const key = join(folder, "optical.json");
  assert.equal((await meterkeep("field", "key", "HH-OPTICAL", "--out", key)).status, 0);
  const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
  const title = meter.record.systemTitle;
  const clients = { read: 2, "set-clock": 1 };
  const terms = {
    format: "meterkeep-lease-1",
    lease: "0111",
    technician: "Ada",
    handheld: "HH-OPTICAL",
    from: Date.now() - HOUR,
    until: Date.now() + HOUR,
    operations: ["read", "set-clock"],
    client: "4D4B430102030405",
    meters: [{ meter: title, label: "MKV1", profile: "idis-p2", securitySuite: 0, clients, first: 1000, count: 1024 }],
  };
  const lease = join(folder, "optical.lease");
  const sealed = [
    { meter: title, encryptionKey: hex(keys.encryptionKey), authenticationKey: hex(keys.authenticationKey) },
  ];
  writeFileSync(lease, seal(`${key}.pub`, terms, sealed));
  const port = `serial:${line.path}`;
  const visit = (operation: string, ...more: readonly string[]) =>
    meterkeep("field", operation, title, port, "--lease", lease, "--key", key, ...more);
  const read = await visit("read", "--optical");
  assert.equal(read.status, 0, read.err);
  assert.match(read.out, /client 2, mechanism gmac; authenticated and encrypted/);
  assert.match(read.out, /Active energy import/);
  const set = await visit("set-clock", "--optical");
  assert.equal(set.status, 0, set.err);
  const { text } = JSON.parse(readFileSync(`${lease}.journal`, "utf8")) as { readonly text: string };
  const { acts } = JSON.parse(text) as { readonly acts: readonly { address: string; outcome: string }[] };
  assert.deepEqual(
    acts.map(({ address, outcome }) => `${address} ${outcome}`),
    [`${port} done`, `${port} done`],
  );
  // The public client is asked for the counter, then the lent one speaks: each visit opens the port twice.
  const opening = ["9600 cs8 -parenb", "300 cs7 parenb", "9600 cs8 -parenb"];
  assert.deepEqual(settings(), [...opening, ...opening, ...opening, ...opening]);
});
