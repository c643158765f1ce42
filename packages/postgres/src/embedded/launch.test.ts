import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { type EmbeddedPostgres, launchEmbedded } from "./launch.ts";

describe("the embedded server", () => {
  let base: string;
  let running: EmbeddedPostgres | undefined;

  beforeEach(() => {
    base = mkdtempSync(`${tmpdir()}/mk-`);
    chmodSync(base, 0o755);
  });
  afterEach(async () => {
    await running?.stop();
    running = undefined;
    rmSync(base, { recursive: true, force: true });
  });

  async function launch(log: (text: string) => void = () => undefined): Promise<EmbeddedPostgres> {
    running = await launchEmbedded({ stateDirectory: `${base}/pg`, socketDirectory: `${base}/run`, log });
    return running;
  }

  async function query(server: EmbeddedPostgres, sql: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: server.adminUrl });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  test("it starts on nothing, keeps what was committed over a stop, and listens on no network", async () => {
    const first = await launch();
    assert.equal(first.facts.initialised, true);
    await query(first, "create table kept as select 1 as a");
    assert.deepEqual(await query(first, "show listen_addresses"), [{ listen_addresses: "" }]);
    assert.deepEqual(await query(first, "show fsync"), [{ fsync: "on" }]);
    await first.stop();
    assert.deepEqual(await first.exited, { status: 0, signal: null });
    const second = await launch();
    assert.equal(second.facts.initialised, false);
    assert.deepEqual(await query(second, "select a from kept"), [{ a: 1 }]);
  });

  test("nobody but its own user can enter its directory, and it never runs as root", async () => {
    const server = await launch();
    const directory = statSync(`${base}/pg`);
    assert.equal(directory.mode & 0o777, 0o700);
    assert.equal(statSync(`/proc/${server.pid}`).uid, directory.uid);
    assert.notEqual(directory.uid, 0);
  });

  test("a second start in the same directory is refused with the process that holds it", async () => {
    await launch();
    await assert.rejects(launchEmbedded({ stateDirectory: `${base}/pg`, log: () => undefined }), {
      code: "already-running",
      message: new RegExp(`in use by process ${process.pid}`),
    });
  });

  test("a server whose starter was killed is stopped, and what it had committed is there", async () => {
    const script = `
    import { launchEmbedded } from ${JSON.stringify(fileURLToPath(new URL("./launch.ts", import.meta.url)))};
    import pg from "pg";
    const server = await launchEmbedded({ stateDirectory: ${JSON.stringify(`${base}/pg`)}, socketDirectory: ${JSON.stringify(`${base}/run`)}, log: () => undefined });
    const client = new pg.Client({ connectionString: server.adminUrl });
    await client.connect();
    await client.query("create table kept as select 2 as a");
    console.log(server.pid);
    setInterval(() => undefined, 1000);`;
    const starter = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [output] = (await once(starter.stdout, "data")) as [Buffer];
    starter.kill("SIGKILL");
    await once(starter, "exit");
    const server = await launch();
    assert.equal(server.facts.stoppedOrphan, true);
    assert.notEqual(server.pid, Number(output.toString()));
    assert.deepEqual(await query(server, "select a from kept"), [{ a: 2 }]);
  });

  test("it starts again after the postmaster was killed", async () => {
    const first = await launch();
    await query(first, "create table kept as select 3 as a");
    process.kill(first.pid, "SIGKILL");
    assert.deepEqual(await first.exited, { status: null, signal: "SIGKILL" });
    const second = await launch();
    assert.deepEqual(await query(second, "select a from kept"), [{ a: 3 }]);
  });

  test("it starts after its starter was killed while the data directory was being made", async () => {
    const script = `
      import { launchEmbedded } from ${JSON.stringify(fileURLToPath(new URL("./launch.ts", import.meta.url)))};
      await launchEmbedded({ stateDirectory: ${JSON.stringify(`${base}/pg`)}, log: () => undefined });`;
    const starter = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      stdio: ["ignore", "ignore", "inherit"],
    });
    while (!existsSync(`${base}/pg/data.new/base`)) await sleep(2);
    starter.kill("SIGKILL");
    await once(starter, "exit");
    const server = await launch();
    assert.equal(server.facts.initialised, true);
    assert.equal(existsSync(`${base}/pg/data.new`), false);
  });

  test("data of another version is refused by name", async () => {
    await (await launch()).stop();
    running = undefined;
    writeFileSync(`${base}/pg/data/PG_VERSION`, "12\n");
    await assert.rejects(launch(), { code: "data-of-other-version", message: /made by PostgreSQL 12, and this is 18/ });
  });

  test("a directory too long for a socket is refused before the server starts", async () => {
    await assert.rejects(
      launchEmbedded({
        stateDirectory: `${base}/pg`,
        socketDirectory: `${base}/${"long".repeat(30)}`,
        log: () => undefined,
      }),
      { code: "socket-path-too-long" },
    );
  });

  test("what the server has to say reaches the log", async () => {
    let logged = "";
    const server = await launch((text) => {
      logged += text;
    });
    await assert.rejects(query(server, "select nonsense"));
    while (!logged.includes('column "nonsense" does not exist')) await new Promise(setImmediate);
  });
});
