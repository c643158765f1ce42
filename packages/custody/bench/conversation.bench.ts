import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { getRequest } from "../src/protocol/requests.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../src/store/postgres-store.ts";
import { caller, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../src/testing/test-custody.ts";
import { TestMeter } from "../src/testing/test-meter.ts";

// Takeovers, rotations and reading sessions a second of the custodian and its meters in one process, over PostgreSQL (whose bench
// database is not durable), without sockets: `--meters N`, 100 unless given.

const at = process.argv.indexOf("--meters");
const count = at < 0 ? 100 : Number(process.argv[at + 1]);
const SESSIONS = count * 10;
const CONCURRENCY = 32;
const REQUEST = getRequest({ classId: 1, logicalName: "0.0.42.0.0.255", attributeId: 2 });
const READS = 10;
const OPERATOR = caller("operator");

await withTestDatabase({ migrations: CUSTODY_MIGRATIONS, maxConnections: 8 }, ({ pool }) =>
  withTestCustody(async (custody) => {
    const meters = Array.from(
      { length: count },
      (_, n) => new TestMeter({ systemTitle: `545354${(n + 1).toString(16).toUpperCase().padStart(10, "0")}` }),
    );
    for (const meter of meters) await custody.add(meter);
    await measure("takeovers", meters, async (meter) => {
      const { state } = await carryTakeover(custody, meter);
      if (state.verdict !== "proven") throw new Error(state.sentence);
    });
    const plan = { meters: [], madeBefore: undefined, purposes: [], cause: "demand", reason: "bench" } as const;
    await custody.custody.service.planRotations(plan, OPERATOR);
    await measure("rotations of four keys", meters, async (meter) => {
      await carryTakeover(custody, meter);
    });
    const { proven } = await custody.custody.service.keyLife({}, OPERATOR);
    if (proven !== count) throw new Error(`${proven} rotations are proven`);
    const turns = Array.from({ length: SESSIONS }, (_, n) => meters[n % count] as TestMeter);
    await measure("sessions of 10 reads", turns, (meter) => session(custody, meter));
  }, postgresCustodyStore(pool)),
);

async function session({ custody: { service } }: TestCustody, meter: TestMeter): Promise<void> {
  const opened = await service.openSession(
    { meter: systemTitle(fromHex(meter.systemTitle)), purpose: "read" },
    HEAD_END,
  );
  const line = meter.connect(opened.clientSap, opened.serverSap);
  const of = { session: opened.session };
  for (let send: Uint8Array | undefined = opened.apdu; send !== undefined; ) {
    const advance = await service.advanceSession({ ...of, received: line.exchange(send) as Uint8Array }, HEAD_END);
    if (advance.kind === "failed") throw new Error(advance.message);
    send = advance.kind === "send" ? advance.apdu : undefined;
  }
  for (let read = 0; read < READS; read += 1) {
    const [sealed] = await service.seal({ ...of, items: [{ apdu: REQUEST }] }, HEAD_END);
    if (sealed?.kind !== "sealed") throw new Error("refused");
    const [answer] = await service.open({ ...of, apdus: [line.exchange(sealed.apdu) as Uint8Array] }, HEAD_END);
    if (answer?.kind !== "opened") throw new Error("not opened");
  }
  const { apdu } = await service.closeSession({ ...of, outcome: "completed", releases: true }, HEAD_END);
  line.exchange(apdu as Uint8Array);
}

async function measure(name: string, meters: readonly TestMeter[], work: (meter: TestMeter) => Promise<void>) {
  const waiting = [...meters];
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const lane = async (): Promise<void> => {
    for (let meter = waiting.shift(); meter !== undefined; meter = waiting.shift()) await work(meter);
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, count) }, lane));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const each = (user + system) / 1000 / meters.length;
  console.log(
    `${name}: ${(meters.length / seconds).toFixed(0)} a second, ${each.toFixed(2)} ms of CPU each (meter's side included)`,
  );
}
