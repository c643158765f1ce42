import assert from "node:assert/strict";
import { test } from "node:test";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import type { Pool } from "pg";
import { keysDraft, logName } from "../checkpoint/keys.ts";
import { checkpointText } from "../checkpoint/note.ts";
import { generateSignerSecret, signedCheckpoint, signedLines, softwareSigner } from "../checkpoint/signer.ts";
import { postgresCheckpointStore } from "../checkpoint/store.ts";
import { Ledger } from "../ledger.ts";
import { LEDGER_MIGRATIONS, postgresLedgerStore } from "../postgres-store.ts";
import { draft } from "../testing/ledger-store-contract.ts";
import { exportLines } from "./export.ts";
import { type Verification, type VerifyOptions, verifyExport } from "./verify.ts";

const signers = [1, 2].map((version) => softwareSigner(version, generateSignerSecret()));
const [first, second] = signers as [(typeof signers)[number], (typeof signers)[number]];
const west = softwareSigner(1, generateSignerSecret());
const log = logName(first.keys);
const SIZE = 700;

interface Bench {
  readonly pool: Pool;
  readonly notes: string[];
  exported(): Promise<string[]>;
  verified(lines: readonly string[], options?: VerifyOptions): Promise<Verification>;
}

/** A ledger of some hundred entries in a database, with four checkpoints and a change of keys. */
async function withLedger(body: (bench: Bench) => Promise<void>): Promise<void> {
  await withTestDatabase({ migrations: [{ component: "ledger", directory: LEDGER_MIGRATIONS }] }, async ({ pool }) => {
    const store = postgresLedgerStore(pool);
    const checkpoints = postgresCheckpointStore(pool);
    const ledger = new Ledger(store);
    const notes: string[] = [];
    const checkpoint = async (signer = first) => {
      const at = { log, ...(await ledger.head()), at: 1_795_000_000_000 };
      const note = await signedCheckpoint(signer, at);
      await checkpoints.add(at.size, note);
      await checkpoints.cosign(at.size, "west", (await signedLines(west, "west", checkpointText(at))).join("\n"));
      notes.push(note);
    };
    const grow = (size: number) =>
      ledger.append(...Array.from({ length: size }, (_, at) => draft("entry", { at, text: 'ü "x"' })));
    await ledger.append(keysDraft(first.keys, log, 1));
    await checkpoint();
    await grow(299);
    await checkpoint();
    await ledger.append(keysDraft(second.keys, log, 2));
    await checkpoint();
    await grow(SIZE - 311);
    await checkpoint(second);
    await grow(10);
    await body({
      pool,
      notes,
      exported: async () => {
        const lines: string[] = [];
        const source = {
          log,
          size: await store.size(),
          entries: (after: number) => store.read(after, 64),
          checkpoints: (from: number) => checkpoints.list(from, 2),
        };
        for await (const line of exportLines(source, new Date(0))) lines.push(line);
        return lines;
      },
      verified: (lines, options = {}) => {
        const octets = Buffer.from(`${lines.join("\n")}\n`);
        // Lines are cut anywhere by a stream.
        const chunks = Array.from({ length: Math.ceil(octets.length / 1000) }, (_, at) =>
          octets.subarray(at * 1000, at * 1000 + 1000),
        );
        return verifyExport(chunks, { log, ...options });
      },
    });
  });
}

const problems = ({ faults }: Verification) => faults.map(({ problem }) => problem);
/** As the database's owner would: triggers do not stop them. */
const asOwner = async (pool: Pool, ...statements: readonly string[]) => {
  for (const statement of ["alter table ledger disable trigger user", ...statements]) await pool.query(statement);
};

