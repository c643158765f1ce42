import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import { resolveStateDirectory } from "./state-directory.ts";

let base: string;
let system: string;
before(() => {
  base = mkdtempSync(`${tmpdir()}/state-`);
  chmodSync(base, 0o755);
  system = `${base}/lib`;
});
after(() => rmSync(base, { recursive: true, force: true }));

function checkout(name: string, mode: number): string {
  mkdirSync(`${base}/${name}/clone`, { recursive: true });
  chmodSync(`${base}/${name}`, mode);
  return `${base}/${name}/clone`;
}

test("the state is in ./var of the checkout", () => {
  const open = checkout("open", 0o755);
  const found = resolveStateDirectory({ checkout: open, isRoot: true, systemDirectory: system });
  assert.deepEqual(found, { path: `${open}/var` });
});

test("below a directory that others cannot enter, root's state is elsewhere and ./var links to it, at every start", () => {
  const closed = checkout("closed", 0o700);
  const first = resolveStateDirectory({ checkout: closed, isRoot: true, systemDirectory: system });
  assert.match(first.path, new RegExp(`^${system}/[0-9a-f]{12}$`));
  assert.match(first.notice ?? "", /because other users cannot enter .*closed/);
  assert.equal(readlinkSync(`${closed}/var`), first.path);
  assert.equal(resolveStateDirectory({ checkout: closed, isRoot: true, systemDirectory: system }).path, first.path);
});

test("a normal user's state stays in a closed home", () => {
  const home = checkout("home", 0o700);
  assert.equal(resolveStateDirectory({ checkout: home, isRoot: false, systemDirectory: system }).path, `${home}/var`);
});

test("state that the processes could not reach is refused, not lost", () => {
  const stuck = checkout("stuck", 0o700);
  mkdirSync(`${stuck}/var`);
  writeFileSync(`${stuck}/var/file`, "");
  assert.throws(() => resolveStateDirectory({ checkout: stuck, isRoot: true, systemDirectory: system }), {
    code: "state-directory-unusable",
    message: /holds files but the processes cannot reach it/,
  });
});

test("a directory that was asked for and cannot be reached is refused", () => {
  const closed = checkout("asked", 0o700);
  assert.throws(
    () => resolveStateDirectory({ checkout: closed, requested: `${closed}/s`, isRoot: true, systemDirectory: system }),
    { code: "state-directory-unusable", message: /choose another --state/ },
  );
});
