import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { authenticationOf, prepareDataDirectory } from "./data-directory.ts";

test("nobody is the superuser by their user's name but root, under which nothing of ours that faces a network runs", () => {
  const root = authenticationOf({ switches: true });
  assert.match(root["pg_hba.conf"], /^local all postgres peer map=installer$/m);
  assert.equal(root["pg_ident.conf"], 'installer "root" postgres\n');
  const own = authenticationOf({ switches: false });
  assert.doesNotMatch(own["pg_hba.conf"], /peer|trust/);
  assert.equal(own["pg_ident.conf"], "");
});

test("who takes the superuser's password away does not become the superuser by their name", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-data-"));
  try {
    const directory = join(folder, "data");
    mkdirSync(directory);
    writeFileSync(join(directory, "PG_VERSION"), "18\n");
    const prepared = prepareDataDirectory({
      directory,
      passwordFile: join(folder, "superuser.password"),
      owner: { name: "alice", uid: 1000, gid: 1000, switches: false },
      program: { version: "18.0", postgres: "postgres", initdb: "initdb" },
      durable: false,
    });
    await assert.rejects(prepared, { code: "superuser-password-missing" });
    assert.ok(!existsSync(join(directory, "pg_hba.conf")));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