test("an export verifies offline: leaves, tree, both signatures, a change of keys, witnesses, an entry, growth", () =>
  withLedger(async ({ exported, verified, notes }) => {
    const lines = await exported();
    const witnesses = [{ name: "west", keys: west.keys }];
    const report = await verified(lines, { entry: 257, older: notes[1], witnesses });
    assert.deepEqual(report.faults, []);
    assert.deepEqual(
      [report.log, report.size, report.signed, report.checkpoints, report.witnessed],
      [log, SIZE, SIZE - 10, 4, { west: SIZE - 10 }],
    );
    assert.match(report.entry?.line ?? "", /^\{"sequence":257,/);
    assert.ok((report.entry?.proof.length ?? 0) > 5);
    for (const entry of [1, 2, 256, 300, 301, SIZE - 10]) {
      const { faults } = await verified(lines, { entry });
      assert.deepEqual(faults, [], String(entry));
    }
    assert.deepEqual(
      problems(await verified(lines, { entry: SIZE - 5 })),
      ["entry"],
      "it is signed by the next checkpoint",
    );
  }));

test("an export that was changed in any line is not whole", () =>
  withLedger(async ({ exported, verified, notes }) => {
    const lines = await exported();
    const at = lines.findIndex((line) => line.startsWith('{"sequence":100,'));
    const changed = lines.with(at, (lines[at] ?? "").replace("head-end", "operator"));
    assert.deepEqual(problems(await verified(changed)), ["rewritten", "rewritten", "rewritten"]);
    assert.deepEqual(problems(await verified(lines.toSpliced(at, 1))), ["entry"]);
    assert.ok(problems(await verified(lines.slice(0, -5))).includes("truncated"));
    const shorter = [(lines[0] ?? "").replace(`"size":${SIZE}`, '"size":300'), ...lines.slice(1, 303)];
    assert.deepEqual(problems(await verified(shorter)), [], "what is cut at a checkpoint is whole in itself");
    assert.deepEqual(problems(await verified(shorter, { older: notes.at(-1) })), ["truncated"]);
    const forged = lines.map((line) =>
      line.startsWith('{"checkpoint"')
        ? line.replace(/(\\n— \S+ )(.{40})(.)/, (_, name, head, one) => `${name}${head}${one === "A" ? "B" : "A"}`)
        : line,
    );
    assert.ok(problems(await verified(forged)).every((problem) => problem === "signature" || problem === "unsigned"));
    const oneOnly = lines.map((line) =>
      line.startsWith('{"checkpoint"') ? line.replace(/\\n— \S+ [^"\\]+\\n"/, '\\n"') : line,
    );
    assert.ok(problems(await verified(oneOnly)).includes("signature"), "one of two signatures is not enough");
    assert.deepEqual(problems(await verified(lines, { log: "meterkeep-ledger/00" })), ["other-ledger"]);
    assert.equal(problems(await verified(["hello", ...lines]))[0], "format");
  }));

test("keys that the former ones have not signed for sign nothing", () =>
  withLedger(async ({ exported, verified }) => {
    const lines = await exported();
    const announced = lines.findIndex((line) => line.startsWith('{"sequence":301,'));
    // The checkpoint that the old keys signed over the announcement is left out.
    const report = await verified(lines.toSpliced(announced + 1, 1));
    assert.ok(problems(report).includes("signature"));
  }));

test("an entry that the database's owner rewrites, leaf and all, is found in the export", () =>
  withLedger(async ({ pool, exported, verified }) => {
    await asOwner(pool, "update ledger set principal = 'operator' where sequence = 100");
    assert.deepEqual(problems(await verified(await exported())), ["rewritten", "rewritten", "rewritten"]);
  }));

test("entries that are cut off with their checkpoints are found by a checkpoint that was kept elsewhere", () =>
  withLedger(async ({ pool, exported, verified, notes }) => {
    await asOwner(
      pool,
      "alter table ledger_cosignatures disable trigger user",
      "alter table ledger_checkpoints disable trigger user",
      "delete from ledger where sequence > 300",
      "delete from ledger_cosignatures where size > 300",
      "delete from ledger_checkpoints where size > 300",
    );
    const lines = await exported();
    assert.deepEqual(problems(await verified(lines)), []);
    assert.deepEqual(problems(await verified(lines, { older: notes.at(-1) })), ["truncated"]);
  }));

test("an old database that was put back and went on is found by a checkpoint that was kept elsewhere", () =>
  withLedger(async ({ pool, exported, verified, notes }) => {
    await asOwner(
      pool,
      "alter table ledger_cosignatures disable trigger user",
      "alter table ledger_checkpoints disable trigger user",
      "alter table ledger_nodes disable trigger user",
      "delete from ledger where sequence > 301",
      "delete from ledger_nodes where (index + 1) * 256 > 301",
      "delete from ledger_cosignatures where size > 301",
      "delete from ledger_checkpoints where size > 301",
    );
    const ledger = new Ledger(postgresLedgerStore(pool));
    await ledger.append(...Array.from({ length: SIZE }, (_, at) => draft("other", at)));
    const at = { log, ...(await ledger.head()), at: 1_795_000_000_000 };
    await postgresCheckpointStore(pool).add(at.size, await signedCheckpoint(second, at));
    const lines = await exported();
    assert.deepEqual(problems(await verified(lines)), [], "its own keys have signed it");
    assert.deepEqual(problems(await verified(lines, { older: notes.at(-1) })), ["rewritten"]);
  }));

test("any octets at all are answered with faults, never thrown at", async () => {
  const head = `{"format":"meterkeep-ledger-export-1","size":1}\n`;
  for (const text of [
    "",
    "\n",
    "{}",
    "{",
    head,
    `${head}{"checkpoint":5}\n`,
    `${head}{"checkpoint":"x\\n\\ny"}\n`,
    `${head}{"sequence":1,`,
    `${head}{"sequence":1,"at":1,"kind":"ledger-key-announced","body":{}}\n`,
  ]) {
    const { faults } = await verifyExport([Buffer.from(text)]);
    assert.ok(faults.length > 0 || text.startsWith(head), text);
  }
});
