import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import type { CustodianConfig, ProcessMessage } from "@meterkeep/api/supervisor";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { createPool } from "@meterkeep/postgres";
import { openTestDatabase } from "@meterkeep/postgres/testing";
import { CUSTODY_MIGRATIONS } from "../store/postgres-store.ts";
import { openSite } from "../testing/custody-site.ts";
import { testCredential } from "../testing/test-credential.ts";
import { carryTakeover } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

const MAIN = fileURLToPath(new URL("../../../../apps/custodian/src/main.ts", import.meta.url));
const METER = systemTitle(fromHex("5453540000000701"));

interface Node {
  readonly child: ChildProcess;
  client(): ReturnType<typeof custodianClient>;
  /** That it is the custodian: one that stands by is ready, too, and serves nobody. */
  serves(): Promise<void>;
  failed(): Promise<string>;
}

/**
 * Invocation counter of a glo-ciphered user information, the last field of an AARQ: an octet string with tag, length and
 * security control before it. The challenge before that may hold any octets.
 */
function counterOf(aarq: Uint8Array): number {
  const octets = Buffer.from(aarq);
  const fields = [...octets.keys()].filter(
    (at) => octets[at] === 0xbe && octets[at + 1] === octets.length - at - 2 && octets[at + 2] === 0x04,
  );
  assert.equal(fields.length, 1);
  const [at = 0] = fields;
  assert.equal(octets[at + 6], 0x30);
  return octets.readUInt32BE(at + 7);
}

test("the primary is killed under load and a standby goes on, with counters above all that were used; one that was stopped and wakes up writes nothing more", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-standby-"));
  const headEnd = testCredential("head-end");
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  const children: ChildProcess[] = [];
  const start = (name: string, change: Partial<CustodianConfig> = {}): Node => {
    const own = testCredential("custodian");
    const state = join(folder, name);
    mkdirSync(state, { mode: 0o700 });
    writeFileSync(join(state, "channel.key"), own.privateKey, { mode: 0o600 });
    const config: CustodianConfig = {
      stateDirectory: state,
      exchangeDirectory: folder,
      database: database.url,
      utility: "stadtwerke",
      island: "mainland",
      socketPath: join(folder, `${name}.sock`),
      keyFile: join(state, "channel.key"),
      certificate: own.certificate,
      rootKeyFile: join(folder, "root.key"),
      escrowDirectory: join(folder, "second-storage"),
      separateUser: false,
      principals: [{ name: "head-end", role: "head-end", certificate: headEnd.certificate }],
      manufacturers: [],
      sealBudget: { burst: 1_000_000, perSecond: 1_000_000 },
      ...change,
    };
    writeFileSync(join(state, "config.json"), JSON.stringify(config), { mode: 0o600 });
    const child = fork(MAIN, [], {
      env: { ...process.env, METERKEEP_CONFIG: join(state, "config.json") },
      stdio: "ignore",
      execArgv: [],
    });
    children.push(child);
    const messages: ProcessMessage[] = [];
    child.on("message", (message) => messages.push(message as ProcessMessage));
    const until = async (isMeant: (message: ProcessMessage) => boolean): Promise<ProcessMessage> => {
      for (;;) {
        const found = messages.find(isMeant);
        if (found !== undefined) return found;
        if (child.exitCode !== null) throw new Error(`${name} ended: ${JSON.stringify(messages)}`);
        await Promise.race([once(child, "message"), once(child, "exit")]);
      }
    };
    return {
      child,
      client: () =>
        custodianClient({ socketPath: config.socketPath, ...headEnd, custodianCertificate: own.certificate }),
      serves: async () =>
        void (await until((message) => message.type === "ready" && message.facts?.["stands by"] === undefined)),
      failed: async () =>
        ((await until(({ type }) => type === "failed")) as Extract<ProcessMessage, { type: "failed" }>).code,
    };
  };
  /** Opens associations as fast as it goes; each one's counter was reserved, and none may come twice. */
  const load = async (node: Node, used: Set<number>, want: number): Promise<void> => {
    const client = node.client();
    try {
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          while (used.size < want) {
            const { apdu, session } = await client.openSession({ meter: METER, purpose: "read" });
            const counter = counterOf(apdu);
            assert.ok(!used.has(counter), `counter ${counter} was used twice`);
            used.add(counter);
            await client.closeSession({ session, outcome: "abandoned" });
          }
        }),
      );
    } finally {
      await client.close();
    }
  };
  try {
    const clock = { now: Date.now() };
    const places = { state: join(folder, "before"), escrow: join(folder, "second-storage") };
    const before = await openSite({ folder, url: database.url, clock, ...places });
    const meter = new TestMeter({ systemTitle: "5453540000000701" });
    await before.add(meter);
    await carryTakeover(before, meter);
    await before.stop();
    const primary = start("primary");
    await primary.serves();
    const standby = start("standby", { standbyAfter: 3000 });
    const used = new Set<number>();
    await load(primary, used, 200);
    // In the middle of it.
    const loading = load(primary, used, Number.POSITIVE_INFINITY).catch((error: unknown) => error);
    while (used.size < 400) await new Promise((resolve) => setImmediate(resolve));
    primary.child.kill("SIGKILL");
    await loading;
    await standby.serves();
    const highest = Math.max(...used);
    await load(standby, used, used.size + 200);
    assert.ok(Math.min(...[...used].filter((counter) => counter > highest)) > highest);

    // The second stands by for a third, is stopped, loses its place, and wakes up.
    const third = start("third", { standbyAfter: 3000 });
    standby.child.kill("SIGSTOP");
    await third.serves();
    await load(third, used, used.size + 100);
    standby.child.kill("SIGCONT");
    const late = standby.client();
    await assert.rejects(late.openSession({ meter: METER, purpose: "read" }));
    assert.equal(await standby.failed(), "custody-fenced");
    await late.close();
    await load(third, used, used.size + 100);
    const pool = createPool(database.url, { applicationName: "look" });
    const { rows } = await pool.query<{ epoch: string; ends: string; entries: string }>(
      `select (select epoch from custodian_instance), (select count(*) from ledger where kind = 'custodian-started') as ends,
         (select count(*) from ledger) as entries`,
    );
    await pool.end();
    assert.deepEqual([rows[0]?.epoch, rows[0]?.ends], ["4", "4"]);
  } finally {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    rmSync(folder, { recursive: true });
  }
});
