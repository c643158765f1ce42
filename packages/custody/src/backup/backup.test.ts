import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { approveChange } from "@meterkeep/ledger";
import { openTestDatabase } from "@meterkeep/postgres/testing";
import { isSecret } from "../keys/purposes.ts";
import { CUSTODY_MIGRATIONS } from "../store/postgres-store.ts";
import { takeoverStateOf } from "../takeover/meter-state.ts";
import { journalOf } from "../takeover/view.ts";
import { AuthorityWorld } from "../testing/authority-world.ts";
import { backupWorld } from "../testing/backup-world.ts";
import type { CustodySite } from "../testing/custody-site.ts";
import { sold } from "../testing/meter-sale.ts";
import { peopleAt } from "../testing/owned-ledger.ts";
import { fileOf, testManufacturer, writeShipment } from "../testing/shipment-writer.ts";
import { caller, carryTakeover, DEPOT, HEAD_END, heldKeys } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { requireSealedFile, verifyManifest } from "./manifest.ts";
import { generateRecoveryKey, recoveryPrivateKey } from "./recovery-key.ts";
import { openBackup } from "./sealed-backup.ts";

const OPERATOR = caller("operator");
const world = backupWorld();
const { recovery, folder, clock, siteOn, makeBackup, emptyDatabase, restoreInto } = world;

after(() => world.dispose());

const all = { meters: [], madeBefore: undefined, purposes: [], cause: "demand", reason: "a test" } as const;
const titleOf = (meter: TestMeter) => systemTitle(fromHex(meter.systemTitle));

async function reads(site: CustodySite, meter: TestMeter): Promise<boolean> {
  const { service } = site.custody;
  const session = await service.openSession({ meter: titleOf(meter), purpose: "read" }, HEAD_END);
  const line = meter.connect(session.clientSap, session.serverSap);
  let answer = line.exchange(session.apdu);
  for (;;) {
    if (answer === undefined) return false;
    const advanced = await service.advanceSession({ session: session.session, received: answer }, HEAD_END);
    if (advanced.kind !== "send") return advanced.kind === "established";
    answer = line.exchange(advanced.apdu);
  }
}

test("a backup from before a rotation, and the escrow, open every meter rotated since; counters are above all that were used", async () => {
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  const site = await siteOn(database);
  const [rotated, fresh, still] = [1, 2, 3].map((n) => new TestMeter({ systemTitle: `545354000000060${n}` })) as [
    TestMeter,
    TestMeter,
    TestMeter,
  ];
  for (const meter of [rotated, fresh, still]) await site.add(meter);
  for (const meter of [rotated, still]) await carryTakeover(site, meter);
  const { file, manifest } = await makeBackup(site);
  const { facts } = verifyManifest(manifest);
  await requireSealedFile(file, facts);
  clock.now += 86_400_000;
  await carryTakeover(site, fresh);
  await site.custody.service.planRotations({ ...all, meters: [titleOf(rotated)] }, OPERATOR);
  await carryTakeover(site, rotated);
  assert.ok(await reads(site, rotated));
  const used = new Map<string, number>();
  for (const meter of [rotated, fresh, still]) {
    const place = { utility: "stadtwerke", island: "mainland", systemTitle: meter.systemTitle, setup: 0 };
    const { counters } = await site.store.counterLine(place);
    used.set(meter.systemTitle, Math.max(...counters.map(({ next }) => next)));
  }
  await site.stop();

  const target = await emptyDatabase();
  const restored = await restoreInto(target, file);
  assert.ok(restored.backupEntries > 0);
  // The state folder is gone with the machine; what survives is the escrow. No witness is left that could object.
  const second = await siteOn(target, { escrow: site.escrow });
  try {
    const entries = await second.store.ledger.read(0, 10_000);
    const said = entries.findLast(({ kind }) => kind === "ledger-custody-restored");
    const { adopted } = JSON.parse(said?.body ?? "{}") as { adopted: { keys: number; meters: number; left: number } };
    assert.equal(adopted.meters, 2);
    assert.equal(adopted.left, 0);
    await assert.rejects(reads(second, rotated), { code: "keys-unsettled" });
    assert.ok(await reads(second, still), "what was not changed reads at once");
    for (const meter of [rotated, fresh]) {
      const { state } = await carryTakeover(second, meter);
      assert.equal(state.verdict, "proven", meter.systemTitle);
      assert.ok(await reads(second, meter));
    }
    for (const [systemTitle, next] of used) {
      const place = { utility: "stadtwerke", island: "mainland", systemTitle, setup: 0 };
      const { mark } = await second.store.counterLine(place);
      assert.ok((mark?.next ?? 0) > next, `${systemTitle}: ${mark?.next} is not above ${next}`);
    }
    const before = entries.length;
    await second.stop();
    const third = await siteOn(target, { escrow: site.escrow, state: second.state });
    const again = await third.store.ledger.read(before, 10_000);
    assert.equal(again.filter(({ kind }) => kind === "ledger-custody-restored").length, 0, "once is enough");
    await third.stop();
  } finally {
    await second.stop();
    await target.drop();
  }
});

