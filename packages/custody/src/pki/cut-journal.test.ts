import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { systemTitle, toHex } from "@meterkeep/dlms";
import type { LedgerEntry } from "@meterkeep/ledger";
import { PkiError, PROFILES } from "@meterkeep/pki";
import { remoteWorkerOf } from "../channel/remote-workers.ts";
import { enrolWorker, freshKey, PLACE, type TestPki, testTitle, withTestPki } from "../testing/test-pki.ts";
import { followLedger } from "./followed-ledger.ts";
import { Remembered } from "./remembered.ts";
import type { TrustLine } from "./trust-journal.ts";

const HOUR = 3_600_000;
const code = (wanted: string) => (error: unknown) => error instanceof PkiError && error.code === wanted;
const pathOf = ({ folder }: TestPki) => join(folder, "revocations.jsonl");

/** So many entries of a day that has nothing to do with the PKI. */
function work({ ledger, now }: TestPki, entries: number): void {
  const entry = { at: now, kind: "session-opened", principal: "head-end", ...PLACE, body: {} };
  for (let count = 0; count < entries; count += 1) ledger.push(entry);
}

async function issueMeter({ pki }: TestPki, number: number, { publicKey } = freshKey()) {
  const { authority } = await pki.issuerFor(PLACE, "P-256");
  const profile = PROFILES.get("dlms-suite-1-signature")!;
  const order = { authority, profile, subject: { systemTitle: testTitle(number) }, requester: "line-1", publicKey };
  const { octets, serial } = await pki.authorities.issue(order);
  return { authority, octets, serial: toHex(serial) };
}

const isTrusted = async ({ pki }: TestPki, octets: Uint8Array, number: number) =>
  (await pki.examine(octets, "digitalSignature", systemTitle(testTitle(number)))).isTrusted;

describe("second storage that is put back from a backup, while the ledger has all since then", () => {
  test("un-revokes nothing, however many entries ago: not the journal of yesterday, and not one without a line", () =>
    withTestPki(
      async (bench) => {
        const [before, after] = [await issueMeter(bench, 1), await issueMeter(bench, 2)];
        await bench.pki.authorities.revoke(before.authority, before.serial, "superseded", "person");
        work(bench, 50_000);
        await bench.reopen();
        copyFileSync(pathOf(bench), join(bench.folder, "backup"));
        const key = freshKey();
        const lost = await issueMeter(bench, 3, key);
        await bench.pki.authorities.revoke(after.authority, after.serial, "superseded", "person");
        await bench.pki.authorities.revoke(lost.authority, lost.serial, "keyCompromise", "person");
        const line = readFileSync(pathOf(bench), "utf8")
          .split("\n")
          .findIndex((one) => one.includes(after.serial));
        work(bench, 50_000);
        await bench.reopen();
        const whole = readFileSync(pathOf(bench), "utf8").split("\n");
        for (const journal of [
          readFileSync(join(bench.folder, "backup"), "utf8"),
          whole.toSpliced(line, 1).join("\n"),
        ]) {
          writeFileSync(pathOf(bench), journal);
          await bench.reopen();
          for (const [number, { octets }] of [before, after, lost].entries())
            assert.equal(await isTrusted(bench, octets, number + 1), false, `meter ${number + 1}`);
          await assert.rejects(issueMeter(bench, 3, key), code("request-refused"), "its key is lost as it was");
        }
        assert.ok(
          bench.ledger.some(({ kind, body }) => kind === "record-refused" && /gone/.test(JSON.stringify(body))),
        );
      },
      { isForgiving: true },
    ));

  test("lets no authority issue that is being revoked, starts again what people started, and lifts no island's cut", () =>
    withTestPki(
      async (bench) => {
        const meter = await issueMeter(bench, 1);
        copyFileSync(pathOf(bench), join(bench.folder, "backup"));
        bench.now += HOUR;
        const { id } = await bench.pki.revocations.plan({ authority: meter.authority }, "cACompromise", "anna");
        const putBack = async () => {
          bench.now += HOUR;
          work(bench, 25_000);
          await bench.reopen();
          copyFileSync(join(bench.folder, "backup"), pathOf(bench));
          await bench.reopen();
        };
        const places = async () => (await bench.pki.revocations.list()).map((one) => [one.id, one.stage, one.state]);
        await putBack();
        assert.deepEqual(await places(), [[id, "refuse", "planned"]]);
        await assert.rejects(
          bench.pki.authorities.issue({ ...(await order(bench, meter.authority)) }),
          code("authority-held"),
        );
        await bench.pki.revocations.move(id, "start", "anna");
        await bench.pki.tend();
        await putBack();
        assert.deepEqual(await places(), [[id, "refuse", "running"]]);
        await bench.pki.tend();
        assert.equal(await isTrusted(bench, meter.octets, 1), false);
        assert.deepEqual(await places(), [[id, "refuse", "done"]]);
        await bench.pki.revocations.move(id, "next", "anna");
        bench.now += 1;
        await bench.pki.revocations.move(id, "next", "anna");
        await bench.pki.tend();
        assert.ok(bench.pki.isCut(PLACE));
        await putBack();
        await bench.pki.tend();
        assert.ok(bench.pki.isCut(PLACE));
        bench.now += 1;
        await bench.pki.revocations.move(id, "lift", "anna");
        await putBack();
        await bench.pki.tend();
        assert.ok(!bench.pki.isCut(PLACE));
      },
      { isForgiving: true },
    ));

  test("brings no former table into force, and leaves a worker a worker", () =>
    withTestPki(
      async (bench) => {
        copyFileSync(pathOf(bench), join(bench.folder, "backup"));
        const worker = await enrolWorker(bench, "far-1");
        const { rows } = (await bench.pki.assignments())!.table;
        const ranges = [{ first: testTitle(1), last: testTitle(5) }];
        await bench.pki.assign([{ ...rows[0]!, ranges }], "anna");
        work(bench, 25_000);
        await bench.reopen();
        copyFileSync(join(bench.folder, "backup"), pathOf(bench));
        await bench.reopen();
        assert.equal((await bench.pki.assignments())?.table.number, 2);
        await assert.rejects(issueMeter(bench, 6), code("assignment-violated"));
        assert.ok(await remoteWorkerOf(bench.pki, worker.octets));
      },
      { isForgiving: true },
    ));

  test("hides no table of assignments together with its row: it is told, and no other has its number", () =>
    withTestPki(
      async (bench) => {
        copyFileSync(pathOf(bench), join(bench.folder, "backup"));
        const { assignments } = bench.store;
        const [before, { rows }] = [await assignments.newest(), (await bench.pki.assignments())!.table];
        await bench.pki.assign(rows, "anna");
        copyFileSync(join(bench.folder, "backup"), pathOf(bench));
        await bench.reopen({ ...bench.store, assignments: { ...assignments, newest: async () => before } });
        const told = bench.ledger
          .filter(({ kind }) => kind === "record-refused")
          .map(({ body }) => JSON.stringify(body));
        assert.match(told.join(), /table 2 of assignments was signed, and neither/);
        assert.equal((await bench.pki.assignments())?.table.number, 1);
        assert.equal((await bench.pki.assign(rows, "anna")).number, 3);
      },
      { isForgiving: true },
    ));
});

