import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { withCredentials } from "../connection-url.ts";
import { processStartTime } from "../lock.ts";
import { provision } from "../provision.ts";
import { type EmbeddedPostgres, launchEmbedded } from "./launch.ts";

function guardianOf(postmaster: number): number {
  const pid = readdirSync("/proc").find((name) => {
    if (!/^\d+$/.test(name) || !existsSync(`/proc/${name}/cmdline`)) return false;
    const args = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
    return args.includes("postgres-guardian") && args.includes(String(postmaster));
  });
  assert.ok(pid !== undefined, "there is a guardian");
  return Number(pid);
}

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

  test("a role has its own database and makes no large objects; the server's own databases are closed to it", async () => {
    const server = await launch();
    const pair = [
      { database: "one", role: "one", password: "one" },
      { database: "two", role: "two", password: "two" },
    ];
    for (let start = 0; start < 2; start += 1) {
      const [one] = await provision(server.adminUrl, pair, { isServerOurs: true });
      const client = new pg.Client({ connectionString: one! });
      await client.connect();
      try {
        for (const call of ["lo_create(0)", "lo_creat(-1)", "lo_from_bytea(0, 'x')"])
          await assert.rejects(client.query(`select ${call}`), { code: "42501" }, call);
      } finally {
        await client.end();
      }
      for (const database of ["postgres", "template1", "two"]) {
        const other = new pg.Client({
          connectionString: withCredentials(one!, { database, user: "one", password: "one" }),
        });
        await assert.rejects(other.connect(), { code: "42501" }, database);
        await other.end().catch(() => undefined);
      }
    }
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

  /** A starter of its own that is killed when its server has something to lose. */
  async function abandon(): Promise<{ readonly postmaster: number; readonly guardian: number }> {
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
    const postmaster = Number(output.toString());
    const guardian = guardianOf(postmaster);
    // Nobody looks after what a guardian that was stopped does not see.
    process.kill(guardian, "SIGSTOP");
    starter.kill("SIGKILL");
    await once(starter, "exit");
    return { postmaster, guardian };
  }

  test("a server whose starter was killed is shut down at once, by a process that has nothing else to do", async () => {
    const { postmaster, guardian } = await abandon();
    assert.notEqual(processStartTime(postmaster), undefined);
    process.kill(guardian, "SIGCONT");
    for (const pid of [postmaster, guardian]) while (processStartTime(pid) !== undefined) await sleep(10);
    const server = await launch();
    assert.equal(server.facts.stoppedOrphan, false);
    assert.deepEqual(await query(server, "select a from kept"), [{ a: 2 }]);
  });

  test("where that one was killed too, the next start stops the server, and what it had committed is there", async () => {
    const { postmaster, guardian } = await abandon();
    process.kill(guardian, "SIGKILL");
    const server = await launch();
    assert.equal(server.facts.stoppedOrphan, true);
    assert.notEqual(server.pid, postmaster);
    assert.deepEqual(await query(server, "select a from kept"), [{ a: 2 }]);
  });

  test("no guardian outlives the server that it guards", async () => {
    const server = await launch();
    const guardian = guardianOf(server.pid);
    await server.stop();
    while (processStartTime(guardian) !== undefined) await sleep(10);
  });

  test("it starts again after the postmaster was killed", async () => {
    const first = await launch();
    await query(first, "create table kept as select 3 as a");
    process.kill(first.pid, "SIGKILL");
    assert.deepEqual(await first.exited, { status: null, signal: "SIGKILL" });
    const second = await launch();
    assert.deepEqual(await query(second, "select a from kept"), [{ a: 3 }]);
  });

  test("locks of a killed postmaster do not keep it from starting, even when somebody else has its process id", async () => {
    await (await launch()).stop();
    const [socket, data] = [`${base}/run/.s.PGSQL.5432`, `${base}/pg/data`];
    // A living process of another user: PostgreSQL takes it for a server.
    for (const pid of [process.pid, process.ppid]) {
      writeFileSync(`${data}/postmaster.pid`, `${pid}\n${data}\n`);
      writeFileSync(`${socket}.lock`, `${pid}\n${data}\n1\n5432\n`);
      writeFileSync(socket, "");
      await (await launch()).stop();
    }
    writeFileSync(`${socket}.lock`, "");
    await launch();
  });

  test("the socket of another server in the same directory is not taken away", async () => {
    const first = await launch();
    const other = launchEmbedded({
      stateDirectory: `${base}/other`,
      socketDirectory: `${base}/run`,
      log: () => undefined,
    });
    await assert.rejects(other, { code: "postgres-start-failed", message: /already exists/ });
    assert.deepEqual(await query(first, "select 1 as a"), [{ a: 1 }]);
  });

  test("it starts after its starter was killed while the data directory was being made", async () => {
    // While initdb works; at the latest before the directory has its name, should this process sleep through that.
    const script = `
      import fs from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      import { launchEmbedded } from ${JSON.stringify(fileURLToPath(new URL("./launch.ts", import.meta.url)))};
      const draft = ${JSON.stringify(`${base}/pg/data.new`)};
      const { renameSync } = fs;
      const die = () => process.kill(process.pid, "SIGKILL");
      fs.renameSync = (from, to) => (from === draft ? die() : renameSync(from, to));
      syncBuiltinESMExports();
      setInterval(() => fs.existsSync(draft + "/base") && die(), 2);
      await launchEmbedded({ stateDirectory: ${JSON.stringify(`${base}/pg`)}, log: () => undefined });`;
    const starter = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [, signal] = await once(starter, "exit");
    assert.equal(signal, "SIGKILL");
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