test("secrets of clients and keys of further setups that were changed after the backup are believed with the others, and the meter is not stuck", async () => {
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  const site = await siteOn(database);
  const [rotated, fresh] = [1, 2].map(
    (n) => new TestMeter({ systemTitle: `545354000000061${n}`, secrets: true, setupVersion: 0 }),
  ) as [TestMeter, TestMeter];
  for (const meter of [rotated, fresh]) await site.add(meter, { profile: "is15959" });
  await carryTakeover(site, rotated);
  const [both, anew, second] = [5, 6, 7].map(
    (n) => new TestMeter({ systemTitle: `545354000000061${n}`, secondSetup: true }),
  ) as [TestMeter, TestMeter, TestMeter];
  for (const meter of [both, anew, second]) await site.add(meter, { profile: "idis-p2-service" });
  for (const meter of [both, second]) await carryTakeover(site, meter);
  const { file } = await makeBackup(site);
  clock.now += 86_400_000;
  for (const meter of [fresh, anew]) await carryTakeover(site, meter);
  await site.custody.service.planRotations({ ...all, meters: [rotated, both].map(titleOf) }, OPERATOR);
  const lost = { meter: titleOf(second), purpose: "GAK", version: 2, client: undefined, setup: 1 } as const;
  await site.custody.service.changeKeyState({ ...lost, command: "compromise", reason: "lost" }, OPERATOR);
  for (const meter of [rotated, both, second]) await carryTakeover(site, meter);
  const newest = async (of: Pick<CustodySite, "store">, meter: TestMeter) => {
    const keys = (await of.store.load(meter.systemTitle))?.keys ?? [];
    return Math.max(...keys.filter(({ purpose }) => isSecret(purpose)).map(({ version }) => version));
  };
  const before = [await newest(site, rotated), await newest(site, fresh)];
  await site.stop();
  const target = await emptyDatabase();
  await restoreInto(target, file);
  const restored = await siteOn(target, { escrow: site.escrow });
  try {
    for (const [at, meter] of [rotated, fresh].entries()) {
      const { state } = await carryTakeover(restored, meter);
      assert.equal(state.verdict, "proven", state.sentence);
      assert.ok(await reads(restored, meter));
      const keys =
        (await restored.store.load(meter.systemTitle))?.keys.filter(({ purpose }) => isSecret(purpose)) ?? [];
      const active = keys.filter((key) => key.state === "active");
      assert.equal(active.length, new Set(keys.map(({ setup }) => setup)).size, "each client has one");
      assert.ok(
        active.every(({ version }) => version > (before[at] as number)),
        "and none that was used before",
      );
    }
    const proven = async (meter: TestMeter, setup: number) => {
      const stored = await restored.store.load(meter.systemTitle);
      assert.ok(stored);
      return journalOf(stored, setup).journal.verdict === "proven";
    };
    assert.ok(await proven(second, 0), "what was not changed is what it was");
    for (const meter of [both, anew, second]) {
      assert.ok(!(await proven(meter, 1)), "keys of each setup are believed in its own journal");
      for (let hours = 0; hours < 9 && !(await proven(meter, 1)); hours += 1) {
        const { state } = await carryTakeover(restored, meter, { by: DEPOT });
        assert.equal(state.grade, "exposed", "who carried what the backup has not is not known");
        clock.now += 3_600_000;
      }
      assert.ok((await proven(meter, 0)) && (await proven(meter, 1)), meter.systemTitle);
      const held = (await heldKeys(restored, meter)).flat();
      for (const { keys } of meter.setups)
        for (const key of keys) assert.ok(held.includes(Buffer.from(key).toString("hex")), "a key is forgotten");
    }
  } finally {
    await restored.stop();
    await target.drop();
  }
});

