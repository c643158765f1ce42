import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { PUT_BACK } from "../backup/losses.ts";
import type { Change } from "../store/committer.ts";
import { NO_AUTHORITY } from "./document.ts";
import { DocumentKeeper } from "./document-keeper.ts";
import type { MarkedAuthority, StoredAuthority } from "./store/records.ts";

/** A database that holds documents and the ledger's marks of them, beside a state folder. */
async function withDatabase(
  body: (bench: {
    readonly stateFolder: string;
    /** All documents that were ever written, and their marks. */
    readonly written: { readonly stored: StoredAuthority; readonly mark: MarkedAuthority }[];
    readonly kinds: string[];
    readonly complaints: string[];
    /** A start that finds this. */
    readonly open: (stored?: StoredAuthority, mark?: MarkedAuthority) => Promise<DocumentKeeper>;
    /** Freezes at that moment: one more document. */
    readonly freeze: (keeper: DocumentKeeper, since: number) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const stateFolder = mkdtempSync(join(tmpdir(), "meterkeep-mark-"));
  const [written, kinds, complaints]: [{ stored: StoredAuthority; mark: MarkedAuthority }[], string[], string[]] = [
    [],
    [],
    [],
  ];
  let size = 0;
  const submit = async ({ writes = [], entries = [] }: Change) => {
    for (const { kind, body } of entries) {
      size += 1;
      kinds.push(kind);
      const put = writes.find((write) => write.kind === "put-authority");
      if (kind !== "authority-recorded" || put === undefined) continue;
      written.push({ stored: put.authority, mark: { ...(body as MarkedAuthority), sequence: size, at: size } });
    }
  };
  const open = (stored?: StoredAuthority, mark?: MarkedAuthority) =>
    DocumentKeeper.open({
      records: { document: async () => ({ stored, mark }) },
      committer: { submit },
      vault: {
        authenticate: async (texts) =>
          texts.map((text) => new Uint8Array(createHmac("sha256", "a test").update(text).digest())),
      },
      ledger: { size: async () => size },
      stateFolder,
      now: () => 5,
      onFailure: (error) => complaints.push(String(error)),
    });
  const freeze = (keeper: DocumentKeeper, since: number) =>
    keeper.change(() => ({ next: { ...NO_AUTHORITY, frozen: { since, by: "Ada", reason: "a test" } }, entries: [] }));
  try {
    await body({ stateFolder, written, kinds, complaints, open, freeze });
  } finally {
    rmSync(stateFolder, { recursive: true });
  }
}

const sinceOf = ({ document }: DocumentKeeper) => document.frozen?.since;

test("a document that is put back with the ledger's newer marks hidden is a loss, said once; one after it is none", () =>
  withDatabase(async ({ written, kinds, complaints, open, freeze }) => {
    const first = await open();
    await first.settle();
    for (const since of [1, 2, 3]) await freeze(first, since);
    const [one, two, three] = written;
    const same = await open(three?.stored, three?.mark);
    await same.settle();
    assert.deepEqual([sinceOf(same), same.spoilt, kinds.includes(PUT_BACK)], [3, undefined, false]);
    const back = await open(two?.stored, two?.mark);
    await back.settle();
    assert.deepEqual([sinceOf(back), back.spoilt], [2, undefined]);
    assert.equal(kinds.filter((kind) => kind === PUT_BACK).length, 1);
    // What the ledger says after its mark the document does not have.
    const sequence = two?.mark.sequence ?? 0;
    assert.deepEqual([back.isBefore(sequence), back.isBefore(sequence + 1)], [false, true]);
    // It goes on from there, under the number that the other had.
    await freeze(back, 4);
    await (await open(written[3]?.stored, written[3]?.mark)).settle();
    assert.equal(kinds.filter((kind) => kind === PUT_BACK).length, 1, "it is said once");
    await (await open(one?.stored, one?.mark)).settle();
    assert.equal(kinds.filter((kind) => kind === PUT_BACK).length, 2, "and again when it is done again");
    assert.deepEqual(complaints, []);
  }));

test("a document that the state folder knows counts whatever became of the ledger's mark, and one that neither knows does not", () =>
  withDatabase(async ({ written, open, freeze, stateFolder, complaints }) => {
    const first = await open();
    for (const since of [1, 2]) await freeze(first, since);
    const [one, two] = written;
    for (const mark of [one?.mark, undefined]) {
      const known = await open(two?.stored, mark);
      assert.deepEqual([sinceOf(known), known.spoilt, known.isBefore(1)], [2, undefined, false]);
    }
    assert.match((await open(one?.stored, two?.mark)).spoilt ?? "", /at revision 1, the ledger at 2/);
    assert.match((await open(undefined, undefined)).spoilt ?? "", /is gone, and the state folder knew of revision 2/);
    writeFileSync(join(stateFolder, "authority-mark.json"), JSON.stringify({ revision: 2, documentMac: "", mac: "" }));
    assert.match((await open(two?.stored, one?.mark)).spoilt ?? "", /at revision 2, the ledger at 1/);
    assert.match(complaints.join(), /authority-mark.json in the state folder was not written by this custodian/);
    // A process that died before it could say so there.
    assert.equal(sinceOf(await open(two?.stored, two?.mark)), 2);
  }));
