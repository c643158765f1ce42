import assert from "node:assert/strict";
import { test } from "node:test";
import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { holdInstanceLock } from "./instance-lock.ts";

const never = (error: Error) => assert.fail(error);

test("one custodian holds a database, the next one waits its turn or is refused", () =>
  withTestDatabase({}, async ({ pool }) => {
    const first = await holdInstanceLock(pool, never);
    await assert.rejects(holdInstanceLock(pool, never, 0), { code: "custody-already-running" });
    const waiting = holdInstanceLock(pool, never);
    await first.release();
    await (await waiting).release();
  }));

test("a lock whose connection breaks is taken again", () =>
  withTestDatabase({}, async ({ url, adminUrl }) => {
    const broken: Error[] = [];
    const own = createPool(url, { applicationName: "holder", onIdleError: (error) => broken.push(error) });
    const admin = createPool(adminUrl, { applicationName: "admin" });
    const holders = "select pid from pg_locks where locktype = 'advisory' and granted";
    try {
      const lock = await holdInstanceLock(own, never);
      const [before] = (await admin.query<{ pid: number }>(holders)).rows;
      await admin.query("select pg_terminate_backend($1)", [before?.pid]);
      for (;;) {
        const { rows } = await admin.query<{ pid: number }>(holders);
        if (rows.length === 1 && rows[0]?.pid !== before?.pid) break;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await assert.rejects(holdInstanceLock(own, never, 0), { code: "custody-already-running" });
      await lock.release();
    } finally {
      await own.end();
      await admin.end();
    }
  }));