test("a meter that came back after the backup comes back anew, and the keys that it was given since open it", async () => {
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  const maker = testManufacturer();
  const places = { manufacturers: [maker.trusted] };
  const site = await siteOn(database, places);
  await using ending = new AsyncDisposableStack();
  ending.defer(() => site.stop());
  const people = await AuthorityWorld.open(site);
  const meter = new TestMeter({ systemTitle: "5453540000000618", secondSetup: true });
  const facts = { systemTitle: meter.systemTitle, serialNumber: meter.serialNumber, securitySuite: 0 };
  const shipped = (kind: "delivery" | "transfer") => {
    const [first, second] = meter.setups.map(({ keys }) => keys) as [readonly Uint8Array[], readonly Uint8Array[]];
    const one = { ...facts, profile: "idis-p2-service", keys: first, setups: [{ setup: 1, keys: second }] };
    return fileOf(writeShipment(maker, site.custody.recipient, [one], { header: { kind } }));
  };
  const taken = async (by: AuthorityWorld, bytes: Uint8Array) => {
    const outcome = await by.agreed(() => by.offer(bytes));
    assert.equal(outcome.kind, "imported", JSON.stringify(outcome));
  };
  await taken(people, shipped("delivery"));
  await carryTakeover(site, meter);
  await sold(
    titleOf(meter),
    { name: "Old Utility", flag: "OLD", world: people },
    { name: "New", custody: site, trusted: [] },
  );
  const { file } = await makeBackup(site);
  clock.now += 3_600_000;
  // Whoever had it since has changed its keys.
  for (const setup of meter.setups) setup.keys = setup.keys.map(() => new Uint8Array(randomBytes(16)));
  const back = shipped("transfer");
  await taken(people, back);
  assert.equal((await carryTakeover(site, meter, { by: DEPOT })).state.grade, "shielded");
  await site.stop();
  const target = await emptyDatabase();
  ending.defer(() => target.drop());
  await restoreInto(target, file);
  const restored = await siteOn(target, { ...places, escrow: site.escrow });
  ending.defer(() => restored.stop());
  const there = peopleAt(people, restored);
  const { frozen } = await there.service.authorityState({}, OPERATOR);
  await there.change("thaw", { since: frozen?.since });
  await taken(there, back);
  for (let hours = 0; hours < 9; hours += 1) {
    await carryTakeover(restored, meter, { by: DEPOT });
    clock.now += 3_600_000;
  }
  const stored = await restored.store.load(meter.systemTitle);
  assert.ok(stored);
  for (const setup of [0, 1]) assert.equal(journalOf(stored, setup).journal.verdict, "proven", `${setup}`);
  assert.equal(takeoverStateOf(stored).grade, "exposed", "who carried what the backup has not is not known");
  const held = (await heldKeys(restored, meter)).flat();
  for (const { keys } of meter.setups)
    for (const key of keys) assert.ok(held.includes(Buffer.from(key).toString("hex")), "a key is forgotten");
});

