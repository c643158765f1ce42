import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { resolveOptions } from "./start-config.ts";
import { importVaultSecrets, vaultSecretFiles } from "./vault-secrets.ts";

function inFolder(body: (folder: string, place: { readonly custodian: string }) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-secrets-"));
  const place = { custodian: join(folder, "custodian") };
  mkdirSync(place.custodian);
  try {
    body(folder, place);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the custodian gets a copy that it alone can read, and an original that others can read is refused", () =>
  inFolder((folder, place) => {
    const original = join(folder, "passphrase");
    writeFileSync(original, "correct horse\n", { mode: 0o600 });
    const config = resolveOptions({ passphraseFile: original }, {});
    importVaultSecrets(config, place, undefined);
    const copy = vaultSecretFiles(config, place).passphraseFile as string;
    assert.equal(copy, join(place.custodian, "passphrase"));
    assert.deepEqual([readFileSync(copy, "utf8"), statSync(copy).mode & 0o777], ["correct horse\n", 0o600]);
    chmodSync(original, 0o640);
    assert.throws(() => importVaultSecrets(config, place, undefined), { code: "file-not-private" });
  }));

test("a credential of systemd is taken as it is, and its copy is in memory: nothing of it is left in the state directory", () =>
  inFolder((folder, place) => {
    const [credentials, memory] = [join(folder, "credentials"), join(folder, "run")];
    for (const one of [credentials, memory]) mkdirSync(one);
    const original = join(credentials, "vault");
    writeFileSync(original, "correct horse\n");
    // What an access list for the unit's user makes of a mode.
    chmodSync(original, 0o440);
    writeFileSync(join(place.custodian, "passphrase"), "of an earlier start");
    const given = { passphraseFile: original, secretsDirectory: memory };
    const config = resolveOptions(given, { CREDENTIALS_DIRECTORY: credentials });
    importVaultSecrets(config, place, undefined);
    const copy = vaultSecretFiles(config, place).passphraseFile as string;
    assert.equal(copy, join(memory, "custodian", "passphrase"));
    assert.equal(readFileSync(copy, "utf8"), "correct horse\n");
    assert.deepEqual([statSync(copy).mode & 0o777, statSync(join(memory, "custodian")).mode & 0o777], [0o600, 0o700]);
    assert.equal(existsSync(join(place.custodian, "passphrase")), false);
    assert.throws(() => importVaultSecrets(resolveOptions(given, {}), place, undefined), { code: "file-not-private" });
  }));
