import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { edgeOf, growthOf, type LedgerDraft, RESUMED } from "@meterkeep/ledger";
import { GroupCommitter } from "../store/committer.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import type { MeterFile } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { BEHIND, MADE_GOOD } from "./losses.ts";
import type { MakeGoodDependencies } from "./make-good.ts";
import { SecondStorage } from "./second-storage.ts";
import { KEY_STATES, WITHDRAWALS } from "./withdrawals.ts";

const NOW = 5_000_000_000;

/** Databases that come and go over one second storage, and the states that keys were put to since the last of them came. */
async function withStorage(
  body: (bench: {
    readonly states: Map<string, string>;
    /** What people were told; a test that wants some takes them away. */
    readonly complaints: string[];
    /** The file of the journal of withdrawals. */
    readonly journal: string;
    /** A custodian's start on a database, up to where losses are known. */
    readonly start: (store: CustodyStore) => Promise<{
      readonly storage: SecondStorage;
      readonly submit: (...entries: readonly LedgerDraft[]) => Promise<unknown>;
      readonly makeGood: () => Promise<void>;
    }>;
  }) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-second-"));
  const states = new Map<string, string>();
  const complaints: string[] = [];
  const vault = {
    authenticate: async (texts: readonly Uint8Array[]) =>
      texts.map((text) => new Uint8Array(createHmac("sha256", "a test").update(text).digest())),
  };
  try {
    await body({
      states,
      complaints,
      journal: join(folder, "second", WITHDRAWALS.file),
      start: async (plain) => {
        const onFailure = (error: unknown) => complaints.push(String(error));
        const directory = join(folder, "second");
        const storage = await SecondStorage.open({
          directory,
          stateFolder: folder,
          store: plain,
          now: () => NOW,
          onFailure,
        });
        const committer = new GroupCommitter(storage.store);
        await storage.unlock({ vault, committer, isHalted: false });
        const dependencies = {
          ledger: storage.store.ledger,
          documents: { spoilt: undefined, isBefore: () => false },
          authority: { document: { approvers: [] } },
          rotations: { plan: async () => 0 },
          files: {
            loadPage: async (titles: readonly string[]) =>
              titles.map((systemTitle) => {
                const state = states.get(systemTitle) ?? "active";
                const key = { utility: "u", island: "i", systemTitle, setup: 0, purpose: 0, version: 1, state };
                return { meter: { systemTitle }, keys: [key] } as unknown as MeterFile;
              }),
          },
          committer: {
            submit: async ({ writes = [], entries = [] }) => {
              for (const { place, state } of writes as unknown as { place: { systemTitle: string }; state: string }[])
                states.set(place.systemTitle, state);
              return committer.submit({ entries });
            },
          },
          now: () => NOW,
        } as unknown as MakeGoodDependencies;
        return {
          storage,
          submit: (...entries) => committer.submit({ entries }),
          makeGood: () => storage.makeGood(dependencies),
        };
      },
    });
    assert.deepEqual(complaints, []);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const entry = (kind: string, body: object = {}, meter?: string): LedgerDraft => ({
  at: NOW,
  kind,
  principal: "operator",
  utility: "*",
  island: "*",
  ...(meter !== undefined && { meter }),
  body,
});

const change = (meter: string, from: string, to: string) =>
  entry(KEY_STATES, { changes: [{ purpose: "GUEK", setup: 0, version: 1, from, to }] }, meter);

const compromise = (meter: string) => change(meter, "active", "compromised");

/** The same database as it was when it had so many entries. */
async function putBack({ ledger }: CustodyStore, size: number): Promise<CustodyStore> {
  const store = memoryCustodyStore();
  const entries = (await ledger.read(0, size)).map(({ body, at, kind, principal, utility, island, meter }) => ({
    ...{ at, kind, principal, utility, island, meter },
    body: JSON.parse(body) as object,
  }));
  await new GroupCommitter(store).submit({ entries: entries as LedgerDraft[] });
  assert.equal(await store.ledger.size(), size);
  return store;
}

const madeGood = async ({ ledger }: CustodyStore) => (await ledger.ofKinds([MADE_GOOD])).length;

test("a database that was put back by file is made good, whatever starts end while keys are left", () =>
  withStorage(async ({ states, start }) => {
    const first = memoryCustodyStore();
    const before = await start(first);
    await before.makeGood();
    const size = await first.ledger.size();
    const meters = Array.from({ length: 2_600 }, (_, n) => `M${n}`);
    await before.submit(entry("custodian-started"));
    await before.submit(...meters.map(compromise));
    await before.storage.finish();

    const back = await putBack(first, size);
    const one = await start(back);
    await one.makeGood();
    assert.ok(states.size > 0 && states.size < meters.length, `${states.size} meters at the start`);
    await one.storage.finish();
    const two = await start(back);
    await two.makeGood();
    assert.equal(await madeGood(back), 0);
    for (let sweeps = 0; sweeps < 4; sweeps += 1) await two.storage.tend();
    assert.deepEqual([states.size, await madeGood(back)], [meters.length, 1]);
    await two.storage.finish();
    const three = await start(back);
    await three.makeGood();
    assert.equal(await madeGood(back), 1, "it is no loss a second time");
  }));

test("a short loss is not forgotten where the start that found it wrote more than was lost, and died", () =>
  withStorage(async ({ states, start }) => {
    const first = memoryCustodyStore();
    const before = await start(first);
    await before.makeGood();
    const size = await first.ledger.size();
    await before.submit(entry("custodian-started"));
    await before.submit(compromise("M1"));
    await before.storage.finish();

    const back = await putBack(first, size);
    const one = await start(back);
    await one.submit(...Array.from({ length: 10 }, () => entry("custodian-started")));
    const two = await start(back);
    await two.makeGood();
    assert.deepEqual([states.get("M1"), await madeGood(back)], ["compromised", 1]);
  }));

test("a start reads no more of the ledger than was written since the last stop, however long nothing was withdrawn", () =>
  withStorage(async ({ start }) => {
    const store = memoryCustodyStore();
    let rows = 0;
    const { read } = store.ledger;
    store.ledger.read = async (after, limit) => {
      const page = await read(after, limit);
      rows += page.length;
      return page;
    };
    const one = await start(store);
    await one.makeGood();
    await one.submit(...Array.from({ length: 12_000 }, () => entry("session-closed")));
    await one.storage.finish();
    rows = 0;
    const two = await start(store);
    await two.makeGood();
    assert.ok(rows < 100, `${rows} entries`);
  }));

test("what is withdrawn while the journal's end is noted is missed where its line is cut off, and is not where it is there", () =>
  withStorage(async ({ start, complaints, journal }) => {
    for (const [when, isCut] of [
      ["before", true],
      ["after", true],
      ["before", false],
      ["after", false],
    ] as const) {
      const store = memoryCustodyStore();
      const one = await start(store);
      await one.makeGood();
      await one.submit(compromise("first"));
      const { size } = store.ledger;
      store.ledger.size = async () => {
        store.ledger.size = size;
        const before = await size();
        await one.submit(compromise("second"));
        return when === "before" ? size() : before;
      };
      await one.storage.finish();
      assert.equal(store.ledger.size, size, "it was withdrawn meanwhile");
      const lines = readFileSync(journal, "utf8").split("\n");
      if (isCut) writeFileSync(journal, lines.filter((line) => !line.includes("second")).join("\n"));
      await (await start(store)).makeGood();
      const told = /it had \d+ lines|1 withdrawals of the ledger were not in it/.test(complaints.splice(0).join());
      assert.equal(told, isCut, when);
      rmSync(journal);
      rmSync(join(dirname(dirname(journal)), "withdrawals-head.json"));
    }
  }));

test("where the state folder is lost as well nobody misses what was cut off the journal, and every start that finds it so says it", () =>
  withStorage(async ({ states, start, journal }) => {
    const first = memoryCustodyStore();
    const before = await start(first);
    await before.makeGood();
    await before.submit(compromise("M1"));
    await before.storage.finish();
    const size = await first.ledger.size();
    const cut = readFileSync(journal, "utf8");
    await before.submit(compromise("M2"));
    await before.storage.finish();
    const said = async ({ ledger }: CustodyStore) =>
      (await ledger.ofKinds(["withdrawals-unwitnessed"])).map(({ body }) => JSON.parse(body));
    assert.deepEqual(await said(first), []);

    // The database by file, the journal to what that notes, and no state folder: no loss that anybody knows of.
    const putBackWhole = async () => {
      writeFileSync(journal, cut);
      rmSync(join(dirname(dirname(journal)), "withdrawals-head.json"));
      return putBack(first, size);
    };
    const silent = await putBackWhole();
    const one = await start(silent);
    await one.makeGood();
    const { lines } = JSON.parse((await silent.ledger.lastOf(["withdrawals-noted"], "custodian", "*"))?.body ?? "{}");
    assert.deepEqual(await said(silent), [{ lines, losses: [] }]);
    assert.equal(one.storage.trouble, undefined);
    const two = await start(silent);
    await two.makeGood();
    assert.equal((await said(silent)).length, 1, "the state folder knows it again");

    // A loss that is known of: what was cut off is not made good, and whoever has to look is told so.
    const known = await putBackWhole();
    await new GroupCommitter(known).submit({ entries: [entry(RESUMED, { since: NOW })] });
    const three = await start(known);
    await three.makeGood();
    assert.deepEqual(await said(known), [{ lines, losses: [`resumption ${size + 1}`] }]);
    assert.deepEqual([states.get("M1"), states.get("M2")], ["compromised", undefined]);
    assert.equal(three.storage.trouble?.code, "withdrawals-unwitnessed");
    const [end] = await known.ledger.ofKinds([MADE_GOOD]);
    assert.equal(JSON.parse(end?.body ?? "{}").unwitnessed, true);
  }));

test("no resumption is believed of a journal that lines were cut off, and all are again once people have gone on with it", () =>
  withStorage(async ({ states, start, complaints, journal }) => {
    const first = memoryCustodyStore();
    const before = await start(first);
    await before.makeGood();
    await before.submit(compromise("gone"));
    await before.submit(compromise("here"));
    await before.storage.finish();
    const size = await first.ledger.size();
    await before.submit(entry("custodian-started"));
    await before.submit(change("M1", "active", "suspended"));
    await before.submit(change("M1", "suspended", "active"));
    await before.submit(change("M1", "active", "suspended"));
    await before.storage.finish();
    const lines = readFileSync(journal, "utf8").split("\n");
    const last = lines.findLastIndex((line) => line.includes("M1"));
    writeFileSync(journal, lines.filter((line, at) => at < last && !line.includes("gone")).join("\n"));

    const back = await putBack(first, size);
    const one = await start(back);
    await one.makeGood();
    assert.deepEqual([states.get("M1"), complaints.splice(0).length], ["suspended", 1]);
    const isBroken = async ({ ledger }: CustodyStore) =>
      (await ledger.ofKinds([MADE_GOOD])).map(({ body }) => (JSON.parse(body) as { broken?: true }).broken ?? false);
    assert.deepEqual(await isBroken(back), [true]);

    // Nobody is enrolled who would have to thaw: it goes on from there, with a gap in its midst.
    await one.storage.finish();
    const accepted = await back.ledger.size();
    await one.submit(entry("custodian-started"));
    await one.submit(change("M2", "active", "suspended"));
    await one.submit(change("M2", "suspended", "active"));
    await one.storage.finish();
    const later = await putBack(back, accepted);
    await (await start(later)).makeGood();
    assert.deepEqual([states.get("M2"), await isBroken(later)], [undefined, [true, false]]);
  }));

test("more foreign entries than a feed takes cannot be done again: it asks for a backup", () =>
  withStorage(async ({ complaints, start }) => {
    const store = memoryCustodyStore();
    const { storage, submit, makeGood } = await start(store);
    await makeGood();
    await submit(entry("seen"));
    const edge = await edgeOf(store.ledger);
    await store.commit(
      [],
      growthOf(
        edge,
        Array.from({ length: 10_001 }, () => entry("seen")),
      ),
    );
    store.ledger.foreign.add({ from: edge.frontier.size + 1, to: await store.ledger.size(), fault: "appended" });
    await assert.rejects(submit(entry("seen")), { code: "ledger-forked" });
    const told = () => storage.trouble;
    assert.equal(told(), undefined);
    await submit(entry("seen"));
    assert.equal(told()?.code, "change-feed-broken");
    assert.match(told()?.message ?? "", /written by somebody else and cannot be done again\): make a backup/);
    assert.match(complaints.splice(0).join(), /written by somebody else/);
  }));

test("a ledger that was cut and filled up again to the very number that the journal knows is behind it all the same", () =>
  withStorage(async ({ states, start }) => {
    const first = memoryCustodyStore();
    const before = await start(first);
    await before.makeGood();
    const size = await first.ledger.size();
    await before.submit(compromise("M1"));
    await before.submit(entry("seen"), entry("seen"));
    const known = await first.ledger.size();
    await before.submit(compromise("M2"));

    const back = await putBack(first, size);
    const fill = Array.from({ length: known - size }, () => entry("filled"));
    await back.commit([], growthOf(await edgeOf(back.ledger), fill));
    back.ledger.foreign.add({ from: size + 1, to: known, fault: "appended" });
    // A start that named them, and died.
    await back.commit([], growthOf(await edgeOf(back.ledger), [entry("named")]));
    states.clear();
    const again = await start(back);
    await again.makeGood();
    const [behind] = await back.ledger.ofKinds([BEHIND]);
    assert.match(behind?.body ?? "", new RegExp(`journal of ${known} entries`));
    assert.deepEqual([...states.keys()].sort(), ["M1", "M2"]);
    // Made good once.
    await again.storage.finish();
    await (await start(back)).makeGood();
    assert.deepEqual([(await back.ledger.ofKinds([BEHIND])).length, await madeGood(back)], [1, 1]);
  }));

test("who hides that the journal was begun makes no loss good that way", () =>
  withStorage(async ({ states, start }) => {
    const first = memoryCustodyStore();
    const before = await start(first);
    await before.makeGood();
    await before.submit(compromise("M1"), entry(RESUMED, { lost: 1, since: NOW }));
    await before.submit({ ...entry("custodian-started"), principal: "custodian" });
    await before.storage.finish();
    states.delete("M1");
    const { lastOf } = first.ledger;
    first.ledger.lastOf = async (kinds, principal, utility) =>
      kinds.includes("withdrawals-begun") ? undefined : lastOf(kinds, principal, utility);
    const one = await start(first);
    await one.makeGood();
    assert.deepEqual([states.get("M1"), await madeGood(first)], ["compromised", 1]);
    await one.storage.finish();
  }));