test("with the change feed a lost site is as it was: keys, revocations, journals, counters, the ledger to its last entry", async () => {
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  const site = await siteOn(database);
  const first = new TestMeter({ systemTitle: "5453540000000611" });
  await site.add(first);
  await carryTakeover(site, first);
  const { file } = await makeBackup(site);
  await site.custody.service.planRotations({ ...all, meters: [titleOf(first)] }, OPERATOR);
  await carryTakeover(site, first);
  const revoked = {
    meter: titleOf(first),
    purpose: "GBEK",
    version: 1,
    command: "compromise",
    reason: "a test",
  } as const;
  await site.custody.service.changeKeyState(revoked, OPERATOR);
  const lastEntry = await site.store.ledger.size();
  const before = await site.custody.service.holdings({ after: undefined }, OPERATOR);
  await site.custody.ledger.checkpoint();
  // The witness in the state folder survives here: it must find nothing to object to.
  await site.stop();

  const target = await emptyDatabase();
  const restored = await restoreInto(target, file, site.escrow);
  assert.equal(restored.replayed?.broken, undefined);
  assert.ok(restored.entries > lastEntry, `${restored.entries} of ${lastEntry}`);
  const back = await siteOn(target, { escrow: site.escrow, state: site.state });
  try {
    assert.equal(back.custody.ledger.state.halt, undefined);
    const after = await back.custody.service.holdings({ after: undefined }, OPERATOR);
    assert.deepEqual(after, before);
    const state = after.meters[0]?.keys.find(({ purpose, version }) => purpose === "GBEK" && version === 1)?.state;
    assert.equal(state, "compromised");
    assert.ok(await reads(back, first));
  } finally {
    await back.stop();
    await target.drop();
  }
});

test("a site that is lost with all that stood in it is restored elsewhere, from a backup, a root key and a second storage that stood in three other places", async () => {
  const [site, safe, second, elsewhere] = ["site", "safe", "second", "elsewhere"].map((name) => {
    const place = join(folder, `lost-${name}`);
    mkdirSync(place);
    return place;
  }) as [string, string, string, string];
  const meter = new TestMeter({ systemTitle: "5453540000000621" });
  let file = "";
  {
    await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
    const lost = await siteOn(database, { folder: safe, state: join(site, "state"), escrow: second });
    await lost.add(meter);
    await carryTakeover(lost, meter);
    const made = await makeBackup(lost);
    file = join(elsewhere, "yesterday.backup");
    renameSync(made.file, file);
    await lost.custody.service.planRotations({ ...all, meters: [titleOf(meter)] }, OPERATOR);
    await carryTakeover(lost, meter);
    await lost.stop();
    // The root key never stood in it, so that who carries the site away has no key.
    const names = readdirSync(site, { recursive: true }).map(String);
    assert.ok(names.length > 0 && names.every((name) => !/root|escrow|feed/.test(name)), names.join(", "));
    rmSync(site, { recursive: true });
    // And its database goes with it.
  }
  const target = await emptyDatabase();
  const restored = await restoreInto(target, file, second);
  assert.equal(restored.replayed?.broken, undefined);
  const back = await siteOn(target, { folder: safe, state: join(elsewhere, "state"), escrow: second });
  try {
    assert.ok(await reads(back, meter), "under keys that were made after the backup");
  } finally {
    await back.stop();
    await target.drop();
  }
});

test("a restored database behind a witness is refused until two people have approved the loss", async () => {
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  const site = await siteOn(database);
  const { file } = await makeBackup(site);
  const meter = new TestMeter({ systemTitle: "5453540000000621" });
  await site.add(meter);
  await carryTakeover(site, meter);
  await site.stop();
  const target = await emptyDatabase();
  await restoreInto(target, file);
  const back = await siteOn(target, { escrow: join(folder, "empty"), state: site.state });
  try {
    assert.equal(back.custody.ledger.state.halt?.code, "ledger-restored");
    await assert.rejects(back.custody.service.openSession({ meter: titleOf(meter), purpose: "read" }, HEAD_END), {
      code: "ledger-restored",
    });
    const change = JSON.stringify({ ...back.custody.ledger.state.wanted, reason: "the machine is lost" });
    await back.stop();
    const people = ["ada", "grace"].map((name) => ({ name, ...generateKeyPairSync("ed25519") }));
    const approvals = people.map(({ name, privateKey }) => ({ name, signature: approveChange(change, privateKey) }));
    writeFileSync(join(site.state, "ledger/approved-change.json"), JSON.stringify({ change, approvals }));
    const approvers = people.map(({ name, publicKey }) => ({
      name,
      publicKey: publicKey.export({ type: "spki", format: "pem" }) as string,
    }));
    const resumed = await siteOn(target, { escrow: site.escrow, state: site.state, approvers });
    assert.equal(resumed.custody.ledger.state.halt, undefined);
    const kinds = (await resumed.store.ledger.read(0, 100)).map(({ kind }) => kind);
    assert.ok(kinds.indexOf("ledger-resumed") < kinds.indexOf("ledger-custody-restored"));
    await resumed.stop();
  } finally {
    await back.stop();
    await target.drop();
  }
});

