import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, test } from "node:test";
import { checkStateDirectory, openInstallation } from "./installation.ts";
import { resolveOptions } from "./start-config.ts";

describe("an installation", () => {
  let state: string;
  beforeEach(() => {
    state = mkdtempSync(`${tmpdir()}/mk-`);
  });
  afterEach(() => rmSync(state, { recursive: true }));

  const open = (given: Readonly<Record<string, string>> = {}) =>
    openInstallation(state, resolveOptions(given, {}), "1.0.0");

  test("keeps what its first start decided, and complains of options alone that were said", () => {
    assert.equal(open({ meters: "12" }).installation.meters, 12);
    assert.deepEqual(open().ignored, []);
    assert.deepEqual(open({ meters: "12" }).ignored, []);
    assert.deepEqual(open({ meters: "200" }).ignored, ["--meters 200 (this state directory was made with 12)"]);
    assert.equal(open({ meters: "200" }).installation.meters, 12);
  });

  test("remembers how far its databases are", () => {
    assert.equal(open().databases, "planned");
    open().note("begun");
    assert.equal(open().databases, "begun");
    open().note("made");
    assert.equal(open().databases, "made");
  });

  test("is not made among files of somebody else", () => {
    checkStateDirectory(state);
    checkStateDirectory(`${state}/not-there`);
    for (const name of ["lock", "lock.12", "pids", "postgres", ".gitkeep"]) writeFileSync(`${state}/${name}`, "");
    checkStateDirectory(state);
    mkdirSync(`${state}/photos`);
    assert.throws(() => checkStateDirectory(state), { code: "state-foreign", message: /\(photos\).*--state/ });
    open();
    checkStateDirectory(state);
  });

  test("is not made anew over what is left of one", () => {
    mkdirSync(`${state}/custodian`);
    mkdirSync(`${state}/postgres/data`, { recursive: true });
    writeFileSync(`${state}/custodian/root.key`, "");
    assert.throws(() => checkStateDirectory(state), {
      code: "state-incomplete",
      message: /has postgres\/data, custodian\/root\.key but no installation\.json.*backup/,
    });
  });
});
