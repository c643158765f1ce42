import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { after, before, test } from "node:test";
import pg from "pg";
import { atDatabase, custodianConfigOf, databaseOf, serverConfigOf } from "../src/installation-files.ts";
import { processFacts } from "../src/process-facts.ts";
import { CHECKOUT, type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";

const isRoot = process.getuid?.() === 0;
/** SQLSTATE insufficient_privilege. */
const NOT_ALLOWED = "42501";

let meterkeep: Meterkeep;
let headEnd: string;
let custodian: string;

before(async () => {
  meterkeep = await startMeterkeep({ meters: 4 });
  headEnd = serverConfigOf(meterkeep.stateDirectory).database;
  custodian = custodianConfigOf(meterkeep.stateDirectory).database;
});
after(() => meterkeep.stop());

/** Runs one statement; gives the rows, or the SQLSTATE of the refusal. */
async function attempt(url: string, sql: string): Promise<readonly unknown[] | string> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

test("each role works in its own database, so that the refusals below mean something", async () => {
  assert.ok(((await attempt(headEnd, "select count(*) from meters")) as unknown[]).length === 1);
  assert.ok(((await attempt(custodian, "select count(*) from meter_keys")) as unknown[]).length === 1);
  assert.notEqual(databaseOf(headEnd), databaseOf(custodian));
  assert.notEqual(new URL(headEnd).username, new URL(custodian).username);
});

test("the head-end's role cannot connect to the custodian's database, nor the custodian's to the head-end's", async () => {
  assert.equal(await attempt(atDatabase(headEnd, databaseOf(custodian)), "select 1"), NOT_ALLOWED);
  assert.equal(await attempt(atDatabase(custodian, databaseOf(headEnd)), "select 1"), NOT_ALLOWED);
});

for (const [name, own, other] of [
  ["head-end", () => headEnd, () => custodian],
  ["custodian", () => custodian, () => headEnd],
] as const) {
  test(`the ${name}'s role cannot become the other, rise above itself, or leave the database by the server`, async () => {
    const role = pg.escapeIdentifier(decodeURIComponent(new URL(other()).username));
    const database = pg.escapeIdentifier(databaseOf(other()));
    const self = pg.escapeIdentifier(decodeURIComponent(new URL(own()).username));
    for (const sql of [
      `set role ${role}`,
      `grant ${role} to ${self}`,
      `alter role ${self} superuser`,
      `alter role ${role} password 'mine'`,
      `alter database ${database} owner to ${self}`,
      `grant connect on database ${database} to ${self}`,
      "create role another superuser",
      "create database another",
      "select rolpassword from pg_authid",
      "select pg_read_file('postgresql.conf')",
      "copy (select 1) to program 'id'",
      "copy (select 1) to '/tmp/out'",
      "select * from pg_ls_dir('.')",
      "select lo_import('/etc/passwd')",
      "alter system set log_statement = 'all'",
      "create extension dblink",
    ]) {
      const answer = await attempt(own(), sql);
      // An extension that is not even shipped says so; nothing else may give another answer than a refusal.
      const refusals = sql.startsWith("create extension") ? [NOT_ALLOWED, "0A000", "58P01"] : [NOT_ALLOWED];
      assert.ok(typeof answer === "string" && refusals.includes(answer), `${sql}: ${JSON.stringify(answer)}`);
    }
  });
}

test("the head-end's role works with its tables and owns none, and nobody can log in as the owner any more", async () => {
  for (const sql of [
    "drop table meters",
    "alter table ledger disable trigger all",
    "create table another (a integer)",
    "truncate ledger",
    "delete from ledger",
    "delete from trust_history",
    "update evidence set octets = ''",
    "set role meterkeep_headend_owner",
  ])
    assert.equal(await attempt(headEnd, sql), NOT_ALLOWED, sql);
  const { ownerDatabase } = serverConfigOf(meterkeep.stateDirectory);
  assert.equal(await attempt(ownerDatabase!, "select 1"), "28P01");
});

test("a password that is not its own opens neither", async () => {
  for (const url of [headEnd, custodian]) {
    const wrong = new URL(url);
    wrong.password = "guessed";
    assert.equal(await attempt(wrong.href, "select 1"), "28P01");
    wrong.password = "";
    assert.notEqual(typeof (await attempt(wrong.href, "select 1")), "object");
  }
});

test("the superuser is not for the users of our processes", { skip: !isRoot && "not root" }, () => {
  const { uid } = processFacts(meterkeep.pids()["server"]!)!;
  const script = `
    const pg = (await import("pg")).default;
    const url = new URL(process.argv[1]);
    for (const user of ["postgres", "root", "nobody", ""]) {
      url.username = user; url.password = ""; url.pathname = "/postgres";
      const client = new pg.Client({ connectionString: url.href });
      client.on("error", () => undefined);
      try { await client.connect(); console.log("connected as", user); } catch (error) { console.log(error.code ?? error.message); }
      await client.end().catch(() => undefined);
    }`;
  const { stdout, stderr } = asUser(uid, script, [headEnd]);
  assert.equal(stderr, "");
  assert.doesNotMatch(stdout, /connected/);
  assert.equal(stdout.trim().split("\n").length, 4);
});

/** Runs a script of Node as another user, with the program that the processes run: other users may not reach the checkout. */
function asUser(uid: number, script: string, args: readonly string[]) {
  const twin = `${meterkeep.stateDirectory}/program`;
  return spawnSync(
    readlinkSync(`/proc/${meterkeep.pids()["server"]}/exe`),
    ["--input-type=module", "-e", script, ...args],
    {
      uid,
      gid: uid,
      cwd: existsSync(`${twin}/package.json`) ? twin : CHECKOUT,
      encoding: "utf8",
    },
  );
}

const OPEN_ALL = `
  import { openSync, readdirSync, closeSync } from "node:fs";
  for (const path of process.argv.slice(1)) {
    try { closeSync(openSync(path, "r")); console.log("opened", path); } catch (error) { console.log(error.code); }
  }`;

test("each process runs under a user of its own that is nobody else's", { skip: !isRoot && "not root" }, () => {
  const pids = meterkeep.pids();
  const uids = ["custodian", "server", "depot", "town", "postgres"].map((name) => processFacts(pids[name]!)!.uid);
  assert.equal(new Set(uids).size, 5);
  assert.ok(!uids.includes(0));
});

test("the users of head-end, depot and town can read neither the files nor the memory of the custodian", {
  skip: !isRoot && "not root",
}, () => {
  const pids = meterkeep.pids();
  const directory = `${meterkeep.stateDirectory}/custodian`;
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`);
  for (const name of ["root.key", "channel.key", "config.json", "database.password"]) {
    assert.ok(files.includes(`${directory}/${name}`), name);
  }
  const memory = ["mem", "environ", "maps", "fd/0"].map((name) => `/proc/${pids["custodian"]}/${name}`);
  const paths = [directory, ...files, ...memory];
  for (const name of ["server", "depot", "town"]) {
    const { stdout, stderr } = asUser(processFacts(pids[name]!)!.uid, OPEN_ALL, paths);
    assert.equal(stderr, "");
    const answers = stdout.trim().split("\n");
    assert.equal(answers.length, paths.length);
    assert.deepEqual(new Set(answers), new Set(["EACCES"]), name);
  }
  // The custodian's own user can, so that the refusals above are about users and not about paths.
  const own = asUser(processFacts(pids["custodian"]!)!.uid, OPEN_ALL, [directory, ...files]);
  assert.equal(own.stdout.match(/^opened/gm)?.length, files.length + 1);
});

test("none of our processes can read the database's files", { skip: !isRoot && "not root" }, () => {
  const pids = meterkeep.pids();
  const paths = ["postgres", "postgres/data", "postgres/data/PG_VERSION"].map(
    (name) => `${meterkeep.stateDirectory}/${name}`,
  );
  for (const name of ["custodian", "server", "depot", "town"]) {
    const { stdout } = asUser(processFacts(pids[name]!)!.uid, OPEN_ALL, paths);
    assert.deepEqual(new Set(stdout.trim().split("\n")), new Set(["EACCES"]), name);
  }
});
