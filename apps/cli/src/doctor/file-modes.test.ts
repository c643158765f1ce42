import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, test } from "node:test";
import { checkFileModes } from "./file-modes.ts";

const state = mkdtempSync(`${tmpdir()}/mk-`);
after(() => rmSync(state, { recursive: true }));

test("a secret that others can read is a failure with its chmod, whether it is the file or the directory", () => {
  assert.deepEqual(
    checkFileModes(state, undefined).map(({ status }) => status),
    ["ok"],
  );
  writeFileSync(`${state}/installation.json`, "{}");
  mkdirSync(`${state}/custodian`, { mode: 0o700 });
  writeFileSync(`${state}/custodian/root.key`, "", { mode: 0o600 });
  writeFileSync(`${state}/custodian/channel.crt`, "", { mode: 0o644 });
  assert.equal(checkFileModes(state, undefined)[0]!.status, "ok");
  chmodSync(`${state}/custodian/root.key`, 0o640);
  const [key] = checkFileModes(state, undefined);
  assert.equal(key!.status, "failed");
  assert.match(key!.fix!, new RegExp(`^chmod 600 ${state}/custodian/root\\.key`));
  // One that a rewrap has set aside opens every backup from before.
  chmodSync(`${state}/custodian/root.key`, 0o600);
  const former = `${state}/custodian/root.key.former-00112233aabbccdd`;
  writeFileSync(former, "", { mode: 0o644 });
  assert.match(checkFileModes(state, undefined)[0]!.fix!, /^chmod 600 .*\/root\.key\.former-00112233aabbccdd,/);
  chmodSync(former, 0o600);
  chmodSync(`${state}/custodian`, 0o755);
  assert.match(checkFileModes(state, undefined)[0]!.fix!, /^chmod 700 .*\/custodian,/);
  writeFileSync(`${state}/pass`, "", { mode: 0o644 });
  assert.match(checkFileModes(state, `${state}/pass`).at(-1)!.fix!, /^chmod 600 .*\/pass/);
});
