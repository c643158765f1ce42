import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { connectionOf, createPool, prepareSchema, provision, randomPassword } from "@meterkeep/postgres";
import { openTestDatabase, testServerUrl } from "@meterkeep/postgres/testing";
import { CUSTODY_MIGRATIONS } from "../store/postgres-store.ts";
import { openSite } from "../testing/custody-site.ts";
import { cutDatabase } from "../testing/cut-database.ts";
import { caller, carryTakeover, HEAD_END } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { generateRecoveryKey, recoveryPrivateKey, recoveryRecipient } from "./recovery-key.ts";
import { restoreDatabase } from "./restore-database.ts";

const OPERATOR = caller("operator");
const DAY = 86_400_000;
/** Places between the first statement and the last at which it is killed, evenly apart. */
const CUTS = 8;

test("a restore, and the start after it, that are killed at any statement end in a custody that opens its meters, with no counter used twice", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-killed-"));
  const server = await testServerUrl();
  await using cut = await cutDatabase(server);
  const recovery = generateRecoveryKey("safe");
  const clock = { now: 1_795_000_000_000 };
  const meter = new TestMeter({ systemTitle: "5453540000000631" });
  const title = systemTitle(fromHex(meter.systemTitle));
  const place = { utility: "stadtwerke", island: "mainland", systemTitle: meter.systemTitle, setup: 0 };
  let sites = 0;
  const siteOn = (url: string) => {
    sites += 1;
    const state = join(folder, `state-${sites}`);
    const recipients = [recoveryRecipient(recovery.publicText)];
    return openSite({ folder, url, state, escrow: join(folder, "escrow"), clock, recovery: recipients });
  };
  try {
    await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
    const site = await siteOn(database.url);
    const { service } = site.custody;
    await site.add(meter);
    await carryTakeover(site, meter);
    const begun = await service.beginBackup({}, OPERATOR);
    const parts: Uint8Array[] = [begun.header];
    for (let isLast = false; !isLast; ) {
      const chunk = await service.backupChunk({ backup: begun.backup }, OPERATOR);
      parts.push(chunk.octets);
      ({ isLast } = chunk);
    }
    await service.finishBackup({ backup: begun.backup }, OPERATOR);
    const file = join(folder, "yesterday.backup");
    writeFileSync(file, Buffer.concat(parts));
    clock.now += DAY;
    const all = { meters: [title], madeBefore: undefined, purposes: [], cause: "demand", reason: "a test" } as const;
    await service.planRotations(all, OPERATOR);
    await carryTakeover(site, meter);
    const { counters } = await site.store.counterLine(place);
    const used = Math.max(...counters.map(({ next }) => next));
    await site.stop();
    const present = [...meter.keys];

    /** One restore and start by the way that is cut, and then as often as it takes by one that is not. */
    const play = async (after: number | undefined): Promise<number> => {
      sites += 1;
      const name = `killed_${process.pid}_${sites}`;
      const owner = { role: `${name}_owner`, password: randomPassword() };
      const wanted = { database: name, role: `${name}_role`, password: randomPassword(), owner };
      // Passwords are made anew at each call, as an installer does: an owner's is void once the schema is laid out.
      const doors = async () => (await provision(server, [wanted]))[0] as string;
      const url = await doors();
      const ownerUrl = connectionOf(server, { database: name }, owner);
      const restore = (way: (of: string) => string) =>
        restoreDatabase({
          file,
          key: recoveryPrivateKey(recovery.privateText),
          database: way(url),
          ownerDatabase: way(ownerUrl),
          version: "test",
          now: () => clock.now,
        });
      const told = `killed after statement ${after}`;
      cut.cutAfter(after);
      const whole = new URL(server);
      whole.pathname = `/${name}`;
      const admin = createPool(whole.href, { applicationName: "admin" });
      try {
        let isRestored: boolean = await restore(cut.through).then(
          () => true,
          (error: unknown) => {
            assert.notEqual(after, undefined, String(error));
            return false;
          },
        );
        const first = isRestored ? await siteOn(cut.through(url)).catch(() => undefined) : undefined;
        const statements = cut.passed;
        await first?.stop().catch(() => undefined);
        cut.cutAfter(undefined);
        if (after === undefined) assert.ok(first);
        // Whoever finds the database sees rows that say where they came from, or none at all.
        if (!isRestored) {
          const marks = await admin
            .query<{ count: number }>("select count(*)::int as count from restorations")
            .then(({ rows }) => rows[0]?.count ?? 0)
            .catch(() => 0);
          isRestored = marks === 1;
          if (!isRestored) {
            await doors();
            await restore((of) => of);
          }
        }
        // What a start does first.
        await doors();
        const pool = createPool(url, { applicationName: "start" });
        await prepareSchema({ pool, ownerUrl, sources: CUSTODY_MIGRATIONS, version: "test" });
        await pool.end();
        // The same meter as it stands, whichever start finds it.
        meter.keys = present;
        const back = await siteOn(url);
        const said = (await back.store.ledger.ofItself()).filter(({ kind }) => kind === "ledger-custody-restored");
        assert.equal(said.length, 1, told);
        const { state } = await carryTakeover(back, meter);
        assert.equal(state.verdict, "proven", told);
        const session = await back.custody.service.openSession({ meter: title, purpose: "read" }, HEAD_END);
        assert.ok(meter.connect(session.clientSap, session.serverSap).exchange(session.apdu), told);
        const { mark } = await back.store.counterLine(place);
        assert.ok((mark?.next ?? 0) > used, told);
        await back.stop();
        return statements;
      } finally {
        await admin.end();
        const drop = createPool(server, { applicationName: "drop" });
        await drop.query(`drop database ${name} with (force)`);
        await drop.query(`drop role ${name}_role, ${name}_owner`);
        await drop.end();
      }
    };
    const statements = await play(undefined);
    assert.ok(statements > 100, `${statements} statements`);
    for (let at = 0; at < CUTS; at += 1) await play(Math.round((at * statements) / CUTS) + (at % 3));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
