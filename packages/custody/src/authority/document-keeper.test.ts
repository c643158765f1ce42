import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { PUT_BACK } from "../backup/losses.ts";
import type { Change } from "../store/committer.ts";
import { NO_AUTHORITY } from "./document.ts";
import { DocumentKeeper } from "./document-keeper.ts";
import { KEPT_FILE, KeptDocuments } from "./kept-documents.ts";
import type { MarkedAuthority, StoredAuthority } from "./store/records.ts";

/** One row of a database, the newest mark of its ledger, a state folder, and second storage beside them. */
interface Bench {
  readonly state: string;
  readonly second: string;
  /** As the database has them: whoever owns it writes here. */
  row: StoredAuthority | undefined;
  mark: MarkedAuthority | undefined;
  /** All documents that were ever written by a change, and their marks. */
  readonly written: { readonly stored: StoredAuthority; readonly mark: MarkedAuthority }[];
  readonly kinds: string[];
  readonly complaints: string[];
  /** What becomes of the next commit: refused, or written and its answer lost. */
  fault: "refused" | "answer-lost" | undefined;
  open(): Promise<DocumentKeeper>;
  /** A start. */
  start(): Promise<DocumentKeeper>;
  /** Freezes at that moment, or lifts it: one more document. */
  freeze(keeper: DocumentKeeper, since: number | undefined): Promise<void>;
  /** How often it was said that the row was another. */
  readonly said: number;
}

