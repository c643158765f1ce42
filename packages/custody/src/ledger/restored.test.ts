import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import {
  type Approver,
  approveChange,
  fileWitness,
  folderSigner,
  folderWitnessMemory,
  instanceWitness,
  keysJson,
  LedgerWitness,
  listenAsWitness,
} from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import { openTestDatabase, testServerUrl } from "@meterkeep/postgres/testing";
import type { Pool } from "pg";
import { openCustodyIn } from "../service/open-custody.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import { asOwner } from "../testing/owned-database.ts";
import { HEAD_END } from "../testing/test-custody.ts";
import type { LedgerOptions } from "./open-keeper.ts";

/** A custodian on a real database that can be copied away and put back whole, as a backup is. */
interface Bench {
  readonly folder: string;
  readonly admin: Pool;
  readonly ownerUrl: string;
  start(ledger?: LedgerOptions): Promise<Started>;
  /** Stops nothing: the database must not be in use. */
  backup(): Promise<string>;
  restore(backup: string): Promise<void>;
}

interface Started {
  readonly custody: Awaited<ReturnType<typeof openCustodyIn>>;
  readonly pool: Pool;
  stop(): Promise<void>;
}

async function withBench(body: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-restored-"));
  const database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  await database.pool.end();
  const admin = createPool(await testServerUrl(), { applicationName: "backup" });
  const name = database.database;
  const copies: string[] = [];
  const failures: unknown[] = [];
  let now = 1_795_000_000_000;
  const running: (() => Promise<void>)[] = [];
  const start = async (ledger: LedgerOptions = {}): Promise<Started> => {
    const pool = createPool(database.url, { applicationName: "custodian" });
    const custody = await openCustodyIn(postgresCustodyStore(pool), {
      vault: { kind: "file", path: join(folder, "root.key") },
      manufacturers: [],
      stateFolder: folder,
      version: "test",
      separateUser: false,
      now: () => (now += 1000),
      ledger,
      onFailure: (error) => failures.push(error),
    });
    let isOpen = true;
    const stop = async () => {
      if (!isOpen) return;
      isOpen = false;
      await custody.close();
      await pool.end();
    };
    running.push(stop);
    return { custody, pool, stop };
  };
  try {
    await body({
      folder,
      admin,
      ownerUrl: database.adminUrl,
      start,
      backup: async () => {
        const copy = `copy_${randomBytes(6).toString("hex")}`;
        copies.push(copy);
        await admin.query(`create database ${copy} template ${name}`);
        return copy;
      },
      restore: async (copy) => {
        await admin.query(`drop database ${name} with (force)`);
        await admin.query(`create database ${name} template ${copy}`);
      },
    });
  } finally {
    for (const stop of running) await stop().catch(() => undefined);
    for (const copy of copies) await admin.query(`drop database if exists ${copy} with (force)`);
    await admin.end();
    await database[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  }
}

const openSession = ({ custody }: Started) =>
  custody.service.openSession({ meter: systemTitle(fromHex("5453540000000007")), purpose: "read" }, HEAD_END);
const entry = (at: number) => ({ at, kind: "seen", principal: "p", utility: "*", island: "*", body: {} });
const haltOf = ({ custody }: Started) => custody.ledger.state.halt?.code;

test("an old database put back whole is noticed by the file beside the custodian: no key is used, reading goes on", () =>
  withBench(async (bench) => {
    await (await bench.start()).stop();
    const yesterday = await bench.backup();
    await (await bench.start()).stop();
    await bench.restore(yesterday);
    const restored = await bench.start();
    assert.equal(haltOf(restored), "ledger-restored");
    await assert.rejects(openSession(restored), { code: "ledger-restored" });
    const { service } = restored.custody;
    await assert.rejects(service.nextContact({ meter: systemTitle(fromHex("5453540000000007")) }, HEAD_END), {
      code: "ledger-restored",
    });
    const state = await service.ledgerState({}, HEAD_END);
    assert.equal(state.halt?.code, "ledger-restored");
    assert.equal((await service.ledgerEntries({ after: 0, limit: 50 }, HEAD_END)).entries.length, state.size);
    const { rows } = await restored.pool.query("select count(*)::int as count from ledger");
    assert.equal(rows[0].count, state.size, "nothing was written into the restored database");
    await restored.stop();
  }));

test("a rewritten and a shortened ledger are each noticed, whatever the database's owner mends", () =>
  withBench(async (bench) => {
    await (await bench.start()).stop();
    const owner = createPool(bench.ownerUrl, { applicationName: "owner" });
    await owner.query("alter table ledger disable trigger all");
    await owner.query("update ledger set principal = 'nobody' where sequence = 3");
    // The leaf is made to fit, as somebody would who knows the format.
    await owner.query(`update ledger set leaf = sha256('\\x00'::bytea || convert_to('{"sequence":' || sequence || ',"at":'
      || at_ms || ',"kind":"' || kind || '","principal":"' || principal || '","utility":"*","island":"*","body":' || body
      || '}', 'UTF8')) where sequence = 3`);
    assert.equal(haltOf(await bench.start()), "ledger-rewritten");
    await owner.query("delete from ledger where sequence > 3");
    assert.equal(haltOf(await bench.start()), "ledger-restored");
    await owner.query("delete from ledger");
    assert.equal(haltOf(await bench.start()), "ledger-restored");
    await owner.end();
  }));

test("a database put back under a running custodian is noticed at its next write", () =>
  withBench(async (bench) => {
    await (await bench.start()).stop();
    const yesterday = await bench.backup();
    const running = await bench.start();
    await bench.restore(yesterday);
    // The first write fails with the lost connections, the next ones find another database.
    for (let at = 0; at < 4; at += 1) await running.custody.bursts.record([entry(at)]).catch(() => undefined);
    assert.equal(haltOf(running), "ledger-restored");
    await assert.rejects(openSession(running), { code: "ledger-restored" });
    const status = await running.custody.service.status({}, HEAD_END);
    assert.equal(status.ledgerTrouble?.code, "ledger-restored");
    await running.stop();
  }));

test("a second instance notices a database restored together with the custodian's folder", () =>
  withBench(async (bench) => {
    const place = mkdtempSync(join(tmpdir(), "meterkeep-witness-"));
    const memory = folderWitnessMemory(place);
    const witness = new LedgerWitness("west", memory, await folderSigner(place));
    const socket = join(place, "witness.sock");
    const server = await listenAsWitness(witness, { kind: "unix", path: socket });
    const west = instanceWitness({ name: "west", address: `unix:${socket}`, keys: witness.keys });
    const options = { witnesses: [west] };
    try {
      const first = await bench.start(options);
      const { keys, log = "" } = first.custody.ledger.state;
      assert.equal(
        first.custody.ledger.state.witnesses[1]?.state,
        "away",
        "it knows no ledger that nobody has told it of",
      );
      await memory.put({ log, keys: keys[0]!.keys, note: undefined });
      await first.custody.ledger.checkpoint();
      assert.equal(first.custody.ledger.state.witnesses[1]?.state, "current");
      await first.stop();
      const yesterday = await bench.backup();
      cpSync(join(bench.folder, "ledger"), join(place, "yesterday"), { recursive: true });
      const second = await bench.start(options);
      assert.equal(await second.custody.ledger.rotate(), 2, "new keys, which the witness learns by proof");
      await second.stop();
      const { checkpoints } = await (await bench.start(options)).custody.service.ledgerCheckpoints(
        { from: 1 },
        HEAD_END,
      );
      assert.ok(checkpoints.some(({ cosignatures }) => cosignatures.some((one) => one.witness === "west")));
      await bench.restore(yesterday);
      rmSync(join(bench.folder, "ledger"), { recursive: true });
      cpSync(join(place, "yesterday"), join(bench.folder, "ledger"), { recursive: true });
      assert.equal(haltOf(await bench.start(options)), "ledger-restored");
      assert.equal(haltOf(await bench.start()), "ledger-witness-missing", "and it cannot be left out");
      await asOwner(bench.ownerUrl, (pool) =>
        pool.query("update ledger set body = body || ' ' where kind = 'ledger-witnesses'"),
      );
      assert.equal(haltOf(await bench.start()), "ledger-witness-missing", "whatever became of the entry that names it");
    } finally {
      server.close();
      rmSync(place, { recursive: true });
    }
  }));

test("two people together let a restored database go on, once, under a new epoch", () =>
  withBench(async (bench) => {
    const people = ["ann", "ben", "eve"].map((name) => ({
      name,
      ...generateKeyPairSync("ec", { namedCurve: "P-384" }),
    }));
    const approvers: Approver[] = people.slice(0, 2).map(({ name, publicKey }) => ({
      name,
      publicKey: publicKey.export({ type: "spki", format: "pem" }) as string,
    }));
    await (await bench.start()).stop();
    const yesterday = await bench.backup();
    const more = await bench.start();
    for (let at = 0; at < 5; at += 1) await more.custody.bursts.record([entry(at)]);
    await more.stop();
    await bench.restore(yesterday);
    const halted = await bench.start({ approvers });
    assert.equal(haltOf(halted), "ledger-restored");
    const change = JSON.stringify({ ...halted.custody.ledger.state.wanted, reason: "the disk is lost" });
    await halted.stop();
    const put = (...names: readonly string[]) => {
      mkdirSync(join(bench.folder, "ledger"), { recursive: true });
      const approvals = people
        .filter(({ name }) => names.includes(name))
        .map(({ name, privateKey }) => ({ name, signature: approveChange(change, privateKey) }));
      writeFileSync(join(bench.folder, "ledger/approved-change.json"), JSON.stringify({ change, approvals }));
    };
    for (const names of [["ann"], ["ann", "eve"]]) {
      put(...names);
      const refused = await bench.start({ approvers });
      assert.equal(haltOf(refused), "ledger-restored", names.join());
      await refused.stop();
    }
    put("ann", "ben");
    const resumed = await bench.start({ approvers });
    assert.equal(haltOf(resumed), undefined);
    assert.match(resumed.custody.ledger.state.log ?? "", /\/2$/);
    const { entries } = await resumed.custody.service.ledgerEntries({ after: 0, limit: 100 }, HEAD_END);
    const said = JSON.parse(entries.find(({ kind }) => kind === "ledger-resumed")?.body ?? "{}");
    assert.deepEqual([said.approvedBy, said.reason, said.lost], [["ann", "ben"], "the disk is lost", 7]);
    await resumed.stop();
    // Who changes the entry takes the ledger nothing of its epoch: that was signed.
    await asOwner(bench.ownerUrl, (pool) =>
      pool.query("update ledger set body = body || ' ' where kind = 'ledger-resumed'"),
    );
    const changed = await bench.start({ approvers });
    assert.deepEqual(
      [haltOf(changed), changed.custody.ledger.state.log],
      [undefined, resumed.custody.ledger.state.log],
    );
    await changed.stop();
    // The same approval is good for that one state only.
    await bench.restore(yesterday);
    const again = await bench.start({ approvers });
    assert.equal(haltOf(again), "ledger-restored");
    await again.stop();
  }));

test("a witness that is away is caught up when it is back; away for too long, nothing goes on", () =>
  withBench(async (bench) => {
    const place = join(bench.folder, "other-storage");
    const witnesses = [fileWitness("vault-room", join(place, "checkpoints.jsonl"))];
    // Every look at the clock is a second here, and what runs beside the test looks as well.
    const settings = { longestAwaySeconds: 2_000 };
    const started = await bench.start({ witnesses, settings });
    const room = () => started.custody.ledger.state.witnesses[1];
    assert.equal(room()?.state, "away");
    assert.equal(haltOf(started), undefined);
    await started.custody.bursts.record([entry(1)]);
    mkdirSync(place);
    await started.custody.ledger.checkpoint();
    assert.deepEqual(
      [room()?.state, room()?.size],
      ["current", (await started.custody.service.ledgerState({}, HEAD_END)).size - 1],
    );
    rmSync(place, { recursive: true });
    await started.custody.bursts.record([entry(2)]);
    await started.custody.ledger.checkpoint();
    assert.equal(room()?.state, "away");
    for (let look = 0; look < 2_100; look += 1) haltOf(started);
    await assert.rejects(openSession(started), { code: "ledger-witness-away" });
    mkdirSync(place);
    await started.custody.ledger.checkpoint();
    await assert.rejects(openSession(started), { code: "unknown-meter" });
    const kinds = (await started.custody.service.ledgerEntries({ after: 0, limit: 50 }, HEAD_END)).entries;
    assert.ok(kinds.filter(({ kind }) => kind === "ledger-witness-away").length >= 1);
    assert.ok(kinds.some(({ kind }) => kind === "ledger-witness-back"));
    await started.stop();
  }));

test("the keys of a witness are told as JSON that pins them", async () => {
  const place = mkdtempSync(join(tmpdir(), "meterkeep-witness-"));
  try {
    const [first, second] = [await folderSigner(place), await folderSigner(place)];
    assert.deepEqual(keysJson(first.keys), keysJson(second.keys));
  } finally {
    rmSync(place, { recursive: true });
  }
});