test("a backup that was cut, changed, reordered or is another's does not open, and a full database is never overwritten", async () => {
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  const site = await siteOn(database);
  const { file, manifest } = await makeBackup(site);
  const whole = readFileSync(file);
  const key = recoveryPrivateKey(recovery.privateText);
  const linesOf = async (octets: Buffer, with_ = key) => {
    const lines: string[] = [];
    for await (const line of openBackup(chunks(octets), with_)) lines.push(line);
    return lines;
  };
  assert.ok((await linesOf(whole)).length > 20);
  const headerEnd = whole.indexOf(0x0a) + 1;
  const flipped = Buffer.from(whole);
  flipped[whole.length - 40] = (flipped[whole.length - 40] as number) ^ 1;
  const renamed = Buffer.from(whole.toString("latin1").replace('"safe"', '"same"'), "latin1");
  for (const bad of [
    whole.subarray(0, whole.length - 1),
    whole.subarray(0, headerEnd),
    whole.subarray(0, 20),
    flipped,
    renamed,
  ])
    await assert.rejects(linesOf(bad), { code: "backup-not-authentic" });
  const other = recoveryPrivateKey(generateRecoveryKey("other").privateText);
  await assert.rejects(linesOf(whole, other), { code: "backup-not-authentic" });
  const { facts } = verifyManifest(manifest);
  writeFileSync(file, flipped);
  await assert.rejects(requireSealedFile(file, facts), { code: "backup-not-authentic" });
  for (const change of ['"octets":', '"ledgerSize":'])
    assert.throws(() => verifyManifest(manifest.replace(`\\${change.slice(0, -2)}\\":`, '\\"x\\":')), {
      code: "backup-not-authentic",
    });
  writeFileSync(file, whole);
  await assert.rejects(restoreInto({ url: database.url, ownerUrl: database.adminUrl }, file), {
    code: "restore-refused",
  });
  await site.stop();
});

test("a backup made after the ledger's keys were renewed is verified by itself; keys that the former ones have not signed for sign none", async () => {
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  const site = await siteOn(database);
  for (let version = 2; version <= 3; version += 1)
    assert.equal((await site.custody.service.renewLedger({}, OPERATOR)).version, version);
  const { manifest } = await makeBackup(site);
  const whole = JSON.parse(manifest) as { changes: { entry: string; proof: string[]; checkpoint: string }[] };
  assert.equal(whole.changes.length, 2);
  assert.equal(verifyManifest(manifest).keysGiven, false);
  const [second, third] = whole.changes as [(typeof whole.changes)[0], (typeof whole.changes)[0]];
  for (const changes of [
    undefined,
    [],
    [second],
    [third],
    [third, second],
    [second, { ...third, proof: third.proof.slice(1) }],
    [second, { ...third, entry: third.entry.replace(/"version":3/, '"version":4') }],
    [{ ...second, checkpoint: third.checkpoint }, third],
  ])
    assert.throws(() => verifyManifest(JSON.stringify({ ...whole, changes })), { code: "backup-not-authentic" });
  await site.stop();
});

async function* chunks(octets: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < octets.length; at += 1000) yield octets.subarray(at, at + 1000);
}
