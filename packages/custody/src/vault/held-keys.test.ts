import assert from "node:assert/strict";
import crypto, { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { test } from "node:test";
import { SecretKey } from "@meterkeep/dlms-node";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { type HeldEnvelope, HeldKeys } from "./held-keys.ts";
import { freshRootKeys, RootKeyRing } from "./root-keys.ts";
import { softwareVault } from "./software-vault.ts";

const vaultKey = (): KeyObject => createSecretKey(randomBytes(32));
const hex = (key: SecretKey): string => key.lend((octets) => Buffer.from(octets).toString("hex"));

/** What is asked of node:crypto's decipher objects while `work` is done: key and nonce of each. */
async function decipheredIn(work: () => unknown): Promise<readonly { readonly key: string; readonly nonce: string }[]> {
  const asked: { readonly key: string; readonly nonce: string }[] = [];
  const { createDecipheriv } = crypto;
  crypto.createDecipheriv = ((algorithm: string, key: KeyObject, nonce: Uint8Array, options: object) => {
    asked.push({ key: key.export().toString("hex"), nonce: Buffer.from(nonce).toString("hex") });
    return createDecipheriv(algorithm as "aes-256-gcm", key, nonce, options as { authTagLength: number });
  }) as typeof createDecipheriv;
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    crypto.createDecipheriv = createDecipheriv;
    syncBuiltinESMExports();
  }
  return asked;
}

test("keys that are held open as often as they are asked for, each in octets of its own", () => {
  const held = new HeldKeys();
  const own = vaultKey();
  for (const lengths of [[16, 16], [32, 32], [16], [16, 32, 16]]) {
    const keys = lengths.map((bytes) => SecretKey.random(bytes));
    const told = keys.map(hex);
    const envelope = held.hold(own, keys);
    assert.ok(envelope);
    // What is held is another's to keep: the caller's keys end where it wants them to.
    for (const key of keys) key[Symbol.dispose]();
    for (let time = 0; time < 3; time += 1) {
      const opened = held.open(envelope);
      assert.deepEqual(opened.map(hex), told);
      const octets = opened.map((key) => key.lend((bytes) => bytes));
      for (const key of opened) key[Symbol.dispose]();
      assert.ok(
        octets.every((bytes) => bytes.every((octet) => octet === 0)),
        "wiped with their use",
      );
    }
  }
});

test("keys that were dropped leave nothing behind, and more than a place has room for are not held", () => {
  const held = new HeldKeys();
  const keys = [SecretKey.random(16), SecretKey.random(16)];
  const [one, other] = [held.hold(vaultKey(), keys), held.hold(vaultKey(), keys)];
  assert.ok(one && other);
  held.drop(one);
  assert.throws(() => held.drop(one), RangeError);
  assert.throws(() => held.open(one), { code: "vault-record-not-authentic" });
  assert.deepEqual(held.open(other).map(hex), keys.map(hex));
  const many = Array.from({ length: 4 }, () => SecretKey.random(32));
  assert.equal(held.hold(vaultKey(), many), undefined);
  assert.equal(held.size, 1);
});

test("no nonce is used twice under a key, and each vault key and each process has a key of its own", async () => {
  const [one, other] = [vaultKey(), vaultKey()];
  const keys = [SecretKey.random(16), SecretKey.random(16)];
  const [held, again] = [new HeldKeys(), new HeldKeys()];
  const envelopes = [
    [held, held.hold(one, keys)],
    [held, held.hold(one, keys)],
    [held, held.hold(other, keys)],
    [again, again.hold(one, keys)],
  ] as const;
  const asked = await decipheredIn(() => envelopes.map(([by, envelope]) => by.open(envelope as HeldEnvelope)));
  assert.equal(new Set(asked.map(({ key, nonce }) => `${key}/${nonce}`)).size, 4);
  assert.deepEqual(
    asked.map(({ key }) => asked.findIndex((first) => first.key === key)),
    [0, 0, 2, 3],
  );
  const plainly = [one, other].map((object) => object.export().toString("hex"));
  assert.ok(
    asked.every(({ key }) => !plainly.includes(key)),
    "a vault key itself seals rows alone",
  );
});

test("a vault opens each row once, and from then on one envelope for all; rows of two islands it opens each time", async () => {
  const vault = softwareVault(new RootKeyRing(freshRootKeys()), memoryCustodyStore().vaultKeys);
  const place = { utility: "u", island: "i", systemTitle: randomBytes(8), setup: 0, purpose: 0, version: 1 };
  const sealedAt = async (...islands: readonly string[]) => {
    const keys = islands.map((island, purpose) => ({
      place: { ...place, island, purpose },
      key: SecretKey.random(16),
    }));
    const sealed = await vault.seal(keys);
    const records = keys.map((key, at) => ({ place: key.place, sealed: sealed[at] as Uint8Array }));
    return { told: keys.map(({ key }) => hex(key)), unsealer: vault.unsealer(records) };
  };
  for (const [islands, ciphers] of [
    [["i", "i"], 1],
    [["i", "k"], 2],
  ] as const) {
    const { told, unsealer } = await sealedAt(...islands);
    await unsealer.unseal();
    for (let time = 0; time < 2; time += 1) {
      let opened: readonly SecretKey[] = [];
      const asked = await decipheredIn(async () => {
        opened = await unsealer.unseal();
      });
      assert.deepEqual(opened.map(hex), told);
      assert.equal(asked.length, ciphers);
    }
  }
});
