import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import pg from "pg";
import { withCredentials } from "./connection-url.ts";
import { connectionOf, type OwnedDatabase, provision } from "./provision.ts";
import { openTestDatabase, testServerUrl } from "./testing/test-database.ts";

async function withClient<Result>(url: string, body: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}

async function inPair(
  body: (url: string, pair: readonly [OwnedDatabase, OwnedDatabase]) => Promise<void>,
): Promise<void> {
  const name = `pair_${randomBytes(5).toString("hex")}`;
  const pair = [
    { database: name, role: `${name}_headend`, password: "one" },
    { database: `${name}_custodian`, role: `${name}_custodian`, password: "two" },
  ] as const;
  const url = await testServerUrl();
  try {
    await body(url, pair);
  } finally {
    await withClient(url, async (client) => {
      for (const { database, role } of pair) {
        await client.query(`drop database if exists "${database}" with (force)`);
        await client.query(`drop role if exists "${role}"`);
      }
    });
  }
}

test("each role reaches its own database and is refused at the other's", () =>
  inPair(async (url, pair) => {
    const urls = await provision(url, pair);
    for (const [index, own] of urls.entries()) {
      const { rows } = await withClient(own, (client) => client.query("select current_user as who"));
      assert.equal(rows[0].who, pair[index]!.role);
      const other = withCredentials(own, {
        database: pair[1 - index]!.database,
        user: pair[index]!.role,
        password: pair[index]!.password,
      });
      await assert.rejects(
        withClient(other, (client) => client.query("select 1")),
        { code: "42501" },
      );
    }
  }));

test("a role has no power beyond its database", () =>
  inPair(async (url, pair) => {
    const [own] = await provision(url, pair);
    await withClient(own!, async (client) => {
      await assert.rejects(client.query("create role mallory"), { code: "42501" });
      await assert.rejects(client.query("create database mallory"), { code: "42501" });
      await assert.rejects(client.query(`set role "${pair[1].role}"`), { code: "42501" });
    });
  }));

test("provisioning again keeps the data and takes the new password", () =>
  inPair(async (url, pair) => {
    const [own] = await provision(url, pair);
    await withClient(own!, (client) => client.query("create table kept (a integer)"));
    const [renewed] = await provision(url, [{ ...pair[0], password: "other" }]);
    const { rows } = await withClient(renewed!, (client) => client.query("select to_regclass('kept') as kept"));
    assert.equal(rows[0].kept, "kept");
    await assert.rejects(
      withClient(own!, (client) => client.query("select 1")),
      { code: "28P01" },
    );
  }));

test("a user with CREATEDB and CREATEROLE is enough, and stays a member of nothing", () =>
  inPair(async (url, pair) => {
    const installer = `${pair[0].role}_installer`;
    await withClient(url, (client) =>
      client.query(`create role "${installer}" with login createdb createrole password 'installer'`),
    );
    try {
      const installerUrl = withCredentials(url, { database: "postgres", user: installer, password: "installer" });
      const [own, custodian] = await provision(installerUrl, pair);
      await withClient(own!, (client) => client.query("create table mine (a integer)"));
      await assert.rejects(
        withClient(
          withCredentials(own!, { database: pair[1].database, user: pair[0].role, password: "one" }),
          (client) => client.query("select 1"),
        ),
        { code: "42501" },
      );
      await withClient(custodian!, (client) => client.query("select 1"));
      await provision(installerUrl, pair);
    } finally {
      await withClient(url, async (client) => {
        for (const { database } of pair) await client.query(`drop database if exists "${database}" with (force)`);
        for (const { role } of pair) await client.query(`drop role if exists "${role}"`);
        await client.query(`drop role "${installer}"`);
      });
    }
  }));

test("a role that takes all connections it can get leaves the other's", () =>
  inPair(async (url, pair) => {
    const [greedy, other] = await provision(url, pair);
    const taken: pg.Client[] = [];
    const take = async (): Promise<void> => {
      const client = new pg.Client({ connectionString: greedy! });
      client.on("error", () => undefined);
      await client.connect();
      taken.push(client);
    };
    try {
      await assert.rejects(
        async () => {
          for (;;) await take();
        },
        { code: "53300" },
      );
      assert.equal(taken.length, 80);
      await withClient(other!, (client) => client.query("select 1"));
    } finally {
      for (const client of taken) await client.end();
    }
  }));

test("a user who may not make roles is told what is needed", async () => {
  await using database = await openTestDatabase();
  await assert.rejects(provision(database.url, [{ database: "x", role: "x", password: "x" }]), {
    code: "provision-refused",
    message: /needs CREATEDB and CREATEROLE/,
  });
});

test("a server that cannot be reached is named as such", async () => {
  await assert.rejects(provision("postgres://nobody@127.0.0.1:1/postgres", []), { code: "server-unreachable" });
});

test("a role whose database has an owner can change nothing of it, and does no more than it is granted", () =>
  inPair(async (url, pair) => {
    const [mine] = pair;
    const owner = { role: `${mine.role}_owner`, password: "owner" };
    const denied = { code: "42501" };
    try {
      for (let start = 0; start < 2; start += 1) {
        const [own] = await provision(url, [{ ...mine, owner }]);
        if (start === 0)
          await withClient(connectionOf(url, mine, owner), (client) =>
            client.query(
              "create table kept (a integer); insert into kept values (7); create function f() returns integer language sql as 'select 1'",
            ),
          );
        await withClient(own!, async (client) => {
          for (const statement of [
            "drop table kept",
            "drop function f()",
            "create table more (a integer)",
            "select a from kept",
            "create temporary table t (a integer)",
          ])
            await assert.rejects(client.query(statement), denied, statement);
          await assert.rejects(client.query(`set role "${owner.role}"`), denied);
        });
      }
      await withClient(connectionOf(url, mine, owner), async (client) => {
        assert.deepEqual((await client.query("select a from kept")).rows, [{ a: 7 }]);
        await client.query("drop function f()");
      });
      const stranger = withCredentials(url, { database: mine.database, user: pair[1].role, password: "two" });
      await provision(url, pair.slice(1));
      await assert.rejects(
        withClient(stranger, (client) => client.query("select 1")),
        denied,
      );
    } finally {
      await withClient(url, async (client) => {
        await client.query(`drop database "${mine.database}" with (force)`);
        await client.query(`drop role "${owner.role}"`);
      });
    }
  }));

test("an installer without superuser's rights makes a database with an owner as well, and nobody stays a member of it", () =>
  inPair(async (url, pair) => {
    const [mine] = pair;
    const installer = `${mine.role}_installer`;
    const owner = { role: `${mine.role}_owner`, password: "owner" };
    await withClient(url, (client) =>
      client.query(`create role "${installer}" with login createdb createrole password 'installer'`),
    );
    const installerUrl = withCredentials(url, { database: "postgres", user: installer, password: "installer" });
    try {
      for (let start = 0; start < 2; start += 1) await provision(installerUrl, [{ ...mine, owner }]);
      const { rows } = await withClient(url, (client) =>
        client.query("select from pg_auth_members where roleid = $1::regrole and member = $2::regrole", [
          `"${owner.role}"`,
          `"${mine.role}"`,
        ]),
      );
      assert.deepEqual(rows, []);
    } finally {
      await withClient(url, async (client) => {
        for (const { database } of pair) await client.query(`drop database if exists "${database}" with (force)`);
        for (const { role } of pair) await client.query(`drop role if exists "${role}"`);
        await client.query(`drop role if exists "${owner.role}"`);
        await client.query(`drop role "${installer}"`);
      });
    }
  }));
