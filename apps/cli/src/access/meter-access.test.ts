import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, test } from "node:test";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import type { AccessOptions } from "./access-options.ts";
import { resolveAccess } from "./meter-access.ts";
import { parseMeterAddress } from "./meter-address.ts";

const directory = mkdtempSync(`${tmpdir()}/mk-access-`);
after(() => rmSync(directory, { recursive: true }));

const KEYS = { key: "5D0E8B7741F2C39A06D4B81EC7532FA9", authKey: "B18F02D94C6E7A3350AD91FC27E6480B" };
const resolve = (options: AccessOptions) => resolveAccess("tcp://meter:4059", options, scratchTerminal());

test("who has nothing is the public client, who has keys the management client, who has a password asks with it", async () => {
  const nothing = await resolve({});
  assert.deepEqual([nothing.clientSap, nothing.mechanism, nothing.keys], [16, "none", undefined]);
  const keys = await resolve(KEYS);
  assert.deepEqual([keys.clientSap, keys.mechanism, keys.suite, keys.form], [1, "gmac", 0, "global"]);
  assert.deepEqual(keys.protection, { authenticated: true, encrypted: true });
  const password = await resolve({ password: "12345678", client: "2" });
  assert.deepEqual([password.clientSap, password.mechanism, password.secret?.length], [2, "low", 8]);
  assert.deepEqual((await resolve({ password: "0x0102FF" })).secret, Uint8Array.of(1, 2, 255));
});

test("a profile sets addresses and form, and an option of its own counts before it", async () => {
  assert.equal((await resolve({ ...KEYS, profile: "idis-p2" })).form, "general-global");
  assert.equal((await resolve({ ...KEYS, profile: "is15959" })).clientSap, 48);
  assert.equal((await resolve({ ...KEYS, profile: "is15959", client: "1", form: "dedicated" })).form, "dedicated");
  assert.equal((await resolve({ password: "x", profile: "is15959", client: "reading" })).clientSap, 32);
  assert.deepEqual(
    [
      (await resolve({ profile: "landis-gyr-short-names" })).link,
      (await resolve({ link: "hdlc", physical: "17" })).physicalDevice,
    ],
    ["hdlc", 17],
  );
  const own = `${directory}/own.json`;
  const profiles = [{ id: "own", title: "Our meters", extends: "is15959", serverSap: 3 }];
  writeFileSync(own, JSON.stringify({ family: "Ours", sources: ["measured"], profiles }));
  const access = await resolve({ ...KEYS, profile: own });
  assert.deepEqual([access.clientSap, access.serverSap], [48, 3]);
});

test("keys of 64 digits mean suite 2, and keys of a file are those of the meter that is named", async () => {
  assert.equal((await resolve({ key: KEYS.key.repeat(2), authKey: KEYS.authKey.repeat(2) })).suite, 2);
  const file = `${directory}/keys.json`;
  writeFileSync(file, JSON.stringify({ meters: { "4D4B530000000001": KEYS } }), { mode: 0o600 });
  const access = await resolve({ keyFile: file, meter: "4d4b530000000001" });
  assert.equal(Buffer.from(access.keys!.encryptionKey).toString("hex").toUpperCase(), KEYS.key);
  assert.equal(Buffer.from(access.meter!).toString("hex"), "4d4b530000000001");
});

test("what does not fit is refused by the name of its option", async () => {
  const cases: readonly (readonly [AccessOptions, RegExp])[] = [
    [{ profile: "none" }, /^--profile none: no file, and none of standard, idis-p2/],
    [{ client: "nobody" }, /^--client nobody: an address, or one of public, management/],
    [{ link: "smoke" }, /^--link smoke: one of wrapper, hdlc/],
    [{ mechanism: "md4" }, /^--mechanism md4: one of/],
    [{ client: "70000" }, /^--client must be a whole number/],
    [{ ...KEYS, counter: "4294967295" }, /^--counter must be/],
    [{ password: "0x1" }, /pairs of hex digits/],
    [{ systemTitle: "12" }, /^--system-title must be 16 hex digits/],
  ];
  for (const [options, message] of cases) await assert.rejects(resolve(options), { code: "option-invalid", message });
  await assert.rejects(resolve({ mechanism: "gmac" }), { code: "keys-needed" });
  await assert.rejects(resolve({ key: KEYS.key }), { code: "keys-needed" });
  await assert.rejects(resolve({ mechanism: "sha1" }), { code: "keys-needed", message: /needs a --password/ });
  for (const address of ["meter:4059", "tcp://meter", "tcp://meter:0", "tcp://meter:70000", "udp://meter:4059"])
    assert.throws(() => parseMeterAddress(address), { code: "input-unreadable" });
  assert.deepEqual(parseMeterAddress("tcp://[fe80::1]:4059"), { host: "fe80::1", port: 4059 });
});