async function order({ pki }: TestPki, authority: string) {
  const { record } = await pki.authorities.open(authority);
  const profile = PROFILES.get("dlms-suite-1-signature")!;
  const subject = { systemTitle: testTitle(9) };
  return { authority: record.authority, profile, subject, requester: "line-1", publicKey: freshKey().publicKey };
}

test("a start reads what the ledger has since its journal followed it, and of what was before that only what was on its way", async () => {
  const asked: number[] = [];
  const trust = new Remembered();
  const lines: TrustLine[] = [];
  const parts = (size: number) => ({
    ledger: {
      size: async () => size,
      read: async (after: number) => {
        asked.push(after);
        return [] as LedgerEntry[];
      },
    },
    orders: { ofSerials: async () => [] },
    assignments: { newest: async () => undefined },
    trust,
    write: async (...all: readonly TrustLine[]) => {
      lines.push(...all);
      for (const line of all) trust.add(line);
    },
    addLost: async () => undefined,
    refuse: async () => undefined,
    now: () => 0,
  });
  await followLedger(parts(100_000));
  await followLedger(parts(100_500));
  await followLedger(parts(130_000));
  assert.deepEqual(asked, [0, 80_000, 80_000]);
  assert.deepEqual(
    lines.map((line) => line.kind === "followed" && line.sequence),
    [100_000, 130_000],
  );
  // A database from before was put back, and grows by other entries than those that were followed.
  await followLedger(parts(90_000));
  assert.deepEqual([asked.at(-1), trust.followed], [70_000, 90_000]);
  trust.break();
  for (const line of lines) trust.add(line);
  await followLedger(parts(90_000));
  assert.equal(asked.at(-1), 0, "what it says it followed was said before its lines were gone");
  await followLedger(parts(90_000));
  assert.equal(asked.at(-1), 70_000);
});
