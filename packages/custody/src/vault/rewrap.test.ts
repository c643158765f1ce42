import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { SecretKey } from "@meterkeep/dlms-node";
import { withCredentials } from "@meterkeep/postgres";
import { openTestDatabase, type TestDatabase } from "@meterkeep/postgres/testing";
import pg from "pg";
import { verifyManifest } from "../backup/manifest.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import { backupWorld } from "../testing/backup-world.ts";
import { type CustodySite, openSite } from "../testing/custody-site.ts";
import { cutDatabase } from "../testing/cut-database.ts";
import { carryTakeover, HEAD_END, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { envelopeKeyVersion } from "./envelope.ts";
import { openVault } from "./open-vault.ts";
import { rootKeyFromFile } from "./root-key.ts";
import { openNamedSecret, openRootKeys, openVaultKey, type RootKeys } from "./root-keys.ts";
import { readParameters } from "./root-parameters.ts";

const NOT_AUTHENTIC = { code: "vault-record-not-authentic" } as const;
const METER = { systemTitle: "5453540000000741" } as const;

/** The way in of the schema's owner, whose password each start makes anew. */
async function ownerUrlOf({ adminUrl, database, url }: TestDatabase): Promise<string> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query(`alter role "${database}_owner" password 'owner' connection limit 64`);
  await admin.end();
  return withCredentials(url, { database, user: `${database}_owner`, password: "owner" });
}

interface Bench {
  readonly database: TestDatabase;
  readonly ownerUrl: string;
  readonly rootKey: string;
  readonly meter: TestMeter;
  /** A custodian by a way to the database, over the same root key, state and escrow. */
  siteBy(url: string): Promise<CustodySite>;
}

