import assert from "node:assert/strict";
import { test } from "node:test";
import { isPassing } from "./passing.ts";
import { createPool } from "./pool.ts";
import { withTestDatabase } from "./testing/index.ts";

const errorOf = (act: Promise<unknown>): Promise<unknown> =>
  act.then(
    () => assert.fail("it succeeded"),
    (error: unknown) => error,
  );

test("a connection that is cut and a server that is not there pass; a statement that is wrong does not", () =>
  withTestDatabase({ migrations: [] }, async ({ pool, adminUrl }) => {
    assert.equal(isPassing(await errorOf(pool.query("select 1 / 0"))), false);
    assert.equal(isPassing(await errorOf(pool.query("select nothing"))), false);
    const admin = createPool(adminUrl, { applicationName: "test", maxConnections: 1 });
    const cut = errorOf(pool.query("select pg_sleep(60)"));
    let ended = 0;
    while (ended === 0)
      ended =
        (
          await admin.query(
            "select pg_terminate_backend(pid) from pg_stat_activity where query = 'select pg_sleep(60)' and pid <> pg_backend_pid()",
          )
        ).rowCount ?? 0;
    assert.equal(isPassing(await cut), true);
    await admin.end();
    const nowhere = createPool("postgres://nobody@/x?host=/nowhere", { applicationName: "test" });
    assert.equal(isPassing(await errorOf(nowhere.query("select 1"))), true);
    await nowhere.end();
    assert.equal(isPassing(new TypeError("x is not a function")), false);
    assert.equal(isPassing("away"), false);
  }));
