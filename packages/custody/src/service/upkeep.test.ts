import assert from "node:assert/strict";
import { test } from "node:test";
import { type UpkeepParts, upkeep } from "./upkeep.ts";

test("what the PKI cannot do now, since a token is away or a revocation is stuck, keeps nothing else from being done", async () => {
  const done: string[] = [];
  const failures: unknown[] = [];
  const away = new Error("no token answers");
  const part = (name: string) =>
    new Proxy({}, { get: (_, method) => async () => void done.push(`${name}.${String(method)}`) });
  const names = ["opened", "secondStorage", "bursts", "sessions", "uploads"];
  const others = ["backups", "rotations", "enrolments", "removals", "foreignWatch", "leases", "documents"];
  const pki = { tend: () => Promise.reject(away), onFailure: (error: unknown) => void failures.push(error) };
  const parts = {
    ...Object.fromEntries([...names, ...others].map((name) => [name, part(name)])),
    contacts: ["takeovers", "logs"].map(part),
    keeper: { state: {} },
    pki,
    now: () => 0,
  };
  await upkeep(parts as unknown as UpkeepParts).sweep();
  assert.deepEqual(failures, [away]);
  for (const wanted of [
    "removals.sweep",
    "foreignWatch.tend",
    "leases.sweep",
    "secondStorage.tend",
    "opened.tend",
    "documents.tend",
    "takeovers.sweep",
    "logs.sweep",
  ])
    assert.ok(done.includes(wanted), wanted);
});
