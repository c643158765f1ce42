import assert from "node:assert/strict";
import { test } from "node:test";
import type { CustodianStatus } from "@meterkeep/api/custodian";
import { HeardRefusals } from "@meterkeep/headend";
import { CustodianWatch } from "./custodian-watch.ts";

const zero = new Uint8Array(32);
const STATUS: CustodianStatus = {
  version: "test",
  vault: "software",
  rootKey: "file",
  rootKeyCreated: false,
  separateUser: true,
  recipient: { keyId: "", ecdh: new Uint8Array(), mlkem: new Uint8Array() },
  ledgerHead: { size: 0, root: zero },
  meters: 1,
  killSwitch: false,
  refusals: { sealBudget: 0, records: 0, entriesCounted: 0 },
};

function bench(status: () => Promise<CustodianStatus>, kinds: readonly string[] = []) {
  const told: string[] = [];
  const entries = kinds.map((kind, at) => ({
    sequence: at + 1,
    at: 0,
    kind,
    principal: "head-end",
    utility: "u",
    island: "i",
    meter: undefined,
    body: "{}",
    leaf: zero,
  }));
  const custodian = { status, ledgerEntries: async () => ({ entries }) };
  const hub = { publish: (_type: string, data: unknown) => told.push((data as { kind: string }).kind) };
  return { watch: new CustodianWatch(custodian, hub as never, () => Date.now(), new HeardRefusals()), told };
}

test("a custodian that does not answer in time is away, and there again when the answer comes, however late", async () => {
  const answer = Promise.withResolvers<CustodianStatus>();
  const { watch } = bench(() => answer.promise);
  await watch.look(1);
  assert.equal(watch.summary.reachable, false);
  answer.resolve(STATUS);
  await new Promise(setImmediate);
  assert.equal(watch.summary.reachable, true);
});

test("one that cannot be reached is away, not an error", async () => {
  const { watch } = bench(() => Promise.reject(new Error("gone")));
  await watch.look();
  assert.equal(watch.summary.reachable, false);
});

test("bookkeeping stays in the ledger, and what a person wants to see is told", async () => {
  const kinds = ["session-opened", "counters-reserved", "takeover-recorded", "seal-refused", "session-closed"];
  let size = 0;
  const { watch, told } = bench(async () => ({ ...STATUS, ledgerHead: { size, root: zero } }), kinds);
  await watch.look();
  size = kinds.length;
  await watch.look();
  assert.deepEqual(told, ["seal-refused"]);
});
