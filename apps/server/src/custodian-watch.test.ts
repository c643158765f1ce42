import assert from "node:assert/strict";
import { test } from "node:test";
import type { CustodianStatus } from "@meterkeep/api/custodian";
import { HeardRefusals, type LedgerCursor } from "@meterkeep/headend";
import { CustodianWatch } from "./custodian-watch.ts";

const zero = new Uint8Array(32);
const STATUS: CustodianStatus = {
  version: "test",
  vault: "software",
  rootKey: "file",
  rootKeyCopied: true,
  separateUser: true,
  recipient: { keyId: "", ecdh: new Uint8Array(), mlkem: new Uint8Array() },
  ledgerHead: { size: 0, root: zero },
  meters: 1,
  killSwitch: false,
  founding: false,
  refusals: { sealBudget: 0, records: 0, entriesCounted: 0 },
};

/** A cursor as it is kept from one process to the next. */
function keptCursor(): LedgerCursor {
  let kept: number | undefined;
  return {
    load: async () => kept,
    save: async (sequence) => {
      kept = sequence;
    },
  };
}

function bench(status: () => Promise<CustodianStatus>, kinds: readonly string[] = [], cursor = keptCursor()) {
  const told: string[] = [];
  const all = kinds.map((kind, at) => ({
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
  const ledgerEntries = async ({ after, limit }: { readonly after: number; readonly limit: number }) => ({
    entries: all.slice(after, after + limit),
  });
  const custodian = { status, ledgerEntries };
  const hub = { publish: (_type: string, data: unknown) => told.push((data as { kind: string }).kind) };
  return { watch: new CustodianWatch(custodian, hub as never, () => Date.now(), new HeardRefusals(), cursor), told };
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

test("a flood hides nothing, and neither does a start anew: the ledger is followed from where it was", async () => {
  const kinds: string[] = Array.from({ length: 1001 }, (_, at) => (at === 3 ? "kill-switch-on" : "session-opened"));
  const cursor = keptCursor();
  let size = 0;
  const status = async () => ({ ...STATUS, ledgerHead: { size, root: zero } });
  const first = bench(status, kinds, cursor);
  await first.watch.look();
  // A thousand of bookkeeping come after the one that matters.
  size = 1000;
  await first.watch.look();
  assert.deepEqual(first.told, ["kill-switch-on"]);
  kinds[1000] = "seal-refused";
  size = 1001;
  const second = bench(status, kinds, cursor);
  await second.watch.look();
  assert.deepEqual(second.told, ["seal-refused"]);
});