async function withDatabase(body: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-document-"));
  const [state, second] = [join(folder, "state"), join(folder, "second")];
  for (const one of [state, second]) mkdirSync(one);
  let size = 0;
  const vault = {
    authenticate: async (texts: readonly Uint8Array[]) =>
      texts.map((text) => new Uint8Array(createHmac("sha256", "a test").update(text).digest())),
  };
  const submit = async ({ writes = [], entries = [] }: Change) => {
    const { fault } = bench;
    bench.fault = undefined;
    if (fault === "refused") throw new Error("the database is away");
    for (const write of writes) {
      if (write.kind === "put-authority") assert.equal(write.authority.revision, (bench.row?.revision ?? 0) + 1);
      if (write.kind === "put-authority" || write.kind === "put-authority-right") bench.row = write.authority;
    }
    for (const { kind, body: said } of entries) {
      size += 1;
      bench.kinds.push(kind);
      if (kind !== "authority-recorded") continue;
      bench.mark = { ...(said as MarkedAuthority), sequence: size, at: size };
      if (writes.some((write) => write.kind === "put-authority"))
        bench.written.push({ stored: bench.row as StoredAuthority, mark: bench.mark });
    }
    if (fault !== undefined) throw new Error("the connection was lost");
  };
  const onFailure = (error: unknown) => void bench.complaints.push(String(error));
  const bench: Bench = {
    ...{ state, second, row: undefined, mark: undefined, written: [], kinds: [], complaints: [], fault: undefined },
    get said() {
      return bench.kinds.filter((kind) => kind === PUT_BACK).length;
    },
    open: () =>
      DocumentKeeper.open({
        records: { document: async () => ({ stored: bench.row, mark: bench.mark }) },
        committer: { submit },
        vault,
        ledger: { size: async () => size },
        kept: new KeptDocuments({ stateFolder: state, secondStorage: second, vault, onFailure }),
        now: () => 5 + size,
        onFailure,
      }),
    start: async () => {
      const keeper = await bench.open();
      await keeper.settle();
      return keeper;
    },
    freeze: (keeper, since) =>
      keeper.change(() => ({
        next: { ...NO_AUTHORITY, frozen: since === undefined ? undefined : { since, by: "Ada", reason: "a test" } },
        entries: [],
      })),
  };
  try {
    await body(bench);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Three documents were written, and the process has ended. */
const withThree = (body: (bench: Bench) => Promise<void>) =>
  withDatabase(async (bench) => {
    const first = await bench.start();
    for (const since of [1, 2, 3]) await bench.freeze(first, since);
    await body(bench);
  });

const sinceOf = ({ document }: DocumentKeeper) => document.frozen?.since;
const garbled = (row: StoredAuthority | undefined, revision = 3): StoredAuthority => ({
  ...(row as StoredAuthority),
  revision,
  document: "{",
});

test("a start that finds what was written says nothing", () =>
  withThree(async (bench) => {
    const same = await bench.start();
    assert.deepEqual([sinceOf(same), same.spoilt, same.isBefore(1)], [3, undefined, false]);
    assert.deepEqual([bench.said, bench.complaints], [0, []]);
  }));

test("a row that is gone, garbled, at another revision or older is put right by the newest that is kept: said, marked, and gone on from", () =>
  withThree(async (bench) => {
    const [one, , three] = bench.written;
    const rows = [undefined, garbled(three?.stored), garbled(three?.stored, 2_147_483_647), one?.stored];
    const marks = [three?.mark, one?.mark, undefined];
    let said = 0;
    for (const row of rows)
      for (const mark of marks) {
        Object.assign(bench, { row, mark });
        const keeper = await bench.open();
        assert.deepEqual([sinceOf(keeper), keeper.spoilt, keeper.isBefore(1)], [3, undefined, false]);
        await keeper.settle();
        said += 1;
        assert.deepEqual([bench.said, bench.row], [said, three?.stored]);
        assert.equal(bench.mark?.revision, 3, "the ledger knows it again");
        await bench.start();
        assert.equal(bench.said, said, "what was put right is right");
      }
    assert.deepEqual(bench.complaints, []);
    await bench.freeze(await bench.start(), 4);
    assert.deepEqual([bench.row?.revision, sinceOf(await bench.start())], [4, 4]);
  }));

test("either place is enough, and the newer of the two counts", () =>
  withThree(async (bench) => {
    const [, two, three] = bench.written;
    const oldest = readFileSync(join(bench.state, KEPT_FILE), "utf8");
    await bench.freeze(await bench.start(), 4);
    const four = bench.written[3];
    for (const folder of [bench.state, bench.second]) {
      writeFileSync(join(folder, KEPT_FILE), oldest);
      Object.assign(bench, { row: undefined, mark: two?.mark });
      assert.equal(sinceOf(await bench.start()), 4, `it was ${folder}'s`);
      assert.equal(readFileSync(join(folder, KEPT_FILE), "utf8").includes('"revision":4'), true);
      rmSync(join(folder, KEPT_FILE));
      Object.assign(bench, { row: three?.stored, mark: three?.mark });
      assert.equal(sinceOf(await bench.start()), 4);
      assert.deepEqual(bench.row, four?.stored);
    }
  }));

test("what is kept is refused where the ledger knows a newer one, and where somebody else wrote it; then nobody may anything", () =>
  withThree(async (bench) => {
    const [, two, three] = bench.written;
    const older = { ...two?.stored, mac: Buffer.from(two?.stored.mac ?? []).toString("hex") };
    const forged = { ...older, revision: 9 };
    for (const [kept, complains] of [
      [older, false],
      [forged, true],
      ["{", true],
    ] as const)
      for (const row of [undefined, garbled(three?.stored), two?.stored]) {
        for (const folder of [bench.state, bench.second])
          writeFileSync(join(folder, KEPT_FILE), typeof kept === "string" ? kept : JSON.stringify(kept));
        Object.assign(bench, { row, mark: three?.mark });
        bench.complaints.length = 0;
        const keeper = await bench.start();
        assert.match(keeper.spoilt ?? "", /the ledger at 3/);
        assert.deepEqual([keeper.document, bench.said, bench.row], [NO_AUTHORITY, 0, row]);
        await assert.rejects(bench.freeze(keeper, 7), { code: "authority-spoilt" });
        assert.equal(bench.complaints.length, complains ? 2 : 0);
      }
    // The row of the last mark is one all the same.
    bench.row = three?.stored;
    assert.equal(sinceOf(await bench.start()), 3);
  }));

test("a row that is this custodian's and that neither the ledger nor what is kept knows counts for nothing", () =>
  withThree(async (bench) => {
    const three = bench.written[2];
    for (const folder of [bench.state, bench.second]) rmSync(join(folder, KEPT_FILE));
    for (const mark of [undefined, bench.written[0]?.mark]) {
      Object.assign(bench, { row: three?.stored, mark });
      assert.match((await bench.start()).spoilt ?? "", /stands at revision 3, the ledger at/);
    }
    // A process that died before it could keep it.
    bench.mark = three?.mark;
    const known = await bench.start();
    assert.deepEqual([sinceOf(known), known.isBefore(1), known.isBefore(3)], [3, false, false]);
    assert.equal((await bench.open()).isBefore(99), false);
    rmSync(join(bench.state, KEPT_FILE));
    bench.mark = { ...(three?.mark as MarkedAuthority), sequence: 1 };
    assert.equal((await bench.open()).isBefore(2), true, "only the state folder says that nothing came after");
  }));

test("a running custodian goes by what it knows: it puts its row right when it looks, and before it changes anything", () =>
  withDatabase(async (bench) => {
    const keeper = await bench.start();
    await keeper.tend();
    await bench.freeze(keeper, undefined);
    await keeper.tend();
    assert.deepEqual([bench.said, keeper.putRight], [0, 0]);
    const [one] = bench.written;
    bench.row = undefined;
    await keeper.tend();
    assert.deepEqual([bench.said, keeper.putRight, bench.row], [1, 1, one?.stored]);
    assert.equal(bench.complaints.length, 1);
    bench.row = garbled(one?.stored, 77);
    await bench.freeze(keeper, 2);
    assert.deepEqual([bench.said, keeper.putRight, bench.row?.revision], [2, 2, 2]);
    // While everything is frozen for it, doing it again makes no ledger grow.
    bench.row = undefined;
    const entries = bench.kinds.length;
    await keeper.tend();
    assert.deepEqual([bench.kinds.length, bench.row], [entries, bench.written[1]?.stored]);
    await bench.freeze(keeper, undefined);
    bench.row = undefined;
    await keeper.tend();
    assert.equal(bench.said, 3);
  }));

test("a change whose commit was written and whose answer was lost counts, whatever the row says by then", () =>
  withDatabase(async (bench) => {
    const keeper = await bench.start();
    const lost = async (since: number) => {
      bench.fault = "answer-lost";
      await assert.rejects(bench.freeze(keeper, since), /connection was lost/);
    };
    await lost(1);
    await keeper.tend();
    assert.deepEqual([sinceOf(keeper), bench.row?.revision, bench.said], [1, 1, 0], "the first of all");
    await lost(2);
    await bench.freeze(keeper, 3);
    assert.deepEqual([sinceOf(keeper), bench.row?.revision, bench.said], [3, 3, 0], "the next goes on from it");
    await lost(4);
    const [, , three, four] = bench.written;
    bench.row = three?.stored;
    await keeper.tend();
    assert.deepEqual([sinceOf(keeper), bench.row, bench.said], [4, four?.stored, 1], "who put the row before it back");
    rmSync(join(bench.state, KEPT_FILE));
    assert.deepEqual([sinceOf(await bench.start()), bench.said], [4, 1], "and it is kept");
    bench.fault = "refused";
    await assert.rejects(bench.freeze(keeper, 5), /database is away/);
    await keeper.tend();
    assert.deepEqual([sinceOf(keeper), bench.row], [4, four?.stored], "what was refused was never written");
  }));

test("a row that could not be put right at once is put right by the next look", () =>
  withDatabase(async (bench) => {
    const keeper = await bench.start();
    await bench.freeze(keeper, undefined);
    const [one] = bench.written;
    for (const [fault, entries] of [
      ["refused", 0],
      ["answer-lost", 1],
    ] as const) {
      const [said, { putRight }] = [bench.said, keeper];
      Object.assign(bench, { row: undefined, fault });
      await assert.rejects(keeper.tend());
      assert.deepEqual([bench.said - said, keeper.putRight], [entries, putRight]);
      await keeper.tend();
      assert.deepEqual([bench.row, bench.said - said, keeper.putRight], [one?.stored, 1, putRight + 1]);
    }
    await bench.freeze(keeper, 2);
    assert.equal(bench.row?.revision, 2);
  }));

test("what a place has that cannot be read at a start is kept aside before another is written there, and so it is told", () =>
  withThree(async (bench) => {
    const { second } = bench;
    const path = join(second, KEPT_FILE);
    const unread = readFileSync(path, "utf8").replace('"revision":3', '"revision":"3"');
    writeFileSync(path, unread);
    bench.row = undefined;
    const keeper = await bench.start();
    assert.deepEqual([sinceOf(keeper), bench.row], [3, bench.written[2]?.stored], "by what the state folder has");
    assert.equal(readFileSync(`${path}.aside`, "utf8"), unread);
    const [first, then, ...more] = bench.complaints;
    assert.match(first ?? "", /was not written by this custodian/);
    assert.match(then ?? "", /is kept as .*authority\.json\.aside: look at it/);
    assert.deepEqual(more, []);
    bench.complaints.length = 0;
    await bench.freeze(keeper, 4);
    rmSync(join(bench.state, KEPT_FILE));
    bench.row = undefined;
    assert.deepEqual([sinceOf(await bench.start()), bench.complaints], [4, []], "and second storage has it again");
  }));

test("a place that cannot be written is told of once a document, and tried again", () =>
  withThree(async (bench) => {
    const keeper = await bench.start();
    rmSync(bench.second, { recursive: true });
    writeFileSync(bench.second, "");
    await bench.freeze(keeper, 4);
    await keeper.tend();
    assert.equal(bench.complaints.length, 1);
    rmSync(bench.second);
    mkdirSync(bench.second);
    await keeper.tend();
    rmSync(join(bench.state, KEPT_FILE));
    Object.assign(bench, { row: undefined });
    assert.equal(sinceOf(await bench.start()), 4);
  }));