async function withBench(body: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-rewrap-"));
  const clock = { now: 1_795_000_000_000 };
  const meter = new TestMeter(METER);
  try {
    await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
    const places = { folder, state: join(folder, "state"), escrow: join(folder, "escrow"), clock };
    await body({
      database,
      ownerUrl: await ownerUrlOf(database),
      rootKey: join(folder, "root.key"),
      meter,
      siteBy: (url) => openSite({ ...places, url }),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Everything that root keys open in a store, by name: whether these do. */
async function opens(store: CustodyStore, keys: RootKeys): Promise<Map<string, boolean>> {
  const found = new Map<string, boolean>();
  const look = (name: string, open: () => SecretKey): void => {
    try {
      open()[Symbol.dispose]();
      found.set(name, true);
    } catch (error) {
      assert.equal((error as { code?: string }).code, NOT_AUTHENTIC.code);
      found.set(name, false);
    }
  };
  for (const record of await store.vaultKeys.all())
    look(`${record.utility}/${record.island}/${record.version}`, () => openVaultKey(keys, record));
  for (const { name, sealed } of await store.installation.namedSecrets())
    look(name, () => openNamedSecret(keys, name, sealed));
  return found;
}

async function reads({ custody: { service } }: CustodySite, meter: TestMeter): Promise<void> {
  const opened = await service.openSession(
    { meter: systemTitle(fromHex(meter.systemTitle)), purpose: "read" },
    HEAD_END,
  );
  assert.ok(meter.connect(opened.clientSap, opened.serverSap).exchange(opened.apdu));
  await service.closeSession({ session: opened.session, outcome: "completed" }, HEAD_END);
}

test("after a change of the root key the former one opens nothing of the database, and no vault key from before opens a meter's", () =>
  withBench(async ({ database, ownerUrl, rootKey, meter, siteBy }) => {
    const before = await siteBy(database.url);
    await before.add(meter);
    await carryTakeover(before, meter);
    const stored = (await before.store.installation.root())!;
    const formerText = readFileSync(rootKey, "utf8");
    const formerVaultKeys = await before.store.vaultKeys.all();
    await assert.rejects(before.custody.rewrapVault({ kind: "file", path: rootKey }, OPERATOR, ""), { code: "42501" });
    await before.stop();

    const owner = await siteBy(ownerUrl);
    const changed = await owner.custody.rewrapVault({ kind: "file", path: rootKey }, OPERATOR, "a person has left");
    assert.equal(changed.former, `${rootKey}.former-${changed.from}`);
    assert.equal(readFileSync(changed.former, "utf8"), formerText, "backups from before open with it alone");
    const { keys, failed } = await owner.custody.resealMeterKeys(OPERATOR);
    assert.deepEqual([keys > 0, failed], [true, 0]);
    assert.equal((await owner.custody.resealMeterKeys(OPERATOR)).keys, 0, "what is done is done");
    await owner.stop();

    const after = await siteBy(database.url);
    await reads(after, meter);
    // The former root key, with all that it opened.
    using former = (await rootKeyFromFile(changed.former, false)).key;
    const told = readParameters(stored.parameters).keys;
    const formerKeys = openRootKeys(former, told.version, told.sealed);
    const rows = await opens(after.store, formerKeys);
    const vaultKeys = ["stadtwerke/mainland/1", "stadtwerke/mainland/2"];
    assert.deepEqual([...rows.keys()].sort(), [
      "ledger-signing-1",
      "recipient-ecdh-1",
      "recipient-mlkem-1",
      ...vaultKeys,
    ]);
    assert.deepEqual(
      [...rows].filter(([, isOpen]) => isOpen),
      [],
    );
    const present = readParameters((await after.store.installation.root())!.parameters).keys;
    assert.throws(() => openRootKeys(former, present.version, present.sealed), NOT_AUTHENTIC);
    await assert.rejects(openVault(after.store, { kind: "file", path: changed.former }, 1), {
      code: "root-key-wrong",
      message: new RegExp(`${changed.from}.*${changed.to}`),
    });
    // A thief with an old copy of the database as well has the former vault keys: they open no meter's key that lies here now.
    const [cell] = formerVaultKeys.filter(({ utility }) => utility === "stadtwerke");
    const file = (await after.store.load(meter.systemTitle))!;
    for (const { sealed } of file.keys.filter((key) => key.sealed.length > 0))
      assert.ok(envelopeKeyVersion(sealed) > cell!.version);
    const entries = (await after.store.ledger.ofKinds(["vault-root-changed", "meter-keys-resealed"])).map(
      ({ kind, principal, body }) => ({ kind, principal, body: JSON.parse(body) as Record<string, unknown> }),
    );
    assert.deepEqual(
      entries.map(({ kind, principal }) => [kind, principal]),
      [
        ["vault-root-changed", "operator"],
        ["meter-keys-resealed", "operator"],
        ["meter-keys-resealed", "operator"],
      ],
    );
    const { from, to, reason } = entries[0]!.body;
    assert.deepEqual([from, to, reason], [changed.from, changed.to, "a person has left"]);
    // New keys of its meter are opened by a start as well.
    const all = { meters: [], madeBefore: undefined, purposes: [], cause: "demand", reason: "a test" } as const;
    await after.custody.service.planRotations(all, OPERATOR);
    assert.equal((await carryTakeover(after, meter)).state.verdict, "proven");
    await after.stop();
    const again = await siteBy(database.url);
    await reads(again, meter);
    await again.stop();
  }));

test("a change of the root key that is cut off at any statement leaves a vault that opens with the key that is there", () =>
  withBench(async ({ database, ownerUrl, rootKey, meter, siteBy }) => {
    const first = await siteBy(database.url);
    await first.add(meter);
    await carryTakeover(first, meter);
    await first.stop();
    await using cut = await cutDatabase(ownerUrl);
    const rootId = async () =>
      readParameters((await postgresCustodyStore(database.pool).installation.root())!.parameters).keys.root;
    let wasWhole = false;
    let [made, cuts] = [0, 0];
    for (let after = 0; !wasWhole; after += 1) {
      const site = await siteBy(cut.through(ownerUrl));
      const before = await rootId();
      cut.cutAfter(after);
      wasWhole = await site.custody.rewrapVault({ kind: "file", path: rootKey }, OPERATOR, "").then(
        () => true,
        () => false,
      );
      // What beats beside it takes statements as well: it came through, or it was cut off.
      const told = `cut off after ${after} statements`;
      // Stopped with its database back: a custodian that is cut off while it stops keeps this process.
      cut.cutAfter(undefined);
      await site.stop().catch(() => undefined);
      if (!wasWhole) cuts += 1;
      if ((await rootId()) !== before) made += 1;
      const back = await siteBy(database.url);
      await reads(back, meter);
      const entries = await back.store.ledger.ofKinds(["vault-root-changed"]);
      assert.equal(entries.length, made, told);
      await back.stop();
      assert.ok(after < 60, "it never came through");
    }
    assert.ok(made >= 1);
    assert.ok(cuts >= 5, `cut off ${cuts} times`);
  }));

test("a process that dies between the change and the names of its files is ended by the next start", () =>
  withBench(async ({ database, ownerUrl, rootKey, meter, siteBy }) => {
    const first = await siteBy(database.url);
    await first.add(meter);
    await carryTakeover(first, meter);
    await first.stop();
    for (const isMoved of [false, true]) {
      const owner = await siteBy(ownerUrl);
      const source = { kind: "file", path: rootKey } as const;
      const { rewrap } = await openVault(owner.store, source, 1);
      const { write, to, from } = await rewrap!(source);
      await owner.store.commit([write]);
      await owner.stop();
      assert.ok(existsSync(`${rootKey}.next`));
      if (isMoved) renameSync(rootKey, `${rootKey}.former-${from}`);
      const back = await siteBy(database.url);
      await reads(back, meter);
      assert.equal(existsSync(`${rootKey}.next`), false);
      assert.equal((await openVault(back.store, source, 1)).rootId, to);
      assert.ok(existsSync(`${rootKey}.former-${from}`));
      await back.stop();
    }
    // One that was never made is not taken for one that was.
    const owner = await siteBy(ownerUrl);
    const source = { kind: "file", path: rootKey } as const;
    const { rewrap, rootId } = await openVault(owner.store, source, 1);
    await rewrap!(source);
    await owner.stop();
    const back = await siteBy(database.url);
    assert.equal((await openVault(back.store, source, 1)).rootId, rootId);
    await back.stop();
  }));

test("a vault goes from a file to a passphrase, to another one, and back", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-rewrap-"));
  try {
    const file = { kind: "file", path: join(folder, "root.key") } as const;
    const words = (passphrase: string) => ({ kind: "passphrase", passphrase }) as const;
    const store = memoryCustodyStore();
    const { vault } = await openVault(store, file, 1);
    using secret = SecretKey.random(32);
    await store.installation.insertNamedSecret("one", await vault.sealNamed("one", secret));
    let source: Parameters<typeof openVault>[1] = file;
    for (const next of [words("a"), words("b"), file]) {
      const opened = await openVault(store, source, 1);
      const { write, adopt } = await opened.rewrap!(next);
      await store.commit([write]);
      await adopt();
      // The vault that is open goes on, and one that is opened anew is the same.
      using own = await opened.vault.unsealNamed("one", (await store.installation.namedSecret("one"))!);
      assert.ok(own.equals(secret));
      await assert.rejects(openVault(store, source, 3), { code: /root-key-(wrong|missing)/ });
      source = next;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a record that does not say which root key opens the vault opens it with none", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-rewrap-"));
  try {
    const file = { kind: "file", path: join(folder, "root.key") } as const;
    const founded = memoryCustodyStore();
    await openVault(founded, file, 1);
    const { proof } = (await founded.installation.root())!;
    for (const parameters of ["", "{}", "null", "no JSON", '{"keys":null}', '{"keys":{"root":"00"}}']) {
      const store = memoryCustodyStore();
      await store.installation.insertRoot({ kind: "file", parameters, proof, createdAt: 1 });
      await assert.rejects(openVault(store, file, 1), {
        code: "root-key-wrong",
        message: /does not say which root key/,
      });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("another root key takes two people where anybody approves, and what is not agreed to changes nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-rewrap-"));
  const path = join(folder, "root.key");
  try {
    await withTestCustody(
      async (custody) => {
        const world = await AuthorityWorld.open(custody);
        const change = () => custody.custody.rewrapVault({ kind: "passphrase", passphrase: "x" }, OPERATOR, "a test");
        const before = await custody.store.installation.root();
        await assert.rejects(change(), { code: "approval-required", message: /another root key \(passphrase\)/ });
        assert.deepEqual(await custody.store.installation.root(), before);
        const { from } = await world.agreed(change);
        assert.equal((await custody.store.installation.root())?.kind, "passphrase");
        const [entry] = await custody.store.ledger.ofKinds(["vault-root-changed"]);
        const body = JSON.parse(entry!.body) as { from: string; change: string; approvedBy: string[] };
        assert.equal(body.from, from);
        assert.ok(body.change);
        assert.equal(body.approvedBy.length, 2);
        await assert.rejects(custody.custody.rewrapVault({ kind: "passphrase", passphrase: "y" }, OPERATOR, ""), {
          code: "approval-required",
        });
      },
      memoryCustodyStore(),
      { vault: { kind: "file", path } },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a change of the root key that does not come through burns no approval: who asks again is not sent to people again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-rewrap-"));
  const path = join(folder, "root.key");
  const store = memoryCustodyStore();
  let isPulled = true;
  const pulled: CustodyStore = {
    ...store,
    commit: async (writes, growth) => {
      if (!isPulled || !writes.some(({ kind }) => kind === "rewrap-vault")) return store.commit(writes, growth);
      isPulled = false;
      throw new Error("the plug was pulled");
    },
  };
  try {
    await withTestCustody(
      async (custody) => {
        const world = await AuthorityWorld.open(custody);
        const change = () => custody.custody.rewrapVault({ kind: "passphrase", passphrase: "x" }, OPERATOR, "a test");
        await assert.rejects(world.agreed(change), /the plug was pulled/);
        const executed = async () => {
          const entries = await custody.store.ledger.ofKinds(["change-executed", "vault-root-changed"]);
          return entries.filter(({ body }) => /rewrap-vault|passphrase/.test(body)).map(({ kind }) => kind);
        };
        assert.deepEqual(await executed(), []);
        await change();
        assert.deepEqual(await executed(), ["change-executed", "vault-root-changed"]);
      },
      pulled,
      { vault: { kind: "file", path } },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a backup from before says which root key opens it; with the feed it opens with the new one, and its role overwrites nothing once its custodian has started", async () => {
  const world = backupWorld();
  const target = await world.emptyDatabase();
  try {
    await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
    const places = { state: join(world.folder, "state"), escrow: join(world.folder, "escrow") };
    const rootKey = join(world.folder, "root.key");
    const meter = new TestMeter(METER);
    const first = await world.siteOn(database, places);
    await first.add(meter);
    await carryTakeover(first, meter);
    const { file, manifest } = await world.makeBackup(first);
    await first.stop();
    const owner = await world.siteOn({ url: await ownerUrlOf(database) }, places);
    const { from, to } = await owner.custody.rewrapVault({ kind: "file", path: rootKey }, OPERATOR, "");
    assert.equal(verifyManifest(manifest).facts.rootKey, from);
    assert.ok((await owner.custody.resealMeterKeys(OPERATOR)).keys > 0);
    await owner.stop();
    const { replayed } = await world.restoreInto(target, file, places.escrow);
    assert.deepEqual([replayed?.broken, replayed?.refused], [undefined, 0]);
    const back = await world.siteOn(target, {
      escrow: join(world.folder, "escrow"),
      state: join(world.folder, "elsewhere"),
    });
    const { rootId } = await openVault(back.store, { kind: "file", path: rootKey }, 1);
    assert.equal(rootId, to);
    await reads(back, meter);
    await assert.rejects(back.custody.rewrapVault({ kind: "file", path: rootKey }, OPERATOR, ""), { code: "42501" });
    await back.stop();
  } finally {
    await target.drop();
    world.dispose();
  }
});
