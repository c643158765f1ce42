import { fromHex, systemTitle } from "@meterkeep/dlms";
import { connectWrapper, listenWrapper } from "@meterkeep/dlms-node";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../src/store/postgres-store.ts";
import { TestCertificates } from "../src/testing/test-certificates.ts";
import { carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../src/testing/test-custody.ts";
import { TestMeter } from "../src/testing/test-meter.ts";

// Enrolments a second through the whole machine: anchor, authorities, two key pairs each requested, certified, imported and
// compared, and both proofs; the custodian over PostgreSQL (whose bench database is not durable), the meters behind
// sockets, all in one process: `--meters N`, 100 unless given.

const at = process.argv.indexOf("--meters");
const count = at < 0 ? 100 : Number(process.argv[at + 1]);
const CONCURRENCY = 16;
const PLACE = { utility: "stadtwerke", island: "mainland" };

/** A meter behind a socket of its own. */
async function listening(meter: TestMeter) {
  return listenWrapper({
    port: 0,
    host: "127.0.0.1",
    server: {
      connect: (clientSap: number, serverSap: number) => meter.connect(clientSap, serverSap),
      handle: (line: ReturnType<TestMeter["connect"]>, apdu: Uint8Array) => line.exchange(apdu),
      disconnect: () => {},
    },
  });
}

async function enrol({ custody: { service } }: TestCustody, title: string, port: number): Promise<number> {
  const meter = systemTitle(fromHex(title));
  let exchanges = 0;
  for (;;) {
    const next = await service.nextContact({ meter }, HEAD_END);
    if (next.kind === "nothing") return exchanges;
    if (next.kind === "wait") throw new Error(`the custodian wants to wait: ${next.state.sentence}`);
    const { clientSap, serverSap, contact } = next;
    await using line = await connectWrapper({ host: "127.0.0.1", port, clientSap, serverSap });
    for (let { apdu } = next; ; ) {
      const received = await line.exchange(apdu, new AbortController().signal);
      exchanges += 1;
      const advance = await service.advanceContact({ contact, event: { kind: "received", apdu: received } }, HEAD_END);
      if (advance.kind === "close") break;
      ({ apdu } = advance);
    }
  }
}

await withTestDatabase({ migrations: CUSTODY_MIGRATIONS, maxConnections: 8 }, ({ pool }) =>
  withTestCustody(
    async (custody) => {
      const root = (await custody.custody.pki.authorities.all()).find(({ profile }) => profile === "root");
      if (root === undefined) throw new Error("there is no root");
      const meters: { readonly title: string; readonly port: number }[] = [];
      const listeners = [];
      for (let n = 1; n <= count; n += 1) {
        const title = `545354${n.toString(16).toUpperCase().padStart(10, "0")}`;
        const certificates = new TestCertificates(systemTitle(fromHex(title)), root.certificate);
        const meter = new TestMeter({ systemTitle: title, certificates });
        await custody.add(meter, { profile: "idis-p3", securitySuite: 1 });
        await carryTakeover(custody, meter);
        const listener = await listening(meter);
        listeners.push(listener);
        meters.push({ title, port: listener.port });
      }
      const plan = { meters: [], cause: "first", reason: "bench" } as const;
      await custody.custody.service.planEnrolments(plan, { name: "operator", role: "operator" });
      const waiting = [...meters];
      let exchanges = 0;
      const cpu = process.cpuUsage();
      const begin = performance.now();
      await Promise.all(
        Array.from({ length: CONCURRENCY }, async () => {
          for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
            const made = await enrol(custody, next.title, next.port);
            exchanges += made;
          }
        }),
      );
      const seconds = (performance.now() - begin) / 1000;
      const { user, system } = process.cpuUsage(cpu);
      const report = await custody.custody.service.enrolmentReport({}, { name: "operator", role: "operator" });
      if (report.enrolled !== count) throw new Error(`${report.enrolled} of ${count} are enrolled`);
      console.log(`${count} meters of suite 1 enrolled over sockets, ${CONCURRENCY} at a time`);
      console.log(`  ${(count / seconds).toFixed(1)} meters a second`);
      console.log(`  ${(exchanges / count).toFixed(1)} exchanges a meter`);
      console.log(
        `  ${((user + system) / 1000 / count).toFixed(1)} ms of this process's CPU a meter, both ends together`,
      );
      for (const listener of listeners) await listener[Symbol.asyncDispose]();
    },
    postgresCustodyStore(pool),
    { pki: { developmentTree: PLACE } },
  ),
);
