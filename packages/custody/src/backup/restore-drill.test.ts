import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { connectionOf, createPool, provision, randomPassword } from "@meterkeep/postgres";
import { openTestDatabase, testServerUrl } from "@meterkeep/postgres/testing";
import { CUSTODY_MIGRATIONS } from "../store/postgres-store.ts";
import { openSite } from "../testing/custody-site.ts";
import { caller, carryTakeover } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { openSession } from "../testing/test-session.ts";
import { generateRecoveryKey, recoveryPrivateKey, recoveryRecipient } from "./recovery-key.ts";
import { drillRestore } from "./restore-drill.ts";

const OPERATOR = caller("operator");

test("a drill restores beside the running custodian: old keys, new keys, counters, a witness, a standby, revocations, and meters that open", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-drill-"));
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  const server = await testServerUrl();
  const clock = { now: 1_795_000_000_000 };
  const recovery = generateRecoveryKey("safe");
  const [state, escrow] = [join(folder, "state"), join(folder, "escrow")];
  const site = await openSite({
    folder,
    url: database.url,
    state,
    escrow,
    clock,
    recovery: [recoveryRecipient(recovery.publicText)],
  });
  const made: string[] = [];
  try {
    const meters = [1, 2, 3, 4].map(
      (n) => new TestMeter({ systemTitle: `545354000000090${n}`, secondSetup: n === 4 }),
    ) as [TestMeter, TestMeter, TestMeter, TestMeter];
    for (const meter of meters) {
      await site.add(meter, meter === meters[3] ? { profile: "idis-p2-service" } : {});
      await carryTakeover(site, meter);
    }
    const { service } = site.custody;
    const begun = await service.beginBackup({}, OPERATOR);
    const parts: Uint8Array[] = [begun.header];
    for (let isLast = false; !isLast; ) {
      const chunk = await service.backupChunk({ backup: begun.backup }, OPERATOR);
      parts.push(chunk.octets);
      isLast = chunk.isLast;
    }
    await service.finishBackup({ backup: begun.backup }, OPERATOR);
    const file = join(folder, "custodian.backup");
    writeFileSync(file, Buffer.concat(parts));
    clock.now += 86_400_000;
    const title = (meter: TestMeter) => systemTitle(fromHex(meter.systemTitle));
    const change = { madeBefore: undefined, purposes: [], cause: "demand", reason: "a test" } as const;
    for (const meter of [meters[0], meters[3]]) {
      await service.planRotations({ ...change, meters: [title(meter)] }, OPERATOR);
      await carryTakeover(site, meter);
    }
    const lost = {
      meter: title(meters[1]),
      purpose: "GUEK",
      version: 2,
      command: "compromise",
      reason: "seen",
    } as const;
    await service.changeKeyState(lost, OPERATOR);
    await site.custody.ledger.checkpoint();
    const steps: string[] = [];
    const rounds = new Map<TestMeter, number>();
    const clients: number[] = [];
    const findings = await drillRestore({
      file,
      key: recoveryPrivateKey(recovery.privateText),
      vault: { kind: "file", path: join(folder, "root.key") },
      stateFolder: state,
      escrowFolder: escrow,
      scratch: join(folder, "scratch"),
      live: {
        holdings: (request) => service.holdings(request, OPERATOR),
        drillCounters: (request) => service.drillCounters(request, OPERATOR),
        ledgerState: (request) => service.ledgerState(request, OPERATOR),
      },
      newDatabase: async () => {
        const name = `drill_${process.pid}_${made.length}`;
        made.push(name);
        const owner = { role: `${name}_owner`, password: randomPassword() };
        const [url] = await provision(server, [
          { database: name, role: `${name}_role`, password: randomPassword(), owner },
        ]);
        return { database: url as string, ownerDatabase: connectionOf(server, { database: name }, owner) };
      },
      meters: meters.map((meter) => ({
        title: meter.systemTitle,
        connect: async (clientSap, serverSap) => {
          rounds.set(meter, (rounds.get(meter) ?? 0) + 1);
          if (meter === meters[3]) clients.push(clientSap);
          // The head-end reads this one just before the drill speaks to it: the drill's counters are too low then.
          if (meter === meters[2] && rounds.get(meter) === 1) await openSession(site, meter);
          const line = meter.connect(clientSap, serverSap);
          // It has hung up on this one, since somebody else has its line.
          const isTaken = meter === meters[1] && rounds.get(meter) === 1;
          return {
            exchange: async (apdu) => (isTaken ? undefined : line.exchange(apdu)),
            [Symbol.asyncDispose]: async () => undefined,
          };
        },
      })),
      version: "test",
      now: () => clock.now,
      onStep: (text) => steps.push(text),
    });
    assert.deepEqual(
      findings.filter(({ passed }) => !passed),
      [],
    );
    assert.equal(findings.length, 8, steps.join("\n"));
    assert.match(steps.join("\n"), /associated with 4 meters/);
    // Four meters, one of them with two security setups.
    assert.match(steps.join("\n"), /a standby takes over and uses no counter again: 5 lines/);
    assert.deepEqual([...rounds.values()], [1, 2, 2, 2]);
    assert.deepEqual(clients, [1, 5], "under each of its security setups");
    // The custodian goes on: what the drill used of its counters it had set aside.
    const session = await service.openSession({ meter: title(meters[2]), purpose: "read" }, caller("head-end"));
    const line = meters[2].connect(session.clientSap, session.serverSap);
    assert.ok(line.exchange(session.apdu) !== undefined);
  } finally {
    await site.stop();
    const admin = createPool(server, { applicationName: "drop" });
    for (const name of made) {
      await admin.query(`drop database if exists ${name} with (force)`);
      await admin.query(`drop role if exists ${name}_role, ${name}_owner`);
    }
    await admin.end();
    rmSync(folder, { recursive: true });
  }
});
