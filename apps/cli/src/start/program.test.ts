import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { after, before, describe, test } from "node:test";
import { placeProgram } from "./program.ts";

describe("the program for processes under other users", () => {
  let base: string;
  let checkout: string;
  before(() => {
    base = mkdtempSync(`${tmpdir()}/program-`);
    checkout = `${base}/home/clone`;
    const lock = {
      packages: {
        "": {},
        "node_modules/pg": {},
        "node_modules/pg/node_modules/inner": {},
        "node_modules/vite": { dev: true },
        "node_modules/absent": {},
        "node_modules/@meterkeep/dlms": { link: true },
      },
    };
    const files = {
      "package.json": "{}",
      "package-lock.json": JSON.stringify(lock),
      "apps/server/package.json": "{}",
      "apps/server/src/main.ts": "main",
      "packages/dlms/src/index.ts": "dlms",
      "node_modules/pg/package.json": "{}",
      "node_modules/pg/node_modules/inner/index.js": "inner",
      "node_modules/vite/index.js": "vite",
      "var/custodian/root.key": "secret",
      "private.txt": "private",
    };
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(`${checkout}/${name}`), { recursive: true });
      writeFileSync(`${checkout}/${name}`, text);
    }
    mkdirSync(`${checkout}/node_modules/@meterkeep`);
    symlinkSync("../../packages/dlms", `${checkout}/node_modules/@meterkeep/dlms`);
    chmodSync(base, 0o755);
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  const open = (mode: number): void => chmodSync(dirname(checkout), mode);

  test("it is the checkout itself where they can read that, or nobody changes user", () => {
    open(0o755);
    assert.equal(placeProgram(checkout, `${base}/twin`, true).directory, checkout);
    open(0o700);
    assert.equal(placeProgram(checkout, `${base}/twin`, false).directory, checkout);
  });

  test("below a closed directory it is a twin with all that runs, and nothing else", () => {
    open(0o700);
    chmodSync(`${checkout}/apps/server/src/main.ts`, 0o600);
    const { directory } = placeProgram(checkout, `${base}/twin`, true);
    assert.equal(directory, `${base}/twin`);
    assert.equal(readFileSync(`${directory}/apps/server/src/main.ts`, "utf8"), "main");
    assert.equal(statSync(`${directory}/apps/server/src/main.ts`).mode & 0o777, 0o644);
    assert.equal(statSync(`${directory}/packages/dlms/src/index.ts`).nlink, 2);
    assert.equal(readFileSync(`${directory}/node_modules/@meterkeep/dlms/src/index.ts`, "utf8"), "dlms");
    assert.equal(readFileSync(`${directory}/node_modules/pg/node_modules/inner/index.js`, "utf8"), "inner");
    for (const absent of ["node_modules/vite", "node_modules/absent", "var", "private.txt"]) {
      assert.equal(lstatSync(`${directory}/${absent}`, { throwIfNoEntry: false }), undefined, absent);
    }
  });

  test("a Node.js that they cannot reach gets a twin as well", () => {
    open(0o755);
    mkdirSync(`${base}/hidden`, { mode: 0o700 });
    writeFileSync(`${base}/hidden/node`, "node", { mode: 0o755 });
    const { directory, node } = placeProgram(checkout, `${base}/twin`, true, `${base}/hidden/node`);
    assert.deepEqual([directory, node], [checkout, `${base}/twin/bin/node`]);
    assert.equal(readFileSync(node, "utf8"), "node");
    assert.equal(placeProgram(checkout, `${base}/twin`, false, `${base}/hidden/node`).node, `${base}/hidden/node`);
  });

  test("a twin is never older than the checkout", () => {
    open(0o700);
    rmSync(`${checkout}/packages/dlms/src/index.ts`);
    writeFileSync(`${checkout}/packages/dlms/src/index.ts`, "newer");
    const { directory } = placeProgram(checkout, `${base}/twin`, true);
    assert.equal(readFileSync(`${directory}/packages/dlms/src/index.ts`, "utf8"), "newer");
  });
});
