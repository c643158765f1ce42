import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createSecureContext, TLSSocket } from "node:tls";
import pg from "pg";
import { createPool, createQueries, inTransaction } from "./pool.ts";
import { withTestDatabase } from "./testing/test-database.ts";

test("a pool outlives its connections", () =>
  withTestDatabase({}, async ({ url, adminUrl, role }) => {
    const broken: Error[] = [];
    const pool = createPool(url, { applicationName: "outlives", onIdleError: (error) => broken.push(error) });
    try {
      await pool.query("select 1");
      const admin = new pg.Client({ connectionString: adminUrl });
      await admin.connect();
      await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", [role]);
      await admin.end();
      while (broken.length === 0) await new Promise(setImmediate);
      assert.equal((await pool.query("select 2 as two")).rows[0].two, 2);
    } finally {
      await pool.end();
    }
  }));

for (const staysOpen of [true, false])
  test(`a connection that nobody has asked for anything for an hour ${staysOpen ? "is still there where it was to stay" : "is closed otherwise"}`, (context) =>
    withTestDatabase({}, async ({ url }) => {
      context.mock.timers.enable({ apis: ["setTimeout"] });
      const pool = createPool(url, { applicationName: "stays", maxConnections: 1, staysOpen });
      try {
        const process = async (): Promise<number> =>
          (await pool.query<{ pid: number }>("select pg_backend_pid() as pid")).rows[0]?.pid ?? 0;
        const first = await process();
        context.mock.timers.tick(3_600_000);
        assert.equal((await process()) === first, staysOpen);
      } finally {
        context.mock.timers.reset();
        await pool.end();
      }
    }));

test("a connection over TLS agrees on the hybrid group with a server that has it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-pool-"));
  const [cert, key] = ["cert.pem", "key.pem"].map((name) => join(folder, name)) as [string, string];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "1"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  execFileSync("openssl", ["req", "-x509", ...curve, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
  // A server is not told the group: this one has no other.
  const identity = { cert: readFileSync(cert), key: readFileSync(key) };
  const secureContext = createSecureContext({ ...identity, ecdhCurve: "X25519MLKEM768", minVersion: "TLSv1.3" });
  const agreed = Promise.withResolvers<string | null>();
  // The embedded PostgreSQL has sockets of the file system and an older OpenSSL: this says what one says until TLS stands.
  const server = createServer((plain) => {
    plain.on("error", () => undefined);
    plain.once("data", (request: Buffer) => {
      assert.equal(request.toString("hex"), "0000000804d2162f", "SSLRequest");
      plain.write("S");
      const secure = new TLSSocket(plain, { isServer: true, secureContext });
      secure.on("error", agreed.reject);
      secure.on("secure", () => {
        agreed.resolve(secure.getProtocol());
        secure.destroy();
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `postgres://user@localhost:${port}/meterkeep?sslmode=verify-full&sslrootcert=${encodeURIComponent(cert)}`;
  const pool = createPool(url, { applicationName: "hybrid", maxConnections: 1 });
  try {
    await assert.rejects(pool.query("select 1"));
    assert.equal(await agreed.promise, "TLSv1.3");
  } finally {
    await pool.end();
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test("what throws inside a transaction leaves nothing behind", () =>
  withTestDatabase({}, async ({ pool }) => {
    await pool.query("create table entry (a integer)");
    await assert.rejects(
      inTransaction(pool, async (client) => {
        await client.query("insert into entry values (1)");
        throw new Error("changed my mind");
      }),
      /changed my mind/,
    );
    await inTransaction(pool, (client) => client.query("insert into entry values (2)"));
    assert.deepEqual((await pool.query("select a from entry")).rows, [{ a: 2 }]);
  }));

test("typed queries run over the same pool", () =>
  withTestDatabase({}, async ({ pool }) => {
    await pool.query("create table entry (a integer); insert into entry values (7)");
    const queries = createQueries<{ entry: { a: number } }>(pool);
    assert.deepEqual(await queries.selectFrom("entry").selectAll().execute(), [{ a: 7 }]);
  }));

test("what is asked again is parsed once, on whichever way it comes", () =>
  withTestDatabase({}, async ({ url }) => {
    const pool = createPool(url, { applicationName: "prepared", maxConnections: 1 });
    try {
      const text = "select $1::integer as n";
      for (let n = 0; n < 3; n += 1) assert.deepEqual((await pool.query(text, [n])).rows, [{ n }]);
      assert.equal(await inTransaction(pool, async (client) => (await client.query(text, [7])).rows[0].n), 7);
      await inTransaction(pool, async (client) => {
        await client.query("savepoint here");
        for (let n = 0; n < 3; n += 1) {
          await assert.rejects(client.query("select $1::text from nowhere", ["x"]), /nowhere/);
          await client.query("rollback to here");
        }
      });
      for (let n = 0; n < 300; n += 1) for (const _ of "two") await pool.query(`select $1::integer + ${n} as n`, [1]);
      const { rows } = await pool.query(
        "select count(*)::integer as kept, count(*) filter (where statement = 'select $1::integer as n')::integer as asked from pg_prepared_statements",
      );
      assert.equal(rows[0].asked, 1);
      assert.ok(rows[0].kept <= 200, `${rows[0].kept} statements`);
    } finally {
      await pool.end();
    }
  }));
