/**
 * How fast a ledger grows durably and is verified. PostgreSQL with its defaults: every group is one commit, synchronised
 * to disk. `--seconds` for each part, 5 unless told.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { launchEmbedded } from "@meterkeep/postgres";
import { openTestDatabase } from "@meterkeep/postgres/testing";
import {
  allEntries,
  entryLine,
  exportLines,
  generateSignerSecret,
  KEYS_ANNOUNCED,
  keysJson,
  LEDGER_GRANTS,
  LEDGER_MIGRATIONS,
  Ledger,
  type LedgerDraft,
  logName,
  postgresLedgerStore,
  type StoredCheckpoint,
  signedCheckpoint,
  softwareSigner,
  verifyExport,
} from "../src/index.ts";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "5" } } });
const seconds = Number(values.seconds);
const CALLERS = 4000;
const [load = 0] = loadavg();
console.log(`${cpus().length} cores (${cpus()[0]?.model ?? "unknown"}), load ${load.toFixed(1)} before`);

// A server of its own, since those of tests lose what a power failure finds: this one synchronises every commit.
const folder = mkdtempSync(join(tmpdir(), "meterkeep-bench-"));
chmodSync(folder, 0o711);
const server = await launchEmbedded({
  stateDirectory: join(folder, "postgres"),
  socketDirectory: join(folder, "run"),
  log: () => undefined,
});
process.env["METERKEEP_TEST_DATABASE_URL"] ??= server.adminUrl;
const database = await openTestDatabase({
  migrations: [{ component: "ledger", directory: LEDGER_MIGRATIONS, grants: LEDGER_GRANTS }],
  maxConnections: 8,
});
const store = postgresLedgerStore(database.pool);
const ledger = new Ledger(store);
const signer = softwareSigner(1, generateSignerSecret());
const log = logName(signer.keys);
const draft = (kind: string, body: unknown): LedgerDraft => ({
  at: Date.now(),
  kind,
  principal: "head-end",
  utility: "stadtwerke",
  island: "mainland",
  meter: "4D4B560000000001",
  body,
});
await ledger.append(draft(KEYS_ANNOUNCED, { log, ...keysJson(signer.keys) }));

let appended = 0;
const until = performance.now() + seconds * 1000;
const began = performance.now();
const appending = process.cpuUsage();
const checkpoints: StoredCheckpoint[] = [];
await Promise.all(
  Array.from({ length: CALLERS }, async (_, caller) => {
    while (performance.now() < until) {
      await ledger.append(draft("session-closed", { caller, toMeter: 12, fromMeter: 12, sha256: "0".repeat(64) }));
      appended += 1;
    }
  }),
);
const appendSeconds = (performance.now() - began) / 1000;
const appendCpu = cpuSeconds(appending);
const { rows } = await database.pool.query(
  "select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commits",
);
console.log(
  `append   ${Math.round(appended / appendSeconds)} entries/s durably (${appended} entries by ${CALLERS} callers, fsync ${rows[0].fsync}, synchronous_commit ${rows[0].commits}); ${Math.round(appended / appendCpu)} a core second of ours`,
);

const head = await ledger.head();
checkpoints.push({
  size: head.size,
  note: await signedCheckpoint(signer, { log, ...head, at: Date.now() }),
  cosignatures: [],
});
const lines: string[] = [];
for await (const line of exportLines(
  {
    log,
    size: head.size,
    entries: (after) => ledger.read(after, 5000),
    checkpoints: async (from) => checkpoints.filter(({ size }) => size >= from),
  },
  new Date(),
))
  lines.push(line);
const file = Buffer.from(`${lines.join("\n")}\n`);
const chunk = 1024 * 1024;
let verified = 0;
const start = performance.now();
const verifying = process.cpuUsage();
do {
  const chunks = Array.from({ length: Math.ceil(file.length / chunk) }, (_, at) =>
    file.subarray(at * chunk, (at + 1) * chunk),
  );
  const report = await verifyExport(chunks, { log });
  if (report.faults.length > 0 || report.signed !== head.size) throw new Error(JSON.stringify(report.faults));
  verified += report.size;
} while (performance.now() - start < seconds * 1000);
const verifySeconds = (performance.now() - start) / 1000;
const verifyCpu = cpuSeconds(verifying);
console.log(
  `verify   ${Math.round(verified / verifySeconds)} entries/s, ${Math.round(verified / verifyCpu)} a core second (${Math.round(file.length / head.size)} octets an entry: leaves, tree, both signatures)`,
);
let read = 0;
const readBegan = performance.now();
for await (const entry of allEntries(store, 0, 5000)) {
  entryLine(entry);
  read += 1;
}
console.log(`read     ${Math.round(read / ((performance.now() - readBegan) / 1000))} entries/s out of PostgreSQL`);
await ledger.close();
await database[Symbol.asyncDispose]();
await server.stop();
rmSync(folder, { recursive: true });

function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}
