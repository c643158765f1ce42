import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import type { LedgerState } from "@meterkeep/api";
import type { Verification } from "@meterkeep/ledger";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { assertCustodyIsWhole } from "../src/custody-check.ts";
import { CHECKOUT, type Meterkeep, makeStateDirectory, startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

const METERS = 4;

/** A second instance as its owner runs it: a process of its own. */
async function startWitness(folder: string, trust: readonly string[]) {
  const args = ["ledger", "witness", "--listen", `unix:${folder}/west.sock`, "--folder", folder, "--name", "west"];
  const child = spawn(
    process.execPath,
    [`${CHECKOUT}/apps/cli/src/main.ts`, ...args, ...(trust.length > 0 ? ["--trust", ...trust] : [])],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await once(child.stdout, "data");
  return async () => {
    child.kill("SIGINT");
    if (child.exitCode === null) await once(child, "exit");
  };
}

/** As a backup does: owners, modes and times stay. */
function copyWhole(from: string, to: string): void {
  execFileSync("cp", ["-a", from, to]);
}

describe("the ledger of a running Meterkeep, and the backup that brings it back", () => {
  let api: ApiClient;
  let state: string;
  let west: string;
  let meterkeep: Meterkeep;
  let stopWitness: () => Promise<void>;
  const file = (name: string) => join(state, name);
  const json = async <T>(...args: readonly string[]): Promise<T> => {
    const { stdout, stderr } = await meterkeep.command(["ledger", ...args, "--json"]);
    assert.notEqual(stdout, "", stderr);
    return JSON.parse(stdout) as T;
  };
  const second = () => join(west, "second-storage");
  const start = () =>
    startMeterkeep({
      meters: METERS,
      stateDirectory: state,
      ...(meterkeep !== undefined && { ports: meterkeep.ports }),
      options: ["--escrow-directory", second()],
    });
  const run = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await meterkeep.command(args);
    assert.equal(status, 0, `${stdout}${stderr}`);
    return stdout;
  };

  before(async () => {
    state = makeStateDirectory();
    west = mkdtempSync(join(tmpdir(), "mk-west-"));
    // Where processes have users of their own, the custodian's must reach the socket.
    chmodSync(west, 0o755);
    meterkeep = await start();
    api = await ownerClient(meterkeep);
    writeFileSync(join(west, "keys.json"), await run("ledger", "keys", "--json"));
    // Good from the next start on.
    await run("backup", "key", "safe", "--out", join(west, "safe.json"));
    stopWitness = await startWitness(west, [join(west, "keys.json")]);
    // Its owner tells the custodian's owner which keys it signs with.
    const witness = {
      name: "west",
      address: `unix:${west}/west.sock`,
      keys: readFileSync(join(west, "witness.json"), "utf8"),
    };
    await meterkeep.stop();
    writeFileSync(file("ledger.json"), JSON.stringify({ everySeconds: 1, witnesses: [witness] }), { mode: 0o600 });
    meterkeep = await start();
  });
  after(async () => {
    await meterkeep?.[Symbol.asyncDispose]();
    await stopWitness?.();
    for (const folder of [state, west]) rmSync(folder, { recursive: true, force: true });
  });

  test("it is signed, witnessed, exported, verified offline and over the API, and its keys change", async () => {
    await until("the witness has seen it", async () => {
      const { witnesses, checkpoint } = await json<LedgerState>("state");
      return (
        checkpoint !== undefined && witnesses.every((one) => one.state === "current") && (witnesses[1]?.size ?? 0) > 10
      );
    });
    const { version } = await json<{ version: number }>("rotate-key");
    assert.equal(version, 2);
    const { status, stderr } = await meterkeep.command(["ledger", "export", file("export.jsonl")]);
    assert.equal(status, 0, stderr);
    const { log = "" } = JSON.parse(readFileSync(join(west, "keys.json"), "utf8")) as { log?: string };
    const checks = ["--log", log, "--witness", join(west, "witness.json")];
    const report = await json<Verification>("verify", file("export.jsonl"), "--entry", "7", ...checks);
    assert.deepEqual(report.faults, []);
    assert.ok(
      report.size > 10 && report.signed > 10 && (report.witnessed["west"] ?? 0) > 10,
      JSON.stringify(report.witnessed),
    );
    assert.match(report.entry?.line ?? "", /^\{"sequence":7,/);
    const token = JSON.parse((await meterkeep.command(["token", "create", "auditor", "--json"])).stdout) as {
      token: string;
    };
    // As an auditor elsewhere would: with an address and a token, nothing of this machine.
    const args = ["ledger", "verify", "--url", meterkeep.address, "--log", log, "--json"];
    const env = { PATH: process.env["PATH"], METERKEEP_TOKEN: token.token };
    const told = execFileSync(process.execPath, [`${CHECKOUT}/apps/cli/src/main.ts`, ...args], {
      env,
      encoding: "utf8",
    });
    assert.deepEqual((JSON.parse(told) as Verification).faults, []);
  });

  test("yesterday's backup and the escrow open every meter that was rotated since: a drill says so, key by key", async () => {
    await until("every takeover has its verdict", async () => {
      const meters = await api.meters();
      return meters.length >= METERS && meters.every(({ takeover }) => ["proven", "refused"].includes(takeover));
    });
    await run("backup", "create", "--to", join(west, "backups"));
    await run("backup", "verify", join(west, "backups"), "--recovery-key", join(west, "safe.json"));
    await run("keys", "policy", "--per-hour", "3600");
    const { planned } = JSON.parse(await run("keys", "rotate", "--all", "--json")) as { planned: number };
    assert.ok(planned > 0);
    await until("every rotation is proven", async () => {
      const { proven } = JSON.parse(await run("keys", "status", "--json")) as { proven: number };
      return proven >= planned;
    });
    const drill = ["--backup", join(west, "backups"), "--recovery-key", join(west, "safe.json")];
    type Finding = { readonly what: string; readonly passed: boolean };
    const findings = JSON.parse(await run("drill", "restore", ...drill, "--json")) as readonly Finding[];
    assert.ok(findings.length > 0 && findings.every(({ passed }) => passed), JSON.stringify(findings, undefined, 1));
    assert.ok(findings.some(({ what }) => what === "a standby takes over and uses no counter again"));
  });

  test("a drill that is ended by its service manager leaves no restored key behind", async () => {
    const drill = ["drill", "restore", "--backup", join(west, "backups"), "--recovery-key", join(west, "safe.json")];
    const child = spawn(process.execPath, [`${CHECKOUT}/apps/cli/src/main.ts`, ...drill, "--state", state], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = once(child, "exit");
    const complaint = text(child.stderr);
    let scratch: string | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      const found = / runs in (\/\S+)\.$/.exec(line)?.[1];
      if (found === undefined) continue;
      scratch = found;
      assert.ok(existsSync(scratch));
      child.kill("SIGTERM");
    }
    assert.deepEqual(await ended, [1, null]);
    assert.match(await complaint, /the drill was broken off; what it restored is gone again/);
    assert.ok(scratch !== undefined, "it said where it restores to");
    assert.ok(!existsSync(scratch), scratch);
  });

  test("a custodian whose site is lost is restored elsewhere from backup, root key and second storage: no witness objects, every meter is read on under its rotated keys", async () => {
    const counters = async () =>
      new Map(
        (await townControl(state).truth()).map(({ systemTitle, lastReceivedCounter }) => [
          systemTitle,
          lastReceivedCounter,
        ]),
      );
    const meters = (await api.meters()).filter(({ takeover }) => takeover === "proven");
    const before = await counters();
    const { size } = await json<LedgerState>("state");
    await meterkeep.stop();
    writeFileSync(join(west, "root.key"), readFileSync(file("custodian/root.key")), { mode: 0o600 });
    rmSync(file("custodian"), { recursive: true });
    const from = ["--recovery-key", join(west, "safe.json"), "--root-key", join(west, "root.key")];
    await run("restore", join(west, "backups"), ...from, "--escrow-directory", second(), "--replace");
    meterkeep = await start();
    const restored = await json<LedgerState>("state");
    assert.equal(restored.halt, undefined);
    assert.ok((restored.size ?? 0) > (size ?? 0), "the change feed brought the ledger to its last entry");
    await until("every meter is read again", async () => {
      const now = await counters();
      return meters.every(({ systemTitle }) => (now.get(systemTitle) ?? 0) > (before.get(systemTitle) ?? 0));
    });
    const takeovers = new Map((await api.meters()).map(({ systemTitle, takeover }) => [systemTitle, takeover]));
    for (const { systemTitle } of meters) assert.equal(takeovers.get(systemTitle), "proven", systemTitle);
    await assertCustodyIsWhole(state, takeovers.size);
  });

  test("yesterday's database, put back whole, is noticed: no key is used, the ledger can still be read", async () => {
    await meterkeep.stop();
    copyWhole(file("postgres"), join(west, "yesterday"));
    meterkeep = await start();
    await until("more has happened", async () => ((await json<LedgerState>("state")).size ?? 0) > 30);
    await meterkeep.stop();
    rmSync(file("postgres"), { recursive: true });
    copyWhole(join(west, "yesterday"), file("postgres"));
    meterkeep = await start();
    const restored = await json<LedgerState>("state");
    assert.equal(restored.halt?.code, "ledger-restored");
    assert.match(restored.wanted ?? "", /"kind":"resume"/);
    const { status } = await meterkeep.command(["ledger", "export", file("restored.jsonl")]);
    assert.equal(status, 0);
    const again = await json<LedgerState>("state");
    assert.equal(again.size, restored.size, "nothing was written");
    // What a witness has seen shows an auditor the same, offline.
    const { faults } = await json<Verification>(
      "verify",
      file("restored.jsonl"),
      "--checkpoint",
      file("custodian/ledger/checkpoints.jsonl"),
    );
    assert.deepEqual(
      faults.map(({ problem }) => problem),
      ["truncated"],
    );
  });
});
