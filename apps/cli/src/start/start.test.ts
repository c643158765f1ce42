import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { launchEmbedded, processStartTime } from "@meterkeep/postgres";
import { freePort } from "@meterkeep/postgres/testing";
import type { Reporter, RunningFacts } from "./reporter.ts";
import { start } from "./start.ts";
import { resolveOptions } from "./start-config.ts";
import { makeScratchCheckout, type ScratchCheckout } from "./testing/scratch-checkout.ts";

const isRoot = process.getuid?.() === 0;

/** A start in this process, with what it reported. */
interface Started {
  /** Is fulfilled, or rejected with the reason, when everything is closed. */
  readonly ended: Promise<void>;
  readonly facts: RunningFacts;
  readonly lines: string[];
  stop(): Promise<void>;
}

/** A port of its own for each that a start listens on unless told otherwise. */
async function freePorts() {
  const [port, pushPort, approvalsPort] = [await freePort(), await freePort(), await freePort()];
  return { port: String(port), pushPort: String(pushPort), approvalsPort: String(approvalsPort) };
}

async function begin(checkout: ScratchCheckout, given: Readonly<Record<string, string>> = {}): Promise<Started> {
  const ports = await freePorts();
  const config = resolveOptions({ meters: "3", ...ports, ...given }, {});
  const stopping = new AbortController();
  const lines: string[] = [];
  const running = Promise.withResolvers<RunningFacts>();
  const reporter: Reporter = {
    step: (text) => lines.push(text),
    warn: (text) => lines.push(`! ${text}`),
    running: running.resolve,
    signIn: (url) => lines.push(url),
  };
  const ended = start(config, { checkout: checkout.directory, version: "1.0.0", reporter, signal: stopping.signal });
  const facts = await Promise.race([running.promise, ended.then(() => assert.fail("it ended"))]);
  return {
    ended,
    facts,
    lines,
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
}

/** A server that somebody else runs. */
async function anotherServer(checkout: ScratchCheckout, name: string): Promise<AsyncDisposable & { adminUrl: string }> {
  const { adminUrl, stop } = await launchEmbedded({
    stateDirectory: `${checkout.directory}/${name}`,
    log: () => undefined,
    durable: false,
  });
  return { adminUrl, [Symbol.asyncDispose]: stop };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

function pidOf(checkout: ScratchCheckout, name: string): number {
  return Number(readFileSync(`${checkout.state}/pids/${name}`, "utf8").split(" ")[0]);
}

describe("the supervisor", () => {
  test("it starts everything once, each process with its own directory and user, and closes it in order", async () => {
    using checkout = makeScratchCheckout();
    const first = await begin(checkout);
    assert.equal(first.facts.signIn, "http://localhost/sign-in#scratch");
    assert.equal(first.facts.homes, 3);
    const uids = ["custodian", "head-end", "depot", "town", "factory"].map((name) => {
      assert.equal(statSync(`${checkout.state}/${name}`).mode & 0o777, 0o700, name);
      assert.equal(statSync(`${checkout.state}/${name}/config.json`).mode & 0o777, 0o600, name);
      return checkout.events(name)[0]!.uid;
    });
    assert.equal(new Set(uids).size, isRoot ? 5 : 1);
    if (isRoot) assert.ok(!uids.includes(0));
    assert.equal(checkout.events("head-end")[0]!.underPermission, true);
    assert.ok(!first.lines.some((line) => line.startsWith("! ") && !line.includes("console")), first.lines.join("\n"));
    await first.stop();
    for (const name of ["custodian", "head-end", "depot", "town"]) {
      // News of the others may still arrive behind it.
      const own = checkout.events(name).filter(({ event }) => event !== "message");
      assert.equal(own.at(-1)!.event, "closed", name);
    }
    assert.deepEqual(first.lines.slice(-1), ["Everything is closed"]);
    assert.ok(!first.lines.some((line) => line.includes("starting it again")), first.lines.join("\n"));
    assert.deepEqual(
      first.facts.tryNext.map(({ command }) => command.includes("--state")),
      [false, false, false],
    );
    const second = await begin(checkout, { meters: "9", state: checkout.state });
    assert.equal(second.facts.homes, 3);
    assert.deepEqual(
      second.lines.filter((line) => line.startsWith("! ") && !line.includes("console")),
      ["! ignored --meters 9 (this state directory was made with 3)"],
    );
    assert.equal(second.facts.tryNext[0]!.command, `npx meterkeep drill break-in --state ${checkout.state}`);
    await second.stop();
    const orders = checkout.events("factory").filter(({ event }) => event === "started");
    assert.equal(orders.length, 3, "identify, produce, identify");
  });

  test("a process that dies is started again, and the others do not notice", async () => {
    using checkout = makeScratchCheckout();
    const run = await begin(checkout);
    const town = pidOf(checkout, "town");
    const custodian = pidOf(checkout, "custodian");
    process.kill(custodian, "SIGKILL");
    await until(() => run.lines.some((line) => line.startsWith("Custodian is back")));
    assert.ok(run.lines.includes("! Custodian ended (was ended by SIGKILL); starting it again in 0.5 s"));
    assert.notEqual(pidOf(checkout, "custodian"), custodian);
    assert.equal(pidOf(checkout, "town"), town);
    process.kill(pidOf(checkout, "depot"), "SIGHUP");
    await until(() => run.lines.some((line) => line.startsWith("Depot is back")));
    assert.ok(run.lines.some((line) => line.startsWith("! Depot ended (failed: told to fail [scratch-failure])")));
    const told = checkout.events("head-end").filter(({ event }) => event === "message");
    assert.match(JSON.stringify(told), /"name":"custodian","state":"restarting"/);
    assert.equal(processStartTime(town) !== undefined, true);
    await run.stop();
  });

  test("the database is started again as well", async () => {
    using checkout = makeScratchCheckout();
    const run = await begin(checkout);
    const pid = Number(readFileSync(`${checkout.state}/postgres/data/postmaster.pid`, "utf8").split("\n")[0]);
    process.kill(pid, "SIGKILL");
    await until(() => run.lines.some((line) => line.startsWith("PostgreSQL is back")));
    await run.stop();
  });

  test("a drill runs as the head-end's user and its lines reach the server", async () => {
    using checkout = makeScratchCheckout();
    const run = await begin(checkout);
    process.kill(pidOf(checkout, "server"), "SIGUSR2");
    await until(() => JSON.stringify(checkout.events("head-end")).includes("drill-end"));
    const messages = checkout.events("head-end").map(({ message }) => JSON.stringify(message));
    assert.ok(messages.includes('{"type":"drill-line","drill":"drill-1","line":"{\\"scratch\\":\\"drill\\"}"}'));
    assert.ok(messages.includes('{"type":"drill-end","drill":"drill-1","status":0}'));
    await run.stop();
  });

  test("a process that cannot start ends the start with its reason, and nothing is left", async () => {
    using checkout = makeScratchCheckout();
    checkout.writeApp("town", 'throw new Error("no town today");');
    await assert.rejects(begin(checkout), {
      code: "process-failed",
      message: /^town exited with status 1 \(Error: no town today\)/,
    });
    assert.equal(checkout.events("custodian").at(-1)!.event, "closed");
    assert.match(readFileSync(`${checkout.state}/log/town.log`, "utf8"), /no town today/);
    assert.ok(!existsSync(`${checkout.state}/postgres/data/postmaster.pid`));
  });

  test("a port that is taken is named with who holds it, before anything starts", async () => {
    using checkout = makeScratchCheckout();
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as { port: number };
    try {
      await assert.rejects(begin(checkout, { port: String(port) }), {
        code: "port-in-use",
        message: new RegExp(`TCP 127.0.0.1:${port} \\(console\\) is held by .*\\(process ${process.pid}\\).*--port`),
      });
      assert.ok(!existsSync(`${checkout.directory}/var/installation.json`), "the next start still chooses its meters");
    } finally {
      holder.close();
    }
  });

  test("a second start in the same directory names the first", async () => {
    using checkout = makeScratchCheckout();
    const run = await begin(checkout);
    await assert.rejects(begin(checkout), { code: "already-running", message: new RegExp(`process ${process.pid}`) });
    await run.stop();
  });

  test("a state directory that is deleted stops everything, and nothing is made in its place", async () => {
    using checkout = makeScratchCheckout();
    const run = await begin(checkout);
    const pids = ["custodian", "town", "server", "depot"].map((name) => pidOf(checkout, name));
    rmSync(checkout.state, { recursive: true, force: true, maxRetries: 20 });
    await assert.rejects(run.ended, { code: "state-vanished", message: /was deleted, moved or replaced/ });
    for (const pid of pids) assert.equal(processStartTime(pid), undefined);
    assert.ok(!existsSync(checkout.state));
    assert.ok(!run.lines.some((line) => line.includes("is back")), run.lines.join("\n"));
  });

  test("a state directory that is moved away stops everything, and goes on where it was when it is back", async () => {
    using checkout = makeScratchCheckout();
    const run = await begin(checkout);
    renameSync(checkout.state, `${checkout.directory}/aside`);
    await assert.rejects(run.ended, { code: "state-vanished" });
    assert.ok(!existsSync(checkout.state));
    renameSync(`${checkout.directory}/aside`, checkout.state);
    // They name this process, which lives on here; a supervisor has ended.
    for (const lock of ["lock", "postgres/lock"]) rmSync(`${checkout.state}/${lock}`, { force: true });
    const second = await begin(checkout);
    await second.stop();
    assert.ok(!second.lines.some((line) => line.includes("new)")), second.lines.join("\n"));
  });

  test("data of the database that is deleted while it runs stops everything", async () => {
    using checkout = makeScratchCheckout();
    const run = await begin(checkout);
    renameSync(`${checkout.state}/postgres/data`, `${checkout.directory}/data`);
    await assert.rejects(run.ended, { code: "state-vanished", message: /postgres\/data\/PG_VERSION was deleted/ });
    assert.ok(!existsSync(`${checkout.state}/postgres/data`));
  });

  test("a root key that is deleted while it runs is said, and nothing is stopped that may have the last of it", async () => {
    using checkout = makeScratchCheckout();
    // The scratch custodian makes none.
    await (await begin(checkout)).stop();
    writeFileSync(`${checkout.state}/custodian/root.key`, "key");
    const run = await begin(checkout);
    const custodian = pidOf(checkout, "custodian");
    rmSync(`${checkout.state}/custodian/root.key`);
    await until(() => run.lines.some((line) => /^! .*root\.key is gone: .*Do not stop anything/.test(line)));
    assert.equal(pidOf(checkout, "custodian"), custodian);
    await run.stop();
  });

  test("a database that is gone is not replaced by an empty one", async () => {
    using checkout = makeScratchCheckout();
    await (await begin(checkout)).stop();
    renameSync(`${checkout.state}/postgres/data`, `${checkout.directory}/data`);
    await assert.rejects(begin(checkout), { code: "data-missing", message: /restore the whole state directory/ });
    assert.ok(!existsSync(`${checkout.state}/postgres/data`));
    // Another PostgreSQL in its place.
    await using other = await anotherServer(checkout, "other");
    await assert.rejects(begin(checkout, { databaseUrl: other.adminUrl }), {
      code: "database-missing",
      message: /has no database meterkeep and no meterkeep_custodian/,
    });
    renameSync(`${checkout.directory}/data`, `${checkout.state}/postgres/data`);
    await (await begin(checkout)).stop();
  });

  test("databases of another installation are not taken over, and several live side by side under other names", async () => {
    using checkout = makeScratchCheckout();
    using another = makeScratchCheckout();
    await using server = await anotherServer(checkout, "pg");
    const given = { databaseUrl: server.adminUrl };
    await (await begin(checkout, given)).stop();
    await assert.rejects(begin(another, given), { code: "database-foreign", message: /--database-suffix/ });
    await (await begin(another, { ...given, databaseSuffix: "_two" })).stop();
    await (await begin(checkout, given)).stop();
  });
});

describe("a supervisor that is killed", () => {
  const script = (checkout: ScratchCheckout, ports: Readonly<Record<string, string>>): string => `
    import { start } from ${JSON.stringify(fileURLToPath(new URL("./start.ts", import.meta.url)))};
    import { resolveOptions } from ${JSON.stringify(fileURLToPath(new URL("./start-config.ts", import.meta.url)))};
    const reporter = { step() {}, warn() {}, signIn() {}, running: () => console.log("running") };
    await start(resolveOptions(${JSON.stringify({ meters: "3", ...ports })}, {}), {
      checkout: ${JSON.stringify(checkout.directory)}, version: "1.0.0", reporter, signal: new AbortController().signal });`;

  test("its processes end by themselves, and the next start goes on", async () => {
    using checkout = makeScratchCheckout();
    const child = spawn(
      process.execPath,
      ["--input-type=module-typescript", "-e", script(checkout, await freePorts())],
      { stdio: ["ignore", "pipe", "inherit"], cwd: fileURLToPath(new URL("../..", import.meta.url)) },
    );
    for await (const line of createInterface({ input: child.stdout })) if (line === "running") break;
    const pids = ["custodian", "town", "server", "depot"].map((name) => pidOf(checkout, name));
    // One hangs and cannot notice: the next start has to end it.
    process.kill(pids[3]!, "SIGSTOP");
    child.kill("SIGKILL");
    await once(child, "exit");
    await until(() => pids.slice(0, 3).every((pid) => processStartTime(pid) === undefined));
    const run = await begin(checkout);
    assert.ok(run.lines.includes("! ended a depot that was left behind"));
    assert.equal(processStartTime(pids[3]!), undefined);
    await run.stop();
  });
});
