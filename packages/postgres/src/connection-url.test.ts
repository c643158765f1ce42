import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { connectionUrl, describeUrl, withCredentials } from "./connection-url.ts";

test("a connection string to a Unix socket gives pg the directory, user, password and database", () => {
  const url = connectionUrl({ host: "/run/a b", port: 5432, database: "d e", user: "u", password: "p:@/?" });
  const client = new pg.Client({ connectionString: url });
  assert.deepEqual(
    [client.host, client.port, client.user, client.password, client.database],
    ["/run/a b", 5432, "u", "p:@/?", "d e"],
  );
});

test("other credentials keep the server and its TLS settings", () => {
  const url = withCredentials("postgres://admin:old@db.example:6000/postgres?sslmode=require", {
    database: "meterkeep",
    user: "head end",
    password: "n/w",
  });
  assert.equal(url, "postgres://head%20end:n%2Fw@db.example:6000/meterkeep?sslmode=require");
});

test("a connection string in a message has no password", () => {
  assert.equal(describeUrl("postgres://u:secret@h:1/d"), "postgres://u@h:1/d");
});
