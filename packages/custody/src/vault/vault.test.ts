import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { openRecipient } from "../shipment/open-recipient.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import { vaultContract } from "../testing/vault-contract.ts";
import { openVault } from "./open-vault.ts";
import { freshRootKeys, RootKeyRing } from "./root-keys.ts";
import { softwareVault } from "./software-vault.ts";

vaultContract("software vault", (body) =>
  body(softwareVault(new RootKeyRing(freshRootKeys()), memoryCustodyStore().vaultKeys)),
);
vaultContract("software vault in PostgreSQL", (body) =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) =>
    body(softwareVault(new RootKeyRing(freshRootKeys()), postgresCustodyStore(pool).vaultKeys)),
  ),
);

async function withFolder(body: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-vault-"));
  try {
    await body(join(folder, "root.key"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the root key file is made once, for its owner alone, and opens the vault again", () =>
  withFolder(async (path) => {
    const store = memoryCustodyStore();
    const first = await openVault(store, { kind: "file", path }, 1);
    assert.equal(first.created, true);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const recipient = await openRecipient(first.vault, store.installation);
    const again = await openVault(store, { kind: "file", path }, 2);
    assert.equal(again.created, false);
    const same = await openRecipient(again.vault, store.installation);
    assert.equal(same.publicKeys.keyId, recipient.publicKeys.keyId);
  }));

test("a root key that others can read is refused", () =>
  withFolder(async (path) => {
    await openVault(memoryCustodyStore(), { kind: "file", path }, 1);
    for (const mode of [0o640, 0o604, 0o660, 0o700 | 0o001]) {
      chmodSync(path, mode);
      await assert.rejects(openVault(memoryCustodyStore(), { kind: "file", path }, 1), {
        code: "root-key-permissions",
      });
    }
  }));

test("a root key behind a link is refused", () =>
  withFolder(async (path) => {
    await openVault(memoryCustodyStore(), { kind: "file", path }, 1);
    symlinkSync(path, `${path}.link`);
    await assert.rejects(openVault(memoryCustodyStore(), { kind: "file", path: `${path}.link` }, 1), {
      code: "root-key-permissions",
    });
  }));

test("another root key does not open the vault, and no new one is made in its place", () =>
  withFolder(async (path) => {
    const store = memoryCustodyStore();
    await openVault(store, { kind: "file", path }, 1);
    const key = readFileSync(path);
    writeFileSync(path, `${"0".repeat(64)}\n`, { mode: 0o600 });
    await assert.rejects(openVault(store, { kind: "file", path }, 2), { code: "root-key-wrong" });
    writeFileSync(path, "not a key");
    await assert.rejects(openVault(store, { kind: "file", path }, 2), { code: "root-key-malformed" });
    rmSync(path);
    await assert.rejects(openVault(store, { kind: "file", path }, 2), { code: "root-key-missing" });
    writeFileSync(path, key, { mode: 0o600 });
    await openVault(store, { kind: "file", path }, 3);
  }));

test("over an installation whose vault or root key is gone no new one is founded", () =>
  withFolder(async (path) => {
    const store = memoryCustodyStore();
    await openVault(store, { kind: "file", path }, 1);
    rmSync(path);
    const emptied = memoryCustodyStore();
    await assert.rejects(openVault(emptied, { kind: "file", path }, 2), {
      code: "root-key-missing",
      message: /founded with the root key .*root\.key, which is gone.*remove .*root\.key\.founded/,
    });
    assert.equal(existsSync(path), false);
    rmSync(`${path}.founded`);
    assert.equal((await openVault(emptied, { kind: "file", path }, 3)).created, true);
    const rootless = { ...store, installation: { ...store.installation, root: async () => undefined } };
    await openRecipient((await openVault(memoryCustodyStore(), { kind: "file", path }, 3)).vault, store.installation);
    for (const source of [{ kind: "file", path } as const, { kind: "passphrase", passphrase: "x" } as const])
      await assert.rejects(openVault(rootless, source, 4), { code: "vault-root-lost" });
  }));

test("in PostgreSQL a single row of any kind is an installation", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool }) => {
    const { installation, vaultKeys } = postgresCustodyStore(pool);
    assert.equal(await installation.inUse(), false);
    await vaultKeys.insert({ utility: "u", island: "i", version: 1, sealed: Uint8Array.of(1) });
    assert.equal(await installation.inUse(), true);
  }));

test("a passphrase opens the vault it founded, and no other does", async () => {
  const store = memoryCustodyStore();
  const source = { kind: "passphrase", passphrase: "correct horse battery staple" } as const;
  await openVault(store, source, 1);
  await openVault(store, source, 2);
  await assert.rejects(openVault(store, { ...source, passphrase: "incorrect" }, 3), { code: "root-key-wrong" });
  await assert.rejects(openVault(store, { kind: "file", path: "/nowhere" }, 3), {
    code: "root-key-wrong",
    message: /opened by a passphrase now, not by a root key in a file: start with `--passphrase-file`/,
  });
});
